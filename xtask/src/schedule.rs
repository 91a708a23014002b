//! Which guests a run boots, in which order, and what a guest that did not get
//! to the end of its plan leaves to the next.

use std::collections::{BTreeSet, VecDeque};

use evidence::design::Looks;
use evidence::run::{ExpectOrder, Round, Run};
use results::plan::Plan;
use results::record::Record;
use results::text::hex;
use results::{Arm, Purpose};
use sha1::{Digest, Sha1};

use crate::input::Work;

/// Repetitions of each measuring scenario in a boot.
const REPETITIONS: u32 = 12;
/// Repetitions before those.
const WARMUPS: u32 = 2;
/// Boots of each arm that sweep, with probes and without.
const SWEEPS: u32 = 4;
/// Repetitions of each point of a sweep in a boot.
const SWEEP_REPETITIONS: u32 = 4;

/// What the user wants of a run.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The kernels to boot.
    pub arms: Vec<Arm>,
    /// The scenarios to judge, in the order of the catalogue.
    pub scenarios: Vec<String>,
    /// Boots of each arm that judge them.
    pub repeat: u32,
    /// Whether each of these has an order of its own.
    pub shuffle: bool,
    /// Boots of each arm that measure.
    pub rounds: u32,
    /// Boots of each arm that measure without probes.
    pub unprobed: u32,
    /// The scenarios that sweep.
    pub sweeps: Vec<String>,
    /// Seeds whatever is chosen at random.
    pub seed: u64,
    /// How many times longer than usual everything may take.
    pub timeout_scale: u32,
}

/// One boot to come.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Which kernel.
    pub arm: Arm,
    /// What its guest is to do.
    pub plan: Plan,
}

/// The boots of a run. Those that measure come first: their verdict is what one
/// waits for. Arms alternate A B B A, so that a drift of the host falls on both
/// alike.
pub fn schedule(work: &Work, wanted: &Wanted) -> VecDeque<Planned> {
    let measure: Vec<String> = work
        .manifest
        .measure
        .as_ref()
        .map(|m| m.scenarios.clone())
        .unwrap_or_default()
        .into_iter()
        .filter(|name| wanted.scenarios.contains(name))
        .collect();
    let if_any = |names: &[String], boots: u32| if names.is_empty() { 0 } else { boots };
    let purposes = [
        (if_any(&measure, wanted.rounds), Purpose::Probed),
        (
            if_any(&wanted.scenarios, wanted.repeat),
            Purpose::Correctness,
        ),
        (if_any(&measure, wanted.unprobed), Purpose::Unprobed),
        (if_any(&wanted.sweeps, SWEEPS), Purpose::ProbedSweep),
        (if_any(&wanted.sweeps, SWEEPS), Purpose::UnprobedSweep),
    ];
    let boots = purposes
        .into_iter()
        .flat_map(|(pairs, purpose)| alternate(&wanted.arms, pairs).map(move |arm| (arm, purpose)));
    boots
        .zip(0..)
        .map(|((arm, purpose), index)| {
            let seed = wanted.seed.wrapping_add(index);
            let scenarios = match purpose {
                Purpose::Correctness if wanted.shuffle => shuffled(&wanted.scenarios, seed),
                Purpose::Correctness => wanted.scenarios.clone(),
                Purpose::Probed | Purpose::Unprobed => measure.clone(),
                Purpose::ProbedSweep | Purpose::UnprobedSweep => wanted.sweeps.clone(),
            };
            let usual = plan(work, arm, scenarios, seed);
            let (repetitions, warmups) = match purpose {
                Purpose::ProbedSweep | Purpose::UnprobedSweep => (SWEEP_REPETITIONS, 1),
                _ => (usual.repetitions, usual.warmups),
            };
            let plan = Plan {
                repetitions,
                warmups,
                purpose,
                timeout_scale: wanted.timeout_scale,
                ..usual
            };
            Planned { arm, plan }
        })
        .collect()
}

/// A plan whose boot measures with probes and traces nothing.
pub fn plan(work: &Work, arm: Arm, scenarios: Vec<String>, seed: u64) -> Plan {
    Plan {
        nonce: nonce(seed),
        seed,
        scenarios,
        repetitions: REPETITIONS,
        warmups: WARMUPS,
        order: expected(work).and_then(|e| match arm {
            Arm::Base => e.base,
            Arm::Patched => e.patched,
        }),
        probes: work.manifest.probes.clone(),
        purpose: Purpose::Probed,
        timeout_scale: 1,
        fault: None,
    }
}

/// A B B A A B B A …
fn alternate(arms: &[Arm], pairs: u32) -> impl Iterator<Item = Arm> {
    (0..pairs).flat_map(|pair| {
        let mut arms = arms.to_vec();
        if pair % 2 == 1 {
            arms.reverse();
        }
        arms
    })
}

/// How many of the boots to come run at once: those that judge, one of each
/// arm, where the host has the room. They wait for the kernel's own delays most
/// of the time; what is measured has the host to itself.
pub fn side_by_side(boots: &VecDeque<Planned>, room: usize) -> usize {
    let mut arms = Vec::new();
    for planned in boots.iter().take(room) {
        let checks_itself = planned.plan.timeout_scale > 1;
        if planned.plan.purpose != Purpose::Correctness
            || checks_itself
            || arms.contains(&planned.arm)
        {
            break;
        }
        arms.push(planned.arm);
    }
    arms.len().max(1)
}

/// Leaves out what a run need not measure any more: it is decided after so many
/// boots of each arm, and is to have as many without probes.
pub fn enough(boots: &mut VecDeque<Planned>, measured: usize) {
    let mut unprobed = 2 * measured;
    boots.retain(|planned| match planned.plan.purpose {
        Purpose::Probed => false,
        Purpose::Unprobed => {
            let keep = unprobed > 0;
            unprobed = unprobed.saturating_sub(1);
            keep
        }
        Purpose::Correctness | Purpose::ProbedSweep | Purpose::UnprobedSweep => true,
    });
}

/// The boots of each arm that have measured, where a boot that measures has
/// just made them as many on both; none elsewhere.
pub fn measured(run: &Run) -> Option<usize> {
    let [base, patched] = Arm::BOTH.map(|arm| {
        let measured = |r: &&Round| r.arm == arm && r.is_measured() && r.status.has_sound_samples();
        run.rounds.iter().filter(measured).count()
    });
    let ended = run.rounds.last().is_some_and(Round::is_measured);
    (ended && base == patched).then_some(base)
}

/// Whether `run` looks at what it has measured after so many boots of each arm.
pub fn looks(run: &Run, measured: usize) -> bool {
    run.limit
        .is_some_and(|limit| Looks::new(limit as usize).at().any(|at| at == measured))
}

/// The boot that takes over what `round` left of its plan; none where nothing
/// is left, or where the guest did not get to anything.
pub fn rest(planned: &Planned, round: &Round) -> Option<Planned> {
    let begun = round.records.iter().filter_map(|record| match record {
        Record::Start { scenario, .. } => Some(scenario.as_str()),
        _ => None,
    });
    let judged: BTreeSet<&str> = round
        .ktap
        .tests
        .iter()
        .filter(|test| !round.handed_over(&test.name))
        .map(|test| test.name.as_str())
        .chain(begun)
        .collect();
    let plan = &planned.plan;
    let left: Vec<String> = plan
        .scenarios
        .iter()
        .filter(|name| !judged.contains(name.as_str()))
        .cloned()
        .collect();
    if left.is_empty() || left.len() == plan.scenarios.len() {
        return None;
    }
    Some(Planned {
        arm: planned.arm,
        plan: Plan {
            nonce: nonce(plan.seed),
            scenarios: left,
            fault: None,
            ..plan.clone()
        },
    })
}

/// The same names in an order that the seed alone decides.
fn shuffled(names: &[String], seed: u64) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort_by_cached_key(|name| Sha1::digest(format!("{seed} {name}").as_bytes()));
    names
}

/// Differs from that of any other boot, of this run or another.
fn nonce(seed: u64) -> String {
    let now = jiff::Timestamp::now().as_nanosecond();
    let text = format!("{now} {} {seed}", std::process::id());
    hex(&Sha1::digest(text.as_bytes())[..8])
}

/// The order of the walk that each arm must prove.
pub fn expected(work: &Work) -> Option<ExpectOrder> {
    work.manifest.expect.order.map(|order| ExpectOrder {
        base: Some(order.base),
        patched: Some(order.patched),
    })
}

#[cfg(test)]
mod tests {
    use evidence::run::RoundStatus;
    use results::ktap;

    use super::*;

    fn planned(names: &[&str]) -> Planned {
        Planned {
            arm: Arm::Patched,
            plan: Plan {
                nonce: "n1".into(),
                seed: 7,
                scenarios: names.iter().map(|&n| n.to_owned()).collect(),
                repetitions: 1,
                warmups: 0,
                order: None,
                probes: Vec::new(),
                purpose: Purpose::Correctness,
                timeout_scale: 1,
                fault: None,
            },
        }
    }

    fn round(log: &str, begun: &[&str]) -> Round {
        Round {
            index: 0,
            arm: Arm::Patched,
            purpose: Purpose::Correctness,
            status: RoundStatus::Failed,
            console_verdict: Default::default(),
            console_events: Vec::new(),
            boot_s: None,
            wall_s: 1.0,
            ktap: ktap::read(log.as_bytes()).unwrap(),
            records: begun
                .iter()
                .map(|&scenario| Record::Start {
                    scenario: scenario.into(),
                    deadline_s: 1,
                })
                .collect(),
        }
    }

    fn left(names: &[&str], log: &str, begun: &[&str]) -> Option<Vec<String>> {
        rest(&planned(names), &round(log, begun)).map(|planned| planned.plan.scenarios)
    }

    fn of(arm: Arm, purpose: Purpose) -> Planned {
        let mut planned = Planned {
            arm,
            ..planned(&["a"])
        };
        planned.plan.purpose = purpose;
        planned
    }

    #[test]
    fn what_a_guest_leaves_to_the_next() {
        let names = ["a", "b", "c"];
        let failed = "KTAP version 1\n1..3\nok 1 a\nnot ok 2 b\nok 3 c # SKIP later\n";
        let mut handed_over = round(failed, &["a", "b"]);
        handed_over.records.push(Record::HandedOver {
            scenario: "c".into(),
        });
        let rest = rest(&planned(&names), &handed_over).unwrap();
        assert_eq!(rest.plan.scenarios, ["c"]);
        let died = "KTAP version 1\n1..3\nok 1 a\n";
        assert_eq!(left(&names, died, &["a", "b"]), Some(vec!["c".into()]));
        let all = "KTAP version 1\n1..3\nok 1 a\nok 2 b # SKIP no b\nok 3 c\n";
        assert_eq!(left(&names, all, &["a", "c"]), None);
        // One that never came up would do it again.
        assert_eq!(left(&names, "", &[]), None);
    }

    #[test]
    fn a_run_that_is_decided_measures_no_more() {
        let purposes = [
            Purpose::Probed,
            Purpose::Correctness,
            Purpose::Unprobed,
            Purpose::ProbedSweep,
        ];
        let mut boots: VecDeque<_> = purposes
            .into_iter()
            .flat_map(|purpose| alternate(&Arm::BOTH, 3).map(move |arm| of(arm, purpose)))
            .collect();
        enough(&mut boots, 2);
        let left: Vec<_> = boots.iter().map(|b| (b.arm, b.plan.purpose)).collect();
        use Arm::{Base as A, Patched as B};
        let all = |purpose| [A, B, B, A, A, B].map(|arm| (arm, purpose));
        let unprobed = [A, B, B, A].map(|arm| (arm, Purpose::Unprobed));
        assert_eq!(
            left,
            [
                all(Purpose::Correctness).as_slice(),
                &unprobed,
                &all(Purpose::ProbedSweep)
            ]
            .concat()
        );
    }

    #[test]
    fn only_what_judges_runs_side_by_side() {
        use Arm::{Base as A, Patched as B};
        use Purpose::{Correctness, Probed, Unprobed};
        let count = |boots: &[(Arm, Purpose)], room| {
            let boots = boots.iter().map(|&(arm, purpose)| of(arm, purpose));
            side_by_side(&boots.collect(), room)
        };
        assert_eq!(
            count(&[(A, Correctness), (B, Correctness), (B, Correctness)], 9),
            2
        );
        assert_eq!(count(&[(A, Correctness), (B, Correctness)], 1), 1);
        assert_eq!(count(&[(A, Correctness), (B, Correctness)], 0), 1);
        assert_eq!(count(&[(A, Correctness), (A, Correctness)], 9), 1);
        assert_eq!(count(&[(A, Probed), (B, Probed)], 9), 1);
        assert_eq!(count(&[(B, Correctness), (A, Unprobed)], 9), 1);
        let mut debug = planned(&["a"]);
        debug.plan.timeout_scale = 8;
        let other = Planned {
            arm: A,
            ..debug.clone()
        };
        assert_eq!(side_by_side(&[debug, other].into(), 9), 1);
    }

    #[test]
    fn arms_alternate() {
        use Arm::{Base as A, Patched as B};
        let both = [A, B];
        assert_eq!(alternate(&both, 3).collect::<Vec<_>>(), [A, B, B, A, A, B]);
        assert_eq!(alternate(&[B], 2).collect::<Vec<_>>(), [B, B]);
        assert_eq!(alternate(&both, 0).count(), 0);
    }

    #[test]
    fn an_order_follows_from_its_seed() {
        let names: Vec<String> = ('a'..='j').map(String::from).collect();
        assert_eq!(shuffled(&names, 1), shuffled(&names, 1));
        assert_ne!(shuffled(&names, 1), shuffled(&names, 2));
        let mut sorted = shuffled(&names, 3);
        sorted.sort();
        assert_eq!(sorted, names);
    }
}
