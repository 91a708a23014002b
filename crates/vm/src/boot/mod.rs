//! One guest, from its first instruction to its end.

mod link;
mod outcome;
mod stops;
mod watch;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use results::text::printable;

use crate::console::Triage;
use crate::error::Error;
use crate::machine::{Guest, Root};
use crate::plug::Plugs;
use crate::process::{Cancel, DRAIN, Group, Source, number, ready};
use crate::virtme::Virtme;
use stops::{Moment, Stops};
use watch::{Cause, Watch};

pub use link::{Cpus, Link};
pub use outcome::{End, Outcome};
pub use watch::Progress;

/// The longest line of results, in bytes; a longer one loses its end.
const RESULT_LINE: usize = 1 << 20;
/// How much of the results is handed over, in bytes.
const RESULTS: usize = 256 << 20;
/// How much of the console is written down, in bytes.
const CONSOLE: usize = 64 << 20;
/// How much of a console line is kept for [`Outcome::console_tail`], in bytes.
const TAIL_LINE: usize = 1000;
/// How many last lines are kept.
const TAIL: usize = 20;
/// How long [`Progress::Stop`] stops QEMU.
const STOP: Duration = Duration::from_secs(1);

/// Boots a guest and watches it to its end. Results are handed to `on_line` as
/// they come (without newline, invalid UTF-8 replaced, cut at 1 MiB), with the
/// link to answer them; console bytes to `console`. When this returns, nothing of
/// the guest is left.
///
/// The thread that calls this must not end before it returns: QEMU dies with
/// the thread that started it.
///
/// # Errors
/// When the guest can't be started or `console` refuses. How a guest that was
/// started ends, well or not, is no error but the [`Outcome`].
pub fn boot(
    virtme: &Virtme,
    guest: &Guest,
    cancel: &Cancel,
    console: &mut dyn Write,
    on_line: &mut dyn FnMut(&Link, &str) -> Progress,
) -> Result<Outcome, Error> {
    boot_session(virtme, guest, Plugs::default(), cancel, console, on_line)
}

/// As [`boot`], with QEMU's ends of the streams of a session.
///
/// # Errors
/// As there.
pub fn boot_session(
    virtme: &Virtme,
    guest: &Guest,
    plugs: Plugs,
    cancel: &Cancel,
    console: &mut dyn Write,
    on_line: &mut dyn FnMut(&Link, &str) -> Progress,
) -> Result<Outcome, Error> {
    let called = Instant::now();
    let mut guest = guest.clone();
    guest.image = readable(&guest.image)?;
    match &mut guest.root {
        Root::Initramfs(file) => *file = readable(file)?,
        Root::Host(session) => session.first = readable(&session.first)?,
    }
    let (ours, theirs) = UnixStream::pair().map_err(Error::system("make a socket pair"))?;
    let argv = match virtme.compose(&guest, &plugs, number(&theirs), cancel) {
        Ok(argv) => argv,
        Err(Error::Interrupted) => return Ok(Outcome::interrupted(called)),
        Err(error) => return Err(error),
    };
    let mut argv = argv.into_iter();
    let mut command = Command::new(argv.next().unwrap_or_default());
    // Pipes: QEMU's files would be truncated when virtme-ng's arguments have
    // it open them again.
    command
        .args(argv)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let inherit = plugs.fds().chain([number(&theirs)]).collect();
    let group = Group::spawn(&mut command, inherit).map_err(Error::system("start QEMU"))?;
    drop((theirs, plugs));
    let watch = Watch::new(Instant::now(), guest.deadlines);
    let link = Link::new(&ours, group.child.id()).map_err(Error::system("copy a socket"))?;
    let mut running = Running::new(group, ours.into(), watch);
    let mut on_line = |line: &str| on_line(&link, line);
    let cause = running.follow(cancel, console, &mut on_line)?;
    let status = running
        .group
        .end()
        .map_err(Error::system("wait for QEMU"))?;
    Ok(running.outcome(called, cause, status))
}

struct Running {
    group: Group,
    watch: Watch,
    stops: Stops,
    /// QEMU was stopped on request, and is to go on.
    goes_on: bool,
    out: Source,
    err: Source,
    results: Source,
    triage: Triage,
    console_tail: Tail,
    qemu_tail: Tail,
    written: usize,
    delivered: usize,
    lines: u64,
    truncated: bool,
}

impl Running {
    fn new(mut group: Group, results: OwnedFd, watch: Watch) -> Self {
        Self {
            out: Source::new(group.child.stdout.take(), TAIL_LINE),
            err: Source::new(group.child.stderr.take(), TAIL_LINE),
            results: Source::new(Some(results), RESULT_LINE),
            group,
            watch,
            stops: Stops::new(Moment::now()),
            goes_on: false,
            triage: Triage::new(),
            console_tail: Tail::default(),
            qemu_tail: Tail::default(),
            written: 0,
            delivered: 0,
            lines: 0,
            truncated: false,
        }
    }

    /// Until QEMU is dead and everything it said was read. Why we killed it;
    /// none if it went by itself.
    fn follow(
        &mut self,
        cancel: &Cancel,
        console: &mut dyn Write,
        on_line: &mut dyn FnMut(&str) -> Progress,
    ) -> Result<Option<Cause>, Error> {
        let mut cause = None;
        let mut gone: Option<Instant> = None;
        while gone.is_none() || self.out.open() || self.err.open() || self.results.open() {
            let until = match gone {
                Some(gone) => Some(gone + DRAIN),
                None => cause
                    .is_none()
                    .then(|| self.watch.next().0.min(self.stops.next())),
            };
            let watched = [
                self.out.fd(),
                self.err.fd(),
                self.results.fd(),
                gone.is_none().then(|| self.group.pidfd()),
                cause.is_none().then(|| cancel.fd()),
            ];
            let [from_out, from_err, from_results, died, _] =
                ready(watched, until).map_err(Error::system("wait for the guest"))?;
            self.look();
            if from_out {
                self.console(console).map_err(Error::Console)?;
            }
            if from_err {
                self.err.read(&mut |line| self.qemu_tail.push(line));
            }
            if from_results {
                self.results(on_line);
            }
            let now = Instant::now();
            if died {
                // Whatever it may have started.
                self.group.signal(Signal::SIGKILL);
                gone = Some(now);
            } else if gone.is_some_and(|gone| now >= gone + DRAIN) {
                break;
            } else if gone.is_none() && cause.is_none() {
                let (until, late) = self.watch.next();
                if cancel.cancelled() {
                    cause = Some(Cause::Cancelled);
                } else if now >= until {
                    cause = Some(late);
                }
                if cause.is_some() {
                    // A guest has no disk to save: nothing to be gentle for.
                    self.group.signal(Signal::SIGKILL);
                }
            }
        }
        self.out.finish(&mut |line| self.console_tail.push(line));
        self.err.finish(&mut |line| self.qemu_tail.push(line));
        // The last line without its newline was cut: no result.
        console.flush().map_err(Error::Console)?;
        Ok(cause)
    }

    /// Looks whether time stood still, now and then, and before anything is called late.
    fn look(&mut self) {
        let now = Moment::now();
        if now.awake < self.stops.next().min(self.watch.next().0) {
            return;
        }
        let Self {
            group,
            watch,
            stops,
            ..
        } = self;
        watch.stood_still(stops.look(now, || group.is_stopped()));
        if self.goes_on && self.stops.total >= STOP {
            self.goes_on = false;
            self.group.signal(Signal::SIGCONT);
        }
    }

    fn console(&mut self, console: &mut dyn Write) -> io::Result<()> {
        let bytes = self.out.read(&mut |line| self.console_tail.push(line));
        self.triage.feed(bytes);
        let room = CONSOLE - self.written;
        let fits = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.truncated |= fits.len() < bytes.len();
        self.written += fits.len();
        if self.triage.crashed() {
            self.watch.crashed(Instant::now());
        }
        console.write_all(fits)
    }

    fn results(&mut self, on_line: &mut dyn FnMut(&str) -> Progress) {
        let Self {
            group,
            results,
            watch,
            goes_on,
            delivered,
            lines,
            truncated,
            ..
        } = self;
        results.read(&mut |line| {
            *delivered = delivered.saturating_add(line.len() + 1);
            if *delivered > RESULTS {
                *truncated = true;
                return;
            }
            *lines += 1;
            let progress = on_line(line);
            match progress {
                Progress::Kill => group.signal(Signal::SIGKILL),
                Progress::Stop => {
                    *goes_on = true;
                    group.signal(Signal::SIGSTOP);
                }
                _ => {}
            }
            watch.line(Instant::now(), progress);
        });
    }

    fn outcome(mut self, called: Instant, cause: Option<Cause>, status: ExitStatus) -> Outcome {
        let now = Instant::now();
        let watch = &self.watch;
        if watch.up.is_some() {
            self.triage.came_up();
        }
        let crashed = self.triage.crashed();
        let triage = self.triage.finish();
        let last_words = self.qemu_tail.first_word();
        let why = match (status.signal(), status.code()) {
            (Some(signal), _) => format!("was killed by {}{last_words}", name(signal)),
            (None, Some(0) | None) => format!("ended: the machine reset or went off{last_words}"),
            (None, Some(code)) => format!("ended with code {code}{last_words}"),
        };
        let end = match cause {
            Some(Cause::Cancelled) => End::Interrupted,
            _ if crashed => End::Panic {
                title: triage.crash().unwrap_or_default().to_owned(),
            },
            _ if watch.done.is_some() => End::Completed,
            Some(Cause::Boot) => End::BootFailed {
                why: format!("not up after {:.1} s", watch.deadlines.boot.as_secs_f64()),
            },
            Some(Cause::Total) if watch.up.is_none() => End::BootFailed {
                why: format!("not up after {:.1} s", watch.deadlines.total.as_secs_f64()),
            },
            Some(Cause::Total) => End::Timeout,
            Some(Cause::Silence) => End::Hang {
                silent: now.duration_since(watch.last_line),
            },
            _ if status.signal().is_some() => End::QemuDied { why },
            _ if watch.up.is_none() => End::BootFailed {
                why: format!("QEMU {why}"),
            },
            _ if !status.success() => End::QemuDied { why },
            _ => End::Cut,
        };
        Outcome {
            end,
            up_after: watch.up.map(|up| up.duration_since(watch.start)),
            took: now.duration_since(called),
            stood_still: self.stops.total,
            lines: self.lines,
            triage,
            console_tail: self.console_tail.0.into(),
            qemu_tail: self.qemu_tail.0.into(),
            truncated: self.truncated,
        }
    }
}

/// The last lines of something, without control characters.
#[derive(Debug, Default)]
struct Tail(VecDeque<String>);

impl Tail {
    fn push(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        if self.0.len() == TAIL {
            self.0.pop_front();
        }
        self.0.push_back(printable(line));
    }

    /// The first of them: QEMU says what failed before it says where.
    fn first_word(&self) -> String {
        self.0
            .front()
            .map_or_else(String::new, |line| format!(": {line}"))
    }
}

fn name(signal: i32) -> String {
    Signal::try_from(signal).map_or_else(|_| format!("signal {signal}"), |name| name.to_string())
}

/// An absolute path to a file that can be read.
fn readable(path: &Path) -> Result<PathBuf, Error> {
    let open = || -> io::Result<PathBuf> {
        std::fs::File::open(path)?;
        std::fs::canonicalize(path)
    };
    open().map_err(|source| Error::Unreadable {
        path: path.to_owned(),
        source,
    })
}
