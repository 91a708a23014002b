//! The sentences of the reports.

use crate::analyse::comparison::{Comparison, Verdict, unprobed_words};
use crate::analyse::model::{Report, Status};
use crate::words::{capitalise, significant};

/// The whole answer in one or two sentences.
pub(super) fn headline(report: &Report) -> String {
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
pub(super) fn decided_words(report: &Report) -> Option<String> {
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
