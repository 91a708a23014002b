//! Swap to a compressed disk in memory.

use std::ffi::CStr;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use crate::failure::{Failure, ResultExt};
use crate::procfs;
use crate::sys::{PAGE, swapoff, swapon};

const DEVICE: &CStr = c"/dev/zram0";

/// Where the device is set up.
pub const SYSFS: &str = "/sys/block/zram0";

/// Swap in compressed memory, for as long as it lives.
pub struct Zram;

impl Zram {
    /// As much as most need.
    pub fn new() -> Result<Self, Failure> {
        Self::of(64 << 20)
    }

    /// Of so many bytes.
    pub fn of(bytes: u64) -> Result<Self, Failure> {
        procfs::write(format!("{SYSFS}/disksize"), &bytes.to_string())?;
        let zram = Self;
        let path = DEVICE.to_string_lossy();
        OpenOptions::new()
            .write(true)
            .open(&*path)
            .and_then(|device| device.write_all_at(&header(bytes), 0))
            .while_doing(|| format!("making {path} a swap device"))?;
        swapon(DEVICE).while_doing(|| format!("swapping to {path}"))?;
        Ok(zram)
    }
}

impl Drop for Zram {
    fn drop(&mut self) {
        // A device that stays in use holds memory, which is found missing.
        let _ = swapoff(DEVICE);
        let _ = procfs::write(format!("{SYSFS}/reset"), "1");
    }
}

/// The first page of a swap device (`union swap_header` of the kernel's
/// `linux/swap.h`): the format's version and the last page behind a kibibyte
/// for boot loaders, and the magic at the end.
fn header(bytes: u64) -> Vec<u8> {
    const MAGIC: &[u8] = b"SWAPSPACE2";
    let mut page = vec![0; 1024];
    page.extend(1u32.to_ne_bytes());
    page.extend(((bytes / PAGE - 1) as u32).to_ne_bytes());
    page.resize(PAGE as usize - MAGIC.len(), 0);
    page.extend(MAGIC);
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_header_is_one_page() {
        let page = header(64 << 20);
        assert_eq!(page.len(), 4096);
        assert_eq!(
            page.get(1024..1032),
            Some(&[1, 0, 0, 0, 0xff, 0x3f, 0, 0][..])
        );
        assert!(page.ends_with(b"SWAPSPACE2"));
    }
}
