//! The pool of huge pages.

use crate::failure::{Failure, ensure};
use crate::procfs;

/// How many pages the pool has.
pub const POOL: &str = "/proc/sys/vm/nr_hugepages";

/// Huge pages taken for a scenario; the pool shrinks again when dropped.
#[derive(Debug)]
pub struct Pool {
    before: String,
}

impl Pool {
    /// Grows the pool by `pages`.
    pub fn grow(pages: u64) -> Result<Self, Failure> {
        let pool = Self::grow_up_to(pages)?;
        let (wanted, now) = (count(&pool.before) + pages, count(&procfs::read(POOL)?));
        ensure(now >= wanted, || {
            format!("only {now} of {wanted} huge pages could be had")
        })?;
        Ok(pool)
    }

    /// Grows the pool by `pages`, or by as many as memory allows.
    pub fn grow_up_to(pages: u64) -> Result<Self, Failure> {
        let before = procfs::read(POOL)?;
        let wanted = count(&before) + pages;
        let pool = Self { before };
        procfs::write(POOL, &wanted.to_string())?;
        Ok(pool)
    }

    /// Grows the pool until so much of what can be had is left.
    pub fn leaving(kib: u64) -> Result<Self, Failure> {
        let spare = procfs::mem_available()?.saturating_sub(kib);
        Self::grow_up_to(spare >> 11)
    }

    /// How many pages of the pool nobody uses.
    pub fn free() -> Result<u64, Failure> {
        procfs::kib(&procfs::read("/proc/meminfo")?, "HugePages_Free")
            .ok_or_else(|| Failure::unmet("/proc/meminfo has no HugePages_Free"))
    }
}

fn count(text: &str) -> u64 {
    text.trim().parse().unwrap_or(0)
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Memory that stays away is found after the scenario.
        let _ = procfs::write(POOL, self.before.trim());
    }
}
