//! Mail and patch text, read into a [`Series`] of patches, and written again.
//!
//! Bytes in, values out: this crate runs nothing, opens nothing and knows no
//! git. All that it reads is hostile.
//!
//! [`mailbox`] gives one mail after another, [`thread`] what they say,
//! [`series`] the series they carry, [`review`] where that stands.

pub mod draft;
pub mod format;
pub mod index;
pub mod lint;
pub mod mailbox;
pub mod manifest;
pub mod patch;
pub mod reroll;
pub mod review;
pub mod series;
pub mod thread;

mod changelog;
mod mail;
mod mime;
mod points;
mod reply;
mod union;
mod versions;

pub use series::Series;

#[allow(
    clippy::expect_used,
    reason = "constant patterns: a test runs each of them"
)]
fn regex(pattern: &str) -> regex::Regex {
    regex::Regex::new(pattern).expect("a valid pattern")
}
