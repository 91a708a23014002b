//! What a run comes to when guests break down: endings by arm.

#![allow(clippy::unwrap_used)]

mod fixture;

use evidence::run::{Round, RoundStatus, Run};
use evidence::{Status, Verdict, analyse, report};
use fixture::{log, run};
use results::ktap::Outcome;
use results::record::Record;
use results::{Arm, Purpose, console};

/// How the first round of an arm ends: its status, what the console shows, and
/// the scenario that was on (it follows `memcg-limit`, which passed).
type Ending = (RoundStatus, console::Kind, Option<&'static str>);

const ORDER: Option<&str> = Some("reap-order");
const RACE: Option<&str> = Some(fixture::RACE);
const PANIC: Ending = (RoundStatus::Panic, console::Kind::Panic, ORDER);
const HANG: Ending = (RoundStatus::Hang, console::Kind::Clean, ORDER);
const LOCKUP: Ending = (RoundStatus::Hang, console::Kind::SoftLockup, ORDER);
const STALL: Ending = (RoundStatus::Hang, console::Kind::RcuStall, ORDER);
const UNBOOTED: Ending = (RoundStatus::BootFailed, console::Kind::BootFailed, None);
const NO_QEMU: Ending = (RoundStatus::QemuDied, console::Kind::Clean, ORDER);
const CUT: Ending = (RoundStatus::Cut, console::Kind::Clean, ORDER);
const STOPPED: Ending = (RoundStatus::Interrupted, console::Kind::Clean, ORDER);

fn end(run: &mut Run, arm: Arm, (status, kind, scenario): Ending) {
    let round = run
        .rounds
        .iter_mut()
        .find(|round| round.arm == arm)
        .unwrap();
    round.status = status;
    round.console_verdict = kind;
    round
        .records
        .retain(|record| !matches!(record, Record::Start { .. }));
    round.records.extend(scenario.map(|scenario| Record::Start {
        scenario: scenario.into(),
        deadline_s: 60,
    }));
    round.ktap = log(|w| w.test("memcg-limit", &Outcome::Pass).unwrap());
}

#[test]
fn a_breakdown_counts_against_its_arm_unless_base_does_the_same() {
    use Status::{Failed, Infrastructure};
    let neither = "not counted against the series";
    let cases: [(Option<Ending>, Option<Ending>, Status, &str); 21] = [
        (
            None,
            Some(HANG),
            Failed,
            "round 1 (patched): the guest hung in reap-order",
        ),
        (
            Some(HANG),
            None,
            Failed,
            "round 0 (base): the guest hung in reap-order",
        ),
        (
            None,
            Some(PANIC),
            Failed,
            "round 1 (patched): the kernel panicked in reap-order",
        ),
        (
            None,
            Some(LOCKUP),
            Failed,
            "round 1 (patched): the guest locked up in reap-order",
        ),
        (
            None,
            Some((HANG.0, HANG.1, None)),
            Failed,
            "round 1 (patched): the guest hung",
        ),
        // The same on both arms speaks of neither.
        (Some(HANG), Some(HANG), Infrastructure, neither),
        (Some(PANIC), Some(PANIC), Infrastructure, neither),
        (Some(LOCKUP), Some(STALL), Infrastructure, neither),
        (
            Some((HANG.0, HANG.1, None)),
            Some((HANG.0, HANG.1, None)),
            Infrastructure,
            neither,
        ),
        // Another ending, or in another scenario, is not the same.
        (
            Some(PANIC),
            Some(HANG),
            Failed,
            "the guest hung in reap-order",
        ),
        (
            Some(HANG),
            Some(LOCKUP),
            Failed,
            "the guest locked up in reap-order",
        ),
        (
            Some((HANG.0, HANG.1, RACE)),
            Some(HANG),
            Failed,
            "the guest hung in reap-order",
        ),
        (
            Some((HANG.0, HANG.1, None)),
            Some(HANG),
            Failed,
            "the guest hung in reap-order",
        ),
        // What is not the kernel's doing stays the infrastructure's.
        (
            None,
            Some(UNBOOTED),
            Infrastructure,
            "round 1 (patched): boot-failed",
        ),
        (
            Some(UNBOOTED),
            Some(UNBOOTED),
            Infrastructure,
            "round 0 (base): boot-failed",
        ),
        (
            None,
            Some(NO_QEMU),
            Infrastructure,
            "round 1 (patched): qemu-died",
        ),
        (None, Some(CUT), Infrastructure, "round 1 (patched): cut"),
        (
            None,
            Some(STOPPED),
            Infrastructure,
            "round 1 (patched): interrupted",
        ),
        (
            Some(UNBOOTED),
            Some(HANG),
            Failed,
            "round 1 (patched): the guest hung in reap-order",
        ),
        (
            Some(CUT),
            Some(HANG),
            Failed,
            "round 1 (patched): the guest hung in reap-order",
        ),
        // A fault that has nothing to do with the breakdown counts all the same.
        (
            Some(HANG),
            Some((HANG.0, console::Kind::Kasan, ORDER)),
            Failed,
            "round 1 (patched): kasan on the console",
        ),
    ];
    for (base, patched, status, reason) in cases {
        let mut run = run();
        for (arm, ending) in [(Arm::Base, base), (Arm::Patched, patched)] {
            if let Some(ending) = ending {
                end(&mut run, arm, ending);
            }
        }
        let report = analyse(&run);
        let name = format!("{base:?}, {patched:?}: {:?}", report.reasons);
        assert_eq!(report.status, status, "{name}");
        assert!(
            report.reasons.iter().any(|why| why.contains(reason)),
            "{name}"
        );
    }
}

/// `git bisect` boots one kernel at a time: there is no base to compare with.
#[test]
fn one_arm_alone_speaks_for_itself() {
    for (ending, status) in [
        (HANG, Status::Failed),
        (PANIC, Status::Failed),
        (UNBOOTED, Status::Infrastructure),
        (CUT, Status::Infrastructure),
    ] {
        let mut run = run();
        run.kernel.arms.retain(|info| info.arm == Arm::Base);
        run.rounds.retain(|round| round.arm == Arm::Base);
        run.expect_order = None;
        end(&mut run, Arm::Base, ending);
        assert_eq!(analyse(&run).status, status, "{ending:?}");
    }
}

#[test]
fn the_scenario_that_was_on_failed_or_is_lost() {
    let tallies = |run: &Run| {
        let report = analyse(run);
        let row = report.scenarios.iter().find(|row| row.name == "reap-order");
        let row = row.unwrap().clone();
        [row.base, row.patched].map(|tally| (tally.failed, tally.lost))
    };
    let mut run = run();
    end(&mut run, Arm::Patched, HANG);
    assert_eq!(tallies(&run), [(0, 0), (1, 0)]);
    end(&mut run, Arm::Base, HANG);
    assert_eq!(tallies(&run), [(0, 1), (0, 1)]);
    end(&mut run, Arm::Base, NO_QEMU);
    assert_eq!(tallies(&run), [(0, 1), (1, 0)]);
}

#[test]
fn what_both_arms_do_is_said_once() {
    let mut run = run();
    end(&mut run, Arm::Base, HANG);
    end(&mut run, Arm::Patched, HANG);
    let found = analyse(&run);
    assert_eq!(
        found.reasons,
        ["hang in reap-order on both arms: not counted against the series"]
    );
    assert!(report::terminal(&found).contains("NO VERDICT: hang in reap-order on both arms"));
    // A boot that was lost and made again is said too.
    run.lost_boots.push(evidence::run::LostBoot {
        index: 3,
        arm: Arm::Patched,
        lost_to: Default::default(),
        why: "QEMU died".into(),
    });
    let notes = analyse(&run).notes;
    assert_eq!(notes[0], "boot 3 (patched) was lost: QEMU died");
}

/// A reaper that leaves its work to others is quick.
#[test]
fn nothing_improved_where_a_scenario_fails_on_patched() {
    let verdicts = |run: &Run| -> Vec<Verdict> {
        let report = analyse(run);
        let deciding = report.comparisons.iter().filter(|c| c.primary);
        deciding.map(|c| c.verdict).collect()
    };
    let right = run();
    assert!(verdicts(&right).contains(&Verdict::Improved));
    for (arm, stays) in [(Arm::Base, true), (Arm::Patched, false)] {
        let mut run = right.clone();
        let traced = |round: &&mut Round| (round.arm, round.purpose) == (arm, Purpose::Correctness);
        let round = run.rounds.iter_mut().find(traced).unwrap();
        round.status = RoundStatus::Failed;
        round.ktap = log(|w| {
            w.test("memcg-limit", &Outcome::Fail).unwrap();
        });
        assert_eq!(verdicts(&run).contains(&Verdict::Improved), stays, "{arm}");
        let report = analyse(&run);
        assert_eq!(report.status, Status::Failed);
        let told = report
            .notes
            .iter()
            .any(|note| note.contains("fails on patched"));
        assert_eq!(told, !stays);
    }
}
