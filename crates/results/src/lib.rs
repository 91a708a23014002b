//! The one contract between the guest that runs the scenarios and the host
//! that judges them: what to run ([`plan`]), what came back ([`record`]), and
//! the test protocol around it ([`ktap`]), how two guests take turns ([`turn`]),
//! what a guest with a terminal is told ([`terminal`]);
//! and the words that all parts share:
//! arms, what a boot is for, what a guest ran on ([`machine`]), what its console
//! shows ([`console`]).
//!
//! Absent on purpose: I/O beyond `Read` and `Write`, and statistics.

mod arm;
pub mod console;
pub mod ktap;
pub mod machine;
pub mod plan;
mod purpose;
pub mod record;
pub mod terminal;
pub mod text;
pub mod turn;

pub use arm::Arm;
pub use purpose::Purpose;
