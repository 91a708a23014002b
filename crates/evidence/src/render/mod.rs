//! Reports: the same judgement as a terminal's table, as mail, as a page, as
//! JSON and as JUnit's XML. Every function returns the text.

mod changelog;
mod chart;
mod claims;
mod html;
mod json;
mod junit;
mod kcidb;
mod markdown;
pub mod matrix;
mod probes;
mod sweeps;
mod terminal;

use results::plan::Order;
use results::record::Unit;

pub use changelog::changelog;
pub use claims::{calibration, claims};
pub use html::html;
pub use json::{json, run_json};
pub use junit::junit;
pub use kcidb::kcidb;
pub use markdown::markdown;
pub use terminal::terminal;

use crate::analyse::{Comparison, Report, Status, Verdict};

pub(crate) fn order_word(order: Order) -> &'static str {
    match order {
        Order::Ascending => "ascending",
        Order::Descending => "descending",
        Order::Mixed => "mixed",
    }
}

/// The whole answer in one or two sentences.
fn headline(report: &Report) -> String {
    let what = format!("{} on {}", report.series.name, report.kernel.name);
    let verdict = match report.status {
        Status::Passed => {
            let held = report.scenarios.iter().filter(|row| row.held()).count();
            let rest = match report.scenarios.len() - held {
                0 => String::new(),
                n => format!(", {n} did not run"),
            };
            let plural = if held == 1 { "" } else { "s" };
            let arms = match report.kernel.arms.as_slice() {
                [one] => one.arm.as_str(),
                _ => "both arms",
            };
            format!("{what}: {held} scenario{plural} held on {arms}{rest}.")
        }
        Status::Failed => format!("{what}: FAILED: {}.", first(&report.reasons)),
        Status::Infrastructure => {
            format!(
                "{what}: the guests did not run to their end: {}.",
                first(&report.reasons)
            )
        }
    };
    let primary: Vec<_> = report.comparisons.iter().filter(|c| c.primary).collect();
    match primary.as_slice() {
        [] => verdict,
        primary => {
            let parts: Vec<_> = primary.iter().map(|c| change_words(c)).collect();
            format!("{verdict} {}.", capitalise(&parts.join("; ")))
        }
    }
}

/// How soon what decides was decided.
fn decided_words(report: &Report) -> Option<String> {
    let after = report.decided_s?;
    let boots = report.comparisons.iter().find(|c| c.primary)?;
    Some(format!(
        "Decided {after:.0} s after the start, by {}+{} boots.",
        boots.base.boots, boots.patched.boots
    ))
}

fn first(reasons: &[String]) -> String {
    let more = match reasons.len() {
        0 | 1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    format!(
        "{}{more}",
        reasons.first().map_or("no reason given", String::as_str)
    )
}

fn capitalise(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// Such as `contended entries improved, by 94 %`.
fn change_words(comparison: &Comparison) -> String {
    let Comparison {
        label,
        verdict,
        ratio,
        ..
    } = comparison;
    match (verdict, ratio) {
        (Verdict::Improved | Verdict::Regressed, Some(ratio)) if *ratio <= 2.0 => {
            let word = if *ratio < 1.0 { "down" } else { "up" };
            let change = (ratio - 1.0).abs() * 100.0;
            format!(
                "{label} {}, {word} {} %{}",
                verdict.as_str(),
                significant(change),
                unprobed_words(comparison)
            )
        }
        (Verdict::Improved | Verdict::Regressed, Some(ratio)) => {
            format!(
                "{label} {}, {} times as much",
                verdict.as_str(),
                significant(*ratio)
            )
        }
        (Verdict::NoChange, _) => format!("{label} did not change"),
        (Verdict::Inconclusive, _) => format!("{label} can't be told from these rounds"),
        (_, None) => format!("{label} {}", verdict.as_str()),
    }
}

/// What boots without probes add to a time that was measured with them.
fn unprobed_words(comparison: &Comparison) -> String {
    let Some(found) = comparison.without_probes else {
        return String::new();
    };
    let interval = found
        .interval
        .map(|ends| format!(" {}", interval_text(ends)))
        .unwrap_or_default();
    let but = if found.agrees { "and" } else { "but" };
    let told = if found.agrees { "" } else { ", not confirmed" };
    format!(
        " with probes, {but} {}{interval} without{told}",
        ratio_text(found.ratio)
    )
}

/// A comparison in one line of ASCII, as it may be quoted in a review.
pub(crate) fn comparison_line(c: &Comparison) -> String {
    let mut line = format!(
        "{}: {} -> {}",
        c.label,
        value(c.unit, c.base.median),
        value(c.unit, c.patched.median)
    );
    if c.ratio.is_some() {
        line.push_str(&format!(", ratio {}", ratio_words(c)));
    }
    line.push_str(&format!(
        ", {}+{} boots, {} samples: {}",
        c.base.boots,
        c.patched.boots,
        c.base.samples + c.patched.samples,
        c.verdict.as_str()
    ));
    if c.verdict != Verdict::Inconclusive {
        line.push_str(&unprobed_words(c));
    }
    if let Some(rounds) = c.rounds_needed {
        line.push_str(&format!(" ({})", rounds_words(rounds)));
    }
    line
}

fn rounds_words(rounds: u32) -> String {
    format!("about {rounds} rounds an arm would tell")
}

/// The ratio and its interval, as far as they are known.
pub(crate) fn ratio_words(c: &Comparison) -> String {
    match (c.ratio, c.interval) {
        (Some(ratio), Some(ends)) => format!("{} {}", ratio_text(ratio), interval_text(ends)),
        (Some(ratio), None) => ratio_text(ratio),
        (None, _) => "-".to_owned(),
    }
}

fn ratio_text(ratio: f64) -> String {
    if ratio >= 100.0 {
        format!("{ratio:.0}")
    } else {
        format!("{ratio:.2}")
    }
}

fn interval_text([low, high]: [f64; 2]) -> String {
    format!("[{}, {}]", ratio_text(low), ratio_text(high))
}

/// A value with its unit, in ASCII.
fn value(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Count => significant(value),
        Unit::PerSecond => format!("{}/s", significant(value)),
        Unit::Us if value.abs() >= 1e6 => format!("{} s", significant(value / 1e6)),
        Unit::Us if value.abs() >= 1e3 => format!("{} ms", significant(value / 1e3)),
        Unit::Us => format!("{} us", significant(value)),
    }
}

/// Three significant digits; whole numbers stay whole.
fn significant(value: f64) -> String {
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
fn one_line(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Wraps to `width` columns; lines after the first are indented. Words longer
/// than a line stay whole.
fn wrap(text: &str, width: usize, indent: &str) -> String {
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
