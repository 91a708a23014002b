//! The system calls that nix lacks or leaves unsafe. All of this program's
//! unsafe code is here.

use std::ffi::c_void;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::libc;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, mmap_anonymous};
use nix::unistd::Pid;

/// The size of a page on the only architecture that is booted.
pub const PAGE: u64 = 4096;

/// A file descriptor that stands for a process.
pub fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    let fd = Errno::result(fd)?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just handed us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Reaps the memory of the dying process behind `pidfd`.
pub fn process_mrelease(pidfd: BorrowedFd<'_>, flags: u32) -> Result<(), Errno> {
    process_mrelease_raw(pidfd.as_raw_fd(), flags)
}

/// As [`process_mrelease`], with a descriptor that need not be one.
pub fn process_mrelease_raw(fd: i32, flags: u32) -> Result<(), Errno> {
    // SAFETY: the call takes two integers; it unmaps the target's memory, and
    // the kernel lets it do so only to a process that is already dying.
    Errno::result(unsafe { libc::syscall(libc::SYS_process_mrelease, fd, flags) }).map(drop)
}

/// A mapping that this process made and keeps to its end.
#[derive(Debug, Clone, Copy)]
pub struct Mapping {
    base: NonNull<c_void>,
    len: NonZeroUsize,
}

impl Mapping {
    /// Maps `len` bytes, of `file` or else anonymous memory, at exactly `at`
    /// or else where the kernel likes. Never replaces another mapping.
    pub fn new(
        at: Option<u64>,
        len: u64,
        prot: ProtFlags,
        flags: MapFlags,
        file: Option<BorrowedFd<'_>>,
    ) -> io::Result<Self> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let len = usize::try_from(len)
            .ok()
            .and_then(NonZeroUsize::new)
            .ok_or_else(invalid)?;
        let (at, flags) = match at {
            Some(at) => {
                let at = usize::try_from(at).ok().and_then(NonZeroUsize::new);
                (
                    Some(at.ok_or_else(invalid)?),
                    flags | MapFlags::MAP_FIXED_NOREPLACE,
                )
            }
            None => (None, flags),
        };
        // SAFETY: MAP_FIXED_NOREPLACE (or no address) never touches existing
        // mappings, so no object that Rust knows of lies in the new one.
        let base = unsafe {
            match file {
                Some(file) => mmap(at, len, prot, flags, file.as_fd(), 0)?,
                None => mmap_anonymous(at, len, prot, flags)?,
            }
        };
        Ok(Self { base, len })
    }

    /// The first address.
    pub fn start(self) -> u64 {
        self.base.as_ptr() as u64
    }

    /// The address behind the mapping.
    pub fn end(self) -> u64 {
        self.start() + self.len.get() as u64
    }

    /// Faults every page in for writing, in one call.
    pub fn populate(self) -> io::Result<()> {
        // SAFETY: the range is a mapping of ours, and populating it changes no
        // content.
        unsafe { madvise(self.base, self.len.get(), MmapAdvise::MADV_POPULATE_WRITE)? };
        Ok(())
    }

    /// Writes the first byte of each page.
    pub fn fill(self, byte: u8) {
        for offset in (0..self.len.get()).step_by(PAGE as usize) {
            // SAFETY: the offset lies inside a mapping made writable by our
            // only caller, which shares it with no Rust reference.
            unsafe {
                self.base
                    .as_ptr()
                    .cast::<u8>()
                    .add(offset)
                    .write_volatile(byte)
            };
        }
    }
}
