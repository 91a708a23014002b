//! How long the permutation test takes where it draws at random: 10,000
//! relabellings of two groups of 100 values, and how long a bootstrap of two
//! arms of 8 boots takes beside it.
//!
//!     cargo run --profile bench -p evidence --example permutation-speed

use std::hint::black_box;
use std::time::{Duration, Instant};

use evidence::stats::{Rng, bootstrap, permutation_test};

/// Runs of each, of which the median is told.
const RUNS: usize = 21;

fn main() {
    let mut rng = Rng::new(1);
    let mut values = |n: usize| -> Vec<f64> { (0..n).map(|_| rng.unit()).collect() };
    let (base, patched) = (values(100), values(100));
    let test = median(|seed| {
        black_box(permutation_test(&base, &patched, seed));
    });
    let boots: Vec<Vec<f64>> = (0..16).map(|_| values(12)).collect();
    let (base, patched) = boots.split_at(8);
    let interval = median(|seed| {
        black_box(bootstrap(base, patched, seed));
    });
    println!("permutation test, 10,000 x on 2 x 100 values: {test:?}");
    println!("bootstrap of 2 x 8 boots of 12: {interval:?}");
}

fn median(mut run: impl FnMut(u64)) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS as u64)
        .map(|seed| {
            let start = Instant::now();
            run(seed);
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[RUNS / 2]
}
