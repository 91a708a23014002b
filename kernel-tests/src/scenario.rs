//! What a scenario is.

use std::time::Duration;

use crate::context::{Context, Metric};
use crate::failure::Failure;
use crate::needs::Need;

/// One scenario.
pub trait Scenario: Sync {
    /// Its name, as plans and results use it.
    fn name(&self) -> &'static str;
    /// Its number in the catalogue.
    fn number(&self) -> u32;
    /// What it proves, in a sentence.
    fn summary(&self) -> &'static str;
    /// What it needs of the kernel.
    fn needs(&self) -> &'static [Need];
    /// How long it may take, emulated and with the usual repetitions.
    fn deadline(&self) -> Duration;
    /// What it measures.
    fn metrics(&self) -> &'static [Metric] {
        &[]
    }
    /// Whether it proves the order of the reaper's walk.
    fn proves_order(&self) -> bool {
        false
    }
    /// Whether it measures over a range of something, which takes long and is
    /// run on demand only.
    fn sweeps(&self) -> bool {
        false
    }
    /// Which of the kernel's own tests it runs, by its path below
    /// `tools/testing/selftests`.
    fn selftest(&self) -> Option<&'static str> {
        None
    }
    /// Runs it.
    fn run(&self, context: &Context<'_>) -> Result<(), Failure>;
}
