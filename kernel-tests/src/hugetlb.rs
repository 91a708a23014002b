//! The pool of huge pages.

use crate::failure::{Failure, ensure};
use crate::procfs;

const POOL: &str = "/proc/sys/vm/nr_hugepages";

/// Huge pages taken for a scenario; the pool shrinks again when dropped.
#[derive(Debug)]
pub struct Pool {
    before: String,
}

impl Pool {
    /// Grows the pool by `pages`.
    pub fn grow(pages: u64) -> Result<Self, Failure> {
        let count = |text: &str| text.trim().parse().unwrap_or(0_u64);
        let before = procfs::read(POOL)?;
        let wanted = count(&before) + pages;
        let pool = Self { before };
        procfs::write(POOL, &wanted.to_string())?;
        let now = count(&procfs::read(POOL)?);
        ensure(now >= wanted, || {
            format!("only {now} of {wanted} huge pages could be had")
        })?;
        Ok(pool)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Memory that stays away is found after the scenario.
        let _ = procfs::write(POOL, self.before.trim());
    }
}
