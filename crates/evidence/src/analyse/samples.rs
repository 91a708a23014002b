//! The samples that may be compared, and which of them decide.

use std::collections::BTreeMap;

use results::Arm;
use results::record::{Record, Sample, Unit, Walker};

use crate::run::Run;

/// What identifies a metric. Within a scenario, what was measured without
/// probes comes last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub scenario: String,
    pub unprobed: bool,
    pub metric: String,
    pub walker: Option<Walker>,
}

impl Key {
    /// What a sample of such a boot belongs to.
    pub(crate) fn of(sample: &Sample, unprobed: bool) -> Self {
        Self {
            scenario: sample.scenario.clone(),
            unprobed,
            metric: sample.metric.clone(),
            walker: sample.walker,
        }
    }
}

/// Every sample that may be compared: for each arm its boots.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub unit: Unit,
    pub base: Vec<Vec<f64>>,
    pub patched: Vec<Vec<f64>>,
}

impl Measured {
    pub(crate) fn new(unit: Unit) -> Self {
        Self {
            unit,
            base: Vec::new(),
            patched: Vec::new(),
        }
    }
}

/// Collects samples from rounds that were sound and not traced, warm-ups and
/// what is not a finite number left out.
pub(crate) fn measured(run: &Run) -> BTreeMap<Key, Measured> {
    let mut all: BTreeMap<Key, Measured> = BTreeMap::new();
    for round in run
        .rounds
        .iter()
        .filter(|r| r.status.has_sound_samples() && !r.purpose.is_traced() && !r.purpose.is_sweep())
    {
        let mut boot: BTreeMap<Key, (Unit, Vec<f64>)> = BTreeMap::new();
        for record in &round.records {
            let Record::Sample(sample) = record else {
                continue;
            };
            if sample.warmup || !sample.value.is_finite() {
                continue;
            }
            boot.entry(Key::of(sample, round.purpose.is_unprobed()))
                .or_insert((sample.unit, Vec::new()))
                .1
                .push(sample.value);
        }
        for (key, (unit, values)) in boot {
            let entry = all.entry(key).or_insert_with(|| Measured::new(unit));
            match round.arm {
                Arm::Base => entry.base.push(values),
                Arm::Patched => entry.patched.push(values),
            }
        }
    }
    all
}

pub(super) fn is_primary(run: &Run, key: &Key, all: &BTreeMap<Key, Measured>) -> bool {
    let named = run.primary.iter().any(|name| match name.split_once('/') {
        Some((scenario, metric)) => scenario == key.scenario && metric == key.metric,
        None => *name == key.metric,
    });
    // A share of one walker decides nothing where the sum is known.
    let sum = Key {
        walker: None,
        ..key.clone()
    };
    named && !key.unprobed && (key.walker.is_none() || !all.contains_key(&sum))
}

/// Whether a metric that was measured without probes stands for one that
/// decides. A share of one walker stands for nothing where the sum is known.
pub(super) fn stands_for_primary(run: &Run, key: &Key, all: &BTreeMap<Key, Measured>) -> bool {
    let sum = Key {
        walker: None,
        ..key.clone()
    };
    key.unprobed
        && run.stands_for_primary(&key.metric)
        && (key.walker.is_none() || !all.contains_key(&sum))
}

/// The metrics that decide, with probes and without, and what stands for them.
pub(crate) fn primary_keys(run: &Run, all: &BTreeMap<Key, Measured>) -> Vec<Key> {
    let probed = |key: &Key| Key {
        unprobed: false,
        ..key.clone()
    };
    all.keys()
        .filter(|key| is_primary(run, &probed(key), all) || stands_for_primary(run, key, all))
        .cloned()
        .collect()
}

pub(super) fn unprobed_key(key: &Key) -> Key {
    Key {
        unprobed: true,
        ..key.clone()
    }
}

pub(crate) fn label(run: &Run, key: &Key) -> String {
    let metric = run.labels.get(&key.metric).cloned();
    let mut metric = metric.unwrap_or_else(|| key.metric.replace('-', " "));
    if key.unprobed {
        metric.push_str(" without probes");
    }
    match key.walker {
        None => metric,
        Some(Walker::Reaper) => format!("{metric}, reaper"),
        Some(Walker::Exit) => format!("{metric}, exit"),
    }
}

/// Another seed for each metric, whatever else was measured (FNV-1a).
pub(crate) fn seed(seed: u64, key: &Key) -> u64 {
    let unprobed = if key.unprobed { "/bare" } else { "" };
    let name = format!("{}/{}/{:?}{unprobed}", key.scenario, key.metric, key.walker);
    name.bytes()
        .fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        })
}
