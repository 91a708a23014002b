//! A child with all that it starts, which does not outlive us.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::sys::prctl;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpid, getppid};

use super::guard::{self, Guard};

/// A child that leads a process group, which goes when this does.
pub(crate) struct Group {
    pub(crate) child: Child,
    pidfd: OwnedFd,
    guard: Guard,
    reaped: bool,
}

impl Group {
    /// Starts it with standard input closed; those of `inherit` stay open in it
    /// under the same numbers.
    ///
    /// The calling thread must live until the group has ended: the kernel
    /// takes that thread's death for ours.
    pub(crate) fn spawn(command: &mut Command, inherit: Vec<RawFd>) -> io::Result<Self> {
        let parent = getpid();
        let guard = Guard::new()?;
        let watched = guard.watched();
        let prepare = move || {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            // We may have died before that call.
            if getppid() != parent {
                return Err(Errno::ESRCH.into());
            }
            // SAFETY: here is one thread, and exec comes next.
            unsafe { guard::post(watched)? };
            for fd in &inherit {
                // SAFETY: the number is that of a descriptor the caller keeps
                // open across the spawn; it is borrowed in the child only.
                let fd = unsafe { BorrowedFd::borrow_raw(*fd) };
                fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
            }
            Ok(())
        };
        command.stdin(Stdio::null()).process_group(0);
        // SAFETY: between fork and exec this makes system calls alone and touches no
        // memory that another thread could hold locked.
        unsafe { command.pre_exec(prepare) };
        let mut child = command.spawn()?;
        match pidfd(&child) {
            Ok(pidfd) => Ok(Self {
                child,
                pidfd,
                guard,
                reaped: false,
            }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Readable once the leader has ended.
    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// Signals every member. Sound until the leader is reaped, since no other
    /// group can have its number before.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(group) = self.id() {
            let _ = killpg(group, signal);
        }
    }

    /// Whether somebody has stopped the leader (SIGSTOP, a debugger).
    pub(crate) fn is_stopped(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        // The state comes behind the name, in which anything may stand.
        let stat = stat.unwrap_or_default();
        let state = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.chars().next());
        matches!(state, Some('T' | 't'))
    }

    /// Kills what is left of the group and reaps the leader.
    pub(crate) fn end(&mut self) -> io::Result<ExitStatus> {
        if !self.reaped {
            self.signal(Signal::SIGKILL);
        }
        // Before the number of the group can be another's.
        self.guard.dismiss();
        let status = self.child.wait()?;
        self.reaped = true;
        Ok(status)
    }

    fn id(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().map(Pid::from_raw)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // After `end` the number may belong to somebody else.
        if !self.reaped {
            let _ = self.end();
        }
    }
}

fn pidfd(child: &Child) -> io::Result<OwnedFd> {
    // SAFETY: takes two integers and returns a new descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) };
    let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned it, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The number under which a child finds a descriptor it inherits.
pub(crate) fn number(fd: &impl AsFd) -> RawFd {
    fd.as_fd().as_raw_fd()
}
