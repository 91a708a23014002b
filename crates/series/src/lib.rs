//! Mail and patch text, read into a [`Series`] of patches, and written again.
//!
//! Bytes in, values out: this crate runs nothing, opens nothing and knows no
//! git. All that it reads is hostile.

pub mod format;
pub mod manifest;
pub mod patch;
pub mod series;
pub mod thread;

pub use series::Series;
