//! The guest's console: what it says went wrong.

mod rules;
mod triage;

pub use triage::{Report, Triage, triage};
