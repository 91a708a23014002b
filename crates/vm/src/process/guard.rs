//! Who ends a group of processes when we die without a word.
//!
//! The kernel tells a child that its parent is gone, and nobody tells that child's own
//! children: a make that was killed leaves its compilers at work, in a folder whose lock
//! is free. So each group has a guard, a process that does nothing but wait for us. It
//! has our locks too, and gives them back when the group is gone.

use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::{AsRawFd, RawFd};

use nix::libc;

/// How long a group that was killed may take to be gone, in milliseconds.
const GONE: u32 = 5000;

/// Descriptors from this number on are closed without a look at what they are.
const LOOKED_AT: RawFd = 4096;

/// Our side: as long as it is there the guard waits.
#[derive(Debug)]
pub(super) struct Guard {
    ours: PipeWriter,
    theirs: PipeReader,
}

impl Guard {
    pub(super) fn new() -> io::Result<Self> {
        let (theirs, ours) = io::pipe()?;
        Ok(Self { ours, theirs })
    }

    /// What [`post`] takes.
    pub(super) fn watched(&self) -> RawFd {
        self.theirs.as_raw_fd()
    }

    /// The group is ended by us: the guard has nothing to do.
    pub(super) fn dismiss(&mut self) {
        // One that is gone needs no word.
        let _ = self.ours.write_all(b"!");
    }
}

impl Drop for Guard {
    /// Only a command that is killed has no word for it: a program that could not be
    /// started is no reason to kill, either.
    fn drop(&mut self) {
        self.dismiss();
    }
}

/// Leaves a guard behind, in the process that is to become the leader of a group: between
/// fork and exec.
///
/// # Errors
/// When there can be no more processes.
///
/// # Safety
/// The process has one thread, which calls `exec` next.
pub(super) unsafe fn post(watched: RawFd) -> io::Result<()> {
    // SAFETY: all of this and what it calls are system calls, with memory of our own. In
    // a child of a process with threads nothing else is allowed.
    unsafe {
        let leader = libc::getpid();
        match libc::fork() {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                // Once more: so the guard is no child of the program's, which may wait
                // for any.
                if libc::fork() == 0 {
                    watch(leader, watched);
                }
                libc::_exit(0)
            }
            child => {
                while libc::waitpid(child, std::ptr::null_mut(), 0) < 0
                    && *libc::__errno_location() == libc::EINTR
                {}
                Ok(())
            }
        }
    }
}

/// The guard's life.
///
/// # Safety
/// As for [`post`].
unsafe fn watch(leader: libc::pid_t, watched: RawFd) -> ! {
    // SAFETY: as there.
    unsafe {
        // Neither the group's signals nor the terminal's are for it.
        libc::setsid();
        libc::chdir(c"/".as_ptr());
        keep_locks(watched);
        let mut word = 0_u8;
        let count = loop {
            let count = libc::read(watched, (&raw mut word).cast(), 1);
            if count >= 0 || *libc::__errno_location() != libc::EINTR {
                break count;
            }
        };
        if count == 0 {
            libc::kill(-leader, libc::SIGKILL);
            let pause = libc::timespec {
                tv_sec: 0,
                tv_nsec: 1_000_000,
            };
            let mut left = GONE;
            while left > 0 && libc::kill(-leader, 0) == 0 {
                libc::nanosleep(&raw const pause, std::ptr::null_mut());
                left -= 1;
            }
        }
        libc::_exit(0)
    }
}

/// Closes all but what is watched and regular files, which locks are: a pipe that it held
/// open would have no end for its reader.
///
/// # Safety
/// As for [`post`].
unsafe fn keep_locks(watched: RawFd) {
    // SAFETY: as there; no object of ours is used after its descriptor is closed.
    unsafe {
        for fd in 0..LOOKED_AT {
            let mut about = std::mem::zeroed::<libc::stat>();
            if fd == watched || libc::fstat(fd, &raw mut about) != 0 {
                continue;
            }
            if about.st_mode & libc::S_IFMT != libc::S_IFREG {
                libc::close(fd);
            }
        }
        libc::syscall(libc::SYS_close_range, LOOKED_AT, libc::c_uint::MAX, 0);
    }
}
