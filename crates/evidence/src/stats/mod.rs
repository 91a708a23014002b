//! The statistics, on boots of repetitions.
//!
//! The boot is the unit: repetitions inside one boot share its memory layout
//! and its luck and are not independent. Intervals resample boots, then
//! repetitions inside each; the permutation test relabels whole boots.

mod blocks;
mod bootstrap;
mod permutation;
mod quantiles;
mod rng;
mod summary;

pub use blocks::{Blocks, Scale, at_most, none_against};
pub use bootstrap::{Bootstrap, bootstrap};
pub use permutation::permutation_test;
pub use rng::Rng;
pub use summary::{Boots, boot_medians, median, pooled_median, ratio};

#[cfg(test)]
mod tests {
    use super::*;

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

    /// The interval holds the truth, and two arms of one kernel are called
    /// different, about as often as they should: within three standard errors
    /// of so many trials.
    #[test]
    #[ignore = "a simulation of minutes"]
    fn coverage() {
        const TRIALS: u64 = 500;
        let mut rng = Rng::new(42);
        for (boots, luck) in [(4, 0.05), (4, 0.5), (8, 0.05), (8, 0.5)] {
            let (mut held, mut false_alarms) = (0u32, 0u32);
            for trial in 0..TRIALS {
                let base = simulate(&mut rng, boots, 12, 100.0, luck);
                let patched = simulate(&mut rng, boots, 12, 100.0, luck);
                let [low, high] = bootstrap(&base, &patched, trial).unwrap().ratio;
                let p = permutation_test(&boot_medians(&base), &boot_medians(&patched), 0);
                held += u32::from(low <= 1.0 && 1.0 <= high);
                false_alarms += u32::from(p.unwrap() <= 0.05 && (low > 1.0 || high < 1.0));
            }
            let share = |n: u32| f64::from(n) / TRIALS as f64;
            let case = format!("{boots} boots, luck {luck}: {held} held, {false_alarms} differ");
            assert!(share(held) >= 0.92, "{case}");
            assert!(share(false_alarms) <= 0.08, "{case}");
        }
    }
}
