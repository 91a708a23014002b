//! Base against patched: verdicts on all metrics of a run together.
//!
//! First each metric's own figures, then what needs all of them (the sequence
//! of those that decide, Holm's correction of the others), then the
//! comparisons.

use results::record::Unit;

use super::comparison::{ArmSamples, Comparison, Sides, Unprobed, Verdict, side};
use super::samples::{Key, Measured, Samples, label, names, seed};
use crate::design::{self, ALPHA, Looks, holm};
use crate::run::Run;
use crate::stats;

/// More boots of each arm than these are not worth naming.
const MOST_BOOTS: f64 = 1_000.0;

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
    let decided = |name: &String| {
        let mut found = comparisons
            .iter()
            .filter(|c| c.primary && names(name, &c.scenario, &c.metric))
            .peekable();
        found.peek().is_some() && found.all(|c| c.verdict != Verdict::Inconclusive)
    };
    !run.primary.is_empty() && run.primary.iter().all(decided)
}

fn compare(run: &Run, samples: &Samples, wanted: impl Fn(&Key) -> bool) -> Vec<Comparison> {
    let wanted = samples.iter().filter(|(key, _)| wanted(key));
    let mut figures: Vec<Figures> = wanted
        .filter_map(|(key, measured)| Figures::of(run, samples, key, measured))
        .collect();
    // A stable sort: within each, as keys are ordered.
    figures.sort_by_key(|of| {
        let named = |name: &String| of.primary && names(name, &of.key.scenario, &of.key.metric);
        run.primary.iter().position(named).unwrap_or(usize::MAX)
    });
    let tested = tested(&figures);
    let judged = |(of, tested): (&Figures, Tested)| of.judged(run, tested, &figures);
    figures.iter().zip(tested).map(judged).collect()
}

/// What one metric's samples say, whatever the others do.
struct Figures {
    key: Key,
    unit: Unit,
    primary: bool,
    shown: bool,
    base: ArmSamples,
    patched: ArmSamples,
    ratio: Option<f64>,
    interval: Option<[f64; 2]>,
    difference_interval: Option<[f64; 2]>,
    p: Option<f64>,
    /// Boots of each arm at the first look at which it differs.
    differs_at: Option<usize>,
}

impl Figures {
    fn of(run: &Run, samples: &Samples, key: &Key, measured: &Measured) -> Option<Self> {
        let Sides {
            base,
            patched,
            ratio,
        } = Sides::of(&measured.base, &measured.patched)?;
        let seed = seed(run.seed, key);
        let bootstrap = stats::bootstrap(&measured.base, &measured.patched, seed);
        let p = |boots: usize| {
            let first = |arm: &ArmSamples| arm.boot_medians.get(..boots).map(<[f64]>::to_vec);
            stats::permutation_test(&first(&base)?, &first(&patched)?, seed)
        };
        let boots = base.boots.min(patched.boots);
        // A run that had no limit in mind looked once.
        let looks = Looks::new(run.limit.map_or(boots, |limit| limit as usize));
        Some(Self {
            primary: samples.decides(run, key),
            shown: samples.is_shown(run, key),
            differs_at: looks.differs(boots, p),
            p: stats::permutation_test(&base.boot_medians, &patched.boot_medians, seed),
            interval: bootstrap
                .map(|found| found.ratio)
                .filter(|ends| ratio.is_some() && ends.iter().all(|end| end.is_finite())),
            difference_interval: bootstrap.map(|found| found.difference),
            key: key.clone(),
            unit: measured.unit,
            base,
            patched,
            ratio,
        })
    }

    /// Whether both are corrected for each other. What was measured without
    /// probes asks a question of its own.
    fn same_family(&self, other: &Self) -> bool {
        !self.primary && !other.primary && self.key.unprobed == other.key.unprobed
    }

    fn judged(&self, run: &Run, tested: Tested, all: &[Self]) -> Comparison {
        let lower_is_better = self.unit != Unit::PerSecond;
        let verdict = self.verdict(lower_is_better, tested.differs, run.margin);
        let rounds_needed = || {
            let boots = self.base.boots.min(self.patched.boots);
            let needed = boots_needed(self.ratio?, self.interval?, boots, run.margin)?;
            let at_once = all.iter().filter(|other| self.same_family(other)).count();
            Some(needed.max(design::fewest(at_once) as u32))
        };
        let inconclusive = verdict == Verdict::Inconclusive;
        Comparison {
            scenario: self.key.scenario.clone(),
            metric: self.key.metric.clone(),
            walker: self.key.walker,
            unprobed: self.key.unprobed,
            unit: self.unit,
            lower_is_better,
            primary: self.primary,
            shown: self.shown,
            label: label(run, &self.key),
            base: self.base.clone(),
            patched: self.patched.clone(),
            ratio: self.ratio,
            interval: self.interval,
            difference: self.patched.median - self.base.median,
            difference_interval: self.difference_interval,
            p: self.p,
            p_adjusted: tested.p_adjusted,
            decided_at: tested.decided_at,
            verdict,
            without_probes: unprobed(run, self, all),
            rounds_needed: inconclusive.then(rounds_needed).flatten(),
        }
    }

    /// What follows from the ratio and its interval.
    fn verdict(&self, lower_is_better: bool, significant: bool, margin: f64) -> Verdict {
        let (down, up) = if lower_is_better {
            (Verdict::Improved, Verdict::Regressed)
        } else {
            (Verdict::Regressed, Verdict::Improved)
        };
        if let (Some(ratio), Some([low, high])) = (self.ratio, self.interval) {
            let (floor, ceiling) = (1.0 - margin, 1.0 + margin);
            return if low >= floor && high <= ceiling {
                Verdict::NoChange
            } else if significant && high < 1.0 && ratio <= floor {
                down
            } else if significant && low > 1.0 && ratio >= ceiling {
                up
            } else {
                Verdict::Inconclusive
            };
        }
        // Where base's median is 0 there is no ratio, only a difference.
        match self.difference_interval {
            Some([low, high]) if low == 0.0 && high == 0.0 => Verdict::NoChange,
            Some([_, high]) if significant && high < 0.0 => down,
            Some([low, _]) if significant && low > 0.0 => up,
            _ => Verdict::Inconclusive,
        }
    }
}

/// What the test of all metrics together says of one.
#[derive(Clone, Copy)]
struct Tested {
    differs: bool,
    decided_at: Option<usize>,
    p_adjusted: Option<f64>,
}

/// A metric that decides differs only where all before it do; the p-values of
/// the others are corrected (Holm).
fn tested(figures: &[Figures]) -> Vec<Tested> {
    let mut in_sequence = true;
    let test = |of: &Figures| {
        if of.primary {
            let decided_at = of.differs_at.filter(|_| in_sequence);
            in_sequence = decided_at.is_some();
            return Tested {
                differs: in_sequence,
                decided_at,
                p_adjusted: None,
            };
        }
        let family = figures
            .iter()
            .filter(|f| f.same_family(of) && f.p.is_some());
        let at = family.clone().position(|f| std::ptr::eq(f, of));
        let ps: Vec<f64> = family.filter_map(|f| f.p).collect();
        let p_adjusted = at.and_then(|at| holm(&ps).get(at).copied());
        Tested {
            differs: p_adjusted.is_some_and(|p| p <= ALPHA),
            decided_at: None,
            p_adjusted,
        }
    };
    figures.iter().map(test).collect()
}

/// What unprobed boots say of a time that decides.
fn unprobed(run: &Run, of: &Figures, all: &[Figures]) -> Option<Unprobed> {
    if !of.primary || of.unit != Unit::Us {
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

/// Boots of each arm after which the interval, which narrows with their root,
/// would exclude 1 or lie inside the margin, if the ratio stayed as it is.
fn boots_needed(ratio: f64, [low, high]: [f64; 2], boots: usize, margin: f64) -> Option<u32> {
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
    let needed = boots as f64 * (width / target).powi(2);
    if !needed.is_finite() || needed > MOST_BOOTS {
        return None;
    }
    Some((needed.ceil() as u32).max(boots as u32 + 1))
}
