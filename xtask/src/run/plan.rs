//! What a run boots: from what was asked for, what the series says and what the
//! guest can do. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use evidence::design::FEWEST;
use evidence::run::{ExpectOrder, Round, Run};
use evidence::stats::Rng;
use results::plan::{self, Plan};
use results::record::Record;
use results::{Arm, Purpose};
use series::manifest::Manifest;
use sha1::{Digest, Sha1};

use super::request::{Extent, Fault, Request};
use crate::catalogue::Catalogue;
use crate::exit::{Advise, Kind, Result, fail};
use crate::flavour::Flavour;

/// The most blocks, where the user does not say.
const ROUNDS: u32 = 8;
/// Repetitions of each measuring scenario in a boot: more boots tell more than more
/// repetitions.
const REPETITIONS: u32 = 8;
/// Repetitions before those: the first of a boot takes an eighth longer, the second no
/// longer than the others.
const WARMUPS: u32 = 1;
/// Boots of each arm that sweep, with probes and without: as few as an interval
/// takes.
const SWEEPS: u32 = FEWEST as u32;
/// Repetitions of each point of a sweep in a boot.
const SWEEP_REPETITIONS: u32 = 3;

/// What happens to a guest's QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QemuFault {
    Kill,
    /// It stands still for a second.
    Stop,
}

/// One boot to come.
#[derive(Debug, Clone, PartialEq)]
pub struct Boot {
    pub arm: Arm,
    /// The block of neighbouring boots that it belongs to; none of a boot that is
    /// not compared by blocks.
    pub block: Option<u32>,
    /// What its guest is to do. It has no nonce yet: who boots gives it one.
    pub plan: Plan,
    /// What happens to its QEMU once the first test has ended.
    pub qemu_fault: Option<QemuFault>,
}

/// What the guests of a run are to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Tasks {
    /// The scenarios of a correctness boot, in the order of the catalogue.
    pub scenarios: Vec<String>,
    /// Those of them that measure.
    measuring: Vec<String>,
    /// Whether those can race by turns.
    pub take_turns: bool,
    /// The most blocks.
    pub rounds: u32,
    /// Correctness boots of each arm.
    correctness: u32,
    /// The scenarios that sweep.
    sweeps: Vec<String>,
    /// The order of the walk that each arm must prove.
    pub expect_order: Option<ExpectOrder>,
    /// Whether it is asked what they execute of the lines that the series changes: what
    /// some of them do not says nothing of the others.
    pub covers: bool,
}

impl Tasks {
    /// What this request asks of a series with this manifest.
    ///
    /// # Errors
    /// When the request contradicts itself, or names a scenario that is not.
    pub fn new(request: &Request, manifest: &Manifest, catalogue: &Catalogue) -> Result<Self> {
        let rounds = rounds(request)?;
        let measuring = manifest.measure.as_ref().map(|m| m.scenarios.as_slice());
        // A cell of a matrix takes the first of them, which decides.
        let measuring = match (request.extent, measuring.unwrap_or_default()) {
            (Extent::Brief, [first, ..]) => std::slice::from_ref(first),
            (_, all) => all,
        };
        let scenarios = match request.scenarios.as_slice() {
            [] if request.aa && !measuring.is_empty() => catalogue.select(measuring)?,
            globs => catalogue.select(globs)?,
        };
        let whole = request.extent == Extent::Whole;
        let scenarios: Vec<String> = scenarios
            .into_iter()
            .filter(|name| whole || !request.scenarios.is_empty() || !catalogue.is_selftest(name))
            .collect();
        let expects = !request.aa && catalogue.proves_order(&scenarios);
        let measuring: Vec<String> = measuring
            .iter()
            .filter(|name| scenarios.contains(name))
            .cloned()
            .collect();
        // Who asks for nothing but races that the manifest does not measure wants
        // those measured.
        let races = !request.scenarios.is_empty() && catalogue.take_turns(&scenarios);
        let measuring = match measuring.is_empty() && races {
            true => scenarios.clone(),
            false => measuring,
        };
        let tasks = Self {
            take_turns: catalogue.take_turns(&measuring),
            measuring,
            rounds,
            correctness: request.repeat,
            covers: whole
                && request.scenarios.is_empty()
                && request.repeat > 0
                && request.arms().contains(&Arm::Patched),
            sweeps: match request.sweep {
                true => catalogue.sweeps(),
                false => Vec::new(),
            },
            expect_order: expected(manifest)
                .filter(|_| expects)
                .map(|expect| of_arms(expect, &request.arms())),
            scenarios,
        };
        Ok(match request.aa {
            // A kernel against itself shows what the measurement is worth, to
            // which other boots add nothing.
            true => Self {
                correctness: 0,
                covers: false,
                ..tasks
            },
            false => tasks,
        })
    }

    /// The boots, in their order. Those that measure come first: their verdict
    /// is what one waits for. They come in blocks of a probed and an unprobed boot
    /// of each arm: a drift of the host falls on neighbours alike, and the order,
    /// drawn anew for each block, gives nobody the better place.
    ///
    /// `by_turns`: both arms of a kind live at the same time and race by turns.
    pub fn boots(
        &self,
        request: &Request,
        manifest: &Manifest,
        seed: u64,
        by_turns: bool,
    ) -> VecDeque<Boot> {
        let arms = request.arms();
        let mut rng = Rng::new(seed);
        let blocks = if self.measuring.is_empty() {
            0
        } else {
            self.rounds
        };
        let measuring = (0..blocks).flat_map(|block| {
            let boots = drawn(&arms, &mut rng).into_iter();
            boots.map(move |(purpose, arm)| (purpose, &self.measuring, arm, Some(block)))
        });
        let others = [
            (Purpose::Correctness, &self.scenarios, self.correctness),
            (Purpose::ProbedSweep, &self.sweeps, SWEEPS),
            (Purpose::UnprobedSweep, &self.sweeps, SWEEPS),
        ];
        let others = others
            .into_iter()
            .filter(|(_, scenarios, _)| !scenarios.is_empty())
            .flat_map(|(purpose, scenarios, boots)| {
                alternate(&arms, boots).map(move |(pair, arm)| {
                    let block = purpose.is_sweep().then_some(pair);
                    (purpose, scenarios, arm, block)
                })
            });
        measuring
            .chain(others)
            .zip(0..)
            .map(|((purpose, scenarios, arm, block), index)| {
                let seed = seed.wrapping_add(index);
                let scenarios = match purpose {
                    Purpose::Correctness if request.shuffle => shuffled(scenarios, seed),
                    _ => scenarios.clone(),
                };
                let usual = guest(manifest, arm, purpose, scenarios, seed);
                Boot {
                    arm,
                    block,
                    plan: Plan {
                        timeout_scale: request.flavour.timeout_scale(),
                        by_turns: by_turns && block.is_some() && arms.len() > 1,
                        ..usual
                    },
                    qemu_fault: None,
                }
            })
            .collect()
    }
}

/// The boots of a block: those of a kind beside each other. Which kind comes
/// first is drawn, and for each kind which arm.
fn drawn(arms: &[Arm], rng: &mut Rng) -> Vec<(Purpose, Arm)> {
    let mut kinds = [Purpose::Probed, Purpose::Unprobed];
    let first = rng.below(kinds.len());
    kinds.rotate_left(first);
    let boots = kinds.map(|purpose| {
        let mut arms = arms.to_vec();
        let first = rng.below(arms.len());
        arms.rotate_left(first);
        arms.into_iter().map(move |arm| (purpose, arm))
    });
    boots.into_iter().flatten().collect()
}

/// What one guest of a series with this manifest is to do.
pub fn guest(
    manifest: &Manifest,
    arm: Arm,
    purpose: Purpose,
    scenarios: Vec<String>,
    seed: u64,
) -> Plan {
    let repetitions = match purpose {
        Purpose::ProbedSweep | Purpose::UnprobedSweep => SWEEP_REPETITIONS,
        // Counts tell more than times do.
        Purpose::Probed => REPETITIONS / 2,
        Purpose::Unprobed | Purpose::Correctness => REPETITIONS,
    };
    Plan {
        seed,
        scenarios,
        repetitions,
        warmups: WARMUPS,
        order: expected(manifest).and_then(|expect| match arm {
            Arm::Base => expect.base,
            Arm::Patched => expect.patched,
        }),
        probes: manifest.probes.clone(),
        ..Plan::new(purpose)
    }
}

/// How many blocks measure: none where nothing can be compared, and
/// whoever asks for some there is told.
fn rounds(request: &Request) -> Result<u32> {
    let asked = request.exactly.or(request.rounds);
    let usual = match request.extent {
        Extent::Whole => ROUNDS,
        Extent::Brief => FEWEST as u32,
    };
    let why = match (request.flavour, request.arm) {
        (Flavour::Lean, None) => return Ok(asked.unwrap_or(usual)),
        (Flavour::Debug, _) => "debug kernels distort timing: nothing can be measured on them",
        (_, Some(_)) => "one arm alone can't be compared",
    };
    match asked.unwrap_or(0) {
        0 => Ok(0),
        _ => fail(Kind::Usage, why).hint("leave out --rounds and --exactly, or give 0"),
    }
}

/// The order of the walk that each arm must prove.
fn expected(manifest: &Manifest) -> Option<ExpectOrder> {
    manifest.expect.order.map(|order| ExpectOrder {
        base: Some(order.base),
        patched: Some(order.patched),
    })
}

/// What is not booted proves nothing.
fn of_arms(expect: ExpectOrder, arms: &[Arm]) -> ExpectOrder {
    ExpectOrder {
        base: expect.base.filter(|_| arms.contains(&Arm::Base)),
        patched: expect.patched.filter(|_| arms.contains(&Arm::Patched)),
    }
}

/// Has the first guest of the patched arm commit a fault.
pub fn provoke(boots: &mut VecDeque<Boot>, fault: Fault) {
    if let Some(boot) = boots.iter_mut().find(|boot| boot.arm == Arm::Patched) {
        (boot.plan.fault, boot.qemu_fault) = match fault {
            Fault::Panic => (Some(plan::Fault::Panic), None),
            Fault::Hang => (Some(plan::Fault::Hang), None),
            Fault::Slow => (Some(plan::Fault::Slow), None),
            Fault::Leave => (Some(plan::Fault::Leave), None),
            Fault::Cut => (Some(plan::Fault::Cut), None),
            Fault::KillQemu => (None, Some(QemuFault::Kill)),
            Fault::StopQemu => (None, Some(QemuFault::Stop)),
        };
    }
}

/// A B B A A B B A …, and which pair each is of.
fn alternate(arms: &[Arm], pairs: u32) -> impl Iterator<Item = (u32, Arm)> {
    (0..pairs).flat_map(|pair| {
        let mut arms = arms.to_vec();
        if pair % 2 == 1 {
            arms.reverse();
        }
        arms.into_iter().map(move |arm| (pair, arm))
    })
}

/// How many of the boots to come run at once, where the host has the room: both
/// arms of a kind that take turns; and correctness boots, one of each arm, which
/// wait for the kernel's own delays most of the time. What else is measured has the
/// host to itself.
pub fn side_by_side(boots: &VecDeque<Boot>, room: usize) -> usize {
    let kind = |boot: &Boot| (boot.block, boot.plan.purpose, boot.plan.by_turns);
    if let (Some(first), Some(second)) = (boots.front(), boots.get(1))
        && first.plan.by_turns
        && kind(first) == kind(second)
        && first.arm != second.arm
    {
        return 2.min(room.max(1));
    }
    let mut arms = Vec::new();
    for boot in boots.iter().take(room) {
        let checks_itself = boot.plan.timeout_scale > 1;
        let faulty = boot.qemu_fault.is_some() || boot.plan.fault.is_some();
        if boot.plan.purpose != Purpose::Correctness
            || checks_itself
            || faulty
            || arms.contains(&boot.arm)
        {
            break;
        }
        arms.push(boot.arm);
    }
    arms.len().max(1)
}

/// Leaves out what a run need not measure any more.
pub fn enough(boots: &mut VecDeque<Boot>) {
    boots.retain(|boot| !boot.plan.purpose.measures());
}

/// The whole blocks that have measured, where a block has just ended; none
/// elsewhere. Each kind of boot counts by itself: a boot that broke down takes its
/// neighbour along.
pub fn measured(run: &Run, boots: &VecDeque<Boot>) -> Option<usize> {
    let last = run.rounds.last().filter(|last| last.purpose.measures())?;
    let block = last.block?;
    let goes_on = |next: &Boot| next.plan.purpose.measures() && next.block == Some(block);
    if boots.front().is_some_and(goes_on) {
        return None;
    }
    let sound = |arm: Arm, purpose: Purpose| -> BTreeSet<u32> {
        let of = run.rounds.iter();
        of.filter(|r| (r.arm, r.purpose) == (arm, purpose) && r.status.has_sound_samples())
            .filter_map(|round| round.block)
            .collect()
    };
    let blocks = [Purpose::Probed, Purpose::Unprobed].map(|purpose| {
        let [base, patched] = Arm::BOTH.map(|arm| sound(arm, purpose));
        base.intersection(&patched).count()
    });
    blocks.into_iter().min()
}

/// How long solo reaps take, by scenario in microseconds, as the run has it so far:
/// what the first pair agreed on, else what the first boot found.
pub fn solo_us(run: &Run) -> BTreeMap<String, u64> {
    let records = || run.rounds.iter().flat_map(|round| &round.records);
    let agreed = records().filter_map(|record| match record {
        Record::Turn(turn) => Some((turn.scenario.clone(), turn.solo_us?)),
        _ => None,
    });
    let found = records().filter_map(|record| match record {
        Record::Solo { scenario, us } => Some((scenario.clone(), *us)),
        _ => None,
    });
    let mut solo = BTreeMap::new();
    for (scenario, us) in agreed.chain(found) {
        solo.entry(scenario).or_insert(us);
    }
    solo
}

/// Whether `run` looks at what it has measured after so many blocks.
pub fn looks(run: &Run, blocks: usize) -> bool {
    let looks = run.limit.map(|limit| run.looks(limit as usize));
    looks.is_some_and(|looks| looks.at().any(|at| at == blocks))
}

/// The boot that takes over what `round` left of its plan; none where nothing
/// is left, or where the guest did not get to anything.
pub fn rest(boot: &Boot, round: &Round) -> Option<Boot> {
    let begun = round.records.iter().filter_map(|record| match record {
        Record::Start { scenario, .. } => Some(scenario.as_str()),
        _ => None,
    });
    let judged: BTreeSet<&str> = round
        .ktap
        .tests
        .iter()
        .map(|test| test.name.as_str())
        .filter(|name| !round.handed_over(name))
        .chain(begun)
        .collect();
    let planned = &boot.plan.scenarios;
    let left: Vec<String> = planned
        .iter()
        .filter(|name| !judged.contains(name.as_str()))
        .cloned()
        .collect();
    if left.is_empty() || left.len() == planned.len() {
        return None;
    }
    Some(Boot {
        arm: boot.arm,
        block: boot.block,
        plan: Plan {
            scenarios: left,
            fault: None,
            ..boot.plan.clone()
        },
        qemu_fault: None,
    })
}

/// The same names in an order that the seed alone decides.
fn shuffled(names: &[String], seed: u64) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort_by_cached_key(|name| Sha1::digest(format!("{seed} {name}").as_bytes()));
    names
}

#[cfg(test)]
mod tests {
    use evidence::run::RoundStatus;
    use results::ktap;

    use super::*;

    fn request() -> Request {
        Request {
            manifest: None,
            series: "none".into(),
            kernel: "6.12".into(),
            flavour: Flavour::Lean,
            arm: None,
            aa: false,
            rounds: None,
            exactly: None,
            alternate: false,
            minutes: None,
            repeat: 1,
            shuffle: false,
            seed: None,
            sweep: false,
            scenarios: Vec::new(),
            claims: None,
            guest: crate::run::request::Guest {
                accel: vm::Want::Auto,
                cpus: 2,
                memory_mib: 1024,
            },
            extent: Extent::Whole,
            require_conclusion: false,
        }
    }

    fn planned(names: &[&str]) -> Boot {
        Boot {
            arm: Arm::Patched,
            block: None,
            plan: Plan {
                nonce: "n1".into(),
                seed: 7,
                scenarios: names.iter().map(|&n| n.to_owned()).collect(),
                repetitions: 1,
                ..Plan::new(Purpose::Correctness)
            },
            qemu_fault: None,
        }
    }

    fn round(log: &str, begun: &[&str]) -> Round {
        Round {
            index: 0,
            arm: Arm::Patched,
            purpose: Purpose::Correctness,
            block: None,
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

    fn of(arm: Arm, purpose: Purpose) -> Boot {
        let mut planned = Boot {
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
            Purpose::Unprobed,
            Purpose::Correctness,
            Purpose::ProbedSweep,
        ];
        let mut boots: VecDeque<_> = purposes
            .into_iter()
            .flat_map(|purpose| alternate(&Arm::BOTH, 3).map(move |(_, arm)| of(arm, purpose)))
            .collect();
        for boot in &mut boots {
            let timed = boot.plan.purpose != Purpose::Correctness;
            boot.block = timed.then_some(0);
        }
        enough(&mut boots);
        let left: Vec<_> = boots.iter().map(|b| (b.arm, b.plan.purpose)).collect();
        use Arm::{Base as A, Patched as B};
        let kept = [Purpose::Correctness, Purpose::ProbedSweep]
            .map(|purpose| [A, B, B, A, A, B].map(|arm| (arm, purpose)));
        assert_eq!(left, kept.concat());
    }

    /// Each block has a boot of each kind and arm, those of a kind beside each
    /// other, and no arm has the better place.
    #[test]
    fn blocks_are_drawn() {
        let blocks = |seed| -> Vec<Vec<(Purpose, Arm)>> {
            let mut rng = Rng::new(seed);
            (0..400).map(|_| drawn(&Arm::BOTH, &mut rng)).collect()
        };
        let all = blocks(7);
        assert_eq!(all, blocks(7));
        assert_ne!(all, blocks(8));
        for block in &all {
            assert!(block[0].0 == block[1].0 && block[2].0 == block[3].0);
            let kinds: BTreeSet<_> = block
                .iter()
                .map(|(kind, arm)| (*kind, arm.as_str()))
                .collect();
            assert_eq!(kinds.len(), 4);
        }
        let count = |at: usize, of: (Purpose, Arm)| all.iter().filter(|b| b[at] == of).count();
        for at in 0..4 {
            for kind in [Purpose::Probed, Purpose::Unprobed] {
                for arm in Arm::BOTH {
                    let count = count(at, (kind, arm));
                    assert!((70..130).contains(&count), "{at} {kind:?} {arm}: {count}");
                }
            }
        }
    }

    #[test]
    fn a_block_counts_once_it_is_whole() {
        use Arm::{Base as A, Patched as B};
        use Purpose::{Probed, Unprobed};
        let run = |rounds: &[(u32, Arm, Purpose, RoundStatus)]| -> Run {
            let mut run = crate::run::execute::described("sum");
            run.rounds = rounds
                .iter()
                .map(|&(block, arm, purpose, status)| Round {
                    block: Some(block),
                    arm,
                    purpose,
                    status,
                    ..round("", &[])
                })
                .collect();
            run
        };
        let ok = RoundStatus::Ok;
        let block = |n| {
            [
                (n, B, Probed, ok),
                (n, A, Probed, ok),
                (n, A, Unprobed, ok),
                (n, B, Unprobed, ok),
            ]
        };
        let next = Boot {
            block: Some(1),
            ..of(A, Probed)
        };
        let two = [block(0), block(1)].concat();
        assert_eq!(measured(&run(&two), &VecDeque::new()), Some(2));
        assert_eq!(measured(&run(&two), &VecDeque::from([next])), None);
        // A sweep is not of the block before it, nor is it counted.
        let mut sweep = of(A, Purpose::ProbedSweep);
        sweep.block = Some(0);
        let one = VecDeque::from([sweep]);
        assert_eq!(measured(&run(&block(0)), &one), Some(1));
        let mut swept = block(0).to_vec();
        swept.push((0, A, Purpose::ProbedSweep, RoundStatus::Ok));
        assert_eq!(measured(&run(&swept), &VecDeque::new()), None);
        // A guest that broke down takes its neighbour along, and no more.
        let mut broken = two;
        broken[1].3 = RoundStatus::Panic;
        assert_eq!(measured(&run(&broken), &VecDeque::new()), Some(1));
        assert_eq!(measured(&run(&[]), &VecDeque::new()), None);
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
        // A pair that takes turns is a block's, of one kind.
        let pair = |arm, block, purpose| {
            let mut boot = of(arm, purpose);
            (boot.block, boot.plan.by_turns) = (Some(block), true);
            boot
        };
        let turns = |boots: [Boot; 2], room| side_by_side(&boots.into(), room);
        assert_eq!(turns([pair(A, 0, Probed), pair(B, 0, Probed)], 2), 2);
        assert_eq!(turns([pair(A, 0, Probed), pair(B, 0, Probed)], 1), 1);
        assert_eq!(turns([pair(A, 0, Probed), pair(B, 1, Probed)], 9), 1);
        assert_eq!(turns([pair(A, 0, Probed), pair(B, 0, Unprobed)], 9), 1);
        let mut debug = planned(&["a"]);
        debug.plan.timeout_scale = 8;
        let other = Boot {
            arm: A,
            ..debug.clone()
        };
        assert_eq!(side_by_side(&[debug, other].into(), 9), 1);
    }

    #[test]
    fn a_solo_reap_is_what_the_first_pair_agreed_on() {
        let mut run = crate::run::execute::described("sum");
        assert!(solo_us(&run).is_empty());
        let turn = |solo_us| {
            Record::Turn(results::record::Turn {
                scenario: "race".into(),
                repetition: 0,
                at_ms: 0,
                took_us: 1,
                run_delay_us: 0,
                disturbed: false,
                weather_us: None,
                solo_us,
            })
        };
        let found = |scenario: &str, us| Record::Solo {
            scenario: scenario.into(),
            us,
        };
        run.rounds = vec![round("", &[]), round("", &[])];
        run.rounds[0].records = vec![found("race", 30), found("other", 7), turn(Some(24))];
        run.rounds[1].records = vec![found("other", 9), turn(Some(25))];
        let solo = solo_us(&run);
        assert_eq!((solo["race"], solo["other"]), (24, 7));
    }

    #[test]
    fn arms_alternate() {
        use Arm::{Base as A, Patched as B};
        let both = [A, B];
        let six = [(0, A), (0, B), (1, B), (1, A), (2, A), (2, B)];
        assert_eq!(alternate(&both, 3).collect::<Vec<_>>(), six);
        assert_eq!(alternate(&[B], 2).collect::<Vec<_>>(), [(0, B), (1, B)]);
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

    #[test]
    fn races_that_are_asked_for_alone_are_measured() {
        let catalogue: Catalogue = serde_json::from_value(serde_json::json!(
            [(1, "race", true), (2, "late", true), (3, "other", false)].map(
                |(number, name, takes_turns)| {
                    serde_json::json!({
                        "name": name, "number": number,
                        "summary": "", "deadline_s": 1, "proves_order": false, "takes_turns": takes_turns,
                        "sweeps": false, "selftest": null,
                    })
                }
            )
        ))
        .unwrap();
        let measure = serde_json::json!({ "primary": ["sum"], "scenarios": ["race"] });
        let manifest = Manifest {
            measure: serde_json::from_value(measure).unwrap(),
            ..Manifest::default()
        };
        for (asked, expected) in [
            (&[][..], &["race"][..]),
            (&["race", "late"], &["race"]),
            (&["late"], &["late"]),
            (&["late", "other"], &[]),
            (&["other"], &[]),
        ] {
            let request = Request {
                scenarios: asked.iter().map(|&name| name.to_owned()).collect(),
                ..request()
            };
            let tasks = Tasks::new(&request, &manifest, &catalogue).unwrap();
            assert_eq!(tasks.measuring, expected, "{asked:?}");
        }
    }

    #[test]
    fn only_both_lean_arms_are_measured() {
        use Flavour::{Debug, Lean};
        let one = Some(Arm::Patched);
        for (asked, flavour, arm, expected) in [
            (None, Lean, None, Some(ROUNDS)),
            (Some(9), Lean, None, Some(9)),
            (None, Lean, one, Some(0)),
            (Some(1), Lean, one, None),
            (None, Debug, None, Some(0)),
            (Some(0), Debug, one, Some(0)),
            (Some(1), Debug, None, None),
        ] {
            let rounds = rounds(&Request {
                rounds: asked,
                flavour,
                arm,
                ..request()
            });
            assert_eq!(rounds.ok(), expected, "{asked:?} {flavour:?} {arm:?}");
        }
    }
}
