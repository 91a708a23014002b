//! One run against another: what has changed since.
//!
//! Times of two days are not compared: the host is another. What is compared is
//! what patched is of base in the one run and in the other, each within its own
//! blocks. What each arm measured stands beside it, without a verdict.

use results::Arm;
use results::record::Unit;

use crate::analyse::comparison::Verdict;
use crate::analyse::judge;
use crate::analyse::model::{Report, Status};
use crate::analyse::samples::{Measured, Samples, label};
use crate::design::ALPHA;
use crate::run::{ArmInfo, Run};
use crate::stats::{self, Groups, Scale};

/// What the two sides are called.
const NAMES: [&str; 2] = ["earlier", "later"];

/// How much patched changes, in two runs.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Change {
    pub scenario: String,
    pub metric: String,
    pub unprobed: bool,
    /// What a report calls it.
    pub label: String,
    /// Patched over base in the earlier run, and in the later one.
    pub ratios: [f64; 2],
    /// Blocks of each.
    pub blocks: [usize; 2],
    /// The later ratio over the earlier one.
    pub ratio: f64,
    /// Its 95 % interval; none from so few blocks that nothing could be told.
    pub interval: Option<[f64; 2]>,
    /// The two-sided p-value of the rank sums of both runs' blocks.
    pub p: f64,
    pub verdict: Verdict,
}

/// The same arm in two runs.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Between {
    pub arm: Arm,
    /// Of patched: what changed of what it is to base.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The earlier run's boots of it as base, the later one's as patched.
    pub report: Report,
}

/// Compares each arm that both runs have, patched first. Where base has changed
/// as well, something else than the series did it.
pub fn between(earlier: &Run, later: &Run) -> Vec<Between> {
    [Arm::Patched, Arm::Base]
        .into_iter()
        .filter(|&arm| earlier.kernel.has(arm) && later.kernel.has(arm))
        .map(|arm| {
            let differences = differences(earlier, later, arm);
            let mut report = judge(&joined(earlier, later, arm), NAMES, differences);
            let changes = match arm {
                Arm::Patched => changes(earlier, later),
                Arm::Base => Vec::new(),
            };
            let told = |change: &Change| change.verdict != Verdict::Inconclusive;
            report.conclusive = !changes.is_empty() && changes.iter().all(told);
            for change in changes.iter().filter(|c| c.verdict == Verdict::Regressed) {
                report.status = Status::Failed;
                report.reasons.push(format!("{} regressed", change.label));
            }
            Between {
                arm,
                changes,
                report,
            }
        })
        .collect()
}

/// The metrics that decide in both runs, in their order: each is tested only where
/// all before it differ.
fn changes(earlier: &Run, later: &Run) -> Vec<Change> {
    let [from, to] = [earlier, later].map(Samples::of);
    let mut keys = to.deciding_keys(later);
    keys.sort_by_key(|key| to.place(later, key));
    let mut in_sequence = true;
    let changes = keys.iter().filter_map(|key| {
        let [one, other] = [from.get(key)?, to.get(key)?].map(logs);
        let groups = Groups::of(&one, &other);
        let ratios = [&one, &other].map(|logs| stats::median(logs).map(f64::exp));
        let [Some(before), Some(after)] = ratios else {
            return None;
        };
        let interval = groups.interval(ALPHA).map(|ends| ends.map(f64::exp));
        let ratio = groups.centre()?.exp();
        let lower_is_better = to.get(key)?.unit != Unit::PerSecond;
        let differs = in_sequence && interval.is_some_and(|[low, high]| high < 1.0 || low > 1.0);
        let margin = later.margin_of(&key.metric);
        let within = |[low, high]: [f64; 2]| low >= 1.0 - margin && high <= 1.0 + margin;
        let verdict = match interval {
            Some(ends) if within(ends) => Verdict::NoChange,
            Some(_) if differs && (ratio - 1.0).abs() >= margin => {
                match (ratio < 1.0) == lower_is_better {
                    true => Verdict::Improved,
                    false => Verdict::Regressed,
                }
            }
            _ => Verdict::Inconclusive,
        };
        in_sequence = differs;
        Some(Change {
            scenario: key.scenario.clone(),
            metric: key.metric.clone(),
            unprobed: key.unprobed,
            label: label(later, key),
            ratios: [before, after],
            blocks: [one.len(), other.len()],
            ratio,
            interval,
            p: groups.p(0.0),
            verdict,
        })
    });
    changes.collect()
}

/// The logarithm of patched over base in each block. A count may be 0: half of one
/// is added to each boot's sum.
fn logs(measured: &Measured) -> Vec<f64> {
    let [base, patched] = match measured.scale() {
        Scale::Times => measured.levels(),
        Scale::Counts => measured.pairs().map(|arm| {
            let level = |boot: &Vec<f64>| measured.summary(boot) + 0.5 / boot.len().max(1) as f64;
            arm.into_iter().map(level).collect()
        }),
    };
    let pairs = base.into_iter().zip(patched);
    pairs
        .map(|(base, patched)| (patched / base).ln())
        .filter(|log| log.is_finite())
        .collect()
}

/// A run whose arms are one arm of two runs. Nothing is expected of its order,
/// and it has looked at its samples once.
fn joined(earlier: &Run, later: &Run, arm: Arm) -> Run {
    let sides = [(earlier, Arm::Base), (later, Arm::Patched)];
    let infos = |(run, side): (&Run, Arm)| {
        let of = move |info: &&ArmInfo| info.arm == arm;
        let info = run.kernel.arms.iter().find(of).cloned();
        info.map(|info| ArmInfo { arm: side, ..info })
    };
    let rounds = sides
        .into_iter()
        .flat_map(|(run, side)| {
            let of = run.rounds.iter().filter(move |round| round.arm == arm);
            of.map(move |round| {
                let mut round = round.clone();
                round.arm = side;
                round
            })
        })
        .zip(0..)
        .map(|(mut round, index)| {
            round.index = index;
            round
        })
        .collect();
    let mut run = later.clone();
    run.kernel.arms = sides.into_iter().filter_map(infos).collect();
    run.rounds = rounds;
    run.expect_order = None;
    // Its arms are of two days, and decide nothing.
    run.primary.clear();
    run.limit = None;
    run.decided_s = None;
    run.changelog.clear();
    run.notes.clear();
    run
}

/// What else is not the same in both runs.
fn differences(earlier: &Run, later: &Run, arm: Arm) -> Vec<String> {
    let of = |run: &Run| {
        let info = run.kernel.arms.iter().find(|info| info.arm == arm);
        let info = |get: fn(&ArmInfo) -> &String| info.map_or(String::new(), |i| get(i).clone());
        let (series, guest, host) = (&run.series, &run.guest, &run.host);
        [
            ("series", format!("{} {}", series.name, series.version)),
            ("kernel", run.kernel.version.clone()),
            ("tree", info(|info| &info.tree)),
            ("configuration", info(|info| &info.config_sha)),
            ("compiler", run.compiler.clone()),
            (
                "guest",
                format!("{} CPUs, {} MiB", guest.cpus, guest.memory_mib),
            ),
            ("flavour", guest.flavour.clone()),
            ("machine", format!("{}, {} CPUs", host.cpu, host.cpus)),
            ("accelerator", run.accelerator.kind.acronym().to_owned()),
            ("QEMU", run.qemu.clone()),
            ("reaperlab", run.tool_version.clone()),
        ]
    };
    of(earlier)
        .into_iter()
        .zip(of(later))
        .filter(|(one, other)| one.1 != other.1)
        .map(|((what, one), (_, other))| format!("Not the same {what}: {one}, then {other}."))
        .collect()
}
