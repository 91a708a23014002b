//! Programs with a deadline that can be cancelled and never outlive us.
//!
//! Each runs without a shell, as the leader of a process group of its own,
//! and is killed by the kernel when the thread that started it dies. One
//! `poll` waits for its output, its end, the deadline and the cancel token
//! together: nothing here is busy and nothing sleeps.

mod cancel;
mod group;
mod guard;
mod source;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

pub use cancel::Cancel;
pub(crate) use group::{Group, number};
pub(crate) use source::{Source, ready};

/// How long a program may take to end after SIGTERM before SIGKILL follows.
const GRACE: Duration = Duration::from_millis(800);

/// How long to read on after a program has ended, where something that left
/// its process group still holds the pipes.
pub(crate) const DRAIN: Duration = Duration::from_millis(500);

/// The longest line that is kept, in bytes.
const LINE: usize = 1 << 20;

/// A program and how to start it. It reads nothing: standard input is
/// `/dev/null`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Invocation {
    /// The program, looked up in `PATH`.
    pub program: OsString,
    pub args: Vec<OsString>,
    /// The working directory; none for the current one.
    pub dir: Option<PathBuf>,
    /// Variables set beside the inherited ones.
    pub env: Vec<(OsString, OsString)>,
}

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
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

/// Runs a program to its end and hands over its lines as they come, without
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
    invocation: &Invocation,
    deadline: Option<Duration>,
    cancel: &Cancel,
    on_line: &mut dyn FnMut(Stream, &str),
) -> io::Result<Exit> {
    if cancel.cancelled() {
        return Ok(Exit::Cancelled);
    }
    let mut command = Command::new(&invocation.program);
    command
        .args(&invocation.args)
        .envs(invocation.env.iter().map(|(key, value)| (key, value)));
    if let Some(dir) = &invocation.dir {
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
    let mut group = Group::spawn(
        command.stdout(Stdio::piped()).stderr(Stdio::piped()),
        Vec::new(),
    )?;
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
