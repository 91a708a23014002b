//! The statistics, on boots of repetitions.
//!
//! The boot is the unit: repetitions inside one boot share its memory layout
//! and its luck and are not independent. Intervals resample boots, then
//! repetitions inside each; the permutation test relabels whole boots.

/// Samples of one arm: for each boot its repetitions.
pub type Boots = [Vec<f64>];

/// A seeded generator: xoshiro256++, seeded through splitmix64. Its own, so
/// that a run's figures never change with a dependency.
#[derive(Debug, Clone)]
pub struct Rng([u64; 4]);

impl Rng {
    /// The generator for this seed.
    pub fn new(seed: u64) -> Self {
        let mut state = seed;
        Self(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c2, d2) = (c ^ a, d ^ b);
        self.0 = [a ^ d2, b ^ c2, c2 ^ (b << 17), d2.rotate_left(45)];
        result
    }

    /// A number below `bound`; 0 where that is 0. The bias is below
    /// `bound / 2^64`.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// A number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The median; none of no values.
pub fn median(values: &[f64]) -> Option<f64> {
    median_of(&mut values.to_vec())
}

fn median_of(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if !even {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some(lower + (upper - lower) / 2.0)
}

/// The median of all samples of an arm.
pub fn pooled_median(boots: &Boots) -> Option<f64> {
    median_of(&mut boots.concat())
}

/// The median of each boot that has samples.
pub fn boot_medians(boots: &Boots) -> Vec<f64> {
    boots.iter().filter_map(|boot| median(boot)).collect()
}

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

/// patched / base, where nothing against nothing is no change.
pub fn ratio(base: f64, patched: f64) -> f64 {
    if base == patched { 1.0 } else { patched / base }
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

/// Student's t at 97.5 %, by Cornish and Fisher's expansion, within 0.3 % from
/// 3 degrees on; below, between the exact values for 1, 2 and 3.
fn student_975(degrees: f64) -> f64 {
    const Z: f64 = 1.959_963_984_540_054;
    const EXACT: [f64; 3] = [12.706, 4.303, 3.182];
    for (at, pair) in EXACT.windows(2).enumerate() {
        let part = degrees.max(1.0) - (at as f64 + 1.0);
        if part < 1.0 {
            // On the logarithm, which bends less.
            return pair[0] * (pair[1] / pair[0]).powf(part);
        }
    }
    let z = |power: i32| Z.powi(power);
    Z + (z(3) + Z) / (4.0 * degrees)
        + (5.0 * z(5) + 16.0 * z(3) + 3.0 * Z) / (96.0 * degrees.powi(2))
        + (3.0 * z(7) + 19.0 * z(5) + 17.0 * z(3) - 15.0 * Z) / (384.0 * degrees.powi(3))
        + (79.0 * z(9) + 776.0 * z(7) + 1482.0 * z(5) - 1920.0 * z(3) - 945.0 * Z)
            / (92_160.0 * degrees.powi(4))
}

/// The normal distribution's tail beyond `x` ≥ 0, within 1.2e-7 (Numerical
/// approximation of erfc by Chebyshev fitting).
fn normal_tail(x: f64) -> f64 {
    let z = x / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * z);
    let poly = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let sum = poly.iter().rev().fold(0.0, |sum, c| sum * t + c);
    0.5 * t * (-z * z + sum).exp()
}

/// The sorted values between the tails, outward to the next value.
fn cut(values: &[f64], tail: f64) -> [f64; 2] {
    let last = values.len() - 1;
    let skip = ((tail * values.len() as f64).floor() as usize).min(last / 2);
    [values[skip], values[last - skip]]
}

/// Relabellings beyond which the permutation test draws at random.
const ENUMERATE: u128 = 50_000;
/// How many it draws then.
const DRAWS: u32 = 10_000;

/// The two-sided p-value of a permutation test on two groups of boots' values:
/// how often a relabelling sets their mean ranks at least as far apart as they
/// are. Ranks, since a boot far out must not carry the verdict. Exact where
/// there are few relabellings. None where a group is empty.
pub fn permutation_test(base: &[f64], patched: &[f64], seed: u64) -> Option<f64> {
    if base.is_empty() || patched.is_empty() {
        return None;
    }
    let ranks = ranks(&[base, patched].concat());
    let n = base.len();
    let total: u64 = ranks.iter().sum();
    // Twice the ranks are whole numbers: no rounding decides a tie.
    let distance = |sum: u64| {
        let (sum, all, n) = (i128::from(sum), i128::from(total), n as i128);
        (sum * ranks.len() as i128 - all * n).abs()
    };
    let observed = distance(ranks[..n].iter().sum());
    if binomial(ranks.len(), n) <= ENUMERATE {
        let (mut extreme, mut all) = (0u64, 0u64);
        for_each_choice(&ranks, n, &mut |sum| {
            all += 1;
            extreme += u64::from(distance(sum) >= observed);
        });
        return Some(extreme as f64 / all as f64);
    }
    let mut rng = Rng::new(seed);
    let mut deck = ranks.clone();
    let mut extreme = 0u32;
    for _ in 0..DRAWS {
        for at in 0..n {
            let other = at + rng.below(deck.len() - at);
            deck.swap(at, other);
        }
        extreme += u32::from(distance(deck[..n].iter().sum()) >= observed);
    }
    Some(f64::from(extreme + 1) / f64::from(DRAWS + 1))
}

/// Twice the rank of each value; equal values share theirs.
fn ranks(values: &[f64]) -> Vec<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let below = |value: &f64| sorted.partition_point(|other| other.total_cmp(value).is_lt());
    let through = |value: &f64| sorted.partition_point(|other| other.total_cmp(value).is_le());
    values
        .iter()
        .map(|value| (below(value) + through(value) + 1) as u64)
        .collect()
}

fn binomial(n: usize, k: usize) -> u128 {
    let k = k.min(n - k);
    (0..k).fold(1u128, |value, at| {
        value.saturating_mul((n - at) as u128) / (at as u128 + 1)
    })
}

fn for_each_choice(values: &[u64], choose: usize, visit: &mut impl FnMut(u64)) {
    fn go(rest: &[u64], choose: usize, sum: u64, visit: &mut impl FnMut(u64)) {
        match (choose, rest) {
            (0, _) => visit(sum),
            (_, [first, behind @ ..]) if rest.len() >= choose => {
                go(behind, choose - 1, sum + first, visit);
                go(behind, choose, sum, visit);
            }
            _ => {}
        }
    }
    go(values, choose, 0, visit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        let cases: [(&[f64], Option<f64>); 6] = [
            (&[], None),
            (&[3.0], Some(3.0)),
            (&[4.0, 1.0], Some(2.5)),
            (&[9.0, 1.0, 5.0], Some(5.0)),
            (&[0.0, 0.0, 7.0, 1.0], Some(0.5)),
            (&[f64::MAX, f64::MAX], Some(f64::MAX)),
        ];
        for (values, expected) in cases {
            assert_eq!(median(values), expected, "{values:?}");
        }
        assert_eq!(
            pooled_median(&[vec![1.0, 2.0], vec![], vec![9.0]]),
            Some(2.0)
        );
        assert_eq!(
            boot_medians(&[vec![1.0, 2.0], vec![], vec![9.0]]),
            [1.5, 9.0]
        );
    }

    #[test]
    fn generator_is_the_published_one() {
        // xoshiro256++ from the state 1, 2, 3, 4: the reference's first values.
        let mut rng = Rng([1, 2, 3, 4]);
        let first: Vec<u64> = (0..4).map(|_| rng.next_u64()).collect();
        assert_eq!(
            first,
            [
                41_943_041,
                58_720_359,
                3_588_806_011_781_223,
                3_591_011_842_654_386
            ]
        );
        // splitmix64 from 0.
        assert_eq!(Rng::new(0).0[0], 0xe220_a839_7b1d_cdaf);
        let mut seen = [0u32; 5];
        (0..50_000).for_each(|_| seen[rng.below(5)] += 1);
        assert!(seen.iter().all(|n| (9_700..10_300).contains(n)), "{seen:?}");
        assert_eq!(rng.below(0), 0);
    }

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

    #[test]
    fn quantiles_of_the_distributions() {
        let t = [
            (1.0, 12.706),
            (2.0, 4.303),
            (3.0, 3.182),
            (4.0, 2.776),
            (6.0, 2.447),
            (30.0, 2.042),
        ];
        for (degrees, expected) in t {
            let found = student_975(degrees);
            assert!((found / expected - 1.0).abs() < 0.004, "{degrees}: {found}");
        }
        for (x, expected) in [
            (0.0, 0.5),
            (1.0, 0.158_655),
            (1.96, 0.024_998),
            (4.0, 3.167e-5),
        ] {
            assert!((normal_tail(x) / expected - 1.0).abs() < 1e-3, "{x}");
        }
    }

    #[test]
    fn permutation_equals_enumeration() {
        // Fully apart: 2 of C(2n, n) relabellings are as far.
        for (n, all) in [
            (1, 2.0),
            (2, 6.0),
            (3, 20.0),
            (4, 70.0),
            (5, 252.0),
            (8, 12_870.0),
        ] {
            let low: Vec<f64> = (0..n).map(f64::from).collect();
            let high: Vec<f64> = low.iter().map(|v| v + 1e9).collect();
            let expected = 2.0 / all;
            assert_eq!(permutation_test(&low, &high, 0), Some(expected), "{n}");
            assert_eq!(permutation_test(&high, &low, 0), Some(expected), "{n}");
        }
        // Ranks 1 2 4 sum to 7, 3.5 below the middle. By hand: only {1,2,3}
        // and {1,2,4} are as low, and two as high, of 20.
        assert_eq!(
            permutation_test(&[1.0, 2.0, 4.0], &[3.0, 5.0, 6.0], 0),
            Some(0.2)
        );
        // Nothing tells them apart.
        assert_eq!(permutation_test(&[1.0; 4], &[1.0; 4], 0), Some(1.0));
        assert_eq!(permutation_test(&[], &[1.0], 0), None);
    }

    #[test]
    fn drawn_permutations_agree_with_counted_ones() {
        // C(16, 8) is counted; the same data drawn must come close.
        let a: Vec<f64> = (0..8).map(|v| f64::from(v) * 1.7).collect();
        let b: Vec<f64> = (0..8).map(|v| f64::from(v) * 1.7 + 4.1).collect();
        let exact = permutation_test(&a, &b, 0).unwrap();
        // Ten more that change nothing are beyond what is counted.
        let wide = permutation_test(
            &[a.clone(), vec![6.1; 5]].concat(),
            &[b.clone(), vec![6.1; 5]].concat(),
            5,
        )
        .unwrap();
        assert!(binomial(26, 13) > ENUMERATE && exact > 0.0 && wide > exact);
        let apart: Vec<f64> = (0..100).map(f64::from).collect();
        let far: Vec<f64> = (0..100).map(|v| f64::from(v) + 1000.0).collect();
        let p = permutation_test(&apart, &far, 1).unwrap();
        assert!((p - 1.0 / f64::from(DRAWS + 1)).abs() < 1e-12);
    }

    fn normal(rng: &mut Rng) -> f64 {
        let (u, v) = (1.0 - rng.unit(), rng.unit());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// Skewed samples with luck of their own in each boot.
    fn simulate(rng: &mut Rng, boots: usize, reps: usize, scale: f64, luck: f64) -> Vec<Vec<f64>> {
        (0..boots)
            .map(|_| {
                let boot = scale * (luck * normal(rng)).exp();
                (0..reps)
                    .map(|_| boot * (0.4 * normal(rng)).exp())
                    .collect()
            })
            .collect()
    }

    #[test]
    #[ignore = "a simulation of minutes: how often the interval holds the truth"]
    fn coverage() {
        let mut rng = Rng::new(42);
        for (boots, reps) in [(4, 12), (6, 12), (8, 12), (12, 12)] {
            for luck in [0.05, 0.2, 0.5] {
                let trials = 3_000;
                let (mut held, mut false_alarms, mut both) = (0, 0, 0);
                for trial in 0..trials {
                    let base = simulate(&mut rng, boots, reps, 100.0, luck);
                    let patched = simulate(&mut rng, boots, reps, 100.0, luck);
                    let [lo, hi] = bootstrap(&base, &patched, trial).unwrap().ratio;
                    let p = permutation_test(&boot_medians(&base), &boot_medians(&patched), 0);
                    held += u32::from(lo <= 1.0 && 1.0 <= hi);
                    false_alarms += u32::from(p.unwrap() <= 0.05);
                    both += u32::from(p.unwrap() <= 0.05 && (lo > 1.0 || hi < 1.0));
                }
                let share = |n: u32| 100.0 * f64::from(n) / trials as f64;
                println!(
                    "{boots:2} boots × {reps:2}, luck {luck:4}: interval {:5.1} %, permutation {:4.1} %, both {:4.1} %",
                    share(held),
                    share(false_alarms),
                    share(both),
                );
            }
        }
    }
}
