//! How the whole run ended, and why.

use results::Arm;

use super::comparison::{Comparison, Verdict};
use super::model::Status;
use super::order::OrderProof;
use super::scenarios::{ScenarioRow, ScenarioVerdict, Tally};
use crate::breakdown::{Breakdown, OnBothArms, is_lockup};
use crate::run::{Round, RoundStatus, Run};

pub(super) fn status(
    run: &Run,
    on_both: &OnBothArms<'_>,
    order: &OrderProof,
    scenarios: &[ScenarioRow],
    comparisons: &[Comparison],
) -> (Status, Vec<String>) {
    let excuses = Excuses::of(run);
    let (mut failed, mut broken) = (Vec::new(), Vec::new());
    for row in scenarios {
        if row.verdict == ScenarioVerdict::Failed {
            failed.extend(row.findings());
        }
    }
    for round in &run.rounds {
        let name = format!("round {} ({})", round.index, round.arm.as_str());
        let breakdown = Breakdown::of(round);
        let on_both_arms = breakdown.is_some_and(|breakdown| on_both.has(breakdown));
        if let Some(breakdown) = breakdown
            && !on_both_arms
            && !excuses.arm(round.arm)
        {
            failed.push(format!("{name}: {}", breakdown.words()));
        }
        match round.status {
            // The scenario's row says it, where that may be base's fault.
            RoundStatus::Timeout if !excuses.any() => {
                failed.push(format!("{name}: a scenario timed out"));
            }
            status if status.is_infrastructure() => {
                broken.push(format!("{name}: {}", status.as_str()));
            }
            RoundStatus::Ok if !round.ktap.status.is_ok() => {
                failed.push(format!("{name}: its log is {}", round.ktap.status.as_str()));
            }
            _ => {}
        }
        let console = round.console_verdict;
        let said = round.status == RoundStatus::Panic || (on_both_arms && is_lockup(console));
        if console.is_fault() && !said && !excuses.console(round) {
            failed.push(format!("{name}: {}", on_console(round)));
        }
    }
    for comparison in comparisons
        .iter()
        .filter(|c| c.verdict == Verdict::Regressed)
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
    let nothing_held = !scenarios.is_empty() && !scenarios.iter().any(ScenarioRow::held);
    let decided = comparisons
        .iter()
        .any(|c| c.primary && c.verdict != Verdict::Inconclusive);
    let status = match (failed.is_empty(), broken.is_empty()) {
        (false, _) => Status::Failed,
        (true, false) => Status::Infrastructure,
        (true, true) if nothing_held && !decided => Status::NotJudged,
        (true, true) => Status::Passed,
    };
    let mut reasons: Vec<String> = failed.into_iter().chain(broken).collect();
    if status == Status::NotJudged {
        reasons.push("no scenario gave a result that says anything of the series".into());
        reasons.extend(not_counted(run, scenarios));
    }
    (status, reasons)
}

/// What does not hold and is not counted against the series, in words.
pub(super) fn not_counted(run: &Run, scenarios: &[ScenarioRow]) -> Vec<String> {
    let excuses = Excuses::of(run);
    let rows = scenarios
        .iter()
        .filter(|row| row.verdict == ScenarioVerdict::NotJudged);
    let mut words: Vec<String> = rows.flat_map(ScenarioRow::findings).collect();
    let mut also = |text: String| {
        if !words.contains(&text) {
            words.push(text);
        }
    };
    for round in run.rounds.iter().filter(|_| excuses.any()) {
        let said = round.status == RoundStatus::Panic;
        if round.console_verdict.is_fault() && !said && excuses.console(round) {
            also(format!("{} of {}", on_console(round), round.arm));
        }
        if let Some(breakdown) = Breakdown::of(round).filter(|_| excuses.arm(round.arm)) {
            also(format!("{} on {}", breakdown.words(), round.arm));
        }
    }
    let excuse = "the suite, the kernel or the host is at fault, not the series";
    words
        .into_iter()
        .map(|what| format!("{what}: {excuse}"))
        .collect()
}

/// The worst that a round's console shows.
fn on_console(round: &Round) -> String {
    let title = round.console_title();
    let title = title.map(|title| format!(": {title}")).unwrap_or_default();
    format!("{} on the console{title}", round.console_verdict)
}

/// What of a run is not counted against the series, since base does it too or
/// alone.
struct Excuses<'a> {
    /// The rounds of base; none where nothing is excused.
    base: Option<Vec<&'a Round>>,
}

impl<'a> Excuses<'a> {
    fn of(run: &'a Run) -> Self {
        let base = run.rounds.iter().filter(|round| round.arm == Arm::Base);
        Self {
            base: run.is_excused_by_base().then(|| base.collect()),
        }
    }

    fn any(&self) -> bool {
        self.base.is_some()
    }

    /// Whether nothing that this arm does is counted.
    fn arm(&self, arm: Arm) -> bool {
        self.any() && arm == Arm::Base
    }

    /// Whether base's consoles show the same.
    fn console(&self, round: &Round) -> bool {
        let same = |base: &&Round| {
            (base.console_verdict, base.console_title())
                == (round.console_verdict, round.console_title())
        };
        let base = self.base.iter().flatten();
        base.copied().any(|base| same(&base))
    }
}
