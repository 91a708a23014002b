//! One guest, from its first instruction to its end.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use results::machine::Accel;

use crate::Error;
use crate::process::{Cancel, DRAIN, Group, Source, number, ready};
use crate::triage::{Report, Triage};
use crate::virtme::{Virtme, readable};

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
/// How long a kernel that has crashed may go on printing.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long a guest that is done may take to power off.
const POWER_OFF: Duration = Duration::from_secs(2);

/// A machine and what runs in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The kernel's bootable image.
    pub image: PathBuf,
    /// The initramfs, whose `/init` is all of user space.
    pub initrd: PathBuf,
    /// Its memory, in MiB.
    pub memory_mib: u32,
    /// Its virtual CPUs, 1 or more.
    pub cpus: u32,
    /// What runs its instructions.
    pub accel: Accel,
    /// The name of the virtio-serial port for results. The guest finds the port
    /// with that name in `/sys/class/virtio-ports`. No commas.
    pub port: String,
    /// Kernel arguments beside those that every guest gets.
    pub kernel_args: Vec<String>,
    /// How long it may take.
    pub deadlines: Deadlines,
}

/// How long a guest may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// From the start to [`Progress::Up`], and from there to the first
    /// [`Progress::ExpectWithin`].
    pub boot: Duration,
    /// Silence that is still no hang, after the time the guest announced.
    pub grace: Duration,
    /// For everything.
    pub total: Duration,
}

/// What a line of results means for the deadlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The guest's own program runs.
    Up,
    /// Something that takes at most so long has begun; it replaces what was
    /// expected before.
    ExpectWithin(Duration),
    /// The last line: the guest may power off, or be switched off.
    Done,
    /// Nothing but a sign of life.
    Ignore,
}

/// How a guest ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It said [`Progress::Done`].
    Completed,
    /// The kernel crashed.
    Panic {
        /// What the console says of the cause.
        title: String,
    },
    /// It fell silent for longer than it had announced.
    Hang {
        /// How long it had been silent.
        silent: Duration,
    },
    /// Its lines kept coming, and the total deadline passed.
    Timeout,
    /// It was never [`Progress::Up`].
    BootFailed {
        /// What happened instead.
        why: String,
    },
    /// QEMU failed, or somebody killed it.
    QemuDied {
        /// Its status and last words.
        why: String,
    },
    /// It powered off before it was done.
    Cut,
    /// The token was cancelled.
    Interrupted,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("completed"),
            Self::Panic { title } => write!(f, "the kernel crashed: {title}"),
            Self::Hang { silent } => write!(f, "hung: silent for {:.1} s", silent.as_secs_f64()),
            Self::Timeout => f.write_str("did not end in time"),
            Self::BootFailed { why } => write!(f, "did not boot: {why}"),
            Self::QemuDied { why } => write!(f, "QEMU {why}"),
            Self::Cut => f.write_str("powered off before it was done"),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

/// What is known of a guest after its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// From the start of QEMU to [`Progress::Up`]; none if it never was.
    pub up_after: Option<Duration>,
    /// From the call to the end, virtme-ng included.
    pub took: Duration,
    /// How many lines of results came.
    pub lines: u64,
    /// What the console says.
    pub triage: Report,
    /// The console's last lines, at most 20.
    pub console_tail: Vec<String>,
    /// The last lines of what QEMU itself said, at most 20.
    pub qemu_tail: Vec<String>,
    /// Whether console (beyond 64 MiB) or results (beyond 256 MiB) were not
    /// all passed on.
    pub truncated: bool,
}

/// Boots a guest and watches it to its end. Results are handed to `on_line` as
/// they come (without newline, invalid UTF-8 replaced, cut at 1 MiB), console
/// bytes to `console`. When this returns, nothing of the guest is left.
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
    on_line: &mut dyn FnMut(&str) -> Progress,
) -> Result<Outcome, Error> {
    let called = Instant::now();
    let mut guest = guest.clone();
    guest.image = readable(&guest.image)?;
    guest.initrd = readable(&guest.initrd)?;
    let (ours, theirs) = UnixStream::pair().map_err(Error::system("make a socket pair"))?;
    let argv = match virtme.compose(&guest, number(&theirs), cancel) {
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
    let group =
        Group::spawn(&mut command, Some(number(&theirs))).map_err(Error::system("start QEMU"))?;
    drop(theirs);
    let watch = Watch::new(Instant::now(), guest.deadlines);
    let mut run = Run::new(group, ours.into(), watch);
    let cause = run.follow(cancel, console, on_line)?;
    let status = run.group.end().map_err(Error::system("wait for QEMU"))?;
    Ok(run.outcome(called, cause, status))
}

/// Why we ended a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Cancelled,
    Crashed,
    Done,
    Boot,
    Silence,
    Total,
}

/// The deadlines that hold at a moment; pure, so that time can be made up.
#[derive(Debug)]
struct Watch {
    deadlines: Deadlines,
    start: Instant,
    up: Option<Instant>,
    /// When what the guest announced is over.
    expected: Instant,
    last_line: Instant,
    done: Option<Instant>,
    crashed: Option<Instant>,
}

impl Watch {
    fn new(start: Instant, deadlines: Deadlines) -> Self {
        let expected = start + deadlines.boot;
        Self {
            deadlines,
            start,
            up: None,
            expected,
            last_line: start,
            done: None,
            crashed: None,
        }
    }

    fn line(&mut self, now: Instant, progress: Progress) {
        self.last_line = now;
        match progress {
            Progress::Up => {
                self.up.get_or_insert(now);
                self.expected = now + self.deadlines.boot;
            }
            // Up without having said so: what is announced runs.
            Progress::ExpectWithin(time) => {
                self.up.get_or_insert(now);
                self.expected = now + time;
            }
            Progress::Done => {
                self.up.get_or_insert(now);
                self.done.get_or_insert(now);
            }
            Progress::Ignore => {}
        }
    }

    fn crashed(&mut self, now: Instant) {
        self.crashed.get_or_insert(now);
    }

    /// When to end the guest if nothing else happens, and why.
    fn next(&self) -> (Instant, Cause) {
        if let Some(crashed) = self.crashed {
            return (crashed + LAST_WORDS, Cause::Crashed);
        }
        if let Some(done) = self.done {
            return (done + POWER_OFF, Cause::Done);
        }
        let total = (self.start + self.deadlines.total, Cause::Total);
        let current = if self.up.is_some() {
            (
                self.expected.max(self.last_line) + self.deadlines.grace,
                Cause::Silence,
            )
        } else {
            (self.expected, Cause::Boot)
        };
        if current.0 <= total.0 { current } else { total }
    }
}

/// A guest that runs.
struct Run {
    group: Group,
    watch: Watch,
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

impl Run {
    fn new(mut group: Group, results: OwnedFd, watch: Watch) -> Self {
        Self {
            out: Source::new(group.child.stdout.take(), TAIL_LINE),
            err: Source::new(group.child.stderr.take(), TAIL_LINE),
            results: Source::new(Some(results), RESULT_LINE),
            group,
            watch,
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
                None => cause.is_none().then(|| self.watch.next().0),
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
            results,
            watch,
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
            lines: self.lines,
            triage,
            console_tail: self.console_tail.0.into(),
            qemu_tail: self.qemu_tail.0.into(),
            truncated: self.truncated,
        }
    }
}

impl Outcome {
    fn interrupted(called: Instant) -> Self {
        let mut triage = Triage::new();
        triage.came_up();
        Self {
            end: End::Interrupted,
            up_after: None,
            took: called.elapsed(),
            lines: 0,
            triage: triage.finish(),
            console_tail: Vec::new(),
            qemu_tail: Vec::new(),
            truncated: false,
        }
    }
}

/// The last lines of something.
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
        self.0.push_back(line.to_owned());
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

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn watch() -> (Watch, Instant) {
        let start = Instant::now();
        (
            Watch::new(
                start,
                Deadlines {
                    boot: 60 * S,
                    grace: 5 * S,
                    total: 600 * S,
                },
            ),
            start,
        )
    }

    fn next(watch: &Watch, start: Instant) -> (u64, Cause) {
        let (until, cause) = watch.next();
        (until.duration_since(start).as_secs(), cause)
    }

    #[test]
    fn deadlines_follow_what_the_guest_says() {
        let (mut watch, start) = watch();
        let at = |seconds| start + seconds * S;
        let mut step = |seconds: u32, progress| {
            watch.line(at(seconds), progress);
            next(&watch, start)
        };
        // (when, what it says) -> (when it would be ended, why)
        assert_eq!(
            step(1, Progress::Ignore),
            (60, Cause::Boot),
            "noise is not up"
        );
        assert_eq!(step(10, Progress::Up), (75, Cause::Silence));
        assert_eq!(
            step(20, Progress::ExpectWithin(100 * S)),
            (125, Cause::Silence)
        );
        assert_eq!(
            step(30, Progress::Ignore),
            (125, Cause::Silence),
            "samples move nothing"
        );
        assert_eq!(
            step(124, Progress::Ignore),
            (129, Cause::Silence),
            "late, but not silent"
        );
        assert_eq!(step(130, Progress::ExpectWithin(S)), (136, Cause::Silence));
        assert_eq!(
            step(140, Progress::ExpectWithin(900 * S)),
            (600, Cause::Total)
        );
        assert_eq!(step(150, Progress::Done), (152, Cause::Done));
        assert_eq!(step(151, Progress::Done), (152, Cause::Done), "once");
        watch.crashed(at(152));
        watch.crashed(at(153));
        assert_eq!(next(&watch, start), (154, Cause::Crashed));
    }

    #[test]
    fn a_boot_may_not_take_longer_than_everything() {
        let start = Instant::now();
        let watch = Watch::new(
            start,
            Deadlines {
                boot: 60 * S,
                grace: S,
                total: 30 * S,
            },
        );
        assert_eq!(next(&watch, start), (30, Cause::Total));
    }
}
