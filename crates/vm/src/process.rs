//! Programs with a deadline that can be cancelled and never outlive us.
//!
//! Each runs without a shell, as the leader of a process group of its own,
//! and is killed by the kernel when the thread that started it dies. One
//! `poll` waits for its output, its end, the deadline and the cancel token
//! together: nothing here is busy and nothing sleeps.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::prctl;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpid, getppid};

use crate::lines::Lines;

/// How long a program may take to end after SIGTERM before SIGKILL follows.
const GRACE: Duration = Duration::from_millis(800);

/// How long to read on after a program has ended, where something that left
/// its process group still holds the pipes.
pub(crate) const DRAIN: Duration = Duration::from_millis(500);

/// The longest line that is kept, in bytes.
const LINE: usize = 1 << 20;

/// Tells every program and guest started with it to end. Clones are the same
/// token. Cancelling is final.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<Token>);

#[derive(Debug)]
struct Token {
    cancelled: AtomicBool,
    /// Readable for ever once cancelled, so that any number of waits see it.
    event: EventFd,
}

impl Cancel {
    /// A token that nobody has cancelled yet.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub fn new() -> io::Result<Self> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Self(Arc::new(Token {
            cancelled: AtomicBool::new(false),
            event,
        })))
    }

    /// Wakes whoever waits for a program or guest and has them end it.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        // Fails only when the counter is full, and then it is readable.
        let _ = self.0.event.write(1);
    }

    /// Whether it was cancelled.
    pub fn cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}

/// A program and how to start it. It reads nothing: standard input is
/// `/dev/null`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// The program, looked up in `PATH`.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// The working directory; none for the current one.
    pub dir: Option<PathBuf>,
    /// Variables set beside the inherited ones.
    pub env: Vec<(OsString, OsString)>,
}

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal, which we did not send.
    Signal(i32),
    /// We ended it: its deadline had passed.
    Deadline,
    /// We ended it: the token was cancelled.
    Cancelled,
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or(0)),
        }
    }
}

/// Runs `program` to its end and hands over its lines as they come, without
/// newline, invalid UTF-8 replaced, cut at 1 MiB. A carriage return ends a line
/// too.
///
/// Past the deadline, and when cancelled, its whole process group gets SIGTERM
/// and 0.8 s later SIGKILL. What it leaves running in its group when it ends
/// is killed too. A program that asks on the terminal gets no answer there: it
/// is not in the foreground.
///
/// # Errors
/// When it can't be started: [`io::ErrorKind::NotFound`] where there is no such
/// program, [`io::ErrorKind::NotADirectory`] where the folder is missing.
pub fn run(
    program: &Program,
    deadline: Option<Duration>,
    cancel: &Cancel,
    on_line: &mut dyn FnMut(Stream, &str),
) -> io::Result<Exit> {
    if cancel.cancelled() {
        return Ok(Exit::Cancelled);
    }
    let mut command = Command::new(&program.program);
    command
        .args(&program.args)
        .envs(program.env.iter().map(|(key, value)| (key, value)));
    if let Some(dir) = &program.dir {
        // Otherwise a missing folder looks like a missing program.
        if !dir.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::NotADirectory,
                format!("{} is not a folder", dir.display()),
            ));
        }
        command.current_dir(dir);
    }
    let deadline = deadline.map(|within| Instant::now() + within);
    let mut group = Group::spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()), None)?;
    let mut out = Source::new(group.child.stdout.take(), LINE).at_returns();
    let mut err = Source::new(group.child.stderr.take(), LINE).at_returns();
    let mut ended_by_us = None;
    let mut kill_at = None;
    let mut gone_at = None;
    while gone_at.is_none() || out.open() || err.open() {
        let until = match gone_at {
            Some(gone) => Some(gone + DRAIN),
            None => kill_at.or(deadline.filter(|_| ended_by_us.is_none())),
        };
        let watched = [
            out.fd(),
            err.fd(),
            gone_at.is_none().then(|| group.pidfd()),
            ended_by_us.is_none().then(|| cancel.fd()),
        ];
        let [from_out, from_err, gone, _] = ready(watched, until)?;
        if from_out {
            out.read(&mut |line| on_line(Stream::Out, line));
        }
        if from_err {
            err.read(&mut |line| on_line(Stream::Err, line));
        }
        let now = Instant::now();
        if gone {
            group.signal(Signal::SIGKILL);
            gone_at = Some(now);
        } else if let Some(gone) = gone_at {
            if now >= gone + DRAIN {
                break;
            }
        } else if ended_by_us.is_none() {
            let late = deadline.is_some_and(|at| now >= at);
            if cancel.cancelled() || late {
                ended_by_us = Some(if cancel.cancelled() {
                    Exit::Cancelled
                } else {
                    Exit::Deadline
                });
                group.signal(Signal::SIGTERM);
                // A stopped program acts on nothing but SIGKILL before this.
                group.signal(Signal::SIGCONT);
                kill_at = Some(now + GRACE);
            }
        } else if kill_at.is_some_and(|at| now >= at) {
            group.signal(Signal::SIGKILL);
            kill_at = None;
        }
    }
    out.finish(&mut |line| on_line(Stream::Out, line));
    err.finish(&mut |line| on_line(Stream::Err, line));
    let status = group.end()?;
    Ok(ended_by_us.unwrap_or(status.into()))
}

/// A child that leads a process group, which goes when this does.
pub(crate) struct Group {
    pub(crate) child: Child,
    pidfd: OwnedFd,
    reaped: bool,
}

impl Group {
    /// Starts it with standard input closed; `inherit` stays open in it under
    /// the same number.
    ///
    /// The calling thread must live until the group has ended: the kernel
    /// takes that thread's death for ours.
    pub(crate) fn spawn(command: &mut Command, inherit: Option<RawFd>) -> io::Result<Self> {
        let parent = getpid();
        let prepare = move || {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            // We may have died before that call.
            if getppid() != parent {
                return Err(Errno::ESRCH.into());
            }
            if let Some(fd) = inherit {
                // SAFETY: the number is that of a descriptor the caller keeps
                // open across the spawn; it is borrowed in the child only.
                let fd = unsafe { BorrowedFd::borrow_raw(fd) };
                fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
            }
            Ok(())
        };
        command.stdin(Stdio::null()).process_group(0);
        // SAFETY: between fork and exec this makes three system calls and
        // touches no memory that another thread could hold locked.
        unsafe { command.pre_exec(prepare) };
        let mut child = command.spawn()?;
        match pidfd(&child) {
            Ok(pidfd) => Ok(Self {
                child,
                pidfd,
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

    /// Kills what is left of the group and reaps the leader.
    pub(crate) fn end(&mut self) -> io::Result<ExitStatus> {
        if !self.reaped {
            self.signal(Signal::SIGKILL);
        }
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

/// Waits until one of `fds` has something (or has ended), or until `until`;
/// says which have. Absent ones are never ready.
pub(crate) fn ready<const N: usize>(
    fds: [Option<BorrowedFd<'_>>; N],
    until: Option<Instant>,
) -> io::Result<[bool; N]> {
    let mut set: Vec<PollFd<'_>> = fds
        .iter()
        .flatten()
        .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
        .collect();
    let timeout = until.map_or(PollTimeout::NONE, |until| {
        let left = until.saturating_duration_since(Instant::now());
        // Rounded up, or the last fraction of a millisecond would be a busy loop.
        let ms = left.as_micros().div_ceil(1000);
        PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX)
    });
    match poll(&mut set, timeout) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut answers = set.iter().map(|fd| fd.any().unwrap_or(false));
    Ok(fds.map(|fd| fd.is_some() && answers.next().unwrap_or(false)))
}

/// The reading end of a pipe or socket, as lines.
pub(crate) struct Source {
    file: Option<File>,
    lines: Lines,
    buffer: Box<[u8]>,
}

impl Source {
    pub(crate) fn new(fd: Option<impl Into<OwnedFd>>, line_limit: usize) -> Self {
        Self {
            file: fd.map(|fd| File::from(fd.into())),
            lines: Lines::new(line_limit),
            buffer: vec![0; 64 << 10].into_boxed_slice(),
        }
    }

    /// Ends lines at carriage returns too.
    pub(crate) fn at_returns(self) -> Self {
        Self {
            lines: self.lines.at_returns(),
            ..self
        }
    }

    pub(crate) fn open(&self) -> bool {
        self.file.is_some()
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(AsFd::as_fd)
    }

    /// Reads once, which does not block after [`ready`], and returns the raw
    /// bytes after their lines were handed over.
    pub(crate) fn read(&mut self, each: &mut dyn FnMut(&str)) -> &[u8] {
        let count = match self.file.as_mut().map(|file| file.read(&mut self.buffer)) {
            Some(Ok(count)) => count,
            Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => return &[],
            Some(Err(_)) | None => 0,
        };
        if count == 0 {
            self.file = None;
        }
        let bytes = self.buffer.get(..count).unwrap_or_default();
        self.lines.feed(bytes, each);
        bytes
    }

    pub(crate) fn finish(&mut self, each: &mut dyn FnMut(&str)) {
        self.lines.finish(each);
    }
}

/// The number under which a child finds a descriptor it inherits.
pub(crate) fn number(fd: &impl AsFd) -> RawFd {
    fd.as_fd().as_raw_fd()
}
