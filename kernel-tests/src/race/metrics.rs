//! What is measured of a race.
//!
//! A new metric is a constant here, in the list of each scenario that yields it,
//! and taken in `observer.rs` or `waits.rs` where the kernel shows it, else from a
//! field of [`Timed`], or by the one scenario that has it. Less is better, unless
//! the unit is per second. What a report calls it stands under `[measure.labels]` of
//! `kernel-tests/suite.toml` or of a series' manifest; whether it is primary, under
//! `[measure]` there.

use std::time::Duration;

use crate::context::Metric;
use crate::trace::Span;

/// Waits for a page-table lock in which a walker met the other.
pub const CONTENDED: Metric = Metric::count("contended-entries");
/// Waits for any spinlock, by the walkers' threads.
pub const SLOW_PATH: Metric = Metric::count("slowpath-entries");
/// Time in those of [`CONTENDED`].
pub const WAIT: Metric = Metric::us("contended-wait");
/// The victim's time in exit_mmap.
pub const EXIT_MMAP: Metric = Metric::us("exit-mmap");
/// Both walkers' times together.
pub const SUM: Metric = Metric::us("sum");
/// From the kill to the victim's end.
pub const KILL_TO_GONE: Metric = Metric::us("kill-to-gone");
/// From the moment when the victim is let go to its end: what user space sees
/// of [`EXIT_MMAP`].
pub const RELEASE_TO_GONE: Metric = Metric::us("release-to-gone");
/// That and the reaper's time: what user space sees of [`SUM`].
pub const SUM_TO_GONE: Metric = Metric::us("sum-to-gone");

/// How long both were at work at once: the reaper from its start to its end, and
/// the victim's own walk in exit_mmap.
pub const OVERLAP: Metric = Metric::us("overlap");

/// CPU time that the walkers burn, waits for spinlocks included.
pub const CPU: Metric = Metric::us("cpu");
/// From the kill until half of the victim's memory is free again.
pub const MEMORY_BACK: Metric = Metric::us("memory-back");

/// The time of the kernel's own reaper.
pub const REAP: Metric = Metric::us("reap");
/// The call's own time.
pub const MRELEASE: Metric = Metric::us("mrelease");

/// The call's own time where the victim is held until it is over: what the walk
/// costs where nobody races.
pub const SOLO: Metric = Metric::us("mrelease-solo");
/// From the reaper's start until the victim is let go.
pub const HEAD_START: Metric = Metric::us("head-start");
/// From the kill until another process of the victim's group has the memory that it
/// waits for.
pub const NEXT_ALLOCATOR: Metric = Metric::us("next-allocator");

/// The metrics of a scenario in which two walkers race: what is reported of each race
/// ([`Observer::report`](super::Observer::report)), and `more`.
macro_rules! of_a_race {
    ($($more:ident),*) => {
        &[
            metrics::CONTENDED,
            metrics::SLOW_PATH,
            metrics::WAIT,
            metrics::EXIT_MMAP,
            metrics::SUM,
            metrics::OVERLAP,
            metrics::CPU,
            metrics::RELEASE_TO_GONE,
            metrics::SUM_TO_GONE,
            metrics::KILL_TO_GONE,
            $(metrics::$more),*
        ]
    };
}
pub(crate) use of_a_race;

/// What is known of a race without looking into the kernel.
#[derive(Debug, Clone, Copy)]
pub struct Timed {
    /// What the reaper's own time is called, and how long it was.
    pub reap: (Metric, Duration),
    /// The reaper's [`HEAD_START`]; none where the victim was not held.
    pub head_start: Option<Duration>,
    /// When that was; none in an unprobed boot that sees it in the log alone.
    pub reaping: Option<Span>,
    /// When the victim's own exit, which had begun before, went on; none where the
    /// whole of it is the race.
    pub goes_on: Option<u64>,
    pub release_to_gone: Duration,
    pub kill_to_gone: Duration,
    /// The reaper's [`CPU`].
    pub reaper_cpu: Duration,
    /// The victim's, from its death on.
    pub exit_cpu: Duration,
}
