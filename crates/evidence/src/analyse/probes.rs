//! What the probes cost, and whether they change what follows.

use results::Arm;
use results::record::{Unit, Walker};
use serde::Serialize;

use super::comparison::{Comparison, side};
use super::samples::{Samples, label, seed};
use crate::run::Run;
use crate::stats;
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
    /// Whether it decides, or is the unprobed counterpart of one that does.
    pub shown: bool,
    /// What a report calls it.
    pub label: String,
    pub unit: Unit,
    /// The median without probes.
    pub unprobed: f64,
    /// The median with them.
    pub probed: f64,
    /// The second over the first.
    pub ratio: f64,
    /// Its 95 % interval; none where it has none.
    pub interval: Option<[f64; 2]>,
}

pub(super) fn probe_costs(run: &Run, samples: &Samples) -> Vec<ProbeCost> {
    let pairs = samples.iter().filter(|(key, _)| key.unprobed);
    let pairs = pairs.filter_map(|(key, unprobed)| {
        let key = key.probed();
        Some((samples.get(&key)?, key, unprobed))
    });
    pairs
        .flat_map(|(probed, key, unprobed)| {
            let unit = unprobed.unit;
            let arms = [
                (Arm::Base, &unprobed.base, &probed.base),
                (Arm::Patched, &unprobed.patched, &probed.patched),
            ];
            arms.map(|(arm, without, with)| {
                let medians = stats::pooled_median(without).zip(stats::pooled_median(with));
                let (unprobed, probed) = medians.filter(|(unprobed, _)| *unprobed != 0.0)?;
                let found = stats::bootstrap(without, with, seed(run.seed, &key));
                Some(ProbeCost {
                    arm,
                    scenario: key.scenario.clone(),
                    metric: key.metric.clone(),
                    walker: key.walker,
                    shown: samples.decides(run, &key) || samples.is_shown(run, &key.unprobed()),
                    label: label(run, &key),
                    unit,
                    unprobed,
                    probed,
                    ratio: probed / unprobed,
                    interval: found
                        .map(|found| found.ratio)
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
         patched): times of probed boots are biased; compare with the unprobed ones.",
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
