//! How each scenario ended on each arm.

use std::collections::BTreeSet;

use results::record::Record;
use results::{Arm, ktap};
use serde::Serialize;

use crate::breakdown::{Breakdown, OnBothArms};
use crate::run::{RoundStatus, Run};

/// One scenario in both arms.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScenarioRow {
    pub name: String,
    /// How its runs on base ended.
    pub base: Tally,
    /// How its runs on patched ended.
    pub patched: Tally,
    /// The first reason for a failure or a skip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What it says of the series.
    pub verdict: ScenarioVerdict,
}

/// What a scenario says of the series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScenarioVerdict {
    /// It ran, and passed wherever it did.
    Held,
    /// It failed where it had to pass.
    Failed,
    /// It did not run to a result on every arm that was booted.
    DidNotRun,
    /// It does not pass on base either: the fault of the suite, the kernel or the
    /// host, which is not counted against the series.
    NotJudged,
}

impl ScenarioRow {
    /// Whether it ran, and passed wherever it did.
    pub fn held(&self) -> bool {
        self.verdict == ScenarioVerdict::Held
    }

    /// Whether it counts against patched.
    pub(super) fn fails_on_patched(&self) -> bool {
        let Tally { failed, .. } = self.patched;
        self.verdict == ScenarioVerdict::Failed && (failed > 0 || self.patched.only_skipped())
    }

    /// What it says of the series.
    fn judge(&self, excused_by_base: bool) -> ScenarioVerdict {
        let (base, patched) = (self.base, self.patched);
        let fails = base.failed + patched.failed > 0;
        let lost_by_the_series = base.always_passed() && patched.only_skipped();
        let excused = excused_by_base && !base.always_passed();
        let passed = base.passed + patched.passed > 0;
        let elsewhere = [base, patched].iter().any(|t| t.skipped + t.lost > 0);
        match () {
            () if fails && excused => ScenarioVerdict::NotJudged,
            () if fails || lost_by_the_series => ScenarioVerdict::Failed,
            () if passed && !elsewhere => ScenarioVerdict::Held,
            () => ScenarioVerdict::DidNotRun,
        }
    }

    /// Such as `memcg-limit fails on patched`: what does not hold, where.
    pub(crate) fn findings(&self) -> Vec<String> {
        let name = &self.name;
        let (base, patched) = (self.base.ending(), self.patched.ending());
        match (base, patched) {
            (Some(one), Some(other)) if one == other => vec![format!("{name} {one} on both arms")],
            (None, None) if self.base.always_passed() && self.patched.only_skipped() => {
                vec![format!("{name} passes on base and is skipped on patched")]
            }
            (None, Some(fails)) if self.base.only_skipped() => {
                vec![format!("{name} is skipped on base and {fails} on patched")]
            }
            both => Arm::BOTH
                .into_iter()
                .zip([both.0, both.1])
                .filter_map(|(arm, ending)| Some(format!("{name} {} on {arm}", ending?)))
                .collect(),
        }
    }
}

/// How often a scenario ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// It held.
    pub passed: u32,
    /// It did not, or its guest's kernel broke.
    pub failed: u32,
    /// It could not run.
    pub skipped: u32,
    /// Its result was lost with the guest, which is not its fault.
    pub lost: u32,
}

impl Tally {
    /// What it does that did not always pass; none where nothing failed.
    fn ending(self) -> Option<&'static str> {
        match (self.failed > 0, self.flaky()) {
            (false, _) => None,
            (true, true) => Some("is flaky"),
            (true, false) => Some("fails"),
        }
    }

    fn always_passed(self) -> bool {
        self.passed > 0 && self.failed == 0
    }

    fn only_skipped(self) -> bool {
        self.skipped > 0 && self.passed + self.failed + self.lost == 0
    }

    /// Whether it held at times and at others not.
    pub fn flaky(self) -> bool {
        self.passed > 0 && self.failed > 0
    }

    /// Such as `4 passed, 1 failed: flaky`.
    pub fn words(&self) -> String {
        let parts = [
            (self.passed, "passed"),
            (self.failed, "failed"),
            (self.skipped, "skipped"),
            (self.lost, "lost"),
        ];
        let parts: Vec<_> = parts
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{n} {word}"))
            .collect();
        match parts.join(", ") {
            words if words.is_empty() => "-".into(),
            words if self.flaky() => format!("{words}: flaky"),
            words => words,
        }
    }
}

/// Each scenario, in the order in which the rounds ran them.
pub(super) fn scenarios(run: &Run, on_both: &OnBothArms<'_>) -> Vec<ScenarioRow> {
    let mut rows: Vec<ScenarioRow> = Vec::new();
    for round in &run.rounds {
        let excused = round.status.is_infrastructure()
            || Breakdown::of(round).is_some_and(|breakdown| on_both.has(breakdown));
        let ended = !matches!(round.status, RoundStatus::Ok | RoundStatus::Failed);
        let mut row = |name: &str, status: ktap::Status, why: Option<&str>| {
            let at = rows
                .iter()
                .position(|row| row.name == name)
                .unwrap_or_else(|| {
                    rows.push(ScenarioRow {
                        name: name.to_owned(),
                        base: Tally::default(),
                        patched: Tally::default(),
                        why: None,
                        verdict: ScenarioVerdict::DidNotRun,
                    });
                    rows.len() - 1
                });
            let row = &mut rows[at];
            let tally = match round.arm {
                Arm::Base => &mut row.base,
                Arm::Patched => &mut row.patched,
            };
            match status {
                ktap::Status::Passed => tally.passed += 1,
                ktap::Status::Skipped => tally.skipped += 1,
                ktap::Status::Crashed | ktap::Status::NoTests if excused => tally.lost += 1,
                _ => tally.failed += 1,
            }
            if status != ktap::Status::Passed && row.why.is_none() {
                row.why = why.map(str::to_owned);
            }
        };
        let reported: BTreeSet<&str> = round
            .ktap
            .tests
            .iter()
            .map(|test| test.name.as_str())
            .collect();
        let mut unfinished = 0usize;
        for record in &round.records {
            let Record::Start { scenario, .. } = record else {
                continue;
            };
            if !reported.contains(scenario.as_str()) {
                unfinished += 1;
                let why = format!("the guest ended in it: {}", round.status.as_str());
                row(scenario, ktap::Status::Crashed, Some(&why));
            }
        }
        for test in &round.ktap.tests {
            // Those that never began: what ended the round is charged with it,
            // and another one judges them.
            if test.missing && (ended || unfinished > 0) {
                continue;
            }
            // Another round judges it.
            if round.handed_over(&test.name) {
                continue;
            }
            row(
                &test.name,
                test.status,
                test.why.as_deref().or_else(|| failing(test)),
            );
        }
    }
    for row in &mut rows {
        row.verdict = row.judge(run.is_excused_by_base());
    }
    rows
}

/// The first subtest's reason.
fn failing(test: &ktap::Test) -> Option<&str> {
    test.subtests
        .iter()
        .filter(|sub| !sub.status.is_ok())
        .find_map(|sub| {
            sub.why
                .as_deref()
                .or_else(|| failing(sub))
                .or(Some(sub.name.as_str()))
        })
}
