//! How many blocks it takes, and what may be said after each.
//!
//! A run looks at its samples after six blocks, the fewest that can show a
//! difference, and now and then until its limit. It stops at the first look at
//! which every deciding metric is decided. Who looks often finds something sooner
//! or later; so each look has its own share of the 5 % of false alarms that the
//! whole run may give, and by the union bound they are no more than that together,
//! whatever the looks have in common.
//!
//! Deciding metrics are tested in the order in which the manifest names them, each
//! only where all before it differ (a fixed sequence), so that none has to share:
//! the first false alarm is the only one that the order lets through by itself. The
//! tails of deciding times are tested beside them, once and to one side, at
//! [`TAILS`]. No other metric is tested.
//!
//! Source: Maurer, Hothorn and Lehmacher, "Multiple comparisons in drug clinical
//! trials and preclinical assays: a-priori ordered hypotheses", 1995.

/// False alarms that one run of unchanged kernels may give.
pub const ALPHA: f64 = 0.05;

/// What the share of slow repetitions may add, to one side: one of the 256
/// exchanges of eight blocks. p-values of few blocks come in steps, so that the
/// looks spend less than [`ALPHA`] (12 of 256 at most with a limit of 8): with the
/// tails it is 5.1 % at most there, and below 5 % in every simulation.
pub const TAILS: f64 = 1.0 / 256.0;

/// With fewer blocks no exchange of labels can be rare enough: five blocks have
/// 32 ways, two of which are the farthest.
pub const FEWEST: usize = 6;

/// What the first look may spend: the least p-value of six blocks, two of 64
/// exchanges.
const FIRST: f64 = 2.0 / 64.0;

/// The looks of a run of `limit` blocks at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    limit: usize,
    once: bool,
}

impl Looks {
    /// The looks of a run with this limit.
    pub fn new(limit: usize) -> Self {
        Self { limit, once: false }
    }

    /// One look, after so many blocks.
    pub fn once(blocks: usize) -> Self {
        Self {
            limit: blocks,
            once: true,
        }
    }

    /// After how many blocks: 6, 8, 12, 16, 24 and so on, and at the limit.
    pub fn at(self) -> impl Iterator<Item = usize> {
        let powers = (2..usize::BITS - 2).map(|power| 1usize << power);
        let steps = powers.flat_map(|power| [power, power + power / 2]);
        steps
            .skip_while(|look| *look < FEWEST)
            .take_while(move |look| !self.once && *look < self.limit)
            .chain((self.limit >= FEWEST).then_some(self.limit))
    }

    /// What one of them may spend of [`ALPHA`]; nothing where there is no look.
    pub fn alpha(self, blocks: usize) -> f64 {
        let looks = self.at().count();
        if !self.at().any(|look| look == blocks) {
            0.0
        } else if looks == 1 {
            ALPHA
        } else if blocks == FEWEST {
            FIRST
        } else {
            // The farthest two of all exchanges were rejected at the first look,
            // of which they are a part, and cost nothing.
            let spent = 2.0 * 0.5f64.powi(i32::try_from(blocks).unwrap_or(i32::MAX));
            (ALPHA - FIRST) / (looks - 1) as f64 + spent
        }
    }

    /// The level of what is said after so many blocks. A run that ended between
    /// two looks, by its limit of minutes, takes what the looks that it missed
    /// would have spent.
    pub fn level(self, blocks: usize) -> f64 {
        let at: Vec<usize> = self.at().collect();
        if at.contains(&blocks) {
            return self.alpha(blocks);
        }
        let done: Vec<usize> = at.into_iter().filter(|look| *look < blocks).collect();
        match done.len() {
            0 => ALPHA,
            looks => (ALPHA - FIRST) * (1.0 - (looks - 1) as f64 / self.others()),
        }
    }

    /// How many looks there are but the first.
    fn others(self) -> f64 {
        self.at().count().saturating_sub(1).max(1) as f64
    }

    /// The first look at which a metric differs, by the p-value of the first so
    /// many blocks.
    pub fn differs(self, blocks: usize, p: impl Fn(usize) -> Option<f64>) -> Option<usize> {
        let looks = self.at().take_while(|look| *look < blocks).chain([blocks]);
        looks
            .filter(|look| *look >= FEWEST)
            .find(|look| p(*look).is_some_and(|p| p <= self.level(*look) + 1e-12))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Blocks;

    #[test]
    fn looks_spend_no_more_than_there_is() {
        let at = |limit| Looks::new(limit).at().collect::<Vec<_>>();
        assert!(at(0).is_empty());
        assert!(at(5).is_empty());
        assert_eq!(at(6), [6]);
        assert_eq!(at(7), [6, 7]);
        assert_eq!(at(8), [6, 8]);
        assert_eq!(at(20), [6, 8, 12, 16, 20]);
        assert_eq!(Looks::once(20).at().collect::<Vec<_>>(), [20]);
        assert!(Looks::once(5).at().next().is_none());
        for limit in 0..200 {
            let looks = Looks::new(limit);
            let cost = |blocks: usize| match blocks {
                FEWEST => looks.alpha(blocks),
                _ if looks.at().count() < 2 => looks.alpha(blocks),
                // What the first look rejects too.
                _ => (looks.alpha(blocks) - 2.0 * 0.5f64.powi(blocks as i32)).max(0.0),
            };
            let spent: f64 = (0..=limit).map(cost).sum();
            assert!(spent <= ALPHA + 1e-12, "{limit}: {spent}");
            assert!(limit < FEWEST || (spent - ALPHA).abs() < 1e-12, "{limit}");
            // Whoever stops between looks spends no more.
            for end in FEWEST..=limit {
                let before: f64 = looks.at().filter(|at| *at < end).map(cost).sum();
                let rest = match looks.at().any(|at| at == end) {
                    true => cost(end),
                    false => looks.level(end),
                };
                assert!(before + rest <= ALPHA + 1e-12, "{limit}, {end}");
            }
        }
    }

    /// Two looks, at 6 and at 8 blocks: every exchange, counted.
    #[test]
    fn both_looks_together() {
        let looks = Looks::new(8);
        // Wherever the small differences lie, early or late.
        for (late, expected) in [(0, 12.0), (1, 8.0)] {
            let rank = |at: usize| match late {
                0 => at + 1,
                _ => (at + 2) % 8 + 1,
            };
            let rejected = (0u32..256).filter(|mask| {
                let value = |at: usize| {
                    let sign = if mask >> at & 1 == 1 { -1.0 } else { 1.0 };
                    10.0 + sign * rank(at) as f64
                };
                let patched: Vec<f64> = (0..8).map(value).collect();
                let p = |blocks: usize| {
                    Some(Blocks::differences(&[10.0; 8][..blocks], &patched).p(0.0))
                };
                looks.differs(8, p).is_some()
            });
            let share = rejected.count() as f64 / 256.0;
            assert!(share <= ALPHA && share == expected / 256.0, "{share}");
        }
    }

    #[test]
    fn the_first_look_that_tells() {
        let looks = Looks::new(8);
        let p = |blocks: usize| match blocks {
            6 => Some(4.0 / 64.0),
            7 => Some(2.0 / 128.0),
            _ => Some(6.0 / 256.0),
        };
        assert_eq!(looks.differs(5, p), None);
        assert_eq!(looks.differs(6, p), None);
        assert_eq!(looks.differs(8, p), Some(8));
        // A run that ended there.
        assert_eq!(looks.differs(7, p), Some(7));
        assert_eq!(looks.differs(8, |_| Some(2.0 / 64.0)), Some(6));
        assert_eq!(looks.differs(8, |_| None), None);
    }
}
