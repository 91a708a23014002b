//! `process_mrelease` on a process, and what it must answer.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::Pid;

use crate::failure::{Failure, ResultExt, ensure};
use crate::procfs;
use crate::sys::{pidfd_open, process_mrelease};
use crate::victim::Victim;
use crate::wait;

/// How long a caller may take until it waits.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A process to release.
#[derive(Debug)]
pub struct Mrelease(OwnedFd);

impl Mrelease {
    pub fn of(pid: Pid) -> Result<Self, Failure> {
        let pidfd = pidfd_open(pid).while_doing(|| format!("opening a pidfd of {pid}"))?;
        Ok(Self(pidfd))
    }

    /// Calls it, and fails unless it answers as expected; `of` says of whom.
    pub fn expect(&self, of: &str, expected: Result<(), Errno>) -> Result<(), Failure> {
        ensure_answer(of, process_mrelease(self.as_fd(), 0), expected)
    }
}

impl AsFd for Mrelease {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Fails unless a call has answered as expected; `of` says of whom.
pub fn ensure_answer(
    of: &str,
    answer: Result<(), Errno>,
    expected: Result<(), Errno>,
) -> Result<(), Failure> {
    ensure(answer == expected, || {
        format!("process_mrelease of {of}: {answer:?} instead of {expected:?}")
    })
}

/// Waits until a caller sleeps where only SIGKILL wakes it.
pub fn wait_for_lock(caller: &Victim) -> Result<(), Failure> {
    wait::until(
        TIMEOUT,
        || Ok(procfs::state(caller.pid())? == 'D'),
        || "process_mrelease does not wait for mmap_lock".into(),
    )
}
