//! What a scenario is.

use std::time::Duration;

use serde::Serialize;

use crate::context::{Context, Metric};
use crate::failure::Failure;
use crate::needs::Need;

/// One scenario: a description, as `list` prints it, and a function.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Scenario {
    /// As plans and results use it.
    pub name: &'static str,
    /// In the catalogue. Unique, as the name is.
    pub number: u32,
    /// What it proves, in a sentence.
    pub summary: &'static str,
    /// It is skipped on a kernel that lacks one of these.
    pub needs: &'static [Need],
    /// How long it may take in seconds, emulated and with the usual repetitions.
    pub deadline_s: u32,
    pub metrics: &'static [Metric],
    /// Whether it proves the order of the reaper's walk.
    pub proves_order: bool,
    /// Whether it races by turns where the plan says so
    /// ([`Context::take_turn`]).
    pub takes_turns: bool,
    /// Whether it measures over a range of something, which takes long and is
    /// run on demand only.
    pub sweeps: bool,
    /// Which of the kernel's own tests it runs, by its path below
    /// `tools/testing/selftests`.
    pub selftest: Option<&'static str>,
    #[serde(skip)]
    pub run: fn(&Context<'_>) -> Result<(), Failure>,
}

impl Scenario {
    /// What most scenarios need not say. What each must say is empty here, and
    /// refused by a test of the list.
    pub const DEFAULT: Self = Self {
        name: "",
        number: 0,
        summary: "",
        needs: &[],
        deadline_s: 0,
        metrics: &[],
        proves_order: false,
        takes_turns: false,
        sweeps: false,
        selftest: None,
        run: |_| Err(Failure::unmet("the scenario has no function")),
    };

    pub fn deadline(&self) -> Duration {
        Duration::from_secs(self.deadline_s.into())
    }
}
