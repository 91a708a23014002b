//! Where a series stands: its versions, what is missing, the trailers that
//! replies give to each patch, and the questions that are still open.

mod assign;
pub mod draft;
pub mod lint;
mod model;
mod outcomes;
mod points;
mod rangediff;
mod read;
mod reroll;
mod trailers;
mod wishes;
mod wordings;

pub use model::{Collected, Point, PointKind, Review, Standing, Unreadable};
pub use outcomes::{Outcome, Verdict, outcomes};
pub use rangediff::{Change, ChangeKind, compare};
pub use read::{Gathered, review};
pub use reroll::{Reroll, rerolls};
pub use wordings::{Wording, wordings};
