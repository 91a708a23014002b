//! Base against patched: from a run's raw samples to verdicts and reports.
//!
//! Everything here is a pure function of a [`run::Run`]: the same run gives
//! the same bytes. [`analyse`] judges, [`render`] writes.
//!
//! Absent on purpose: processes, git, files, printing.

mod analyse;
mod between;
pub mod calibrate;
pub mod claims;
pub mod design;
pub mod matrix;
pub mod render;
pub mod run;
pub mod stacks;
pub mod stats;
pub mod stored;
pub mod sweep;

pub use between::{Between, between};

pub use analyse::{
    ArmSamples, Claimed, Comparison, OrderProof, ProbeCost, Report, RoundRow, ScenarioRow, Status,
    Tally, Unprobed, Verdict, analyse,
};
