//! What the probes cost, and whether they change what follows.

use results::Arm;
use results::record::{Unit, Walker};
use serde::Serialize;

use super::comparison::{Comparison, side};
use super::samples::{Samples, label};
use crate::design::ALPHA;
use crate::run::Run;
use crate::stats::{self, Blocks};
use crate::words::ratio_words;

/// What the probes cost one arm in one metric that was measured with and
/// without them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbeCost {
    pub arm: Arm,
    pub scenario: String,
    pub metric: String,
    /// Whose it is; none where both walkers'.
    pub walker: Option<Walker>,
    /// Whether it decides, or is such a time as probed boots have it.
    pub shown: bool,
    /// What a report calls it.
    pub label: String,
    pub unit: Unit,
    /// The middle boot without probes.
    pub unprobed: f64,
    /// The middle boot with them.
    pub probed: f64,
    /// The second over the first, boot by boot beside it.
    pub ratio: f64,
    /// Its 95 % interval; none where it has none.
    pub interval: Option<[f64; 2]>,
}

/// By neighbours: boots of one block, with probes and without. None where blocks
/// were not recorded, and where probes seem to make a kernel faster, which is
/// impossible: that is the host's noise.
pub(super) fn probe_costs(run: &Run, samples: &Samples) -> Vec<ProbeCost> {
    if run.rounds.iter().all(|round| round.block.is_none()) {
        return Vec::new();
    }
    let pairs = samples.iter().filter(|(key, _)| key.unprobed);
    let pairs = pairs.filter_map(|(key, unprobed)| {
        let key = key.probed();
        Some((samples.get(&key)?, key, unprobed))
    });
    pairs
        .flat_map(|(probed, key, unprobed)| {
            Arm::BOTH.map(|arm| {
                let [without, with] = unprobed.neighbours(probed, arm).map(|boots| {
                    let all = boots.iter().map(|boot| unprobed.summary(boot));
                    all.collect::<Vec<f64>>()
                });
                let ratios = Blocks::ratios(&without, &with, unprobed.scale());
                let ratio = ratios
                    .centre()
                    .filter(|ratio| ratio.is_finite() && *ratio >= 1.0)?;
                Some(ProbeCost {
                    arm,
                    scenario: key.scenario.clone(),
                    metric: key.metric.clone(),
                    walker: key.walker,
                    shown: samples.is_shown(run, &key) || samples.is_shown(run, &key.unprobed()),
                    label: label(run, &key),
                    unit: unprobed.unit,
                    unprobed: stats::median(&without)?,
                    probed: stats::median(&with)?,
                    ratio,
                    interval: ratios
                        .interval(ALPHA)
                        .filter(|ends| ends.iter().all(|end| end.is_finite())),
                })
            })
        })
        .flatten()
        .collect()
}

/// Whether the probes cost one arm more than the other, so that times measured
/// with them are biased: the first of the metrics that show it.
pub(super) fn uneven(costs: &[ProbeCost]) -> Option<String> {
    let shown: Vec<&ProbeCost> = costs.iter().filter(|cost| cost.shown).collect();
    let twin = |of: &ProbeCost| {
        let same = |c: &&&ProbeCost| {
            (&c.scenario, &c.metric, c.walker) == (&of.scenario, &of.metric, of.walker)
        };
        let patched = |c: &&&ProbeCost| c.arm == Arm::Patched;
        shown.iter().filter(same).find(patched).copied()
    };
    let bases = shown.iter().filter(|cost| cost.arm == Arm::Base);
    let uneven = bases
        .filter_map(|base| Some((*base, twin(base)?)))
        .find(|(base, patched)| {
            let ends = base.interval.zip(patched.interval);
            ends.is_some_and(|(a, b)| a[0] > b[1] || b[0] > a[1])
        });
    let (base, patched) = uneven?;
    let (more, less) = if base.ratio > patched.ratio {
        ("base", "patched")
    } else {
        ("patched", "base")
    };
    Some(format!(
        "The probes cost {more} more than {less} ({}: {:.2} and {:.2} times as long on base and \
         patched): times of probed boots are biased, and decide nothing.",
        base.label, base.ratio, patched.ratio
    ))
}

/// For each metric that was measured with and without probes: whether probes
/// change what follows from it.
pub(super) fn agreements(comparisons: &[Comparison]) -> impl Iterator<Item = String> {
    let probed = |unprobed: &&Comparison| {
        let same = |c: &&Comparison| {
            (c.unprobed, &c.scenario, &c.metric, c.walker)
                == (false, &unprobed.scenario, &unprobed.metric, unprobed.walker)
        };
        comparisons.iter().find(same)
    };
    comparisons
        .iter()
        .filter(|c| c.unprobed)
        .filter_map(move |unprobed| Some((unprobed, probed(&unprobed)?)))
        .map(|(unprobed, probed)| {
            let word = match (
                unprobed.interval.and_then(side),
                probed.interval.and_then(side),
            ) {
                (Some(one), Some(other)) if one == other => "same sign",
                (Some(_), Some(_)) => "opposite signs",
                _ => "can't be told",
            };
            format!(
                "{}: {}: probed {}, unprobed {}: {word}",
                probed.scenario,
                probed.label,
                ratio_words(probed.ratio, probed.interval),
                ratio_words(unprobed.ratio, unprobed.interval)
            )
        })
}
