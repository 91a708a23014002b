//! One patch, as its author sent it: the reader of its diff, and its writer.

mod diffstat;
mod error;
pub mod format;
mod model;
mod parse;
mod path;
mod trailers;
mod write;

pub use error::Error;
pub use model::{FileDiff, FileKind, Hunk, Line, LineKind, Patch, Trailer, Unsupported};
pub use parse::{MAX_FILES, MAX_LINE, MAX_LINES, parse};
pub use path::{check_path, is_unprintable};
pub use write::diff;

pub(crate) use diffstat::Diffstat;
pub(crate) use trailers::{has_place, in_order, known_spelling, split_trailers, trailer};
