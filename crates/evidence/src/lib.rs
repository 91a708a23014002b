//! Base against patched: from a run's raw samples to verdicts and reports.
//!
//! Everything here is a pure function of a [`run::Run`]: the same run gives
//! the same bytes. [`analyse()`] judges, [`report`] writes.
//!
//! Absent on purpose: processes, git, files, printing.

mod analyse;
mod between;
pub mod breakdown;
pub mod calibrate;
pub mod claims;
pub mod design;
pub mod matrix;
pub mod report;
pub mod run;
pub mod stats;
pub mod stored;
mod words;

pub use analyse::comparison::{ArmSamples, Comparison, Unprobed, Verdict};
pub use analyse::model::{Report, RoundRow, Status};
pub use analyse::order::OrderProof;
pub use analyse::probes::ProbeCost;
pub use analyse::scenarios::{ScenarioRow, ScenarioVerdict, Tally};
pub use analyse::{analyse, decided};
pub use between::{Between, Change, between};
