//! What a run comes to that asks only what a series breaks: endings of scenarios
//! by arm.

#![allow(clippy::unwrap_used)]

mod fixture;

use evidence::run::{Question, RoundStatus, Run};
use evidence::{ScenarioVerdict, Status, analyse, report};
use fixture::{RACE, log, run};
use results::console::{self, Event};
use results::ktap::Outcome;
use results::{Arm, Purpose};

const PASS: Outcome = Outcome::Pass;
const FAIL: Outcome = Outcome::Fail;

fn skip() -> Outcome {
    Outcome::Skip("not here".into())
}

/// A correctness boot of each arm, by what came of the first scenario and of the
/// three others.
fn run_of(base: [Outcome; 2], patched: [Outcome; 2]) -> Run {
    let mut run = run();
    run.question = Question::Regressions;
    run.expect_order = None;
    run.primary.clear();
    run.rounds
        .retain(|round| round.purpose == Purpose::Correctness);
    for (round, outcomes) in run.rounds.iter_mut().zip([base, patched]) {
        round.records.clear();
        if outcomes.contains(&FAIL) {
            round.status = RoundStatus::Failed;
        }
        let [first, others] = &outcomes;
        round.ktap = log(|w| {
            w.test("memcg-limit", first).unwrap();
            for name in ["memcg-group", "reap-order", RACE] {
                w.test(name, others).unwrap();
            }
        });
    }
    run
}

#[test]
fn only_what_base_passes_can_be_broken() {
    use ScenarioVerdict::{DidNotRun, Failed, Held, NotJudged};
    let fails_on_patched: &[&str] = &["memcg-limit fails on patched"];
    let table = [
        (PASS, PASS, Held, Status::Passed, &[][..]),
        (PASS, FAIL, Failed, Status::Failed, fails_on_patched),
        (
            PASS,
            skip(),
            Failed,
            Status::Failed,
            &["memcg-limit passes on base and is skipped on patched"],
        ),
        (FAIL, FAIL, NotJudged, Status::Passed, &[]),
        (FAIL, PASS, NotJudged, Status::Passed, &[]),
        (FAIL, skip(), NotJudged, Status::Passed, &[]),
        (skip(), FAIL, NotJudged, Status::Passed, &[]),
        (skip(), skip(), DidNotRun, Status::Passed, &[]),
        (skip(), PASS, DidNotRun, Status::Passed, &[]),
    ];
    for (base, patched, verdict, status, reasons) in table {
        let name = format!("{base:?} {patched:?}");
        let run = run_of([base, PASS], [patched, PASS]);
        let report = analyse(&run);
        assert_eq!(report.scenarios[0].verdict, verdict, "{name}");
        assert_eq!(report.status, status, "{name}");
        assert_eq!(report.reasons, reasons, "{name}");
    }
}

#[test]
fn what_is_not_counted_is_said() {
    let report = analyse(&run_of([FAIL, PASS], [FAIL, PASS]));
    let excuse = "memcg-limit fails on both arms: the suite, the kernel or the host is at fault, \
                  not the series";
    assert!(report.notes.iter().any(|note| note == excuse));
    let text = report::terminal(&report);
    let head = "oom-reaper-reverse on 6.12: nothing that was tried is broken: 3 scenarios passed on \
                both arms, 1 does not pass on base";
    assert!(text.replace('\n', " ").starts_with(head), "{text}");
    // Nobody asked for an order.
    assert!(!text.contains("rder of the reaper's walk"), "{text}");
}

#[test]
fn where_nothing_can_be_judged_there_is_no_verdict() {
    for (base, patched) in [
        ([FAIL, FAIL], [FAIL, FAIL]),
        ([skip(), FAIL], [skip(), FAIL]),
    ] {
        let report = analyse(&run_of(base, patched));
        assert_eq!(report.status, Status::NotJudged, "{:?}", report.reasons);
        assert!(report.reasons[0].starts_with("no scenario gave a result"));
    }
    // Of any run: one that skipped everything has not held.
    let mut run = run_of([skip(), skip()], [skip(), skip()]);
    run.question = Question::Expectations;
    assert_eq!(analyse(&run).status, Status::NotJudged);
}

#[test]
fn a_skip_on_patched_alone_is_a_failure_of_any_run() {
    let mut run = run_of([PASS, PASS], [skip(), PASS]);
    run.question = Question::Expectations;
    let report = analyse(&run);
    assert_eq!(report.status, Status::Failed);
    assert_eq!(
        report.reasons,
        ["memcg-limit passes on base and is skipped on patched"]
    );
}

/// Where base was not booted nothing excuses the other arm.
#[test]
fn one_arm_alone_has_no_excuse() {
    let mut run = run_of([PASS, PASS], [FAIL, PASS]);
    run.kernel.arms.retain(|info| info.arm == Arm::Patched);
    run.rounds.retain(|round| round.arm == Arm::Patched);
    assert_eq!(analyse(&run).status, Status::Failed);
}

#[test]
fn a_console_that_base_has_too_is_not_counted() {
    let fault = |run: &mut Run, arm, title: &str| {
        let round = run.rounds.iter_mut().find(|round| round.arm == arm);
        let round = round.unwrap();
        round.console_verdict = console::Kind::Warning;
        round.console_events = vec![Event {
            kind: console::Kind::Warning,
            title: title.into(),
            line: 7,
        }];
    };
    for (base, patched, status) in [
        (None, Some("WARNING in one"), Status::Failed),
        (
            Some("WARNING in one"),
            Some("WARNING in one"),
            Status::Passed,
        ),
        (
            Some("WARNING in one"),
            Some("WARNING in two"),
            Status::Failed,
        ),
        (Some("WARNING in one"), None, Status::Passed),
    ] {
        let mut run = run_of([PASS, PASS], [PASS, PASS]);
        for (arm, title) in [(Arm::Base, base), (Arm::Patched, patched)] {
            if let Some(title) = title {
                fault(&mut run, arm, title);
            }
        }
        let report = analyse(&run);
        assert_eq!(report.status, status, "{base:?} {patched:?}");
        let noted = report.notes.iter().any(|note| note.contains("WARNING"));
        assert_eq!(noted, base.is_some());
    }
}

#[test]
fn a_base_that_hangs_alone_is_not_the_series_fault() {
    let mut run = run_of([PASS, PASS], [PASS, PASS]);
    run.rounds[0].status = RoundStatus::Hang;
    let report = analyse(&run);
    assert_eq!(report.status, Status::Passed, "{:?}", report.reasons);
    assert!(report.notes.iter().any(|note| note.contains("hung")));
    run.question = Question::Expectations;
    assert_eq!(analyse(&run).status, Status::Failed);
}
