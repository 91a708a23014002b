//! Two versions of a series side by side: which patch became which, what
//! changed in it, and what can be seen of each request.

mod assign;
mod outcomes;
mod rangediff;
mod rerolls;

pub use outcomes::{Outcome, Verdict, outcomes};
pub use rangediff::{Change, ChangeKind, compare};
pub use rerolls::{Reroll, rerolls};
