//! The one contract between the guest that runs the scenarios and the host
//! that judges them: what to run ([`plan`]), what came back ([`record`]), and
//! the test protocol around it ([`ktap`]).
//!
//! Absent on purpose: I/O beyond `Read` and `Write`, and statistics.

pub mod ktap;
pub mod plan;
pub mod record;
