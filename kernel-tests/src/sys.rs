//! The system calls that nix lacks or leaves unsafe. All of this program's
//! unsafe code is here.

use std::ffi::{CStr, c_void};
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::libc;
use nix::sched::CloneFlags;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, mmap_anonymous, munmap};
use nix::unistd::Pid;

/// The size of a page on the only architecture that is booted.
pub const PAGE: u64 = 4096;

/// A file descriptor that stands for a process.
pub fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers and touches no memory of ours.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })
}

/// A descriptor of another process, shared.
pub fn pidfd_getfd(pidfd: BorrowedFd<'_>, fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes three integers and touches no memory of ours.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0) })
}

/// A descriptor for the page faults of this process.
pub fn userfaultfd() -> io::Result<OwnedFd> {
    let flags = libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: the call takes an integer and touches no memory of ours.
    owned(unsafe { libc::syscall(libc::SYS_userfaultfd, flags) })
}

/// Takes over the descriptor that a system call answered with.
fn owned(answer: libc::c_long) -> io::Result<OwnedFd> {
    let fd = i32::try_from(Errno::result(answer)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just handed us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Has whoever touches a missing page of a mapping wait for the holder of a
/// [`userfaultfd`] that is used for the first time.
pub fn userfaultfd_register(fd: BorrowedFd<'_>, mapping: Mapping) -> io::Result<()> {
    const API: u64 = 0xaa;
    const MISSING: u64 = 1;
    let mut api = [API, 0, 0];
    let mut register = [mapping.start(), mapping.len.get() as u64, MISSING, 0];
    // SAFETY: the kernel reads and writes the structures, which are of the size
    // that it expects and outlive the calls; the mapping stays as it is.
    unsafe {
        uffdio_api(fd.as_raw_fd(), &raw mut api)?;
        uffdio_register(fd.as_raw_fd(), &raw mut register)?;
    }
    Ok(())
}

nix::ioctl_readwrite!(uffdio_api, 0xaa, 0x3f, [u64; 3]);
nix::ioctl_readwrite!(uffdio_register, 0xaa, 0x00, [u64; 4]);

/// Has a process run only when nobody else wants its CPU (`SCHED_IDLE`).
pub fn run_when_idle(pid: Pid) -> io::Result<()> {
    let priority: libc::c_int = 0;
    // SAFETY: the kernel reads one integer, which outlives the call. The C library
    // of the guest refuses to make it.
    Errno::result(unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            pid.as_raw(),
            libc::SCHED_IDLE,
            &raw const priority,
        )
    })?;
    Ok(())
}

/// By which policy a process is scheduled (`SCHED_OTHER`, `SCHED_FIFO`, ...).
pub fn scheduling_policy(pid: Pid) -> io::Result<libc::c_long> {
    // SAFETY: the call takes a number. The C library of the guest refuses to make it.
    let policy = unsafe { libc::syscall(libc::SYS_sched_getscheduler, pid.as_raw()) };
    Ok(Errno::result(policy)?)
}

/// Sets the nice value of the calling thread.
pub fn set_nice(nice: i32) -> io::Result<()> {
    // SAFETY: the call takes three integers and touches no memory of ours.
    Errno::result(unsafe { libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, nice) })?;
    Ok(())
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

/// Starts a process that shares this one's memory and does nothing.
pub fn spawn_sharer() -> io::Result<Pid> {
    spawn_idle(CloneFlags::CLONE_VM)
}

/// The same as `vfork` does: this thread waits until that process has ended.
pub fn vfork_idle() -> io::Result<Pid> {
    spawn_idle(CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK)
}

fn spawn_idle(flags: CloneFlags) -> io::Result<Pid> {
    const STACK: u64 = 16 * PAGE;
    extern "C" fn idle(_: *mut c_void) -> libc::c_int {
        loop {
            // SAFETY: the call takes no argument and touches no memory.
            unsafe { libc::syscall(libc::SYS_pause) };
        }
    }
    let stack = Mapping::new(
        None,
        STACK,
        ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
        MapFlags::MAP_PRIVATE,
        None,
    )?;
    let flags = flags.bits() | libc::SIGCHLD;
    // SAFETY: the stack is a mapping of its own that is never unmapped, and
    // what runs on it neither returns nor touches what this process owns.
    let pid = unsafe {
        let top = stack.base.as_ptr().byte_add(stack.len.get());
        libc::clone(idle, top, flags, std::ptr::null_mut())
    };
    Ok(Pid::from_raw(Errno::result(pid)?))
}

/// Ends the calling thread alone, and nothing of the process's.
pub fn end_thread() -> ! {
    loop {
        // SAFETY: the thread gives up its own stack, to which no other one has a
        // reference; it never returns to it.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    }
}

/// Waits until every CPU has been through the scheduler; where the kernel
/// can't, returns at once.
pub fn membarrier() {
    // SAFETY: the call takes integers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) };
}

/// Maps the page at address zero, and touches it.
pub fn map_page_zero() -> io::Result<()> {
    let (prot, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_POPULATE,
    );
    // SAFETY: nothing that Rust knows of lies at address zero, and nothing will
    // be read or written there.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), PAGE as usize, prot, flags, -1, 0) };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Swaps to a device.
pub fn swapon(device: &CStr) -> io::Result<()> {
    // SAFETY: the kernel reads a string that ends.
    Errno::result(unsafe { libc::swapon(device.as_ptr(), 0) })?;
    Ok(())
}

/// Takes back all that was swapped to a device, and stops using it.
pub fn swapoff(device: &CStr) -> io::Result<()> {
    // SAFETY: as for `swapon`.
    Errno::result(unsafe { libc::swapoff(device.as_ptr()) })?;
    Ok(())
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

    /// Asks for huge pages, where the kernel can.
    pub fn huge(self) -> io::Result<()> {
        // SAFETY: the range is a mapping of ours; its content stays as it is.
        unsafe { madvise(self.base, self.len.get(), MmapAdvise::MADV_HUGEPAGE)? };
        Ok(())
    }

    /// Has its pages written to swap, as far as there is any.
    pub fn page_out(self) -> io::Result<()> {
        // SAFETY: the range is a mapping of ours; its content stays as it is.
        Errno::result(unsafe {
            libc::madvise(self.base.as_ptr(), self.len.get(), libc::MADV_PAGEOUT)
        })?;
        Ok(())
    }

    /// Names anonymous memory, which keeps it apart from neighbours with other names.
    pub fn name(self, name: &CStr) -> io::Result<()> {
        // SAFETY: the kernel reads the name, and no content changes.
        Errno::result(unsafe {
            libc::prctl(
                libc::PR_SET_VMA,
                libc::PR_SET_VMA_ANON_NAME,
                self.base.as_ptr(),
                self.len.get(),
                name.as_ptr(),
            )
        })?;
        Ok(())
    }

    /// Both sides of an offset, of which neither is empty.
    pub fn split(self, at: u64) -> io::Result<(Self, Self)> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let head = usize::try_from(at).ok().and_then(NonZeroUsize::new);
        let head = head.ok_or_else(invalid)?;
        let tail = self.len.get().checked_sub(head.get());
        let tail = tail.and_then(NonZeroUsize::new).ok_or_else(invalid)?;
        // SAFETY: the offset lies inside the mapping.
        let behind = unsafe { self.base.byte_add(head.get()) };
        let [head, tail] =
            [(self.base, head), (behind, tail)].map(|(base, len)| Self { base, len });
        Ok((head, tail))
    }

    /// Gives it back to the kernel.
    pub fn unmap(self) -> io::Result<()> {
        // SAFETY: the range is a mapping of ours, to which there is no Rust
        // reference, and our only caller uses it no more.
        unsafe { munmap(self.base, self.len.get())? };
        Ok(())
    }

    /// Reads the first byte of each page.
    pub fn read(self) {
        for offset in (0..self.len.get()).step_by(PAGE as usize) {
            // SAFETY: the offset lies inside a readable mapping of ours.
            unsafe { self.base.as_ptr().cast::<u8>().add(offset).read_volatile() };
        }
    }

    /// Writes the first byte of each page.
    pub fn fill(self, byte: u8) {
        self.fill_each(1, byte);
    }

    /// Writes the first byte of each `nth` page.
    pub fn fill_each(self, nth: usize, byte: u8) {
        self.write_at(
            (0..self.len.get()).step_by(PAGE as usize * nth.max(1)),
            byte,
        );
    }

    /// Writes the first byte of the first page, the one in the middle and the last.
    pub fn fill_ends(self, byte: u8) {
        let pages = self.len.get() / PAGE as usize;
        let touched = [0, pages / 2, pages.saturating_sub(1)];
        self.write_at(touched.map(|page| page * PAGE as usize).into_iter(), byte);
    }

    fn write_at(self, offsets: impl Iterator<Item = usize>, byte: u8) {
        for offset in offsets {
            // SAFETY: our callers stay inside the mapping, which was made writable
            // by their only one, and is shared with no Rust reference.
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
