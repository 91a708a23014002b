//! Base against patched: verdicts on all metrics of a run together.
//!
//! First each metric's own figures, then what needs all of them (the sequence
//! of those that decide, Holm's correction of the others), then the
//! comparisons.

use results::record::Unit;

use super::comparison::{ArmSamples, Comparison, Sides, Unprobed, Verdict, side};
use super::samples::{Key, Measured, Samples, label, seed};
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

/// Whether a name from [`Run::primary`] means this metric.
fn names(name: &str, scenario: &str, metric: &str) -> bool {
    match name.split_once('/') {
        Some((of, name)) => of == scenario && name == metric,
        None => name == metric,
    }
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
    let found = significance(&figures);
    let family = |of: &Figures| figures.iter().filter(|f| f.same_family(of)).count();
    let sizes: Vec<usize> = figures.iter().map(family).collect();
    let unprobed: Vec<_> = figures
        .iter()
        .map(|of| unprobed(run, of, &figures))
        .collect();
    figures
        .into_iter()
        .zip(found)
        .zip(sizes)
        .zip(unprobed)
        .map(|(((of, found), at_once), unprobed)| of.judged(run, found, at_once, unprobed))
        .collect()
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

    fn judged(
        self,
        run: &Run,
        found: Significance,
        at_once: usize,
        without_probes: Option<Unprobed>,
    ) -> Comparison {
        let lower_is_better = self.unit != Unit::PerSecond;
        let verdict = self.verdict(lower_is_better, found.holds(), run.margin);
        let boots = self.base.boots.min(self.patched.boots);
        let rounds_needed = || {
            let needed = boots_needed(self.ratio?, self.interval?, boots, run.margin)?;
            Some(needed.max(design::fewest(at_once) as u32))
        };
        Comparison {
            rounds_needed: (verdict == Verdict::Inconclusive)
                .then(rounds_needed)
                .flatten(),
            verdict,
            label: label(run, &self.key),
            scenario: self.key.scenario,
            metric: self.key.metric,
            walker: self.key.walker,
            unprobed: self.key.unprobed,
            unit: self.unit,
            lower_is_better,
            primary: self.primary,
            shown: self.shown,
            difference: self.patched.median - self.base.median,
            difference_interval: self.difference_interval,
            ratio: self.ratio,
            interval: self.interval,
            p: self.p,
            p_adjusted: found.p_adjusted(),
            decided_at: found.decided_at(),
            base: self.base,
            patched: self.patched,
            without_probes,
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

/// Whether the arms differ, as the whole run tests it.
#[derive(Clone, Copy)]
enum Significance {
    /// A metric that decides: at the look after so many boots of each arm.
    InSequence(Option<usize>),
    /// Another one: its p-value, corrected for its family.
    Corrected(Option<f64>),
}

impl Significance {
    fn holds(self) -> bool {
        match self {
            Self::InSequence(at) => at.is_some(),
            Self::Corrected(p) => p.is_some_and(|p| p <= ALPHA),
        }
    }

    fn decided_at(self) -> Option<usize> {
        match self {
            Self::InSequence(at) => at,
            Self::Corrected(_) => None,
        }
    }

    fn p_adjusted(self) -> Option<f64> {
        match self {
            Self::InSequence(_) => None,
            Self::Corrected(p) => p,
        }
    }
}

/// That of each metric: of those that decide only where all before it differ,
/// of the others with Holm's correction.
fn significance(figures: &[Figures]) -> Vec<Significance> {
    let mut in_sequence = true;
    figures
        .iter()
        .map(|of| {
            if of.primary {
                let at = of.differs_at.filter(|_| in_sequence);
                in_sequence = at.is_some();
                return Significance::InSequence(at);
            }
            Significance::Corrected(of.p.and_then(|_| {
                let family = figures
                    .iter()
                    .filter(|f| f.same_family(of) && f.p.is_some());
                let at = family.clone().position(|f| std::ptr::eq(f, of))?;
                let ps: Vec<f64> = family.filter_map(|f| f.p).collect();
                holm(&ps).get(at).copied()
            }))
        })
        .collect()
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
