//! Intervals by resampling boots, then the repetitions in each.

use super::quantiles::{normal_tail, student_975};
use super::rng::Rng;
use super::summary::{Boots, boot_medians, median_of, pooled_median, ratio};

/// What resampling says of patched against base.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// The interval of patched / base; its ends are infinite or not a number
    /// where base's median can be 0.
    pub ratio: [f64; 2],
    /// The interval of patched − base.
    pub difference: [f64; 2],
}

/// Resamples for an interval.
pub const RESAMPLES: usize = 4_000;

/// 95 % intervals by a hierarchical bootstrap: boots are drawn with
/// replacement, then repetitions inside each. None unless both arms have two
/// boots.
///
/// Resampling shows the shape of the uncertainty, but not its size: it draws
/// the repetitions' own spread a second time, and n boots show only (n − 1)/n
/// of theirs. The size is therefore that of Welch's interval on the boots'
/// medians (of their logarithms for the ratio). Where those can't be had, since
/// a median is 0, the percentiles are widened for few boots instead, which
/// errs on the wide side.
pub fn bootstrap(base: &Boots, patched: &Boots, seed: u64) -> Option<Bootstrap> {
    let (a, b) = (boot_medians(base), boot_medians(patched));
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let mut rng = Rng::new(seed);
    let mut pool = Vec::new();
    let (mut ratios, mut differences) =
        (Vec::with_capacity(RESAMPLES), Vec::with_capacity(RESAMPLES));
    for _ in 0..RESAMPLES {
        let a = resampled_median(base, &mut rng, &mut pool)?;
        let b = resampled_median(patched, &mut rng, &mut pool)?;
        ratios.push(ratio(a, b));
        differences.push(b - a);
    }
    ratios.sort_by(f64::total_cmp);
    differences.sort_by(f64::total_cmp);
    let (from, to) = (pooled_median(base)?, pooled_median(patched)?);
    let logs = |medians: &[f64]| medians.iter().map(|m| m.ln()).collect::<Vec<_>>();
    let ratio = resized(
        &ratios.iter().map(|r| r.ln()).collect::<Vec<_>>(),
        ratio(from, to).ln(),
        welch(&logs(&a), &logs(&b)),
    );
    let tail = tail(a.len(), b.len());
    Some(Bootstrap {
        ratio: ratio.map_or_else(|| cut(&ratios, tail), |ends| ends.map(f64::exp)),
        difference: resized(&differences, to - from, welch(&a, &b))
            .unwrap_or_else(|| cut(&differences, tail)),
    })
}

/// The interval around `point` that is as lopsided as the resamples are and
/// `width` wide. None where one of these is not finite.
fn resized(sorted: &[f64], point: f64, width: f64) -> Option<[f64; 2]> {
    let [low, high] = cut(sorted, 0.025);
    let (below, above) = ((point - low).max(0.0), (high - point).max(0.0));
    let whole = below + above;
    if whole == 0.0 && width == 0.0 {
        return Some([point, point]);
    }
    let scale = width / whole;
    let ends = [point - below * scale, point + above * scale];
    ends.iter().all(|end| end.is_finite()).then_some(ends)
}

/// The width of Welch's 95 % interval for the difference of two means.
fn welch(a: &[f64], b: &[f64]) -> f64 {
    let parts = [a, b].map(|values| {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        // The mean's variance, and its share of the degrees' denominator.
        let variance = squares / (n - 1.0) / n;
        (variance, variance * variance / (n - 1.0))
    });
    let [(a, a_share), (b, b_share)] = parts;
    let variance = a + b;
    if variance == 0.0 {
        return 0.0;
    }
    let degrees = variance * variance / (a_share + b_share);
    2.0 * student_975(degrees) * variance.sqrt()
}

fn resampled_median(boots: &Boots, rng: &mut Rng, pool: &mut Vec<f64>) -> Option<f64> {
    pool.clear();
    for _ in 0..boots.len() {
        let boot = &boots[rng.below(boots.len())];
        pool.extend((0..boot.len()).map(|_| boot[rng.below(boot.len())]));
    }
    median_of(pool)
}

/// The probability to cut off on each side for a 95 % interval from `n` and
/// `m` boots.
fn tail(n: usize, m: usize) -> f64 {
    let smaller = n.min(m) as f64;
    let degrees = (n + m - 2) as f64;
    let wide = student_975(degrees) * (smaller / (smaller - 1.0)).sqrt();
    normal_tail(wide)
}

/// The sorted values between the tails, outward to the next value.
fn cut(values: &[f64], tail: f64) -> [f64; 2] {
    let last = values.len() - 1;
    let skip = ((tail * values.len() as f64).floor() as usize).min(last / 2);
    [values[skip], values[last - skip]]
}

#[cfg(test)]
mod tests {
    use super::super::summary::median;
    use super::*;

    /// Every equally likely resample of an arm, as its median.
    fn enumerate(boots: &Boots) -> Vec<f64> {
        fn product(choices: &[Vec<f64>]) -> Vec<Vec<f64>> {
            choices.iter().fold(vec![vec![]], |all, options| {
                all.iter()
                    .flat_map(|head| {
                        options
                            .iter()
                            .map(move |v| [head.as_slice(), &[*v]].concat())
                    })
                    .collect()
            })
        }
        let all: Vec<Vec<f64>> = (0..boots.len())
            .map(|_| (0..boots.len()).map(|b| b as f64).collect())
            .collect();
        product(&all)
            .iter()
            .flat_map(|pick| {
                let slots: Vec<Vec<f64>> = pick
                    .iter()
                    .flat_map(|b| {
                        let boot = &boots[*b as usize];
                        std::iter::repeat_n(boot.clone(), boot.len())
                    })
                    .collect();
                product(&slots)
                    .iter()
                    .filter_map(|drawn| median(drawn))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn bootstrap_equals_enumeration() {
        let base = [vec![10.0, 14.0], vec![20.0, 11.0]];
        let patched = [vec![3.0, 5.0], vec![4.0, 9.0]];
        let (a, b) = (enumerate(&base), enumerate(&patched));
        assert_eq!(a.len(), 64);
        let mut exact: Vec<f64> = a
            .iter()
            .flat_map(|a| b.iter().map(move |b| ratio(*a, *b)))
            .collect();
        let mut rng = Rng::new(7);
        let mut pool = Vec::new();
        let mut drawn: Vec<f64> = (0..200_000)
            .map(|_| {
                let a = resampled_median(&base, &mut rng, &mut pool).unwrap();
                let b = resampled_median(&patched, &mut rng, &mut pool).unwrap();
                ratio(a, b)
            })
            .collect();
        exact.sort_by(f64::total_cmp);
        drawn.sort_by(f64::total_cmp);
        for at in exact.iter().copied() {
            let share = |all: &[f64]| all.partition_point(|v| *v <= at) as f64 / all.len() as f64;
            assert!((share(&exact) - share(&drawn)).abs() < 0.005, "at {at}");
        }
        // As wide as Welch's interval of the boots' medians, 12 and 15.5 against
        // 4 and 6.5, and around the ratio of all samples' medians.
        let [low, high] = bootstrap(&base, &patched, 1).unwrap().ratio.map(f64::ln);
        let point = ratio(12.5, 4.5).ln();
        assert!(low < point && point < high);
        let [a, b, c, d] = [12.0f64, 15.5, 4.0, 6.5].map(f64::ln);
        assert!((high - low - welch(&[a, b], &[c, d])).abs() < 1e-9);
    }

    #[test]
    fn intervals_at_the_edges() {
        let one = [vec![1.0, 2.0]];
        let two = [vec![1.0, 2.0], vec![3.0]];
        assert_eq!(bootstrap(&one, &two, 0), None);
        assert_eq!(bootstrap(&two, &[vec![1.0], vec![]], 0), None);
        let zero = [vec![0.0], vec![0.0]];
        let both = bootstrap(&zero, &zero, 0).unwrap();
        assert_eq!((both.ratio, both.difference), ([1.0, 1.0], [0.0, 0.0]));
        let gone = bootstrap(&two, &zero, 0).unwrap();
        assert_eq!(gone.ratio, [0.0, 0.0]);
        let new = bootstrap(&zero, &two, 0).unwrap();
        assert!(new.ratio[0].is_infinite() && new.difference[1].is_finite());
        assert_eq!(bootstrap(&two, &two, 3), bootstrap(&two, &two, 3));
    }

    #[test]
    fn welchs_interval() {
        // Twice the 97.5 % quantile of Student's t with 4.0836 degrees, 2.7542
        // by integration, times the root of (5/3 + 107/12) / 4.
        let width = welch(&[1.0, 2.0, 3.0, 4.0], &[2.0, 4.0, 6.0, 9.0]);
        assert!((width / 8.95986 - 1.0).abs() < 0.003, "{width}");
        assert_eq!(welch(&[1.0, 1.0], &[2.0, 2.0]), 0.0);
    }
}
