//! What a changelog claims, whether its own figures agree with each other, and
//! whether a run's do.
//!
//! Read are tables in ASCII frames with one column for each arm, percentages,
//! and times in prose. What a reader can't check is a [`Finding`]: percentages
//! without what they are percentages of, a table without a unit, measurements
//! without an architecture or a number of runs.

mod check;
mod model;
mod read;

pub use check::check;
pub use model::{Check, Claimed, Claims, Figure, Finding, Reproduced, Row, Rule};
pub use read::read;
