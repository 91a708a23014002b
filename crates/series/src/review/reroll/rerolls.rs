//! Each version of a series beside the one before it.

use serde::Serialize;

use super::outcomes::{Outcome, outcomes};
use super::rangediff::{Change, compare};
use crate::review::model::Review;

/// One version against the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reroll {
    pub from: u32,
    pub to: u32,
    pub patches: Vec<Change>,
    /// What can be seen of each request on the older version.
    pub requests: Vec<Outcome>,
}

/// Each version under review against the one before it.
pub fn rerolls(review: &Review) -> Vec<Reroll> {
    let pairs = review.versions.iter().zip(review.versions.iter().skip(1));
    pairs
        .map(|(old, new)| Reroll {
            from: old.version,
            to: new.version,
            patches: compare(old, new),
            requests: outcomes(&review.points, old, new),
        })
        .collect()
}
