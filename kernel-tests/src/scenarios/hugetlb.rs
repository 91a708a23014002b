//! 13: the reaper leaves private huge pages of the pool alone.

use nix::unistd::Pid;
use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::context::Context;
use crate::failure::{Failure, ResultExt, ensure};
use crate::hugetlb::Pool;
use crate::needs::Need;
use crate::oom::{self, OomVictim, Watch};
use crate::scenario::Scenario;
use crate::smaps::Range;
use crate::smaps::{self, Vma};
use crate::trace::{Clock, Trace};
use crate::victim::{Area, FILL, Kind};

/// Huge pages, in two VMAs of two.
const PAGES: u64 = 4;

pub const SCENARIO: Scenario = Scenario {
    name: "hugetlb",
    number: 13,
    summary: "private hugetlb memory is neither visited nor touched by the reaper",
    needs: &[
        Need::Memcg,
        Need::OomEvents,
        Need::KprobeEvents,
        Need::Smaps,
        Need::Hugetlb,
    ],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    let _pool = Pool::grow(PAGES)?;
    let free = Pool::free()?;
    let reaper = oom::reaper()?;
    let mut watch = Watch::new()?;
    let mut trace = Trace::new(SCENARIO.name, Clock::Counter, 1024)?;
    trace.walks("walk", &context.plan.probes)?;

    let areas = vec![
        Area::new(Kind::Anon, 4, 16),
        Area::new(Kind::Hugetlb, 2, PAGES / 2),
        Area::new(Kind::Anon, 4, 16),
    ];
    let mut oom = OomVictim::pinned(SCENARIO.name, areas, None)?;
    let pid = oom.victim.pid();
    let [below, huge, above] = oom.victim.ranges.as_slice() else {
        return Err(Failure::unmet(
            "the victim reports other areas than asked for",
        ));
    };
    let (huge, small) = (huge.clone(), [below.as_slice(), above].concat());
    oom.kill()?;
    let before = smaps::of(pid)?;
    smaps::ensure_resident(&before, &small)?;
    untouched(pid, &before, &huge, free)?;

    watch.reaped(pid, Vec::new())?;
    let after = smaps::of(pid)?;
    smaps::ensure_reaped(&after)?;
    untouched(pid, &after, &huge, free)?;

    trace.ensure_complete()?;
    let visited = trace.visits("walk", reaper)?;
    for range in &small {
        // Else the probe sees nothing, and absence proves nothing.
        ensure(visited.contains(range), || {
            format!("{:#x}-{:#x} was not visited", range.0, range.1)
        })?;
    }
    for range in &huge {
        let hit = visited.iter().find(|v| v.0 < range.1 && range.0 < v.1);
        ensure(hit.is_none(), || {
            format!("the hugetlb VMA {:#x}-{:#x} was visited", range.0, range.1)
        })?;
    }

    oom.end()?;
    let now = Pool::free()?;
    ensure(now == free, || {
        format!("{now} of {free} huge pages came back to the pool")
    })
}

/// Checks that all huge pages are mapped, not free, and hold what was written.
fn untouched(pid: Pid, vmas: &[Vma], huge: &[Range], free: u64) -> Result<(), Failure> {
    const HUGE: u64 = 2 << 20;
    let path = format!("/proc/{pid}/mem");
    let memory = File::open(&path).while_doing(|| format!("opening {path}"))?;
    for &(start, end) in huge {
        let kib = smaps::at(vmas, (start, end))?.private_hugetlb;
        ensure(kib == (end - start) >> 10, || {
            format!("{start:#x}-{end:#x} has {kib} KiB of huge pages instead of all")
        })?;
        for page in (start..end).step_by(HUGE as usize) {
            let mut byte = [0];
            memory
                .read_exact_at(&mut byte, page)
                .while_doing(|| format!("reading {path} at {page:#x}"))?;
            ensure(byte == [FILL], || {
                format!("the huge page at {page:#x} lost its content")
            })?;
        }
    }
    let taken = free.saturating_sub(Pool::free()?);
    ensure(taken == PAGES, || {
        format!("the victim holds {taken} huge pages instead of {PAGES}")
    })
}
