//! Base against patched: verdicts on all metrics of a run together.

use results::record::Unit;

use super::comparison::{ArmSamples, Comparison, Unprobed, Verdict, comparison_line, sign};
use super::samples::{Key, Measured, is_primary, label, measured, seed, stands_for_primary};
use crate::design::{self, ALPHA, Looks, holm};
use crate::run::Run;
use crate::stats;

/// More rounds than these are not worth naming.
const MOST_ROUNDS: f64 = 1_000.0;

pub(super) fn comparisons(run: &Run) -> Vec<Comparison> {
    let all = measured(run);
    let mut found: Vec<(Comparison, Seen)> = all
        .iter()
        .filter_map(|(key, measured)| {
            let primary = is_primary(run, key, &all);
            let shown = primary || stands_for_primary(run, key, &all);
            compare(run, key, measured, primary, shown)
        })
        .collect();
    // A stable sort: within each, as keys are ordered.
    found.sort_by_key(|(c, _)| {
        let at = run.primary.iter().position(|name| names(name, c));
        at.unwrap_or(usize::MAX)
    });
    for at in 0..found.len() {
        let unprobed = unprobed(run, &found[at].0, &found);
        found[at].0.without_probes = unprobed;
    }
    let mut adjusted = adjusted(&found);
    let others = |unprobed: bool| {
        let of = |c: &&(Comparison, Seen)| !c.0.primary && c.0.unprobed == unprobed;
        found.iter().filter(of).count()
    };
    let (probed, unprobed) = (others(false), others(true));
    let mut in_sequence = true;
    found
        .into_iter()
        .map(|(mut c, seen)| {
            let significant = if c.primary {
                c.decided_at = seen.decided_at.filter(|_| in_sequence);
                in_sequence = c.decided_at.is_some();
                in_sequence
            } else {
                c.p_adjusted = adjusted.next().flatten();
                c.p_adjusted.is_some_and(|p| p <= ALPHA)
            };
            c.verdict = judge(&c, significant, run.margin);
            if c.verdict == Verdict::Inconclusive {
                let boots = c.base.boots.min(c.patched.boots);
                let at_once = match (c.primary, c.unprobed) {
                    (true, _) => 1,
                    (false, true) => unprobed,
                    (false, false) => probed,
                };
                c.rounds_needed = c.ratio.zip(c.interval).and_then(|(ratio, ends)| {
                    let needed = rounds_needed(ratio, ends, boots, run.margin)?;
                    Some(needed.max(design::fewest(at_once) as u32))
                });
            }
            c.text = comparison_line(&c);
            c
        })
        .collect()
}

/// What boots without probes say of a time that decides.
fn unprobed(run: &Run, of: &Comparison, all: &[(Comparison, Seen)]) -> Option<Unprobed> {
    if !of.primary || of.unit != Unit::Us {
        return None;
    }
    let metric = run.unprobed_of(&of.metric);
    let stands = |c: &&Comparison| c.unprobed && c.scenario == of.scenario && c.metric == metric;
    let same = |c: &&Comparison| c.walker == of.walker || c.walker.is_none();
    let unprobed = all.iter().map(|(c, _)| c).filter(stands).find(same)?;
    Some(Unprobed {
        ratio: unprobed.ratio?,
        interval: unprobed.interval,
        agrees: sign(of).is_some() && sign(of) == sign(unprobed),
    })
}

/// The corrected p-values of all metrics that don't decide, in their order.
/// What was measured without probes asks a question of its own.
fn adjusted(found: &[(Comparison, Seen)]) -> impl Iterator<Item = Option<f64>> + use<> {
    let others: Vec<&Comparison> = found
        .iter()
        .map(|(c, _)| c)
        .filter(|c| !c.primary)
        .collect();
    let family = |unprobed: bool| {
        let of = others.iter().filter(move |c| c.unprobed == unprobed);
        holm(&of.filter_map(|c| c.p).collect::<Vec<_>>()).into_iter()
    };
    let (mut probed, mut unprobed) = (family(false), family(true));
    let adjusted: Vec<_> = others
        .iter()
        .map(|c| {
            c.p.and_then(|_| {
                if c.unprobed {
                    unprobed.next()
                } else {
                    probed.next()
                }
            })
        })
        .collect();
    adjusted.into_iter()
}

/// What a comparison's looks say, whatever the other metrics do.
struct Seen {
    decided_at: Option<usize>,
}

fn compare(
    run: &Run,
    key: &Key,
    measured: &Measured,
    primary: bool,
    shown: bool,
) -> Option<(Comparison, Seen)> {
    let base = ArmSamples::of(&measured.base)?;
    let patched = ArmSamples::of(&measured.patched)?;
    let seed = seed(run.seed, key);
    let bootstrap = stats::bootstrap(&measured.base, &measured.patched, seed);
    let p = |boots: usize| {
        let first = |arm: &ArmSamples| arm.boot_medians.get(..boots).map(<[f64]>::to_vec);
        stats::permutation_test(&first(&base)?, &first(&patched)?, seed)
    };
    let boots = base.boots.min(patched.boots);
    // A run that had no limit in mind looked once.
    let looks = Looks::new(run.limit.map_or(boots, |limit| limit as usize));
    let decided_at = looks.differs(boots, p);
    let ratio = (base.median != 0.0).then(|| patched.median / base.median);
    let comparison = Comparison {
        scenario: key.scenario.clone(),
        metric: key.metric.clone(),
        walker: key.walker,
        unprobed: key.unprobed,
        unit: measured.unit,
        lower_is_better: measured.unit != Unit::PerSecond,
        primary,
        shown,
        without_probes: None,
        label: label(run, key),
        ratio,
        interval: bootstrap
            .map(|b| b.ratio)
            .filter(|ends| ratio.is_some() && ends.iter().all(|end| end.is_finite())),
        difference: patched.median - base.median,
        difference_interval: bootstrap.map(|b| b.difference),
        p: stats::permutation_test(&base.boot_medians, &patched.boot_medians, seed),
        p_adjusted: None,
        decided_at: None,
        base,
        patched,
        verdict: Verdict::Inconclusive,
        rounds_needed: None,
        text: String::new(),
    };
    Some((comparison, Seen { decided_at }))
}

/// Whether a name from [`Run::primary`] means this comparison.
pub(super) fn names(primary: &str, comparison: &Comparison) -> bool {
    let metric = match primary.split_once('/') {
        Some((scenario, metric)) if scenario == comparison.scenario => metric,
        Some(_) => return false,
        None => primary,
    };
    metric == comparison.metric && comparison.primary
}

/// What follows from a ratio and its interval, where the arms differ at all.
fn judge(of: &Comparison, significant: bool, margin: f64) -> Verdict {
    let (down, up) = if of.lower_is_better {
        (Verdict::Improved, Verdict::Regressed)
    } else {
        (Verdict::Regressed, Verdict::Improved)
    };
    if let (Some(ratio), Some([low, high])) = (of.ratio, of.interval) {
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
    match of.difference_interval {
        Some([low, high]) if low == 0.0 && high == 0.0 => Verdict::NoChange,
        Some([_, high]) if significant && high < 0.0 => down,
        Some([low, _]) if significant && low > 0.0 => up,
        _ => Verdict::Inconclusive,
    }
}

/// Rounds an arm after which the interval, which narrows with their root,
/// would exclude 1 or lie inside the margin, if the ratio stayed as it is.
fn rounds_needed(ratio: f64, [low, high]: [f64; 2], boots: usize, margin: f64) -> Option<u32> {
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
    if !needed.is_finite() || needed > MOST_ROUNDS {
        return None;
    }
    Some((needed.ceil() as u32).max(boots as u32 + 1))
}
