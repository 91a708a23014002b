//! The answer: what came of the run, and what limits it.

use results::record::Unit;

use crate::analyse::comparison::{Comparison, Verdict, comparison_line};
use crate::analyse::model::{Report, Status};
use crate::analyse::samples::names;
use crate::analyse::scenarios::ScenarioVerdict;
use crate::report::document::{Block, Reach, Section, Tone};
use crate::run::Question;
use crate::words::{capitalise, significant};

pub(crate) fn answer(report: &Report) -> Section<'_> {
    let tone = match report.status {
        Status::Passed => Tone::Good,
        Status::Failed => Tone::Bad,
        Status::Infrastructure | Status::NotJudged => Tone::Open,
    };
    let mut blocks = vec![
        Block::Answer(tone, headline(report)),
        Block::Caveats(report.caveats.clone()),
    ];
    // Spoken of only where somebody asked.
    if report.order.expected.is_some() {
        let order = capitalise(&report.order.words(report.names));
        blocks.push(Block::Paragraph(format!("{order}.")));
    }
    blocks.extend(decided(report).map(Block::Paragraph));
    Section::untitled(blocks)
}

/// All reasons, and what decides in a line each.
pub(crate) fn details(report: &Report) -> Option<Section<'_>> {
    let mut blocks = Vec::new();
    if report.reasons.len() > 1 {
        blocks.push(Block::Items(report.reasons.clone()));
    }
    let lines: Vec<String> = deciding(report).iter().map(comparison_line).collect();
    if !lines.is_empty() {
        blocks.push(Block::Items(lines));
    }
    (!blocks.is_empty()).then(|| Section::untitled(blocks).reach(Reach::InFull))
}

/// What decides; where two scenarios measure the same, each with its scenario.
pub(super) fn deciding(report: &Report) -> Vec<Comparison> {
    let primary = report.comparisons.iter().filter(|c| c.primary);
    let alike = |label: &str| primary.clone().filter(|c| c.label == label).count() > 1;
    let named = primary.clone().map(|c| Comparison {
        label: match alike(&c.label) {
            true => format!("{} in {}", c.label, c.scenario),
            false => c.label.clone(),
        },
        ..c.clone()
    });
    named.collect()
}

/// The whole answer in one or two sentences.
fn headline(report: &Report) -> String {
    let what = format!("{} on {}", report.series.name, report.kernel.name);
    let verdict = match report.status {
        Status::Passed => {
            let count = |wanted| {
                let verdicts = report.scenarios.iter().map(|row| row.verdict);
                verdicts.filter(|verdict| *verdict == wanted).count()
            };
            let held = count(ScenarioVerdict::Held);
            let mut rest = match count(ScenarioVerdict::DidNotRun) {
                0 => String::new(),
                n => format!(", {n} did not run"),
            };
            match count(ScenarioVerdict::NotJudged) {
                0 => {}
                1 => rest.push_str(", 1 does not pass on base and is not counted"),
                n => rest.push_str(&format!(", {n} do not pass on base and are not counted")),
            }
            let plural = if held == 1 { "" } else { "s" };
            let arms = match report.kernel.arms.as_slice() {
                [one] => one.arm.as_str(),
                _ => "both arms",
            };
            let asked = match report.question {
                Question::Expectations => "",
                Question::Regressions => "nothing that was tried is broken: ",
            };
            format!("{what}: {asked}{held} scenario{plural} passed on {arms}{rest}.")
        }
        Status::Failed => format!("{what}: FAILED: {}.", first(&report.reasons)),
        Status::Infrastructure | Status::NotJudged => {
            format!("{what}: NO VERDICT: {}.", first(&report.reasons))
        }
    };
    let deciding = deciding(report);
    let parts = deciding.iter().map(change);
    let parts: Vec<String> = parts.collect();
    let mut sentences = vec![verdict];
    sentences.extend(asked(report));
    if !parts.is_empty() {
        sentences.push(format!("{}.", capitalise(&parts.join("; "))));
    }
    sentences.join(" ")
}

/// What reviewers ask for first: how much it changed, and how sure that is.
fn asked(report: &Report) -> impl Iterator<Item = String> {
    let wanted = |c: &&Comparison| {
        let named = |asked: &String| names(asked, &c.scenario, &c.metric);
        c.unprobed && c.walker.is_none() && report.asked.as_ref().is_some_and(named)
    };
    let found: Vec<&Comparison> = report.comparisons.iter().filter(wanted).collect();
    let several = found.len() > 1;
    found.into_iter().filter_map(move |c| {
        let how = difference(c.unit, c.interval?, c.margin);
        let of = match several {
            true => format!(" in {}", c.scenario),
            false => String::new(),
        };
        let [base, patched] =
            [&c.base, &c.patched].map(|arm| crate::words::value(c.unit, arm.level));
        let label = capitalise(&c.label);
        Some(format!(
            "{label}{of}: {how} ({base} -> {patched}; 95 % interval)."
        ))
    })
}

/// An interval of ratios in words. `margin` is the relative change below which nobody
/// cares.
fn difference(unit: Unit, [low, high]: [f64; 2], margin: f64) -> String {
    let percent = |ratio: f64| significant((100.0 * (ratio - 1.0)).abs());
    let (less, more) = match unit {
        Unit::Us => ("shorter", "longer"),
        Unit::Count | Unit::PerSecond => ("less", "more"),
    };
    let is_same = 1.0 - margin <= low && high <= 1.0 + margin;
    let how = match (low < 1.0, high > 1.0) {
        (true, false) => format!("{less} by {} to {} %", percent(high), percent(low)),
        (false, true) => format!("{more} by {} to {} %", percent(low), percent(high)),
        _ => {
            let (low, high) = (percent(low), percent(high));
            let between = format!("between {low} % {less} and {high} % {more}");
            match is_same {
                true => between,
                false => format!("no difference seen, {between}"),
            }
        }
    };
    match is_same {
        true => format!("the same within {} %, {how}", significant(100.0 * margin)),
        false => how,
    }
}

fn first(reasons: &[String]) -> String {
    match reasons {
        [] => "no reason given".into(),
        [one] => one.clone(),
        [one, others @ ..] => format!("{one}, and {} more", others.len()),
    }
}

/// How soon what decides was decided.
fn decided(report: &Report) -> Option<String> {
    let after = report.decided_s?;
    let deciding = report.comparisons.iter().filter(|c| c.primary);
    let blocks = deciding.clone().map(|c| c.blocks).max()?;
    let early = report
        .looks
        .last()
        .is_some_and(|(limit, _)| blocks < *limit)
        && deciding.filter_map(|c| c.decided_at).next().is_some();
    let overstated = match early {
        true => " Stopped early: the effect is likely overstated.",
        false => "",
    };
    Some(format!(
        "Decided {after:.0} s after the start, by {blocks} blocks.{overstated}"
    ))
}

/// Such as `contended entries improved, down 94 %`.
fn change(comparison: &Comparison) -> String {
    let Comparison {
        label,
        verdict,
        margin,
        ..
    } = comparison;
    match (verdict, comparison.ratio) {
        (Verdict::Improved | Verdict::Regressed, Some(ratio)) if ratio <= 2.0 => {
            let word = if ratio < 1.0 { "down" } else { "up" };
            let change = significant((ratio - 1.0).abs() * 100.0);
            format!("{label} {}, {word} {change} %", verdict.as_str())
        }
        (Verdict::Improved | Verdict::Regressed, Some(ratio)) => {
            let times = significant(ratio);
            format!("{label} {}, {times} times as much", verdict.as_str())
        }
        // A count that an absolute margin judges may have any ratio.
        (Verdict::NoChange, Some(ratio)) if (ratio - 1.0).abs() <= *margin => {
            let margin = significant(margin * 100.0);
            format!("{label} changed by less than {margin} %")
        }
        (Verdict::NoChange, _) => format!("{label} changed by less than matters"),
        (Verdict::Inconclusive | Verdict::NotTested, _) => {
            format!("{label}: {}", verdict.as_str())
        }
        (_, None) => format!("{label} {}", verdict.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_that_nobody_cares_about_is_none() {
        for (unit, interval, words) in [
            (Unit::Us, [0.8, 0.9], "shorter by 10 to 20 %"),
            (Unit::Count, [1.5, 3.0], "more by 50 to 200 %"),
            (
                Unit::Us,
                [0.93, 1.02],
                "no difference seen, between 7 % shorter and 2 % longer",
            ),
            (
                Unit::Us,
                [0.99, 1.04],
                "the same within 5 %, between 1 % shorter and 4 % longer",
            ),
            // Sure, and yet too small to matter.
            (
                Unit::Us,
                [1.01, 1.02],
                "the same within 5 %, longer by 1 to 2 %",
            ),
            (Unit::Us, [0.94, 0.97], "shorter by 3 to 6 %"),
        ] {
            assert_eq!(difference(unit, interval, 0.05), words);
        }
    }
}
