//! Waiting for what the kernel is about to do.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::failure::{Failure, ensure};
use crate::timeout_scale::scaled;

/// How often is looked.
const POLL: Duration = Duration::from_millis(2);

/// Waits until something is so; fails with what `otherwise` says once that has taken
/// too long.
pub fn until(
    timeout: Duration,
    mut is_so: impl FnMut() -> Result<bool, Failure>,
    otherwise: impl FnOnce() -> String,
) -> Result<(), Failure> {
    let deadline = Instant::now() + scaled(timeout);
    while Instant::now() < deadline {
        if is_so()? {
            return Ok(());
        }
        sleep(POLL);
    }
    ensure(is_so()?, otherwise)
}
