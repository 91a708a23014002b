//! 12: locked memory is no safer from the reaper than other memory.

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::needs::Need;
use crate::oom::{OomVictim, Watch};
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{Area, Kind};

pub const SCENARIO: Scenario = Scenario {
    name: "mlocked",
    number: 12,
    summary: "mlocked memory is reaped",
    needs: &[Need::Memcg, Need::OomEvents, Need::Smaps],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let areas = vec![
        Area::new(Kind::Locked, 8, 64),
        Area::new(Kind::Anon, 8, 64),
        Area::new(Kind::Locked, 8, 1),
    ];
    let mut oom = OomVictim::pinned(SCENARIO.name, areas, None)?;
    let pid = oom.victim.pid();
    oom.kill()?;

    let before = smaps::of(pid)?;
    smaps::ensure_resident(&before, &oom.victim.ranges.concat())?;
    let locked = before.iter().filter(|vma| vma.has("lo")).count();
    ensure(locked == 16, || {
        format!("the victim has {locked} locked VMAs instead of 16")
    })?;

    watch.reaped(pid, Vec::new())?;
    smaps::ensure_reaped(&smaps::of(pid)?)?;
    oom.end()
}
