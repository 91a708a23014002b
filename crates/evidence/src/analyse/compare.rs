//! Base against patched: verdicts on the metrics that decide, and the figures of
//! all others.
//!
//! First each metric's own figures, then the sequence of those that decide, then
//! the comparisons.

use results::record::Unit;

use super::comparison::{ArmSamples, Comparison, Sides, Unprobed, Verdict, side};
use super::samples::{Key, Measured, Samples, label, names, place};
use crate::design::{ALPHA, TAILS};
use crate::run::Run;
use crate::stats::{self, Blocks};

/// More blocks than these are not worth naming.
const MOST_BLOCKS: f64 = 200.0;

/// How many times as many blocks it takes to see an effect in four runs of five
/// as it takes to see it in every other: (1.96 + 0.84)² / 1.96².
const POWER: f64 = 2.04;

/// All comparisons: first those that decide, in their order.
pub(super) fn comparisons(run: &Run, samples: &Samples) -> Vec<Comparison> {
    compare(run, samples, |_| true)
}

/// Whether every metric that decides has a verdict other than inconclusive, from
/// as few computations as that takes: a run asks at each look.
pub fn decided(run: &Run) -> bool {
    let samples = Samples::of(run);
    let deciding = compare(run, &samples, |key| samples.decides(run, key));
    conclusive(run, &deciding)
}

/// The same of comparisons that were made.
pub(super) fn conclusive(run: &Run, comparisons: &[Comparison]) -> bool {
    let decided = |wanted: usize| {
        let of = |c: &&Comparison| {
            let place = place(run, c.unit, c.unprobed, &c.scenario, &c.metric);
            c.primary && place == Some(wanted)
        };
        let mut found = comparisons.iter().filter(of).peekable();
        found.peek().is_some() && found.all(|c| c.verdict != Verdict::Inconclusive)
    };
    !run.primary.is_empty() && (0..run.primary.len()).all(decided)
}

/// Why nothing is called improved.
pub(super) const DOUBT: &str = "a scenario fails on patched, so no metric is called improved: who \
                                does less of the work is quicker";

/// Takes back that metrics improved. Returns whether one did.
pub(super) fn doubt_improvements(comparisons: &mut [Comparison]) -> bool {
    let mut doubted = false;
    for comparison in comparisons {
        if comparison.verdict == Verdict::Improved {
            (comparison.verdict, comparison.decided_at) = (Verdict::Inconclusive, None);
            doubted = true;
        }
    }
    doubted
}

fn compare(run: &Run, samples: &Samples, wanted: impl Fn(&Key) -> bool) -> Vec<Comparison> {
    let wanted = samples.iter().filter(|(key, _)| wanted(key));
    let mut figures: Vec<Figures> = wanted
        .filter_map(|(key, measured)| Figures::of(run, samples, key, measured))
        .collect();
    // A stable sort: within each, as keys are ordered.
    figures.sort_by_key(|of| match of.role {
        Role::Decides(place) => place,
        Role::Tail | Role::Stands => usize::MAX,
    });
    // A metric that decides differs only where all before it do.
    let mut in_sequence = true;
    let differs: Vec<bool> = figures
        .iter()
        .map(|of| match of.role {
            Role::Decides(_) => {
                in_sequence &= of.differs_at.is_some();
                in_sequence
            }
            Role::Tail => of.differs_at.is_some(),
            Role::Stands => false,
        })
        .collect();
    let judged = |(of, differs): (&Figures, bool)| of.judged(run, differs, &figures);
    figures.iter().zip(differs).map(judged).collect()
}

/// What a metric is there for.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    /// It decides, at this place.
    Decides(usize),
    /// It counts slow repetitions of a time that decides: more of them fail a run.
    Tail,
    /// Its figures stand for themselves.
    Stands,
}

/// What one metric's samples say, whatever the others do.
struct Figures {
    key: Key,
    unit: Unit,
    role: Role,
    shown: bool,
    base: ArmSamples,
    patched: ArmSamples,
    blocks: usize,
    ratio: Option<f64>,
    interval: Option<[f64; 2]>,
    difference: f64,
    difference_interval: Option<[f64; 2]>,
    p: Option<f64>,
    /// The blocks at the first look at which it differs.
    differs_at: Option<usize>,
}

impl Figures {
    fn of(run: &Run, samples: &Samples, key: &Key, measured: &Measured) -> Option<Self> {
        let Sides {
            mut base,
            mut patched,
        } = Sides::of(measured)?;
        let role = match samples.decides(run, key) {
            true => Role::Decides(samples.place(run, key)?),
            false if samples.is_tail(run, key) => Role::Tail,
            false => Role::Stands,
        };
        let pairs = measured.pairs();
        let [from, to] = measured.levels();
        let blocks = from.len();
        let looks = run.looks(blocks);
        let (level, differs_at) = match role {
            Role::Decides(_) => {
                let p = |blocks: usize| {
                    let ratios =
                        Blocks::ratios(from.get(..blocks)?, to.get(..blocks)?, measured.scale());
                    Some(ratios.p(1.0))
                };
                (looks.level(blocks), looks.differs(blocks, p))
            }
            // Looked at once, and to one side.
            Role::Tail => {
                let differences = Blocks::differences(&from, &to);
                let more = differences.centre().is_some_and(|centre| centre > 0.0);
                let rare = more && differences.p(0.0) <= 2.0 * TAILS;
                (ALPHA, rare.then_some(blocks))
            }
            Role::Stands => (ALPHA, None),
        };
        let ratios = Blocks::ratios(&from, &to, measured.scale());
        let differences = Blocks::differences(&from, &to);
        let mut ratio = ratios.centre().filter(|ratio| ratio.is_finite());
        let mut interval = ratios.interval(level);
        let mut difference_interval = differences.interval(level);
        if role == Role::Tail {
            // A share of all: most boots have none.
            for (arm, boots) in [(&mut base, &pairs[0]), (&mut patched, &pairs[1])] {
                let all: Vec<f64> = boots.iter().flat_map(|boot| boot.iter().copied()).collect();
                arm.level = measured.summary(&all);
            }
            (ratio, interval) = (None, None);
        }
        // Ranks say nothing of an arm that has none: its rate may be small.
        let never = |values: &[f64]| !values.is_empty() && values.iter().all(|value| *value == 0.0);
        if measured.unit == Unit::Count && role != Role::Tail {
            let [from_rate, to_rate] = pairs.each_ref().map(|arm| stats::at_most(arm, level));
            match (never(&from), never(&to)) {
                (false, true) => {
                    (ratio, interval) =
                        (Some(0.0), interval.and(stats::none_against(&pairs, level)));
                }
                (true, true) => difference_interval = Some([-from_rate, to_rate]),
                _ => {}
            }
        }
        Some(Self {
            shown: samples.is_shown(run, key),
            role,
            differs_at,
            p: (blocks > 0).then(|| ratios.p(1.0)),
            interval: interval.filter(|ends| ratio.is_some() && ends.iter().all(|e| e.is_finite())),
            difference: differences.centre().unwrap_or(patched.level - base.level),
            difference_interval,
            ratio,
            key: key.clone(),
            unit: measured.unit,
            base,
            patched,
            blocks,
        })
    }

    fn judged(&self, run: &Run, differs: bool, all: &[Self]) -> Comparison {
        let lower_is_better = self.unit != Unit::PerSecond;
        let primary = matches!(self.role, Role::Decides(_));
        let margin = run.margin_of(&self.key.metric);
        let verdict = match self.role {
            Role::Decides(_) => self.verdict(run, margin, lower_is_better, differs),
            Role::Tail if differs => Verdict::Regressed,
            Role::Tail | Role::Stands => Verdict::NotTested,
        };
        let rounds_needed = || {
            let needed = blocks_needed(self.ratio?, self.interval?, self.blocks, margin)?;
            Some(needed.max(crate::design::FEWEST as u32))
        };
        let inconclusive = verdict == Verdict::Inconclusive;
        Comparison {
            scenario: self.key.scenario.clone(),
            metric: self.key.metric.clone(),
            walker: self.key.walker,
            unprobed: self.key.unprobed,
            unit: self.unit,
            lower_is_better,
            primary,
            margin,
            shown: self.shown,
            label: label(run, &self.key),
            base: self.base.clone(),
            patched: self.patched.clone(),
            ratio: self.ratio,
            interval: self.interval,
            difference: self.difference,
            difference_interval: self.difference_interval,
            p: self.p,
            p_adjusted: None,
            blocks: self.blocks,
            decided_at: self.differs_at.filter(|_| differs),
            verdict,
            without_probes: unprobed(run, self, all),
            rounds_needed: inconclusive.then(rounds_needed).flatten(),
        }
    }

    /// What follows from the interval, and from the test at the looks.
    fn verdict(&self, run: &Run, margin: f64, lower_is_better: bool, differs: bool) -> Verdict {
        let (down, up) = match lower_is_better {
            true => (Verdict::Improved, Verdict::Regressed),
            false => (Verdict::Regressed, Verdict::Improved),
        };
        let absolute = run.absolute.get(&self.key.metric).copied();
        let small = |[low, high]: [f64; 2]| {
            absolute.is_some_and(|absolute| -absolute <= low && high <= absolute)
        };
        if self.difference_interval.is_some_and(small) {
            return Verdict::NoChange;
        }
        let matters = absolute.is_none_or(|absolute| self.difference.abs() > absolute);
        if let (Some(ratio), Some([low, high])) = (self.ratio, self.interval) {
            let (floor, ceiling) = (1.0 - margin, 1.0 + margin);
            return if low >= floor && high <= ceiling {
                Verdict::NoChange
            } else if differs && matters && high < 1.0 && ratio <= floor {
                down
            } else if differs && matters && low > 1.0 && ratio >= ceiling {
                up
            } else {
                Verdict::Inconclusive
            };
        }
        // Where base is 0 there is no ratio, only a difference.
        match self.difference_interval {
            Some([_, high]) if differs && matters && high < 0.0 => down,
            Some([low, _]) if differs && matters && low > 0.0 => up,
            _ => Verdict::Inconclusive,
        }
    }
}

/// What unprobed boots say of a time that probed ones measured too.
fn unprobed(run: &Run, of: &Figures, all: &[Figures]) -> Option<Unprobed> {
    let named = |name: &String| names(name, &of.key.scenario, &of.key.metric);
    if of.key.unprobed || of.unit == Unit::Count || !run.primary.iter().any(named) {
        return None;
    }
    let metric = run.unprobed_of(&of.key.metric);
    let stands = |f: &&Figures| {
        let key = &f.key;
        key.unprobed
            && key.scenario == of.key.scenario
            && key.metric == metric
            && (key.walker == of.key.walker || key.walker.is_none())
    };
    let unprobed = all.iter().find(stands)?;
    let (probed, side_of) = (of.interval.and_then(side), unprobed.interval.and_then(side));
    Some(Unprobed {
        ratio: unprobed.ratio?,
        interval: unprobed.interval,
        agrees: probed.is_some() && probed == side_of,
    })
}

/// Blocks after which the interval, which narrows with their root, would exclude
/// 1 or lie inside the margin in four runs of five, if the ratio stayed as it is.
fn blocks_needed(ratio: f64, [low, high]: [f64; 2], blocks: usize, margin: f64) -> Option<u32> {
    let effect = (ratio - 1.0).abs();
    let width = if ratio < 1.0 {
        high - ratio
    } else {
        ratio - low
    };
    let widest = (high - ratio).max(ratio - low);
    let (width, target) = if effect > margin {
        (width, effect)
    } else {
        (widest, margin - effect)
    };
    let needed = blocks as f64 * (width / target).powi(2) * POWER;
    if !needed.is_finite() || needed > MOST_BLOCKS {
        return None;
    }
    Some((needed.ceil() as u32).max(blocks as u32 + 1))
}
