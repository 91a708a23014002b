//! How many boots it takes, and what may be said after each.
//!
//! A run looks at its samples after four boots of each arm, the fewest that can
//! show a difference, and now and then until its limit. It stops at the first
//! look at which every primary metric is decided. Who looks often finds
//! something sooner or later; so each look has its own share of the 5 % of
//! false alarms that the whole run may give, and by the union bound they are no
//! more than that together, whatever the looks have in common.
//!
//! Several primary metrics are tested in the order in which the manifest names
//! them, each only where all before it differ (a fixed sequence), so that none
//! has to share: the first false alarm is the only one that the order lets
//! through by itself. All others are tested at the end with Holm's correction.
//!
//! Sources: Maurer, Hothorn and Lehmacher, "Multiple comparisons in drug
//! clinical trials and preclinical assays: a-priori ordered hypotheses", 1995;
//! Holm, "A simple sequentially rejective multiple test procedure", 1979.

/// False alarms that one run of unchanged kernels may give.
pub const ALPHA: f64 = 0.05;

/// With fewer boots an arm no permutation test can find a difference.
pub const FEWEST: usize = 4;

/// So many boots an arm are enough for any number of metrics that a report
/// could hold.
const FEWEST_OF_MANY: usize = 20;

/// What the first look may spend: the least p-value of four boots against four,
/// two of 70 relabellings.
const FIRST: f64 = 2.0 / 70.0;

/// The looks of a run that boots each arm `limit` times at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    limit: usize,
}

impl Looks {
    /// The looks of a run with this limit.
    pub fn new(limit: usize) -> Self {
        Self { limit }
    }

    /// After how many boots of each arm: 4, 6, 8, 12, 16, 24 and so on, and at
    /// the limit.
    pub fn at(self) -> impl Iterator<Item = usize> {
        let powers = (2..usize::BITS - 2).map(|power| 1usize << power);
        let steps = powers.flat_map(|power| [power, power + power / 2]);
        steps
            .take_while(move |look| *look < self.limit)
            .chain((self.limit >= FEWEST).then_some(self.limit))
    }

    /// What one of them may spend of [`ALPHA`]; nothing where there is no look.
    pub fn alpha(self, boots: usize) -> f64 {
        let looks = self.at().count();
        if !self.at().any(|look| look == boots) {
            0.0
        } else if looks == 1 {
            ALPHA
        } else if boots == FEWEST {
            FIRST
        } else {
            (ALPHA - FIRST) / (looks - 1) as f64
        }
    }

    /// The first look at which a metric differs, by the p-value of the first
    /// so many boots of each arm.
    pub fn differs(self, boots: usize, p: impl Fn(usize) -> Option<f64>) -> Option<usize> {
        self.at()
            .take_while(|look| *look <= boots)
            .find(|look| p(*look).is_some_and(|p| p <= self.alpha(*look)))
    }
}

/// With fewer boots an arm no permutation test can find a difference where so
/// many metrics are tested at once.
pub fn fewest(metrics: usize) -> usize {
    // The least p-value of n boots against n is 2 of (2n choose n).
    let mut least = 2.0;
    let enough = (1..=FEWEST_OF_MANY).find(|n| {
        let n = *n as f64;
        least *= n / (2.0 * (2.0 * n - 1.0));
        least * metrics.max(1) as f64 <= ALPHA
    });
    enough.unwrap_or(FEWEST_OF_MANY)
}

/// Holm's adjusted p-values, in the order of `ps`.
pub fn holm(ps: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ps.len()).collect();
    order.sort_by(|a, b| ps[*a].total_cmp(&ps[*b]));
    let mut adjusted = vec![0.0; ps.len()];
    let mut least = 0.0f64;
    for (rank, at) in order.into_iter().enumerate() {
        least = least.max((ps[at] * (ps.len() - rank) as f64).min(1.0));
        adjusted[at] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_spend_no_more_than_there_is() {
        let at = |limit| Looks::new(limit).at().collect::<Vec<_>>();
        assert!(at(0).is_empty());
        assert!(at(3).is_empty());
        assert_eq!(at(4), [4]);
        assert_eq!(at(5), [4, 5]);
        assert_eq!(at(8), [4, 6, 8]);
        assert_eq!(at(20), [4, 6, 8, 12, 16, 20]);
        for limit in 0..200 {
            let looks = Looks::new(limit);
            let spent: f64 = (0..=limit).map(|boots| looks.alpha(boots)).sum();
            assert!(spent <= ALPHA + 1e-12, "{limit}: {spent}");
            assert!(limit < FEWEST || (spent - ALPHA).abs() < 1e-12, "{limit}");
        }
    }

    #[test]
    fn the_first_look_that_tells() {
        let looks = Looks::new(8);
        let p = |boots: usize| match boots {
            4 => Some(0.0286),
            6 => Some(0.0108),
            _ => Some(0.0105),
        };
        assert_eq!(looks.differs(4, p), None);
        assert_eq!(looks.differs(6, p), None);
        assert_eq!(looks.differs(8, p), Some(8));
        assert_eq!(looks.differs(8, |_| Some(2.0 / 70.0)), Some(4));
        assert_eq!(looks.differs(8, |_| None), None);
    }

    #[test]
    fn more_metrics_take_more_boots() {
        // 2/20, 2/70, 2/252, 2/924 of 3, 4, 5 and 6 boots against as many.
        for (metrics, expected) in [(0, 4), (1, 4), (2, 5), (6, 5), (7, 6), (23, 6), (24, 7)] {
            assert_eq!(fewest(metrics), expected, "{metrics}");
        }
        assert_eq!(fewest(usize::MAX), FEWEST_OF_MANY);
    }

    #[test]
    fn holms_example() {
        // Three of four: 0.01 × 4, 0.013 × 3 (not below the first), 0.05.
        let adjusted = holm(&[0.05, 0.01, 0.013, 0.2]);
        let expected = [0.1, 0.04, 0.04, 0.2];
        for (a, e) in adjusted.iter().zip(expected) {
            assert!((a - e).abs() < 1e-12, "{adjusted:?}");
        }
        assert!(holm(&[]).is_empty());
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
    }
}
