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

    /// The same metric where it was probed.
    pub(crate) fn probed(&self) -> Self {
        Self {
            unprobed: false,
            ..self.clone()
        }
    }

    /// The same metric where nothing was probed.
    pub(crate) fn unprobed(&self) -> Self {
        Self {
            unprobed: true,
            ..self.clone()
        }
    }
}

/// The samples of one metric: for each arm its boots.
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

    /// Adds a boot's samples.
    pub(crate) fn add(&mut self, arm: Arm, boot: Vec<f64>) {
        match arm {
            Arm::Base => self.base.push(boot),
            Arm::Patched => self.patched.push(boot),
        }
    }
}

/// Every sample that may be compared, by metric.
pub(crate) struct Samples(BTreeMap<Key, Measured>);

impl Samples {
    /// Collects samples from rounds that were sound and not traced, warm-ups and
    /// what is not a finite number left out.
    pub(crate) fn of(run: &Run) -> Self {
        let mut all: BTreeMap<Key, Measured> = BTreeMap::new();
        for round in run.rounds.iter().filter(|r| {
            r.status.has_sound_samples() && !r.purpose.is_traced() && !r.purpose.is_sweep()
        }) {
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
                all.entry(key)
                    .or_insert_with(|| Measured::new(unit))
                    .add(round.arm, values);
            }
        }
        Self(all)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &Measured)> {
        self.0.iter()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Measured> {
        self.0.get(key)
    }

    /// Whether this metric decides.
    pub(crate) fn decides(&self, run: &Run, key: &Key) -> bool {
        let named = |name: &String| names(name, &key.scenario, &key.metric);
        run.primary.iter().any(named) && !key.unprobed && self.is_whole(key)
    }

    /// Whether it decides, or is the unprobed counterpart of one that does.
    pub(crate) fn is_shown(&self, run: &Run, key: &Key) -> bool {
        let counterpart = key.unprobed && run.stands_for_primary(&key.metric) && self.is_whole(key);
        counterpart || self.decides(run, key)
    }

    /// A share of one walker is left out where the sum of both is known.
    fn is_whole(&self, key: &Key) -> bool {
        let sum = Key {
            walker: None,
            ..key.clone()
        };
        key.walker.is_none() || !self.0.contains_key(&sum)
    }

    /// The metrics that decide, probed and unprobed, and their unprobed
    /// counterparts.
    pub(crate) fn deciding_keys(&self, run: &Run) -> Vec<Key> {
        let wanted = |key: &&Key| self.decides(run, &key.probed()) || self.is_shown(run, key);
        self.0.keys().filter(wanted).cloned().collect()
    }
}

/// Whether a name from [`Run::primary`] means this metric.
pub(super) fn names(name: &str, scenario: &str, metric: &str) -> bool {
    match name.split_once('/') {
        Some((of, name)) => of == scenario && name == metric,
        None => name == metric,
    }
}

pub(crate) fn label(run: &Run, key: &Key) -> String {
    let metric = run.labels.get(&key.metric).cloned();
    let mut metric = metric.unwrap_or_else(|| key.metric.replace('-', " "));
    if key.unprobed {
        metric.push_str(" (unprobed)");
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
