//! 16: the reaper keeps away from mappings of bare page frames. Every process
//! has one: the data of the vDSO.

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::needs::Need;
use crate::oom::{self, OomVictim, Watch};
use crate::scenario::Scenario;
use crate::smaps;
use crate::trace::{Clock, Trace};
use crate::victim::{Area, Kind};

pub const SCENARIO: Scenario = Scenario {
    name: "pfnmap",
    number: 16,
    summary: "no VM_PFNMAP mapping is visited by the reaper",
    needs: &[
        Need::Memcg,
        Need::OomEvents,
        Need::KprobeEvents,
        Need::Smaps,
    ],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    let reaper = oom::reaper()?;
    let mut watch = Watch::new()?;
    let mut trace = Trace::new(SCENARIO.name, Clock::Counter, 1024)?;
    trace.walks("walk", &context.plan.probes)?;
    let mut oom = OomVictim::pinned(SCENARIO.name, vec![Area::new(Kind::Anon, 4, 16)], None)?;
    let pid = oom.victim.pid();
    oom.kill()?;
    let vmas = smaps::of(pid)?;
    let frames: Vec<_> = vmas.iter().filter(|vma| vma.has("pf")).collect();
    ensure(!frames.is_empty(), || {
        "the victim has no VM_PFNMAP mapping".into()
    })?;

    watch.reaped(pid, Vec::new())?;
    trace.ensure_complete()?;
    let visited = trace.visits("walk", reaper)?;
    for range in oom.victim.ranges.concat() {
        // Else the probe sees nothing, and absence proves nothing.
        ensure(visited.contains(&range), || {
            format!("{:#x}-{:#x} was not visited", range.0, range.1)
        })?;
    }
    for vma in frames {
        let hit = visited.iter().any(|v| v.0 < vma.end && vma.start < v.1);
        ensure(!hit, || {
            format!("{} at {:#x} was visited", vma.name, vma.start)
        })?;
    }
    oom.end()
}
