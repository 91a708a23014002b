//! The samples that may be compared, and which of them decide.

use std::collections::BTreeMap;

use results::Arm;
use results::record::{Sample, Unit, Walker};

use crate::run::{Round, Run};
use crate::stats::{self, Scale};

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

    /// The same metric of both walkers.
    pub(crate) fn of_both(&self) -> Self {
        Self {
            walker: None,
            ..self.clone()
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
    /// The block of each boot of base, then of patched.
    blocks: [Vec<u32>; 2],
    /// For each block whose guests took turns, what patched is of base.
    by_turns: BTreeMap<u32, f64>,
}

impl Measured {
    pub(crate) fn new(unit: Unit) -> Self {
        Self {
            unit,
            base: Vec::new(),
            patched: Vec::new(),
            blocks: [Vec::new(), Vec::new()],
            by_turns: BTreeMap::new(),
        }
    }

    /// Adds what a boot measured. What a fresh guest of the same block took over
    /// belongs to it.
    pub(crate) fn add(&mut self, arm: Arm, block: u32, boot: Vec<f64>) {
        let [base, patched] = &mut self.blocks;
        let (boots, blocks) = match arm {
            Arm::Base => (&mut self.base, base),
            Arm::Patched => (&mut self.patched, patched),
        };
        match (blocks.last() == Some(&block), boots.last_mut()) {
            (true, Some(last)) => last.extend(boot),
            _ => {
                boots.push(boot);
                blocks.push(block);
            }
        }
    }

    /// The boots of this arm, by block.
    fn by_block(&self, arm: Arm) -> BTreeMap<u32, &Vec<f64>> {
        let (boots, blocks) = match arm {
            Arm::Base => (&self.base, &self.blocks[0]),
            Arm::Patched => (&self.patched, &self.blocks[1]),
        };
        blocks.iter().copied().zip(boots).collect()
    }

    /// The blocks in which both arms measured, base and patched.
    pub(crate) fn pairs(&self) -> [Vec<&Vec<f64>>; 2] {
        together(&self.by_block(Arm::Base), &self.by_block(Arm::Patched))
    }

    /// What each block comes to, base and patched. Where guests took turns, two
    /// repetitions that were neighbours are compared with each other: patched comes
    /// to base times the middle of their ratios.
    pub(crate) fn levels(&self) -> [Vec<f64>; 2] {
        let base = self.by_block(Arm::Base);
        let patched = self.by_block(Arm::Patched);
        let both = base
            .iter()
            .filter_map(|(block, boot)| Some((block, *boot, *patched.get(block)?)));
        let levels = both.map(|(block, base, patched)| {
            let from = self.summary(base);
            match self.by_turns.get(block) {
                Some(ratio) => (from, from * ratio),
                None => (from, self.summary(patched)),
            }
        });
        let (base, patched) = levels.unzip();
        [base, patched]
    }

    /// Compares the repetitions of a block whose guests took turns.
    fn pair(&mut self, block: u32, base: &Repetitions, patched: &Repetitions) {
        let ratios: Vec<f64> = base
            .iter()
            .filter_map(|(nth, base)| Some((patched.get(nth)? / base).ln()))
            .filter(|ratio| ratio.is_finite())
            .collect();
        if let Some(middle) = stats::median(&ratios) {
            self.by_turns.insert(block, middle.exp());
        }
    }

    /// The blocks in which this arm measured both this and another metric.
    pub(crate) fn neighbours<'a>(&'a self, other: &'a Self, arm: Arm) -> [Vec<&'a Vec<f64>>; 2] {
        together(&self.by_block(arm), &other.by_block(arm))
    }

    /// What one boot comes to: for a count its rate, since it may be 0 mostly;
    /// else the median, since a repetition far out must not carry it.
    pub(crate) fn summary(&self, boot: &[f64]) -> f64 {
        summary(self.unit, boot)
    }

    pub(crate) fn scale(&self) -> Scale {
        match self.unit {
            Unit::Count => Scale::Counts,
            Unit::Us | Unit::PerSecond => Scale::Times,
        }
    }
}

/// The values of a boot, by repetition.
type Repetitions = BTreeMap<u32, f64>;

/// Collects the samples of rounds that were sound and not traced by what `key`
/// makes of each. Left out is what it makes nothing of, warm-ups, and what is not a
/// finite number.
pub(super) fn collect<K: Ord + Clone>(
    run: &Run,
    key: impl Fn(&Round, &Sample) -> Option<K>,
) -> BTreeMap<K, Measured> {
    let mut all: BTreeMap<K, Measured> = BTreeMap::new();
    let mut nth: BTreeMap<(K, u32), BTreeMap<Arm, Repetitions>> = BTreeMap::new();
    let rounds = run.blocks();
    for (block, round) in
        rounds.filter(|(_, r)| r.status.has_sound_samples() && !r.purpose.is_traced())
    {
        let mut boot: BTreeMap<K, (Unit, Vec<f64>)> = BTreeMap::new();
        let samples = round.samples();
        for sample in samples.filter(|sample| !sample.warmup && sample.value.is_finite()) {
            let Some(key) = key(round, sample) else {
                continue;
            };
            if run.by_turns {
                let arms = nth.entry((key.clone(), block)).or_default();
                let arm = arms.entry(round.arm).or_default();
                arm.insert(sample.repetition, sample.value);
            }
            boot.entry(key)
                .or_insert((sample.unit, Vec::new()))
                .1
                .push(sample.value);
        }
        for (key, (unit, values)) in boot {
            all.entry(key)
                .or_insert_with(|| Measured::new(unit))
                .add(round.arm, block, values);
        }
    }
    for ((key, block), arms) in nth {
        let measured = all.get_mut(&key).filter(|it| it.scale() == Scale::Times);
        if let Some(measured) = measured
            && let (Some(base), Some(patched)) = (arms.get(&Arm::Base), arms.get(&Arm::Patched))
        {
            measured.pair(block, base, patched);
        }
    }
    all
}

pub(crate) fn summary(unit: Unit, boot: &[f64]) -> f64 {
    match unit {
        Unit::Count => boot.iter().sum::<f64>() / boot.len().max(1) as f64,
        Unit::Us | Unit::PerSecond => stats::median(boot).unwrap_or_default(),
    }
}

fn together<'a>(
    one: &BTreeMap<u32, &'a Vec<f64>>,
    other: &BTreeMap<u32, &'a Vec<f64>>,
) -> [Vec<&'a Vec<f64>>; 2] {
    let both = one
        .iter()
        .filter_map(|(block, boot)| Some((*boot, *other.get(block)?)));
    let (one, other) = both.unzip();
    [one, other]
}

/// Slow repetitions are those that take so many medians.
const SLOW: f64 = 3.0;

/// What is appended to a time's name for the share of its slow repetitions.
const TAIL: &str = "-tail";

/// Every sample that may be compared, by metric.
pub(crate) struct Samples(BTreeMap<Key, Measured>);

impl Samples {
    /// Those of boots that do not sweep.
    pub(crate) fn of(run: &Run) -> Self {
        let all = collect(run, |round, sample| {
            let key = Key::of(sample, round.purpose.is_unprobed());
            (!round.purpose.is_sweep()).then_some(key)
        });
        let mut samples = Self(all);
        let tails: Vec<(Key, Measured)> = samples.tails(run).collect();
        samples.0.extend(tails);
        samples
    }

    /// For each time that decides, which repetitions were slow: 1 or 0. The
    /// median is that of both arms in their block, so that a slow host makes no
    /// tail.
    fn tails(&self, run: &Run) -> impl Iterator<Item = (Key, Measured)> {
        let times = self.0.iter().filter(|(key, _)| key.unprobed);
        let times = times.filter(|(key, _)| self.decides(run, key));
        times.filter_map(|(key, measured)| {
            let mut tail = Measured::new(Unit::Count);
            let [base, patched] = measured.pairs();
            for (block, (base, patched)) in (0..).zip(base.into_iter().zip(patched)) {
                let middle = stats::median(&[base.as_slice(), patched].concat())?;
                let slow = |boot: &[f64]| -> Vec<f64> {
                    let slow = |time: &f64| f64::from(u8::from(*time > SLOW * middle));
                    boot.iter().map(slow).collect()
                };
                tail.add(Arm::Base, block, slow(base));
                tail.add(Arm::Patched, block, slow(patched));
            }
            let any = tail.base.iter().chain(&tail.patched).flatten();
            any.into_iter().any(|slow| *slow > 0.0).then(|| {
                let metric = format!("{}{TAIL}", key.metric);
                (
                    Key {
                        metric,
                        ..key.clone()
                    },
                    tail,
                )
            })
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &Measured)> {
        self.0.iter()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Measured> {
        self.0.get(key)
    }

    /// Whether this metric decides: a count of probed boots, or a time of
    /// unprobed ones.
    pub(crate) fn decides(&self, run: &Run, key: &Key) -> bool {
        self.place(run, key).is_some() && self.is_whole(key)
    }

    /// Its place among those that decide.
    pub(crate) fn place(&self, run: &Run, key: &Key) -> Option<usize> {
        let unit = self.0.get(key)?.unit;
        place(run, unit, key.unprobed, &key.scenario, &key.metric)
    }

    /// Whether it decides, is the tail of a time that does, or is that time as
    /// probed boots have it.
    pub(crate) fn is_shown(&self, run: &Run, key: &Key) -> bool {
        let named = |name: &String| names(name, &key.scenario, &key.metric);
        let probed = !key.unprobed && run.primary.iter().any(named) && self.is_whole(key);
        probed || self.is_tail(run, key) || self.decides(run, key)
    }

    /// Whether it counts the slow repetitions of a time that decides.
    pub(crate) fn is_tail(&self, run: &Run, key: &Key) -> bool {
        let time = |metric: &str| Key {
            metric: metric.to_owned(),
            ..key.clone()
        };
        let metric = key.metric.strip_suffix(TAIL).filter(|_| key.unprobed);
        metric.is_some_and(|metric| self.decides(run, &time(metric)))
    }

    /// A share of one walker is left out where the sum of both is known.
    fn is_whole(&self, key: &Key) -> bool {
        key.walker.is_none() || !self.0.contains_key(&key.of_both())
    }

    /// The metrics that decide.
    pub(crate) fn deciding_keys(&self, run: &Run) -> Vec<Key> {
        let wanted = |key: &&Key| self.decides(run, key);
        self.0.keys().filter(wanted).cloned().collect()
    }
}

/// The place of a metric among those that decide.
pub(crate) fn place(
    run: &Run,
    unit: Unit,
    unprobed: bool,
    scenario: &str,
    metric: &str,
) -> Option<usize> {
    run.primary.iter().position(|name| {
        let (of, name) = name.split_once('/').unwrap_or((scenario, name));
        of == scenario && stands_for(run, name, unit, unprobed, metric)
    })
}

/// Whether the metric that is called `name` is decided by this one: counts by probed
/// boots, times by unprobed ones, since probes take time themselves.
pub(super) fn stands_for(run: &Run, name: &str, unit: Unit, unprobed: bool, metric: &str) -> bool {
    match (unit, unprobed) {
        (Unit::Count, false) => name == metric,
        (Unit::Us | Unit::PerSecond, true) => run.unprobed_of(name) == metric,
        (Unit::Count, true) | (Unit::Us | Unit::PerSecond, false) => false,
    }
}

/// Whether a name from [`Run::primary`] means this metric.
pub(crate) fn names(name: &str, scenario: &str, metric: &str) -> bool {
    match name.split_once('/') {
        Some((of, name)) => of == scenario && name == metric,
        None => name == metric,
    }
}

pub(crate) fn label(run: &Run, key: &Key) -> String {
    let (name, tail) = match key.metric.strip_suffix(TAIL) {
        Some(name) => (name, true),
        None => (key.metric.as_str(), false),
    };
    let metric = run.labels.get(name).cloned();
    let mut metric = metric.unwrap_or_else(|| name.replace('-', " "));
    if tail {
        metric = format!("repetitions over {SLOW} medians, {metric}");
    }
    if key.unprobed {
        metric.push_str(" (unprobed)");
    }
    match key.walker {
        None => metric,
        Some(Walker::Reaper) => format!("{metric}, reaper"),
        Some(Walker::Exit) => format!("{metric}, exit"),
    }
}
