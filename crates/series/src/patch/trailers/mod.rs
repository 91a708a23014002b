//! The lines `Name: value` that end a changelog.

mod block;
mod order;
mod spelling;

pub(crate) use block::{is_last_block, split_trailers, trailer};
pub(crate) use order::{has_place, in_order};
pub(crate) use spelling::known_spelling;
