//! By how much every limit of time is multiplied in this guest.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

// One for the whole program: what waits does not know the plan.
static FACTOR: AtomicU32 = AtomicU32::new(1);

/// Takes over what the plan says.
pub fn set(factor: u32) {
    FACTOR.store(factor.max(1), Ordering::Relaxed);
}

/// A limit for a quick kernel, multiplied for this one.
pub fn scaled(limit: Duration) -> Duration {
    limit.saturating_mul(FACTOR.load(Ordering::Relaxed))
}
