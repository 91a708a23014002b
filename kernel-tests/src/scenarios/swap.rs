//! 25: the reaper gives swap back too.

use std::ffi::CStr;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::{Need, Scenario};
use crate::context::Context;
use crate::failure::{Doing, Failure, ensure};
use crate::oom::{OomVictim, Watch};
use crate::procfs;
use crate::smaps;
use crate::sys::{PAGE, swapoff, swapon};
use crate::victim::{Area, Kind};

/// The device, and where it is set up.
const DEVICE: &CStr = c"/dev/zram0";
const SYSFS: &str = "/sys/block/zram0";

/// Its size in bytes.
const SIZE: u64 = 64 << 20;

/// KiB of the victim that must be in swap before it is killed.
const SWAPPED: u64 = 8 << 10;

/// KiB of swap that each CPU may keep for itself.
const SLACK: u64 = 1 << 10;

pub struct Swap;

impl Scenario for Swap {
    fn name(&self) -> &'static str {
        "swap"
    }

    fn number(&self) -> u32 {
        25
    }

    fn summary(&self) -> &'static str {
        "what a victim has in swap is given back by the reaper"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Memcg, Need::OomEvents, Need::Smaps, Need::Zram]
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn run(&self, _: &Context<'_>) -> Result<(), Failure> {
        let _zram = Zram::new()?;
        let free = swap_free()?;
        let mut watch = Watch::new()?;
        let areas = vec![
            // Below all that is resident: the walk must not end with that.
            Area {
                at: Some(16 * PAGE),
                ..Area::new(Kind::Swapped, 1, 512)
            },
            Area::new(Kind::Anon, 8, 64),
            Area::new(Kind::Swapped, 16, 256),
            Area::new(Kind::Anon, 8, 64),
        ];
        let mut oom = OomVictim::pinned(self.name(), areas, None)?;
        let pid = oom.victim.pid();
        let swapped =
            || -> Result<u64, Failure> { Ok(smaps::of(pid)?.iter().map(|vma| vma.swap).sum()) };
        // What is there stays there.
        let current = procfs::read(oom.cgroup.path().join("memory.swap.current"))?;
        oom.cgroup.set("memory.swap.max", current.trim())?;
        oom.kill()?;
        let (before, taken) = (swapped()?, free.saturating_sub(swap_free()?));
        ensure(before >= SWAPPED && taken >= SWAPPED, || {
            format!("only {before} KiB of the victim and {taken} KiB in all are in swap")
        })?;

        watch.reaped(pid, Vec::new())?;
        smaps::ensure_reaped(&smaps::of(pid)?)?;
        let now = swap_free()?;
        ensure(now + SLACK >= free, || {
            format!("{now} of {free} KiB of swap are free after the reaping")
        })?;
        oom.end()
    }
}

fn swap_free() -> Result<u64, Failure> {
    procfs::kib(&procfs::read("/proc/meminfo")?, "SwapFree")
        .ok_or_else(|| Failure::unmet("/proc/meminfo has no SwapFree"))
}

/// Swap in compressed memory, for as long as it lives.
pub(super) struct Zram;

impl Zram {
    pub(super) fn new() -> Result<Self, Failure> {
        procfs::write(format!("{SYSFS}/disksize"), &SIZE.to_string())?;
        let zram = Self;
        let path = DEVICE.to_string_lossy();
        OpenOptions::new()
            .write(true)
            .open(&*path)
            .and_then(|device| device.write_all_at(&header(), 0))
            .doing(|| format!("making {path} a swap device"))?;
        swapon(DEVICE).doing(|| format!("swapping to {path}"))?;
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
fn header() -> Vec<u8> {
    const MAGIC: &[u8] = b"SWAPSPACE2";
    let mut page = vec![0; 1024];
    page.extend(1u32.to_ne_bytes());
    page.extend(((SIZE / PAGE - 1) as u32).to_ne_bytes());
    page.resize(PAGE as usize - MAGIC.len(), 0);
    page.extend(MAGIC);
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_header_is_one_page() {
        let page = header();
        assert_eq!(page.len(), 4096);
        assert_eq!(
            page.get(1024..1032),
            Some(&[1, 0, 0, 0, 0xff, 0x3f, 0, 0][..])
        );
        assert!(page.ends_with(b"SWAPSPACE2"));
    }
}
