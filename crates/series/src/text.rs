//! Text out of mail, as it may be shown.

use results::text::printable;

/// Text on one line, printable, each run of blanks as one.
pub(crate) fn one_line(text: &str) -> String {
    let text = printable(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The same, and without what an address would be told by.
pub(crate) fn plain_name(name: &str) -> String {
    one_line(&name.replace(['<', '>'], ""))
}

/// Bytes as text, invalid UTF-8 replaced.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether two names or addresses are the same but for case.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
