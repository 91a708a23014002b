//! Sweeps: the effect of a series as one thing is varied, point by point.

use std::collections::{BTreeMap, BTreeSet};

use results::record::{Record, Unit, Walker};
use serde::Serialize;

use super::comparison::{ArmSamples, Sides};
use super::samples::{Key, Measured, label, seed};
use crate::run::Run;
use crate::stats;

/// One thing that was varied, and what was measured meanwhile.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sweep {
    pub scenario: String,
    /// What was varied, with its unit.
    pub axis: String,
    /// What was measured: first what decides, in its order.
    pub metrics: Vec<SweptMetric>,
}

/// One metric over a sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweptMetric {
    pub metric: String,
    /// Whose it is; none where both walkers'.
    pub walker: Option<Walker>,
    pub unprobed: bool,
    pub unit: Unit,
    /// What a report calls it.
    pub label: String,
    /// Whether a report shows it: what decides, and what stands for that
    /// without probes.
    pub shown: bool,
    /// What was found, from the least value of what was varied on.
    pub points: Vec<Point>,
}

/// One value of what was varied.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    pub at: f64,
    pub base: ArmSamples,
    pub patched: ArmSamples,
    /// Patched's median over base's; none where base's is 0.
    pub ratio: Option<f64>,
    /// Its 95 % interval; none where it has none.
    pub interval: Option<[f64; 2]>,
}

/// The sweeps of a run, in the order of their scenarios' names. They show where
/// a change helps and where it costs, and decide nothing: no verdict, and so no
/// correction.
pub fn sweeps(run: &Run) -> Vec<Sweep> {
    let axes: BTreeMap<&str, &str> = run
        .rounds
        .iter()
        .flat_map(|round| &round.records)
        .filter_map(|record| match record {
            Record::Sweep { scenario, axis } => Some((scenario.as_str(), axis.as_str())),
            _ => None,
        })
        .collect();
    let mut points = collect(run);
    axes.into_iter()
        .map(|(scenario, axis)| {
            let mut found: BTreeMap<Key, Vec<Point>> = BTreeMap::new();
            let mut units = BTreeMap::new();
            let mine = points.extract_if(.., |(key, _), _| key.scenario == scenario);
            for ((key, at), measured) in mine {
                if let Some(point) = point(run, &key, f64::from_bits(at), &measured) {
                    units.insert(key.clone(), measured.unit);
                    found.entry(key).or_default().push(point);
                }
            }
            let keys: BTreeSet<Key> = found.keys().cloned().collect();
            let mut metrics: Vec<SweptMetric> = found
                .into_iter()
                .filter_map(|(key, mut points)| {
                    points.sort_by(|a, b| a.at.total_cmp(&b.at));
                    Some(SweptMetric {
                        label: label(run, &key),
                        shown: shown(run, &key, &keys),
                        unit: *units.get(&key)?,
                        metric: key.metric,
                        walker: key.walker,
                        unprobed: key.unprobed,
                        points,
                    })
                })
                .collect();
            metrics.sort_by_key(|m| {
                let at = run.primary.iter().position(|name| *name == m.metric);
                (m.unprobed, at.unwrap_or(usize::MAX))
            });
            Sweep {
                scenario: scenario.to_owned(),
                axis: axis.to_owned(),
                metrics,
            }
        })
        .collect()
}

fn shown(run: &Run, key: &Key, all: &BTreeSet<Key>) -> bool {
    let named = if key.unprobed {
        run.stands_for_primary(&key.metric)
    } else {
        run.primary.contains(&key.metric)
    };
    // A share of one walker shows nothing where the sum is known.
    let sum = Key {
        walker: None,
        ..key.clone()
    };
    named && (key.walker.is_none() || !all.contains(&sum))
}

/// A value of what was varied, by its bits.
type At = u64;

fn collect(run: &Run) -> BTreeMap<(Key, At), Measured> {
    let mut all: BTreeMap<(Key, At), Measured> = BTreeMap::new();
    let sweeps = run.rounds.iter().filter(|round| round.purpose.is_sweep());
    for round in sweeps.filter(|round| round.status.has_sound_samples()) {
        let mut boot: BTreeMap<(Key, At), (Unit, Vec<f64>)> = BTreeMap::new();
        for sample in round.samples() {
            let Some(at) = sample.at.filter(|at| at.is_finite()) else {
                continue;
            };
            if sample.warmup || !sample.value.is_finite() {
                continue;
            }
            let key = (Key::of(sample, round.purpose.is_unprobed()), at.to_bits());
            let values = boot.entry(key).or_insert((sample.unit, Vec::new()));
            values.1.push(sample.value);
        }
        for (key, (unit, values)) in boot {
            all.entry(key).or_insert_with(|| Measured::new(unit)).add(
                round.arm,
                round.index,
                values,
            );
        }
    }
    all
}

fn point(run: &Run, key: &Key, at: f64, measured: &Measured) -> Option<Point> {
    let Sides {
        base,
        patched,
        ratio,
    } = Sides::of(measured)?;
    let seed = seed(run.seed, key) ^ at.to_bits();
    let interval = stats::bootstrap(&measured.base, &measured.patched, seed)
        .map(|found| found.ratio)
        .filter(|ends| ratio.is_some() && ends.iter().all(|end| end.is_finite()));
    Some(Point {
        at,
        base,
        patched,
        ratio,
        interval,
    })
}
