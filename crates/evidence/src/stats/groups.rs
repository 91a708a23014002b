//! Two groups that share no blocks, such as the blocks of two runs: the rank sum
//! test, and the interval of their shift that belongs to it.
//!
//! The rank sum of the second group is the number of pairs, one of each group,
//! whose difference exceeds the shift that is tested. So the interval is cut out
//! of the sorted differences, as for [`super::Blocks`].
//!
//! Sources: Mann and Whitney, "On a test of whether one of two random variables is
//! stochastically larger than the other", 1947; Hodges and Lehmann, 1963.

use super::summary::median;

/// All differences between two groups, sorted.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    sizes: [usize; 2],
    differences: Vec<f64>,
}

impl Groups {
    /// The second group less the first.
    pub fn of(first: &[f64], second: &[f64]) -> Self {
        let pairs = first.iter().flat_map(|a| second.iter().map(move |b| b - a));
        let mut differences: Vec<f64> = pairs.collect();
        differences.sort_by(f64::total_cmp);
        Self {
            sizes: [first.len(), second.len()],
            differences,
        }
    }

    /// The middle of the interval at any level; none of an empty group.
    pub fn centre(&self) -> Option<f64> {
        median(&self.differences)
    }

    /// The two-sided p-value of this shift; not below the exact one where values
    /// are alike across the groups.
    pub fn p(&self, shift: f64) -> f64 {
        let below = self.differences.partition_point(|one| *one < shift);
        let through = self.differences.partition_point(|one| *one <= shift);
        let outer = (self.differences.len() - below).min(through);
        let beyond: f64 = null(self.sizes).take(outer + 1).sum();
        (2.0 * beyond).min(1.0)
    }

    /// Every shift whose p-value exceeds `alpha`; none where even the farthest
    /// does.
    pub fn interval(&self, alpha: f64) -> Option<[f64; 2]> {
        let mut beyond = 0.0;
        let rejected = null(self.sizes)
            .take_while(|share| {
                beyond += share;
                2.0 * beyond <= alpha + 1e-12
            })
            .count();
        let skip = rejected.checked_sub(1)?;
        let last = self.differences.len().checked_sub(1)?;
        let skip = skip.min(last / 2);
        Some([self.differences[skip], self.differences[last - skip]])
    }
}

/// The chances of each number of pairs, from 0 on, when all orders of both groups
/// together are as likely: whose value is the largest, and then of the others.
fn null([first, second]: [usize; 2]) -> impl Iterator<Item = f64> {
    // Row by row: of `n` values of the first group, for each number of the second.
    let one = || -> Vec<f64> { vec![1.0] };
    let mut rows: Vec<Vec<f64>> = (0..=second).map(|_| one()).collect();
    for n in 1..=first {
        let mut next = vec![one()];
        for m in 1..=second {
            let mut chances = vec![0.0; n * m + 1];
            let all = (n + m) as f64;
            // The largest is of the first group: no pair exceeds.
            for (at, chance) in rows[m].iter().enumerate() {
                chances[at] += chance * n as f64 / all;
            }
            // Or of the second: it exceeds all of the first.
            for (at, chance) in next[m - 1].iter().enumerate() {
                chances[at + n] += chance * m as f64 / all;
            }
            next.push(chances);
        }
        rows = next;
    }
    rows.pop().unwrap_or_default().into_iter()
}

#[cfg(test)]
mod tests {
    use super::super::Rng;
    use super::*;

    /// Every choice of the second group among all values.
    fn enumerate(first: &[f64], second: &[f64]) -> f64 {
        let all = [first, second].concat();
        let above = |mask: u32| -> f64 {
            let of = |at: usize| mask >> at & 1 == 1;
            let pairs = (0..all.len()).flat_map(|a| (0..all.len()).map(move |b| (a, b)));
            let pairs = pairs.filter(|(a, b)| !of(*a) && of(*b));
            pairs
                .map(|(a, b)| match all[b].total_cmp(&all[a]) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                })
                .sum()
        };
        let middle = (first.len() * second.len()) as f64 / 2.0;
        let masks = (0u32..1 << all.len()).filter(|m| m.count_ones() == second.len() as u32);
        let observed = (above(((1 << second.len()) - 1) << first.len()) - middle).abs();
        let (mut extreme, mut count) = (0.0, 0.0);
        for mask in masks {
            count += 1.0;
            extreme += f64::from(u8::from((above(mask) - middle).abs() >= observed));
        }
        extreme / count
    }

    #[test]
    fn the_test_equals_enumeration() {
        let mut rng = Rng::new(3);
        for (n, m) in [(1, 1), (2, 3), (4, 4), (6, 3), (5, 6)] {
            for _ in 0..10 {
                let mut draw = |n: usize| -> Vec<f64> { (0..n).map(|_| rng.unit()).collect() };
                let (first, second) = (draw(n), draw(m));
                let found = Groups::of(&first, &second).p(0.0);
                let exact = enumerate(&first, &second);
                assert!((found - exact).abs() < 1e-12, "{n} {m}: {found} {exact}");
            }
        }
    }

    #[test]
    fn the_interval_agrees_with_the_test() {
        let mut rng = Rng::new(4);
        let mut draw = |n: usize| -> Vec<f64> { (0..n).map(|_| rng.unit()).collect() };
        for (n, m) in [(4, 4), (6, 8), (12, 7)] {
            let groups = Groups::of(&draw(n), &draw(m));
            let [low, high] = groups.interval(0.05).unwrap();
            for shift in (-150..150).map(|step| f64::from(step) * 0.01) {
                let inside = low <= shift && shift <= high;
                assert_eq!(inside, groups.p(shift) > 0.05, "{n} {m} {shift}");
            }
        }
        // Three against three: 2 of 20 orders are the farthest.
        let few = Groups::of(&draw(3), &draw(3));
        assert_eq!(
            (few.interval(0.05), Groups::of(&[], &[1.0]).centre()),
            (None, None)
        );
    }
}
