//! Base against patched: from a run's raw samples to verdicts and reports.
//!
//! Everything here is a pure function of a [`run::Run`]: the same run gives
//! the same bytes. [`analyse`] judges, [`render`] writes.
//!
//! Absent on purpose: processes, git, files, printing.

mod analyse;
pub mod calibrate;
pub mod claims;
pub mod design;
pub mod render;
pub mod run;
pub mod stats;

pub use analyse::{
    ArmSamples, Comparison, OrderProof, Report, RoundRow, ScenarioRow, Status, Tally, Verdict,
    analyse,
};
