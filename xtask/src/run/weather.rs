//! How fast the host's memory answers at the moment. Others on the same machine
//! share its caches and its memory: by a factor of two and more, smoothly over
//! seconds to minutes, while computing stays as fast as it is. Emulated page tables
//! feel it.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use evidence::stats::Rng;

/// How much memory is walked through: more than the caches that are ours alone.
const BYTES: usize = 16 << 20;
/// How many steps one look takes, each a miss of those: some milliseconds.
const STEPS: usize = 20_000;

/// How long some steps take, at the median about 4 ms.
pub fn look() -> Duration {
    // To make it takes a hundred times as long as a look.
    static CHASE: LazyLock<Mutex<Chase>> = LazyLock::new(|| Mutex::new(Chase::new()));
    let mut chase = CHASE.lock().unwrap_or_else(PoisonError::into_inner);
    let start = Instant::now();
    chase.walk();
    start.elapsed()
}

/// A walk through memory in which each step tells where the next one goes.
struct Chase {
    next: Vec<u32>,
    at: usize,
}

impl Chase {
    fn new() -> Self {
        let count = BYTES / size_of::<u32>();
        let mut next: Vec<u32> = (0..).take(count).collect();
        // One cycle through all (Sattolo, 1986).
        let mut rng = Rng::new(1);
        for last in (1..count).rev() {
            next.swap(last, rng.below(last));
        }
        Self { next, at: 0 }
    }

    fn walk(&mut self) {
        for _ in 0..STEPS {
            self.at = self.next[self.at] as usize;
        }
        // Whoever does not use the end need not walk.
        std::hint::black_box(self.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_walks_through_all_of_it() {
        let chase = Chase::new();
        let mut at = 0;
        let mut steps = 0;
        loop {
            at = chase.next[at] as usize;
            steps += 1;
            if at == 0 {
                break;
            }
        }
        assert_eq!(steps, chase.next.len());
    }
}
