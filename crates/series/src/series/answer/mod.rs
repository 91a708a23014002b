//! What an answer says: its own words, whom it quotes and since when, the
//! trailers that it offers, and those that only stand in it.

mod attribution;
mod model;
mod offers;
mod read;

pub(crate) use model::{Answer, Paragraph};
pub(crate) use offers::offer;
pub(crate) use read::line_hash;
