//! The statistics, on boots of repetitions.
//!
//! The boot is the unit: repetitions inside one boot share its memory layout
//! and its luck and are not independent. Intervals resample boots, then
//! repetitions inside each; the permutation test relabels whole boots.

mod bootstrap;
mod permutation;
mod quantiles;
mod rng;
mod summary;

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
