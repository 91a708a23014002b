//! Constant patterns.

use regex::bytes::Regex as BytesRegex;

#[allow(
    clippy::expect_used,
    reason = "constant patterns: a test runs each of them"
)]
pub(crate) fn regex(pattern: &str) -> regex::Regex {
    regex::Regex::new(pattern).expect("a valid pattern")
}

pub(crate) fn bytes_regex(pattern: &str) -> BytesRegex {
    #[allow(
        clippy::expect_used,
        reason = "constant patterns; every test would fail"
    )]
    BytesRegex::new(pattern).expect("a valid pattern")
}
