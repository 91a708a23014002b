//! How often a race is repeated, and when its second walker starts.

use std::time::Duration;

use results::plan::Plan;

use crate::context::Repetition;

/// Repetitions at most in a boot that traces: each is a page of a chart.
const MAX_TRACED: u32 = 4;

/// The repetitions of a race: where in a solo reap the second walker starts is
/// swept from 0 to below 100 percent, denser near the start (the cube of an
/// even sweep: five of eight start within the first eighth), where the walkers
/// have most of the way in common. The sweep is the same in each boot, so that
/// the medians of two boots differ by what happened, not by what was asked.
pub fn repetitions(plan: &Plan, at_most: u32) -> Vec<Repetition> {
    let warmups = if plan.purpose.is_traced() {
        0
    } else {
        plan.warmups.min(at_most)
    };
    let at_most = if plan.purpose.is_traced() {
        at_most.min(MAX_TRACED)
    } else {
        at_most
    };
    let counted = plan.repetitions.min(at_most);
    let sweep = (0..counted).map(|nth| 100.0 * (f64::from(nth) / f64::from(counted)).powi(3));
    (0..warmups)
        .map(|_| (true, 0.0))
        .chain(sweep.map(|at| (false, at)))
        .zip(0..)
        .map(|((warmup, at), index)| Repetition {
            index,
            warmup,
            at: Some(at),
        })
        .collect()
}

/// The part of a solo reap after which a repetition's second walker starts.
pub fn delay(repetition: Repetition, solo: Duration) -> Duration {
    solo.mul_f64(repetition.at.unwrap_or(0.0) / 100.0)
}

#[cfg(test)]
mod tests {
    use results::Purpose;

    use super::*;

    #[test]
    fn the_sweep_starts_at_zero_and_is_dense_there() {
        let mut plan = Plan {
            repetitions: 8,
            warmups: 2,
            ..Plan::new(Purpose::Probed)
        };
        let sweep = repetitions(&plan, u32::MAX);
        let at: Vec<_> = sweep
            .iter()
            .filter(|r| !r.warmup)
            .filter_map(|r| r.at)
            .collect();
        assert_eq!(sweep.len(), 10);
        assert_eq!(sweep.last().map(|r| r.index), Some(9));
        assert_eq!((at.first(), at.len()), (Some(&0.0), 8));
        assert_eq!(at.iter().filter(|at| **at <= 12.5).count(), 5);
        assert!(at.is_sorted() && at.iter().all(|at| *at < 100.0));
        plan.purpose = Purpose::Unprobed;
        assert_eq!(repetitions(&plan, u32::MAX), sweep);
        plan.purpose = Purpose::Correctness;
        assert_eq!(repetitions(&plan, u32::MAX).len(), 4);
        plan.repetitions = 0;
        assert_eq!(repetitions(&plan, u32::MAX).len(), 0);
    }
}
