//! An answer, taken apart.

use super::attribution::Attribution;
use crate::series::model::Offer;

#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) said: Vec<Paragraph>,
    pub(crate) told: Vec<Attribution>,
    pub(crate) offers: Vec<Offer>,
    /// The trailers that it does not.
    pub(crate) strays: Vec<Stray>,
    /// The lines that it quotes and says something about, by their hashes.
    pub(crate) quoted: Vec<u64>,
}

/// Lines of an answer's own words between blank lines or quotes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Paragraph {
    pub(crate) lines: Vec<String>,
    /// The quoted line right above it.
    pub(crate) about: Option<String>,
}

/// A trailer in an answer that its author does not give.
pub(crate) struct Stray {
    pub(crate) name: String,
    pub(crate) value: String,
    /// In the signature, else in a quote.
    pub(crate) signature: bool,
}
