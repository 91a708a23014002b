//! KTAP, the test protocol of the kernel's own tests: written by the guest
//! ([`Writer`]), read by the host ([`read()`]).
//!
//! Writing is strict, reading is generous. Whatever is missing from a log is a
//! failure, never a pass.

mod model;
mod read;
mod write;

pub use model::{Counts, Report, Status, Test};
pub use read::read;
pub use write::{Outcome, Writer};
