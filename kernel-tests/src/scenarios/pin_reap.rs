//! 6: the reaper takes all that it may take from a victim that is stuck.

use crate::context::{Context, Metric};
use crate::failure::{Failure, ensure};
use crate::needs::Need;
use crate::oom::{self, OomVictim, Watch};
use crate::procfs;
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{Area, Kind};

const DELAY: Metric = Metric::us("delay");
const REAP: Metric = Metric::us("reap");

/// Repetitions at most: each waits two seconds for the reaper.
const REPETITIONS: usize = 3;

/// Pages in each of the victim's VMAs.
const PAGES: u64 = 64;

pub const SCENARIO: Scenario = Scenario {
    name: "pin-reap",
    number: 6,
    summary: "a victim held at its exit is reaped: nothing is left in any VMA the reaper may touch, and \
         its memory is free",
    needs: &[Need::Memcg, Need::OomEvents, Need::Smaps],
    deadline_s: 60,
    metrics: &[DELAY, REAP],
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let counted = context
        .repetitions()
        .filter(|repetition| !repetition.warmup);
    for repetition in counted.take(REPETITIONS) {
        let areas = vec![
            Area::new(Kind::Anon, 40, PAGES),
            Area::new(Kind::Locked, 4, PAGES),
            Area::new(Kind::PrivateFile, 4, PAGES),
            Area::new(Kind::Shared, 4, PAGES),
        ];
        let mut oom = OomVictim::pinned("pin-reap", areas, None)?;
        let pid = oom.victim.pid();
        oom.kill()?;
        // Without memory to take, that it is gone proves nothing.
        let before: u64 = smaps::of(pid)?.iter().map(|vma| vma.anonymous).sum();
        ensure(before >= 48 * PAGES * 4, || {
            format!("the victim had only {before} KiB to reap")
        })?;
        let free = procfs::mem_free()?;
        let reaped = watch.reaped(pid, Vec::new())?;
        let gained = procfs::mem_free()?.saturating_sub(free);
        smaps::ensure_reaped(&smaps::of(pid)?)?;
        oom::wait_skipped(pid)?;
        // Pages may be gone from the page tables and yet not be free.
        ensure(gained >= before - before / 4, || {
            format!("{before} KiB were reaped, but only {gained} KiB more are free")
        })?;
        oom.end()?;
        context.sample(repetition, DELAY, reaped.delay as f64)?;
        context.sample(repetition, REAP, reaped.reap as f64)?;
    }
    Ok(())
}
