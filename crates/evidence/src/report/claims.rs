//! What a changelog claims beside what was measured, and what the measurement
//! is worth: plain text of 72 columns, as a reply takes it.

use super::terminal::columns;
use crate::calibrate::Calibration;
use crate::claims::{Check, Claims};
use crate::words::{one_line, significant, wrap};

const WIDTH: usize = 72;

/// The figures of a changelog, what a reader would ask of them, and what was
/// measured.
pub fn claims(claims: &Claims, checks: &[Check]) -> String {
    table(claims, checks, WIDTH)
}

/// The same in so many columns.
pub(super) fn table(claims: &Claims, checks: &[Check], width: usize) -> String {
    let mut out = String::new();
    if claims.rows.is_empty() && claims.figures.is_empty() && claims.findings.is_empty() {
        return "The changelog claims nothing in figures.\n".into();
    }
    for finding in &claims.findings {
        let place = finding
            .line
            .map_or_else(|| "-".into(), |line| format!("line {line}"));
        let line = format!("{place}: {}", one_line(&finding.text));
        out.push_str(&wrap(&line, width, "    "));
        out.push('\n');
    }
    if checks.is_empty() {
        return out;
    }
    let ratio = |ratio: f64| format!("{ratio:.2}");
    let head = ["", "claimed", "measured [95 %]", ""];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(checks.iter().map(|check| {
        let measured = match (check.measured, check.interval) {
            (Some(measured), Some([low, high])) => {
                format!("{} [{}, {}]", ratio(measured), ratio(low), ratio(high))
            }
            (Some(measured), None) => ratio(measured),
            _ => "-".into(),
        };
        vec![
            one_line(&check.label),
            ratio(check.claimed),
            measured,
            check.verdict.as_str().to_owned(),
        ]
    }));
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str("With the patch, as a share of without:\n");
    out.push_str(&columns(&rows, width, &[false, true, false, false]));
    out.push('\n');
    out
}

/// What a run's verdicts are worth.
pub fn calibration(found: &[Calibration]) -> String {
    let mut out = String::new();
    for c in found {
        let probes = if c.unprobed { ", without probes" } else { "" };
        let percent = |share: f64| significant(share * 100.0);
        let smallest = c.smallest.map_or_else(
            || "no reduction would be seen in 80 % of tries".into(),
            |least| {
                format!(
                    "a reduction of {} % is seen in 80 % of tries",
                    percent(least)
                )
            },
        );
        let text = format!(
            "{}: {}{probes}: {} boots of one kernel, dealt {} times into arms of {}: called \
             different {} % of the time (by the test alone {} %), the interval held 1 in {} %; \
             {smallest}.",
            one_line(&c.scenario),
            one_line(&c.metric),
            c.boots,
            c.tries,
            c.arm,
            percent(c.false_positives),
            percent(c.significant),
            percent(c.coverage),
        );
        out.push_str(&wrap(&text, WIDTH, "  "));
        out.push('\n');
    }
    out
}
