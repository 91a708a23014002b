//! What the scenarios execute of the lines that the series changes.

use crate::analyse::model::Report;
use crate::report::document::{Block, Section};
use crate::run::Coverage;

/// The most lines that are named.
const NAMED: usize = 20;

pub(crate) fn section(report: &Report) -> Option<Section<'_>> {
    let coverage = report.coverage.as_ref()?;
    let lines = [
        Some(summary(coverage)),
        coverage
            .unknown
            .clone()
            .map(|why| format!("Not known: {why}.")),
        named("Not in this configuration", &coverage.not_compiled),
        named(
            "Not followed, in a header or not understood",
            &coverage.not_followed,
        ),
    ];
    let lines = lines.into_iter().flatten().collect();
    Some(Section::new("Changed lines", vec![Block::Items(lines)]))
}

fn summary(coverage: &Coverage) -> String {
    let (executed, missed) = (coverage.executed, &coverage.not_executed);
    if missed.is_empty() {
        return match executed {
            0 => "No changed line could be seen to be executed.".to_owned(),
            1 => "The one statement line that the series changes is executed.".to_owned(),
            lines => format!("All {lines} statement lines that the series changes are executed."),
        };
    }
    let all = executed + missed.len();
    let seem = match coverage.unknown {
        None => "no scenario executes",
        Some(_) => "no scenario was seen to execute",
    };
    let count = missed.len();
    format!(
        "Of {all} statement lines that the series changes {seem} {count}: {}.",
        list(missed)
    )
}

fn named(what: &str, lines: &[String]) -> Option<String> {
    (!lines.is_empty()).then(|| format!("{what}: {}.", list(lines)))
}

fn list(lines: &[String]) -> String {
    let named: Vec<&str> = lines.iter().take(NAMED).map(String::as_str).collect();
    match lines.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
