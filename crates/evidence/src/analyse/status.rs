//! How the whole run ended, and why.

use results::Arm;

use super::comparison::{Comparison, Verdict};
use super::model::Status;
use super::order::OrderProof;
use super::scenarios::{ScenarioRow, Tally};
use crate::run::{RoundStatus, Run};

/// What a scenario that did not always hold does.
fn ill(tally: Tally) -> Option<&'static str> {
    match (tally.failed > 0, tally.flaky()) {
        (false, _) => None,
        (true, true) => Some("is flaky"),
        (true, false) => Some("fails"),
    }
}

pub(super) fn status(
    run: &Run,
    order: &OrderProof,
    scenarios: &[ScenarioRow],
    comparisons: &[Comparison],
) -> (Status, Vec<String>) {
    let (mut failed, mut broken) = (Vec::new(), Vec::new());
    for row in scenarios {
        match [row.base, row.patched].map(ill) {
            [Some(one), Some(other)] if one == other => {
                failed.push(format!("{} {one} on both arms", row.name));
            }
            both => {
                for (arm, ill) in Arm::BOTH.into_iter().zip(both) {
                    failed.extend(ill.map(|ill| format!("{} {ill} on {}", row.name, arm.as_str())));
                }
            }
        }
    }
    for round in &run.rounds {
        let name = format!("round {} ({})", round.index, round.arm.as_str());
        let console = round.console_verdict;
        match round.status {
            RoundStatus::Panic => failed.push(format!("{name}: the kernel panicked")),
            RoundStatus::Timeout => failed.push(format!("{name}: a scenario timed out")),
            status if status.is_infrastructure() => {
                broken.push(format!("{name}: {}", status.as_str()));
            }
            RoundStatus::Ok if !round.ktap.status.is_ok() => {
                failed.push(format!("{name}: its log is {}", round.ktap.status.as_str()));
            }
            _ => {}
        }
        if console.is_fault() && round.status != RoundStatus::Panic {
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
