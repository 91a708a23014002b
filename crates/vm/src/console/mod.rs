//! The guest's console: what it says went wrong.

mod emulation;
mod rules;
mod triage;

pub use emulation::fault_of_emulation;
pub use triage::{Report, Triage, triage};
