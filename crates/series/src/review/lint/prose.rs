//! What a changelog's text shows.

use std::sync::LazyLock;

use regex::Regex;
use results::text::printable;

use crate::patch::{has_place, known_spelling, trailer};
use crate::pattern::regex;

/// Whether a line is one that an author wraps: no log, quote, table, URL, or
/// trailer.
pub(crate) fn is_prose(line: &str) -> bool {
    static QUOTED: LazyLock<Regex> = LazyLock::new(|| {
        // Indented, quoted, numbered by printk, a table's, an address' or a
        // disassembly's line.
        regex(r"^(?:\s|[>|$#+]|\[ *\d+\.\d+\]|[0-9a-fA-F]{8,16}[: ]|[-=+|]{3})")
    });
    let is_table = line.trim().contains("   ") || line.contains('\t') || line.contains(" | ");
    let one_word = !line.trim().contains(' ');
    let is_trailer =
        trailer(line).is_some_and(|(name, _)| known_spelling(name).is_some() || has_place(name));
    // A reference to a commit must not be broken either.
    let refers = line.contains("://") || line.contains("(\"");
    !(QUOTED.is_match(line) || is_table || one_word || is_trailer || refers)
}

/// Whether a text has a figure with a unit, or two figures to compare.
pub(super) fn has_figure(text: &str) -> bool {
    static UNIT: LazyLock<Regex> = LazyLock::new(|| {
        regex(concat!(
            r"(?:^|[^\w.])\d[\d,.]*\s?(?:[nmuµ]?s|[nmu]secs?|msecs|seconds?|minutes?|hours?|",
            r"[kKMGT]i?B|[KMG]|bytes?|pages?|cycles?|[kMG]?Hz|[KMG]?op/s|ops?/s|ops|",
            r"calls|times|faults?|entries|kills?|(?:[kKMG]i?B|MB|bytes)/s(?:ec)?|iops|IOPS)\b"
        ))
    });
    static PAIR: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?i)\bfrom \d[\d,.]* (?:\w+ )?to \d|\d ?(?:->|=>|/|vs\.?|versus) ?\d|\bout of \d")
    });
    // Columns of figures.
    static TABLE: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?m)^.*\d[\d,.]*\s*[|\t].*\d[\d,.]*|^.*\S\s{2,}\d[\d,.]*\s{2,}\d[\d,.]*")
    });
    UNIT.is_match(text) || PAIR.is_match(text) || TABLE.is_match(text)
}

/// Text out of a mail, fit for a line of a report.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 240;
    let text = printable(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
