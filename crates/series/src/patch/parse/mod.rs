//! The reader of diffs.
//!
//! Diffs come from mail, so all of it is hostile until proved otherwise:
//! paths that would leave the tree, hunks that are longer or shorter than
//! they say, links, binary data and sheer size are refused here, and nothing
//! behind this module looks at them again.

mod bytes;
mod file;
mod hunk;
mod names;
mod reader;

pub use file::{MAX_FILES, parse};
pub use hunk::{MAX_LINE, MAX_LINES};
