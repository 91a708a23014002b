//! The lines `Name: value` that end a changelog.

mod block;
mod names;

pub(crate) use block::{is_last_block, split_trailers, trailer};
pub(crate) use names::{is, is_report, meant, rank, sorted};
