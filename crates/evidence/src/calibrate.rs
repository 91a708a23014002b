//! How far a run's verdicts can be trusted: how often runs of one kernel against
//! itself (A/A) saw a difference, and how small a difference would have been seen.
//!
//! Only whole A/A runs show what the host does to a verdict, and it takes many of
//! them: they are the bank. Power needs fewer: blocks of one kernel are drawn
//! again and again, their labels by a coin, and judged as a run judges them. Where
//! a run has two kernels, neighbouring boots of base make its blocks.

use serde::Serialize;

use crate::analyse::samples::{Key, Measured, Samples};
use crate::design::{FEWEST, Looks};
use crate::run::Run;
use crate::stats::{Blocks, Rng, Scale};

/// How often blocks are drawn.
pub const TRIES: u32 = 1_000;
/// With fewer A/A runs a share of false alarms of 5 % can't be told from none: one
/// of 20 is expected.
pub const BANK: usize = 20;
/// The share of tries in which an effect must be seen to count as one that a
/// run sees.
const POWER: f64 = 0.8;
/// How finely the smallest effect is looked for.
const STEPS: u32 = 200;

/// What a run's verdicts on one metric are worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    pub scenario: String,
    pub metric: String,
    pub unprobed: bool,
    /// A/A runs with enough blocks.
    pub aa_runs: usize,
    /// Those of them that were called different, as they were.
    pub alarms: usize,
    /// Whether that many runs are too few to tell.
    pub bank_too_small: bool,
    /// Boots of the one kernel.
    pub boots: usize,
    /// How many of them make an arm in each try.
    pub arm: usize,
    /// How often they were drawn.
    pub tries: u32,
    /// Share of tries whose verdict was improved or regressed.
    pub false_positives: f64,
    /// Share of tries in which the test alone saw a difference.
    pub significant: f64,
    /// Share of tries whose interval held 1.
    pub coverage: f64,
    /// The smallest reduction that 80 % of tries call improved, as a share of
    /// base: 0.1 is ten percent. None where not even 99 % is seen.
    pub smallest: Option<f64>,
}

struct Try {
    base: Vec<f64>,
    patched: Vec<f64>,
    scale: Scale,
}

/// Calibrates each metric that decides, from the boots of one kernel in all
/// `runs` together.
///
/// An arm has as many boots as the fewest blocks of a run, or as many as there
/// are of the one kernel. Metrics with fewer than six blocks are left out: nothing
/// can be significant then.
pub fn calibrate(runs: &[Run], tries: u32) -> Vec<Calibration> {
    let Some(run) = runs.first() else {
        return Vec::new();
    };
    let all: Vec<_> = runs.iter().map(|run| (run, Samples::of(run))).collect();
    all[0]
        .1
        .deciding_keys(run)
        .into_iter()
        .filter_map(|key| {
            let of: Vec<(&Run, &Measured)> = all
                .iter()
                .filter_map(|(run, all)| Some((*run, all.get(&key)?)))
                .collect();
            let fewest = of.iter().map(|(_, m)| m.pairs()[0].len()).min()?;
            let pool: Vec<(f64, f64)> = of.iter().flat_map(|(run, m)| twins(run, m)).collect();
            let arm = fewest.min(pool.len());
            (arm >= FEWEST).then(|| of_one(run, &key, &of, &pool, arm, tries))
        })
        .collect()
}

/// Blocks of one kernel: those of an A/A run; those of a run by turns without what
/// patched changes in the middle; else neighbouring boots of base.
fn twins(run: &Run, measured: &Measured) -> Vec<(f64, f64)> {
    let summary = |boot: &Vec<f64>| measured.summary(boot);
    let [base, patched] = measured.levels();
    if run.is_same_kernel() {
        return base.into_iter().zip(patched).collect();
    }
    if run.by_turns && measured.scale() == Scale::Times {
        let centre = Blocks::ratios(&base, &patched, Scale::Times).centre();
        let centre = centre.filter(|centre| *centre > 0.0).unwrap_or(1.0);
        let pairs = base.into_iter().zip(patched);
        return pairs.map(|(a, b)| (a, b / centre)).collect();
    }
    let twos = measured.base.chunks_exact(2);
    twos.map(|two| (summary(&two[0]), summary(&two[1])))
        .collect()
}

fn of_one(
    run: &Run,
    key: &Key,
    of: &[(&Run, &Measured)],
    pool: &[(f64, f64)],
    arm: usize,
    tries: u32,
) -> Calibration {
    let scale = of
        .first()
        .map_or(Scale::Times, |(_, measured)| measured.scale());
    let whole: Vec<(Try, Looks)> = of
        .iter()
        .filter(|(run, _)| run.is_same_kernel())
        .map(|(run, measured)| {
            let (base, patched): (Vec<f64>, Vec<f64>) = twins(run, measured).into_iter().unzip();
            let looks = run.looks(base.len());
            (
                Try {
                    base,
                    patched,
                    scale,
                },
                looks,
            )
        })
        .filter(|(aa, _)| aa.base.len() >= FEWEST)
        .collect();
    let alarms = whole.iter().filter(|(aa, looks)| differs(aa, 0.0, *looks));
    let alarms = alarms.count();
    let draws = draw(pool, arm, scale, tries, run.seed);
    let looks = match run.looks(arm) {
        looks if looks.at().any(|look| look <= arm) => looks,
        _ => Looks::once(arm),
    };
    let margin = run.margin_of(&key.metric);
    let share = |holds: &dyn Fn(&Try) -> bool| {
        draws.iter().filter(|t| holds(t)).count() as f64 / f64::from(tries.max(1))
    };
    Calibration {
        scenario: key.scenario.clone(),
        metric: key.metric.clone(),
        unprobed: key.unprobed,
        aa_runs: whole.len(),
        alarms,
        bank_too_small: whole.len() < BANK,
        boots: 2 * pool.len(),
        arm,
        tries,
        false_positives: share(&|t| {
            called(t, 0.0, looks, margin, true) || called(t, 0.0, looks, margin, false)
        }),
        significant: share(&|t| differs(t, 0.0, looks)),
        coverage: share(&|t| {
            let ends = t.blocks(0.0, arm).interval(looks.level(arm));
            ends.is_some_and(|[low, high]| low <= 1.0 && 1.0 <= high)
        }),
        smallest: smallest(&|effect| share(&|t| called(t, effect, looks, margin, true)) >= POWER),
    }
}

fn draw(pool: &[(f64, f64)], arm: usize, scale: Scale, tries: u32, seed: u64) -> Vec<Try> {
    let mut rng = Rng::new(seed);
    let mut deck = pool.to_vec();
    (0..tries)
        .map(|_| {
            for at in 0..arm {
                let other = at + rng.below(deck.len() - at);
                deck.swap(at, other);
            }
            let drawn = deck.iter().take(arm).map(|&(a, b)| match rng.below(2) {
                0 => (a, b),
                _ => (b, a),
            });
            let (base, patched) = drawn.unzip();
            Try {
                base,
                patched,
                scale,
            }
        })
        .collect()
}

impl Try {
    /// The first blocks, when patched is less by `effect`.
    fn blocks(&self, effect: f64, blocks: usize) -> Blocks {
        let less = |value: &f64| value * (1.0 - effect);
        let patched: Vec<f64> = self.patched.iter().take(blocks).map(less).collect();
        Blocks::ratios(&self.base, &patched, self.scale)
    }
}

/// Whether the test sees a difference when patched is less by `effect`.
fn differs(of: &Try, effect: f64, looks: Looks) -> bool {
    let p = |blocks: usize| Some(of.blocks(effect, blocks).p(1.0));
    looks.differs(of.base.len(), p).is_some()
}

/// Whether patched would be called less (or more) when it is less by `effect`.
fn called(of: &Try, effect: f64, looks: Looks, margin: f64, less: bool) -> bool {
    let blocks = of.blocks(effect, of.base.len());
    let ends = blocks.interval(looks.level(of.base.len()));
    let far = blocks
        .centre()
        .zip(ends)
        .is_some_and(|(ratio, [low, high])| {
            if less {
                high < 1.0 && ratio <= 1.0 - margin
            } else {
                low > 1.0 && ratio >= 1.0 + margin
            }
        });
    far && differs(of, effect, looks)
}

/// The smallest effect that is seen, if a larger one is seen whenever a smaller
/// one is.
fn smallest(seen: &dyn Fn(f64) -> bool) -> Option<f64> {
    let effect = |step: u32| 0.99 * f64::from(step) / f64::from(STEPS);
    let (mut unseen, mut last) = (0, STEPS);
    if !seen(effect(last)) {
        return None;
    }
    while unseen + 1 < last {
        let middle = unseen.midpoint(last);
        if seen(effect(middle)) {
            last = middle;
        } else {
            unseen = middle;
        }
    }
    Some(effect(last))
}
