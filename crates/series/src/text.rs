//! Text out of mail: on one line, without what a terminal would obey.

/// Text on one line, blanks collapsed, controls dropped: a terminal shows it
/// as it is.
pub(crate) fn clean(text: &str) -> String {
    let text = text.replace(char::is_whitespace, " ");
    let visible: String = text.chars().filter(|c| !c.is_control()).collect();
    visible
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The same, and without what an address would be told by.
pub(crate) fn clean_name(name: &str) -> String {
    clean(&name.replace(['<', '>'], ""))
}

pub(crate) fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}
