//! A reaper and a victim's exit that walk one address space at the same time:
//! what the scenarios that measure have in common.

pub mod cpu;
pub mod late;
pub mod metrics;
mod observer;
mod reaper;
mod releaser;
mod repetitions;
mod stacks;
mod waits;
mod walkers;

use crate::victim::{Area, Kind};

pub use metrics::Timed;
pub use observer::Observer;
pub use reaper::{Reap, ReaperWatch};
pub use releaser::{Releaser, Start};
pub use repetitions::{delay, repetitions};
pub use walkers::{REAPER_CPU, VICTIM_CPU, Walkers};

/// What the victims map: as many VMAs as large applications have, and in each
/// as few pages as most of theirs. The sweeps show what other numbers do.
pub fn areas() -> Vec<Area> {
    vec![Area::new(Kind::Anon, 2_000, 8)]
}
