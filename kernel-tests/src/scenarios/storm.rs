//! 24: a hundred kills, after which everything is as before.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use crate::cgroup::{self, Cgroup};
use crate::context::{Context, Metric, Repetition};
use crate::failure::{Failure, ensure};
use crate::mrelease::Mrelease;
use crate::needs::Need;
use crate::procfs;
use crate::scenario::Scenario;
use crate::timeout_scale::scaled;
use crate::victim::{Area, Kind, Spec, Victim};

const KILLS_A_SECOND: Metric = Metric {
    name: "kills",
    unit: results::record::Unit::PerSecond,
};

/// Kills that are counted, and some before them that fill caches.
const KILLS: u32 = 100;
const WARMUP: u32 = 8;

/// How long what the kernel frees late may take to come back.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where a cache of the slab allocator can be told to give back what it holds.
const SLAB: &str = "/sys/kernel/slab";

pub const SCENARIO: Scenario = Scenario {
    name: "storm",
    number: 24,
    summary: "after 100 kills, half of them reaped by process_mrelease, nothing has leaked",
    needs: &[Need::Memcg, Need::ProcessMrelease, Need::SlabInfo],
    deadline_s: 90,
    metrics: &[KILLS_A_SECOND],
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    kills(WARMUP)?;
    let before = Usage::read()?;
    let started = Instant::now();
    kills(KILLS)?;
    let took = started.elapsed();
    context.sample(
        Repetition::ONLY,
        KILLS_A_SECOND,
        f64::from(KILLS) / took.as_secs_f64(),
    )?;

    let deadline = Instant::now() + scaled(TIMEOUT);
    loop {
        let leaks = Usage::read()?.leaks(&before);
        if leaks.is_empty() {
            return Ok(());
        }
        ensure(Instant::now() < deadline, || {
            format!("after {KILLS} kills: {}", leaks.join(", "))
        })?;
        sleep(Duration::from_millis(50));
    }
}

/// Kills, by turns left to themselves and reaped while they are held.
fn kills(count: u32) -> Result<(), Failure> {
    for nth in 0..count {
        let cgroup = Cgroup::new("storm")?;
        let mut victim = Victim::spawn(&Spec {
            areas: vec![Area::new(Kind::Anon, 4, 256)],
            cgroup: Some(cgroup.path().to_owned()),
            ..Spec::default()
        })?;
        let mrelease = Mrelease::of(victim.pid())?;
        // Too early, in time, and too late: none may keep anything.
        mrelease.expect("a living process", Err(Errno::EINVAL))?;
        let held = nth % 2 == 0;
        if held {
            victim.pin()?;
        }
        cgroup.limit_to_current(1 << 20)?;
        victim.exhaust()?;
        if held {
            victim.wait_pinned()?;
            mrelease.expect("a dying process", Ok(()))?;
            victim.release()?;
        }
        victim.wait_zombie()?;
        mrelease.expect("a zombie", Err(Errno::ESRCH))?;
        victim.wait_killed()?;
        mrelease.expect("a process that is gone", Err(Errno::ESRCH))?;
    }
    Ok(())
}

/// What kills must not use up.
struct Usage {
    /// KiB that can be had.
    available: u64,
    /// KiB in page tables.
    page_tables: u64,
    /// Of each of [`SLABS`].
    slabs: [u64; 3],
    /// Removed groups that something still holds.
    dying: u64,
}

/// The caches, and how many objects may stay away: what other processes made
/// meanwhile. Fewer than half of the kills, each of which uses one at least.
const SLABS: [(&str, u64); 3] = [
    ("mm_struct", 20),
    ("vm_area_struct", 300),
    ("task_struct", 20),
];

impl Usage {
    fn read() -> Result<Self, Failure> {
        let meminfo = procfs::read("/proc/meminfo")?;
        let slabinfo = {
            for (name, _) in SLABS {
                // Some kernels lack the file; then the count is only rougher.
                let _ = procfs::write(Path::new(SLAB).join(name).join("shrink"), "1");
            }
            procfs::read("/proc/slabinfo")?
        };
        Ok(Self {
            available: procfs::mem_available()?,
            page_tables: procfs::kib(&meminfo, "PageTables").unwrap_or(0),
            slabs: SLABS.map(|(name, _)| active(&slabinfo, name)),
            dying: cgroup::dying(),
        })
    }

    /// What this has less of than `before`.
    fn leaks(&self, before: &Self) -> Vec<String> {
        let mut leaks = Vec::new();
        let mut check = |what: &str, gone: u64, slack: u64, unit: &str| {
            if gone > slack {
                leaks.push(format!("{what}: {gone}{unit} did not come back"));
            }
        };
        let memory = before.available.saturating_sub(self.available);
        check("memory", memory, 16 << 10, " KiB");
        let tables = self.page_tables.saturating_sub(before.page_tables);
        check("page tables", tables, 512, " KiB");
        for ((name, slack), (now, then)) in SLABS.iter().zip(self.slabs.iter().zip(before.slabs)) {
            check(name, now.saturating_sub(then), *slack, "");
        }
        let dying = self.dying.saturating_sub(before.dying);
        check("dying groups", dying, 4, "");
        leaks
    }
}

/// The objects of a cache that are in use, by `/proc/slabinfo`.
fn active(slabinfo: &str, cache: &str) -> u64 {
    procfs::value(slabinfo, cache)
        .or_else(|| {
            slabinfo.lines().find_map(|line| {
                let mut fields = line.split_whitespace();
                (fields.next()? == cache).then(|| fields.next()?.parse().ok())?
            })
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_in_use() {
        let text = "slabinfo - version: 2.1\n# name <active_objs> <num_objs>\n\
                    vm_area_struct      1431   1512    192   21    1\n\
                    mm_struct             38     45   1088   15    4\n";
        assert_eq!(active(text, "mm_struct"), 38);
        assert_eq!(active(text, "vm_area_struct"), 1431);
        assert_eq!(active(text, "task_struct"), 0);
    }

    #[test]
    fn leaks_beyond_the_slack_are_named() {
        let usage = |available, mm, dying| Usage {
            available,
            page_tables: 100,
            slabs: [mm, 1000, 60],
            dying,
        };
        let before = usage(900_000, 40, 0);
        assert!(usage(890_000, 60, 4).leaks(&before).is_empty());
        assert_eq!(
            usage(700_000, 140, 50).leaks(&before),
            [
                "memory: 200000 KiB did not come back",
                "mm_struct: 100 did not come back",
                "dying groups: 50 did not come back"
            ]
        );
    }
}
