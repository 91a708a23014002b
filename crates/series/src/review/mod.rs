//! Where a series stands: its versions, what is missing, the trailers that
//! replies give to each patch, and the questions that are still open.

pub mod draft;
pub mod lint;
mod model;
mod points;
mod read;
pub mod reroll;
mod trailers;
mod wishes;
mod wordings;

pub use model::{Collected, Point, PointKind, Review, Standing, Unreadable};
pub use read::{SeriesMails, review};
