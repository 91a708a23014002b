//! Sweeps: the effect of a series as one thing is varied, point by point.

use std::collections::{BTreeMap, BTreeSet};

use results::record::{Record, Unit, Walker};
use serde::Serialize;

use super::comparison::{ArmSamples, Sides};
use super::samples::{self, Key, Measured, label, stands_for};
use crate::design::ALPHA;
use crate::run::Run;
use crate::stats::Blocks;

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
    /// Patched over base: the middle of what every two blocks say together. None
    /// where base is mostly 0.
    pub ratio: Option<f64>,
    /// Its 95 % interval; none from fewer than six blocks, or where it is open.
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
            let mine = points.extract_if(.., |(key, _), _| key.scenario == scenario);
            let mut units = BTreeMap::new();
            for ((key, at), measured) in mine {
                if let Some(point) = point(f64::from_bits(at), &measured) {
                    units.insert(key.clone(), measured.unit);
                    found.entry(key).or_default().push(point);
                }
            }
            let keys: BTreeSet<Key> = found.keys().cloned().collect();
            let mut metrics: Vec<(usize, SweptMetric)> = found
                .into_iter()
                .filter_map(|(key, mut points)| {
                    points.sort_by(|a, b| a.at.total_cmp(&b.at));
                    let unit = *units.get(&key)?;
                    let place = place(run, unit, &key);
                    // A share of one walker shows nothing where the sum is known.
                    let is_whole = key.walker.is_none() || !keys.contains(&key.of_both());
                    let swept = SweptMetric {
                        label: label(run, &key),
                        shown: place.is_some() && is_whole,
                        unit,
                        metric: key.metric,
                        walker: key.walker,
                        unprobed: key.unprobed,
                        points,
                    };
                    Some((place.unwrap_or(usize::MAX), swept))
                })
                .collect();
            metrics.sort_by_key(|(place, _)| *place);
            let metrics = metrics.into_iter().map(|(_, swept)| swept).collect();
            Sweep {
                scenario: scenario.to_owned(),
                axis: axis.to_owned(),
                metrics,
            }
        })
        .collect()
}

/// Its place among the metrics that decide, whatever their scenarios.
fn place(run: &Run, unit: Unit, key: &Key) -> Option<usize> {
    run.primary_metrics()
        .position(|name| stands_for(run, name, unit, key.unprobed, &key.metric))
}

/// A value of what was varied, by its bits.
type At = u64;

fn collect(run: &Run) -> BTreeMap<(Key, At), Measured> {
    samples::collect(run, |round, sample| {
        let at = sample.at.filter(|at| at.is_finite())?;
        let key = Key::of(sample, round.purpose.is_unprobed());
        round.purpose.is_sweep().then_some((key, at.to_bits()))
    })
}

fn point(at: f64, measured: &Measured) -> Option<Point> {
    let Sides { base, patched } = Sides::of(measured)?;
    let [from, to] = measured.levels();
    let ratios = Blocks::ratios(&from, &to, measured.scale());
    let finite = |ends: &[f64; 2]| ends.iter().all(|end| end.is_finite());
    Some(Point {
        at,
        base,
        patched,
        ratio: ratios.centre().filter(|ratio| ratio.is_finite()),
        interval: ratios.interval(ALPHA).filter(finite),
    })
}
