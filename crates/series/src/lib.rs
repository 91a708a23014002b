//! Mail and patch text, read into a [`Series`] of patches, and written again.
//!
//! Bytes in, values out: this crate runs nothing, opens nothing and knows no
//! git. All that it reads is hostile.

pub mod draft;
pub mod format;
pub mod lint;
pub mod manifest;
pub mod patch;
pub mod reroll;
pub mod review;
pub mod series;
pub mod thread;

mod changelog;
mod reply;

pub use series::Series;

#[allow(
    clippy::expect_used,
    reason = "constant patterns: a test runs each of them"
)]
fn regex(pattern: &str) -> regex::Regex {
    regex::Regex::new(pattern).expect("a valid pattern")
}
