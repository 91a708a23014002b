//! How a guest ended, and what is known of it then.

use std::fmt;
use std::time::{Duration, Instant};

use crate::console::{Report, Triage};

/// How a guest ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It said `Progress::Done`.
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
    /// It was never `Progress::Up`.
    BootFailed {
        why: String,
    },
    /// QEMU failed, or somebody killed it.
    QemuDied {
        /// Its status and last words.
        why: String,
    },
    /// It powered off before it was done.
    Cut,
    Interrupted,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("the guest completed"),
            Self::Panic { title } => write!(f, "the kernel crashed: {title}"),
            Self::Hang { silent } => write!(
                f,
                "the guest hung: silent for {:.1} s",
                silent.as_secs_f64()
            ),
            Self::Timeout => f.write_str("the guest did not end in time"),
            Self::BootFailed { why } => write!(f, "the guest did not boot: {why}"),
            Self::QemuDied { why } => write!(f, "QEMU {why}"),
            Self::Cut => f.write_str("the guest powered off before it was done"),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

/// What is known of a guest after its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub end: End,
    /// From the start of QEMU to `Progress::Up`; none if it never was.
    pub up_after: Option<Duration>,
    /// From the call to the end, virtme-ng included.
    pub took: Duration,
    /// How long the guest, or whoever watched it, was stopped meanwhile, or the host
    /// slept. No deadline has counted that, but the guest's own may have.
    pub stood_still: Duration,
    /// How many lines of results came.
    pub lines: u64,
    pub triage: Report,
    /// The console's last lines, at most 20, without control characters.
    pub console_tail: Vec<String>,
    /// The same of what QEMU itself said.
    pub qemu_tail: Vec<String>,
    /// Whether console (beyond 64 MiB) or results (beyond 256 MiB) were not
    /// all passed on.
    pub truncated: bool,
}

impl Outcome {
    /// The console's last lines, at most so many, each behind a newline and a mark.
    pub fn console_lines(&self, most: usize) -> String {
        let skipped = self.console_tail.len().saturating_sub(most);
        let lines = self.console_tail.iter().skip(skipped);
        lines.map(|line| format!("\n  | {line}")).collect()
    }

    pub(super) fn interrupted(called: Instant) -> Self {
        let mut triage = Triage::new();
        triage.came_up();
        Self {
            end: End::Interrupted,
            up_after: None,
            took: called.elapsed(),
            stood_still: Duration::ZERO,
            lines: 0,
            triage: triage.finish(),
            console_tail: Vec::new(),
            qemu_tail: Vec::new(),
            truncated: false,
        }
    }
}
