//! 25: the reaper gives swap back too.

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::needs::Need;
use crate::oom::{OomVictim, Watch};
use crate::procfs;
use crate::scenario::Scenario;
use crate::smaps;
use crate::sys::PAGE;
use crate::victim::{Area, Kind};
use crate::zram::Zram;

/// KiB of the victim that must be in swap before it is killed.
const SWAPPED: u64 = 8 << 10;

/// KiB of swap that each CPU may keep for itself.
const SLACK: u64 = 1 << 10;

pub const SCENARIO: Scenario = Scenario {
    name: "swap",
    number: 25,
    summary: "what a victim has in swap is given back by the reaper",
    needs: &[Need::Memcg, Need::OomEvents, Need::Smaps, Need::Zram],
    deadline_s: 60,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let _zram = Zram::new()?;
    let free = swap_free()?;
    let mut watch = Watch::new()?;
    let areas = vec![
        // Below all that is resident: the walk must not end with that.
        Area {
            at: Some(16 * PAGE),
            ..Area::new(Kind::Swapped, 1, 512)
        },
        Area::new(Kind::Anon, 8, 64),
        Area::new(Kind::Swapped, 16, 256),
        Area::new(Kind::Anon, 8, 64),
    ];
    let mut oom = OomVictim::pinned(SCENARIO.name, areas, None)?;
    let pid = oom.victim.pid();
    let swapped =
        || -> Result<u64, Failure> { Ok(smaps::of(pid)?.iter().map(|vma| vma.swap).sum()) };
    // What is there stays there.
    let current = procfs::read(oom.cgroup.path().join("memory.swap.current"))?;
    oom.cgroup.set("memory.swap.max", current.trim())?;
    oom.kill()?;
    let (before, taken) = (swapped()?, free.saturating_sub(swap_free()?));
    ensure(before >= SWAPPED && taken >= SWAPPED, || {
        format!("only {before} KiB of the victim and {taken} KiB in all are in swap")
    })?;

    watch.reaped(pid, Vec::new())?;
    smaps::ensure_reaped(&smaps::of(pid)?)?;
    let now = swap_free()?;
    ensure(now + SLACK >= free, || {
        format!("{now} of {free} KiB of swap are free after the reaping")
    })?;
    oom.end()
}

fn swap_free() -> Result<u64, Failure> {
    procfs::kib(&procfs::read("/proc/meminfo")?, "SwapFree")
        .ok_or_else(|| Failure::unmet("/proc/meminfo has no SwapFree"))
}
