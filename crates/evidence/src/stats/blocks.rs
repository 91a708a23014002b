//! The test within blocks, and the interval that belongs to it.
//!
//! A block is two neighbouring boots, one of each arm, whose order was drawn.
//! If patched changes nothing, each block could as well have had its boots the
//! other way round, whatever the host did meanwhile: it drifts for both, and the
//! draw decides which came first. So ranks are taken of what boots differ by
//! from the middle of their block, and only labels within a block are exchanged.
//! With two boots to a block these are Wilcoxon's signed ranks.
//!
//! The rank sum of patched is the number of pairs of blocks (each with itself
//! too) whose common ratio exceeds the one that is tested. Hence the interval is
//! cut out of the sorted pairs, its centre is their median, and both say what the
//! test says: one statistic for all three.
//!
//! Sources: Wilcoxon, "Individual comparisons by ranking methods", 1945; Hodges
//! and Lehmann, "Estimates of location based on rank tests", 1963; Tukey, "The
//! simplest signed-rank tests", 1949.

use super::summary::median;

/// How two blocks make one ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// By the mean of their logarithms: for times, whose boots differ by
    /// factors.
    Times,
    /// By their sums: for counts, which may be 0.
    Counts,
}

/// What two blocks are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A ratio, by logarithms.
    Logs,
    /// A ratio, by sums.
    Sums,
    Difference,
}

impl Kind {
    /// How far a block is from this truth.
    fn residual(self, (base, patched): (f64, f64), truth: f64) -> f64 {
        match self {
            Self::Logs => (patched / base).ln() - truth.ln(),
            Self::Sums => patched - truth * base,
            Self::Difference => patched - base - truth,
        }
    }

    fn together(self, one: (f64, f64), other: (f64, f64)) -> f64 {
        match self {
            Self::Logs => f64::midpoint((one.1 / one.0).ln(), (other.1 / other.0).ln()).exp(),
            Self::Sums => (one.1 + other.1) / (one.0 + other.0),
            Self::Difference => f64::midpoint(one.1 - one.0, other.1 - other.0),
        }
    }
}

/// What every two blocks say together, sorted; each block is paired with itself
/// too.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocks {
    /// Base and patched.
    blocks: Vec<(f64, f64)>,
    kind: Kind,
    pairs: Vec<f64>,
    /// Pairs of 0 against 0: any ratio fits them.
    undefined: usize,
}

impl Blocks {
    /// Patched over base, block by block. Values are 0 or more; whatever is
    /// longer is cut.
    pub fn ratios(base: &[f64], patched: &[f64], scale: Scale) -> Self {
        let positive = base.iter().chain(patched).all(|value| *value > 0.0);
        let kind = match scale {
            Scale::Times if positive => Kind::Logs,
            Scale::Times | Scale::Counts => Kind::Sums,
        };
        Self::of(base, patched, kind)
    }

    /// Patched less base, block by block.
    pub fn differences(base: &[f64], patched: &[f64]) -> Self {
        Self::of(base, patched, Kind::Difference)
    }

    fn of(base: &[f64], patched: &[f64], kind: Kind) -> Self {
        let blocks: Vec<(f64, f64)> = base.iter().copied().zip(patched.iter().copied()).collect();
        let all = blocks.iter().enumerate().flat_map(|(at, one)| {
            let others = blocks.iter().take(at + 1);
            others.map(|other| kind.together(*one, *other))
        });
        let mut pairs: Vec<f64> = all.filter(|pair| !pair.is_nan()).collect();
        pairs.sort_by(f64::total_cmp);
        let count = blocks.len() * (blocks.len() + 1) / 2;
        Self {
            undefined: count - pairs.len(),
            blocks,
            kind,
            pairs,
        }
    }

    /// The middle of the interval at any level: infinite where base is mostly
    /// 0, none where nothing is defined.
    pub fn centre(&self) -> Option<f64> {
        median(&self.pairs)
    }

    /// The two-sided p-value of this truth: the share of exchanges that set the
    /// arms at least as far apart. Where blocks are alike, that with their shared
    /// ranks and that with the worst of their orders, whichever is larger.
    pub fn p(&self, truth: f64) -> f64 {
        let below = self.pairs.partition_point(|pair| *pair < truth);
        let through = self.pairs.partition_point(|pair| *pair <= truth);
        let outer = (self.pairs.len() - below).min(through) + self.undefined;
        let beyond: f64 = null(1..=self.blocks.len()).take(outer + 1).sum();
        (2.0 * beyond).min(1.0).max(self.p_of_shared_ranks(truth))
    }

    fn p_of_shared_ranks(&self, truth: f64) -> f64 {
        let of = |block: &(f64, f64)| self.kind.residual(*block, truth);
        let residuals: Vec<f64> = self.blocks.iter().map(of).collect();
        let mut sizes: Vec<f64> = residuals.iter().map(|one| one.abs()).collect();
        sizes.sort_by(f64::total_cmp);
        // Twice the rank; equal sizes share theirs, and nothing has no side.
        let rank = |size: f64| {
            let below = sizes.partition_point(|other| *other < size);
            below + sizes.partition_point(|other| *other <= size) + 1
        };
        let sides = residuals.iter().filter(|one| **one != 0.0);
        let ranks: Vec<(usize, bool)> = sides.map(|one| (rank(one.abs()), *one > 0.0)).collect();
        let sum = |side: bool| -> usize {
            let of = ranks.iter().filter(|(_, positive)| *positive == side);
            of.map(|(rank, _)| rank).sum()
        };
        let least = sum(true).min(sum(false));
        let beyond: f64 = null(ranks.iter().map(|(rank, _)| *rank))
            .take(least + 1)
            .sum();
        (2.0 * beyond).min(1.0)
    }

    /// Every truth whose p-value exceeds `alpha`. None where even the farthest
    /// does; an end is infinite where base's zeros leave it open.
    pub fn interval(&self, alpha: f64) -> Option<[f64; 2]> {
        let mut beyond = 0.0;
        let rejected = null(1..=self.blocks.len())
            .take_while(|share| {
                beyond += share;
                2.0 * beyond <= alpha + 1e-12
            })
            .count();
        // The farthest rank sums that are rejected, less those that fit any.
        let skip = rejected.checked_sub(1)?;
        let (Some(skip), Some(last)) = (
            skip.checked_sub(self.undefined),
            self.pairs.len().checked_sub(1),
        ) else {
            return Some([0.0, f64::INFINITY]);
        };
        let skip = skip.min(last / 2);
        Some([self.pairs[skip], self.pairs[last - skip]])
    }
}

/// The rate per repetition below which an arm lies that never had a count, with
/// this chance of an error to each side of an interval: 3.69 in all its
/// repetitions at 5 %.
pub fn at_most(boots: &[&Vec<f64>], alpha: f64) -> f64 {
    let repetitions: usize = boots.iter().map(|boot| boot.len()).sum();
    -(alpha / 2.0).ln() / repetitions.max(1) as f64
}

/// The interval of an arm without any count against one that has some: given
/// all counts of both, how many could be patched's (Clopper and Pearson, 1934).
/// Base's counts weigh less where they vary more between boots than Poisson's.
pub fn none_against([base, patched]: &[Vec<&Vec<f64>>; 2], alpha: f64) -> Option<[f64; 2]> {
    let repetitions = |boots: &[&Vec<f64>]| boots.iter().map(|boot| boot.len()).sum::<usize>();
    let sums: Vec<f64> = base.iter().map(|boot| boot.iter().sum()).collect();
    let all: f64 = sums.iter().sum();
    let mean = all / sums.len() as f64;
    let squares: f64 = sums.iter().map(|sum| (sum - mean).powi(2)).sum();
    let spread = (squares / (sums.len() as f64 - 1.0) / mean).max(1.0);
    let share = 1.0 - (alpha / 2.0).powf(spread / all);
    let high = share / (1.0 - share) * repetitions(base) as f64 / repetitions(patched) as f64;
    high.is_finite().then_some([0.0, high])
}

/// The chances of each rank sum, from 0 on, when each rank is counted or not, by
/// a coin.
fn null(ranks: impl Iterator<Item = usize>) -> impl Iterator<Item = f64> {
    let mut chances = vec![1.0];
    for rank in ranks {
        let mut next = vec![0.0; chances.len() + rank];
        for (at, chance) in chances.iter().enumerate() {
            next[at] += chance / 2.0;
            next[at + rank] += chance / 2.0;
        }
        chances = next;
    }
    chances.into_iter()
}

#[cfg(test)]
mod tests {
    use super::super::Rng;
    use super::*;

    /// Aligned ranks of all boots, and every exchange within blocks.
    fn enumerate(base: &[f64], patched: &[f64], truth: f64) -> f64 {
        let n = base.len();
        let halves: Vec<f64> = base
            .iter()
            .zip(patched)
            .map(|(b, p)| (p - truth) - b)
            .collect();
        let ranks: Vec<f64> = halves
            .iter()
            .map(|one| {
                let below = halves.iter().filter(|h| h.abs() < one.abs()).count() as f64;
                let same = halves.iter().filter(|h| h.abs() == one.abs()).count() as f64;
                below + (same + 1.0) / 2.0
            })
            .collect();
        let distance = |signs: &dyn Fn(usize) -> f64| -> f64 {
            (0..n).map(|at| signs(at) * ranks[at]).sum::<f64>().abs()
        };
        let sign = |h: f64| if h == 0.0 { 0.0 } else { h.signum() };
        let observed = distance(&|at| sign(halves[at]));
        let extreme = (0u32..1 << n)
            .filter(|mask| {
                let flipped = |at: usize| {
                    let flip = if mask >> at & 1 == 1 { -1.0 } else { 1.0 };
                    flip * sign(halves[at]).abs()
                };
                distance(&flipped) >= observed - 1e-9
            })
            .count();
        extreme as f64 / f64::from(1u32 << n)
    }

    #[test]
    fn the_test_equals_enumeration() {
        let mut rng = Rng::new(5);
        for n in 1..=11 {
            for _ in 0..20 {
                let mut draw =
                    |shift: f64| -> Vec<f64> { (0..n).map(|_| rng.unit() + shift).collect() };
                let (base, patched) = (draw(1.0), draw(1.2));
                let blocks = Blocks::differences(&base, &patched);
                for truth in [0.0, 0.3] {
                    let exact = enumerate(&base, &patched, truth);
                    let found = blocks.p(truth);
                    assert!((found - exact).abs() < 1e-12, "{n}: {found} {exact}");
                }
            }
        }
    }

    #[test]
    fn ties_never_make_it_bolder() {
        let mut rng = Rng::new(6);
        for n in 1..=10 {
            for _ in 0..100 {
                let mut draw = || -> Vec<f64> { (0..n).map(|_| rng.below(4) as f64).collect() };
                let (base, patched) = (draw(), draw());
                let found = Blocks::differences(&base, &patched).p(0.0);
                let exact = enumerate(&base, &patched, 0.0);
                assert!(
                    found >= exact - 1e-12,
                    "{base:?} {patched:?}: {found} {exact}"
                );
            }
        }
    }

    /// The interval holds what the test does not reject, and nothing else.
    #[test]
    fn the_interval_agrees_with_the_test() {
        let mut rng = Rng::new(7);
        for n in 6..=12 {
            for scale in [Scale::Times, Scale::Counts] {
                let mut draw = |zeros: f64| -> Vec<f64> {
                    let one = |rng: &mut Rng| if rng.unit() < zeros { 0.0 } else { rng.unit() };
                    (0..n).map(|_| one(&mut rng)).collect()
                };
                let zeros = if scale == Scale::Counts { 0.3 } else { 0.0 };
                let blocks = Blocks::ratios(&draw(zeros), &draw(zeros), scale);
                for alpha in [0.032, 0.05] {
                    let [low, high] = blocks.interval(alpha).unwrap();
                    for truth in (1..400).map(|step| f64::from(step) * 0.01) {
                        let inside = low <= truth && truth <= high;
                        assert_eq!(inside, blocks.p(truth) > alpha, "{n} {truth}");
                    }
                }
                let centre = blocks.centre().unwrap();
                let [low, high] = blocks.interval(0.05).unwrap();
                assert!(low <= centre && centre <= high);
            }
        }
    }

    #[test]
    fn arms_without_a_count() {
        let boots = |value: f64| vec![vec![value; 10]; 8];
        let (some, none) = (boots(2.0), boots(0.0));
        let [some, none] = [&some, &none].map(|arm| arm.iter().collect::<Vec<_>>());
        // Three in a hundred, and a half, for 95 % to one side; 3.69 for both.
        assert!((at_most(&none, 0.05) * 80.0 - 3.689).abs() < 1e-3);
        let [low, high] = none_against(&[some, none.clone()], 0.05).unwrap();
        // 160 counts against at most 3.69.
        assert!(low == 0.0 && (high * 160.0 - 3.689).abs() < 0.1, "{high}");
        assert_eq!(none_against(&[none.clone(), none], 0.05), None);
    }

    #[test]
    fn by_hand() {
        let (base, patched) = ([2.0; 6], [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]);
        let blocks = Blocks::ratios(&base, &patched, Scale::Times);
        assert_eq!(blocks.p(1.0), 2.0 / 64.0);
        assert_eq!(blocks.interval(0.05), Some([0.5, 0.75]));
        // Five blocks can't be significant at 5 %.
        let five = Blocks::ratios(&base[..5], &patched, Scale::Times);
        assert_eq!((five.p(1.0), five.interval(0.05)), (2.0 / 32.0, None));
        // Zeros on both sides fit any ratio.
        let zeros = Blocks::ratios(&[0.0; 8], &[0.0; 8], Scale::Counts);
        assert_eq!((zeros.p(1.0), zeros.centre()), (1.0, None));
        assert_eq!(zeros.interval(0.05), Some([0.0, f64::INFINITY]));
        let new = Blocks::ratios(&[0.0; 8], &[1.0; 8], Scale::Counts);
        assert_eq!(
            (new.p(1.0), new.centre()),
            (2.0 / 256.0, Some(f64::INFINITY))
        );
        assert_eq!(Blocks::differences(&[], &[]).p(0.0), 1.0);
        // 1 + 2 of 8 ranks: 5 of 256 sums are as small.
        let chances: f64 = null(1..=8).take(4).sum();
        assert!((chances - 5.0 / 256.0).abs() < 1e-15);
    }
}
