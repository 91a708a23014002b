//! How figures and text from outside are written.

use results::plan::Order;
use results::record::Unit;
use results::text::printable;

pub(crate) fn order_word(order: Order) -> &'static str {
    match order {
        Order::Ascending => "ascending",
        Order::Descending => "descending",
        Order::Mixed => "mixed",
    }
}

pub(crate) fn capitalise(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

fn ratio_text(ratio: f64) -> String {
    if ratio >= 100.0 {
        format!("{ratio:.0}")
    } else {
        format!("{ratio:.2}")
    }
}

/// A ratio and its interval, as far as they are known.
pub(crate) fn ratio_words(ratio: Option<f64>, interval: Option<[f64; 2]>) -> String {
    if let (Some(0.0), Some([_, high])) = (ratio, interval) {
        // Up, so that it stays true.
        return format!("at most {}", ratio_text((high * 100.0).ceil() / 100.0));
    }
    match (ratio.map(ratio_text), interval) {
        (Some(ratio), Some([low, high])) => {
            format!("{ratio} [{}, {}]", ratio_text(low), ratio_text(high))
        }
        (Some(ratio), None) => ratio,
        (None, _) => "-".into(),
    }
}

/// A value with its unit, in ASCII.
pub(crate) fn value(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Count => significant(value),
        Unit::PerSecond => format!("{}/s", significant(value)),
        Unit::Us if value.abs() >= 1e6 => format!("{} s", significant(value / 1e6)),
        Unit::Us if value.abs() >= 1e3 => format!("{} ms", significant(value / 1e3)),
        Unit::Us => format!("{} us", significant(value)),
    }
}

/// Three significant digits; whole numbers stay whole.
pub(crate) fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".into();
    }
    let digits = value.abs().log10().floor();
    if digits >= 2.0 || (value.fract() == 0.0 && digits >= 0.0) {
        return format!("{value:.0}");
    }
    let places = (2.0 - digits).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.places$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Text from outside on one line, without controls.
pub(crate) fn one_line(text: &str) -> String {
    let clean = printable(text);
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Wraps to `width` columns; lines after the first are indented. Words longer
/// than a line stay whole.
pub(crate) fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let room = line.chars().count() + 1 + word.chars().count();
        if !line.trim().is_empty() && room > width {
            lines.push(std::mem::take(&mut line));
            line.push_str(indent);
        } else if !line.trim().is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines.join("\n")
}

/// What is not ASCII can't be pasted everywhere.
pub(crate) fn ascii(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{2013}' | '\u{2014}' | '\u{2212}' => '-',
            '\u{2018}' | '\u{2019}' => '\'',
            '\u{201c}' | '\u{201d}' => '"',
            '\u{b5}' | '\u{3bc}' => 'u',
            '\u{2190}' => '<',
            c if c == '\n' || (' '..='~').contains(&c) => c,
            _ => '?',
        })
        .collect()
}

/// Text for HTML and SVG, in elements and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
