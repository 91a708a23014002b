//! How the names of trailers are spelled.

/// How a trailer's name is spelled rightly, where it is misspelled.
pub(crate) fn known_spelling(name: &str) -> Option<&'static str> {
    const KNOWN: [&str; 16] = [
        "Signed-off-by",
        "Co-developed-by",
        "Reviewed-by",
        "Acked-by",
        "Tested-by",
        "Reported-by",
        "Suggested-by",
        "Originally-by",
        "Debugged-by",
        "Requested-by",
        "Nacked-by",
        "Fixes",
        "Closes",
        "Link",
        "Cc",
        "Reported-and-tested-by",
    ];
    if KNOWN.contains(&name) {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    // One slip in a short name, two in a long one.
    let near = |known: &&&str| {
        let known = known.to_ascii_lowercase();
        let most = match known.len() {
            0..=4 => 0,
            5..=7 => 1,
            _ => 2,
        };
        lower.len().abs_diff(known.len()) <= most
            && strsim::damerau_levenshtein(&lower, &known) <= most
    };
    let same = |known: &&&str| known.eq_ignore_ascii_case(name);
    let found = KNOWN.iter().find(same).or_else(|| KNOWN.iter().find(near));
    found.copied()
}
