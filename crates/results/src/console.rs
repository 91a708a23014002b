//! What a kernel's console shows: the kinds of trouble, and each one found.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of thing happened, worst first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The kernel gave up.
    Panic,
    /// A fault or failed assertion in the kernel, or corruption that it found.
    Oops,
    /// A memory error found by KASAN, KMSAN or KFENCE.
    Kasan,
    /// A data race found by KCSAN.
    Kcsan,
    /// Undefined behaviour found by UBSAN.
    Ubsan,
    /// A broken rule of locking, RCU or atomic context.
    Lockdep,
    /// A CPU or workqueue that doesn't schedule.
    SoftLockup,
    /// A CPU that doesn't take interrupts.
    HardLockup,
    /// An RCU grace period that doesn't end.
    RcuStall,
    /// A task that sleeps uninterruptibly for too long.
    HungTask,
    /// A `WARN`.
    Warning,
    /// Memory that nothing refers to.
    MemoryLeak,
    /// A process that ended with pages still on its account.
    BadRss,
    /// The kernel never started user space.
    BootFailed,
    /// Nothing; only ever a verdict. Old runs leave it empty.
    #[default]
    #[serde(alias = "")]
    Clean,
    /// The OOM killer did its work; only ever an event of a clean log.
    OomKill,
}

impl Kind {
    /// The word in JSON and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Oops => "oops",
            Self::Kasan => "kasan",
            Self::Kcsan => "kcsan",
            Self::Ubsan => "ubsan",
            Self::Lockdep => "lockdep",
            Self::SoftLockup => "soft-lockup",
            Self::HardLockup => "hard-lockup",
            Self::RcuStall => "rcu-stall",
            Self::HungTask => "hung-task",
            Self::Warning => "warning",
            Self::MemoryLeak => "memory-leak",
            Self::BadRss => "bad-rss",
            Self::BootFailed => "boot-failed",
            Self::Clean => "clean",
            Self::OomKill => "oom-kill",
        }
    }

    /// Whether the kernel can't go on after it.
    pub fn is_crash(self) -> bool {
        matches!(self, Self::Panic | Self::Oops)
    }

    /// Whether it speaks against the kernel. A boot that failed may be the
    /// host's fault, and the OOM killer is meant to kill.
    pub fn is_fault(self) -> bool {
        !matches!(self, Self::Clean | Self::BootFailed | Self::OomKill)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub kind: Kind,
    /// What, and in which function where the console says so; the same from
    /// run to run.
    pub title: String,
    /// The line it begins on, counted from 1.
    pub line: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_json() {
        for kind in [Kind::Panic, Kind::RcuStall, Kind::BootFailed, Kind::Clean] {
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{kind}\""));
            assert_eq!(serde_json::from_str::<Kind>(&json).unwrap(), kind);
        }
        assert_eq!(serde_json::from_str::<Kind>("\"\"").unwrap(), Kind::Clean);
    }

    #[test]
    fn the_worst_comes_first_and_no_oom_kill_is_worse_than_clean() {
        assert!(Kind::Panic < Kind::Oops && Kind::BadRss < Kind::BootFailed);
        assert!(Kind::BootFailed < Kind::Clean && Kind::Clean < Kind::OomKill);
    }
}
