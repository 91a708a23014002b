//! How far a run's verdicts can be trusted, from its own samples: how often
//! they see a difference where there is none, and how small a difference they
//! would have seen.
//!
//! The boots of one kernel are split at random into two arms again and again, and judged
//! as a run judges them. Where both arms of a run are the same kernel (A/A) all
//! of its boots are split, else those of base.

use serde::Serialize;

use crate::analyse::samples::{Key, Measured, Samples};
use crate::design::{FEWEST, Looks};
use crate::run::Run;
use crate::stats::{self, Rng};

/// How often boots are split.
pub const TRIES: u32 = 1_000;
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
    /// Boots of the one kernel.
    pub boots: usize,
    /// How many of them make an arm in each try.
    pub arm: usize,
    /// How often they were split.
    pub tries: u32,
    /// Share of tries whose verdict was improved or regressed.
    pub false_positives: f64,
    /// Share of tries in which the permutation test alone saw a difference.
    pub significant: f64,
    /// Share of tries whose 95 % interval held 1.
    pub coverage: f64,
    /// The smallest reduction that 80 % of tries call improved, as a share of
    /// base: 0.1 is ten percent. None where not even 99 % is seen.
    pub smallest: Option<f64>,
}

struct Try {
    base: Vec<f64>,
    patched: Vec<f64>,
    ratio: f64,
    interval: [f64; 2],
    seed: u64,
}

/// Calibrates each metric that decides, and its unprobed counterpart, from the
/// boots of one kernel in all `runs` together.
///
/// An arm has as many boots as the smallest arm of a run had, or half of those
/// of the one kernel, if these are fewer. Metrics with fewer than four boots for
/// an arm are left out: nothing can be significant then.
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
            let of = all
                .iter()
                .filter_map(|(run, all)| Some((run.is_same_kernel(), all.get(&key)?)));
            let smallest_arm = of
                .clone()
                .map(|(_, measured)| measured.base.len().min(measured.patched.len()))
                .min()?;
            let pool: Vec<Vec<f64>> = of
                .flat_map(|(same, Measured { base, patched, .. })| {
                    let twin = if same { patched.as_slice() } else { &[] };
                    base.iter().chain(twin)
                })
                .cloned()
                .collect();
            let arm = smallest_arm.min(pool.len() / 2);
            (arm >= FEWEST).then(|| of_one(run, &key, &pool, arm, tries))
        })
        .collect()
}

fn of_one(run: &Run, key: &Key, pool: &[Vec<f64>], arm: usize, tries: u32) -> Calibration {
    let splits = split(pool, arm, tries, run.seed);
    let looks = Looks::new(run.limit.map_or(arm, |limit| arm.max(limit as usize)));
    let looks = if looks.at().any(|look| look <= arm) {
        looks
    } else {
        Looks::new(arm)
    };
    let share = |holds: &dyn Fn(&Try) -> bool| {
        splits.iter().filter(|t| holds(t)).count() as f64 / f64::from(tries.max(1))
    };
    Calibration {
        scenario: key.scenario.clone(),
        metric: key.metric.clone(),
        unprobed: key.unprobed,
        boots: pool.len(),
        arm,
        tries,
        false_positives: share(&|t| {
            called(t, 0.0, looks, run.margin, true) || called(t, 0.0, looks, run.margin, false)
        }),
        significant: share(&|t| differs(t, 0.0, looks)),
        coverage: share(&|t| t.interval[0] <= 1.0 && 1.0 <= t.interval[1]),
        smallest: smallest(&|effect| {
            share(&|t| called(t, effect, looks, run.margin, true)) >= POWER
        }),
    }
}

fn split(pool: &[Vec<f64>], arm: usize, tries: u32, seed: u64) -> Vec<Try> {
    let mut rng = Rng::new(seed);
    let mut deck: Vec<usize> = (0..pool.len()).collect();
    (0..tries)
        .filter_map(|_| {
            for at in 0..2 * arm {
                let other = at + rng.below(deck.len() - at);
                deck.swap(at, other);
            }
            let pick = |from: &[usize]| from.iter().map(|n| pool[*n].clone()).collect::<Vec<_>>();
            let (base, patched) = (pick(&deck[..arm]), pick(&deck[arm..2 * arm]));
            let seed = rng.next_u64();
            let bootstrap = stats::bootstrap(&base, &patched, seed)?;
            Some(Try {
                ratio: stats::ratio(
                    stats::pooled_median(&base)?,
                    stats::pooled_median(&patched)?,
                ),
                interval: bootstrap.ratio,
                base: stats::boot_medians(&base),
                patched: stats::boot_medians(&patched),
                seed,
            })
        })
        .collect()
}

/// Whether the test sees a difference when patched is less by `effect`.
fn differs(of: &Try, effect: f64, looks: Looks) -> bool {
    let patched: Vec<f64> = of.patched.iter().map(|v| v * (1.0 - effect)).collect();
    let p = |boots: usize| {
        stats::permutation_test(of.base.get(..boots)?, patched.get(..boots)?, of.seed)
    };
    looks.differs(of.base.len(), p).is_some()
}

/// Whether patched would be called less (or more) when it is less by `effect`.
/// A ratio and its interval scale with what they are ratios of.
fn called(of: &Try, effect: f64, looks: Looks, margin: f64, less: bool) -> bool {
    let scale = 1.0 - effect;
    let (ratio, [low, high]) = (of.ratio * scale, of.interval.map(|end| end * scale));
    let far = if less {
        high < 1.0 && ratio <= 1.0 - margin
    } else {
        low > 1.0 && ratio >= 1.0 + margin
    };
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
