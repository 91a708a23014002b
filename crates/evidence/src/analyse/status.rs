//! How the whole run ended, and why.

use results::Arm;

use super::comparison::{Comparison, Verdict};
use super::model::Status;
use super::order::OrderProof;
use super::scenarios::{ScenarioRow, Tally};
use crate::breakdown::{Breakdown, OnBothArms, is_lockup};
use crate::run::{RoundStatus, Run};

/// What a scenario does that did not always pass.
fn failing(tally: Tally) -> Option<&'static str> {
    match (tally.failed > 0, tally.flaky()) {
        (false, _) => None,
        (true, true) => Some("is flaky"),
        (true, false) => Some("fails"),
    }
}

pub(super) fn status(
    run: &Run,
    on_both: &OnBothArms<'_>,
    order: &OrderProof,
    scenarios: &[ScenarioRow],
    comparisons: &[Comparison],
) -> (Status, Vec<String>) {
    let (mut failed, mut broken) = (Vec::new(), Vec::new());
    for row in scenarios {
        match [row.base, row.patched].map(failing) {
            [Some(one), Some(other)] if one == other => {
                failed.push(format!("{} {one} on both arms", row.name));
            }
            both => {
                for (arm, word) in Arm::BOTH.into_iter().zip(both) {
                    let why = |word| format!("{} {word} on {}", row.name, arm.as_str());
                    failed.extend(word.map(why));
                }
            }
        }
    }
    for round in &run.rounds {
        let name = format!("round {} ({})", round.index, round.arm.as_str());
        let console = round.console_verdict;
        let breakdown = Breakdown::of(round);
        let excused = breakdown.is_some_and(|breakdown| on_both.has(breakdown));
        if let Some(breakdown) = breakdown
            && !excused
        {
            failed.push(format!("{name}: {}", breakdown.words()));
        }
        match round.status {
            RoundStatus::Timeout => failed.push(format!("{name}: a scenario timed out")),
            status if status.is_infrastructure() => {
                broken.push(format!("{name}: {}", status.as_str()));
            }
            RoundStatus::Ok if !round.ktap.status.is_ok() => {
                failed.push(format!("{name}: its log is {}", round.ktap.status.as_str()));
            }
            _ => {}
        }
        let said = round.status == RoundStatus::Panic || (excused && is_lockup(console));
        if console.is_fault() && !said {
            let title = round.console_title();
            let title = title.map(|title| format!(": {title}")).unwrap_or_default();
            failed.push(format!("{name}: {console} on the console{title}"));
        }
    }
    for comparison in comparisons
        .iter()
        .filter(|c| c.primary && c.verdict == Verdict::Regressed)
    {
        failed.push(format!("{} regressed", comparison.label));
    }
    broken.extend(on_both.words());
    if run.rounds.is_empty() {
        broken.push("no guest was booted".into());
    }
    for row in scenarios {
        for (arm, tally) in Arm::BOTH.into_iter().zip([row.base, row.patched]) {
            if run.kernel.has(arm) && tally == Tally::default() {
                broken.push(format!("{} was not run on {}", row.name, arm.as_str()));
            }
        }
    }
    if !order.held {
        // Without a proof from both arms the rounds are to blame, if they broke.
        let missing = order.expected.is_some_and(|expected| {
            (expected.base.is_some() && order.base.is_none())
                || (expected.patched.is_some() && order.patched.is_none())
        });
        let list = if missing && !broken.is_empty() {
            &mut broken
        } else {
            &mut failed
        };
        list.push(order.words(["base", "patched"]));
    }
    let status = match (failed.is_empty(), broken.is_empty()) {
        (false, _) => Status::Failed,
        (true, false) => Status::Infrastructure,
        (true, true) => Status::Passed,
    };
    (status, failed.into_iter().chain(broken).collect())
}
