//! 9: the reaper reaches both ends of the address space.

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::needs::Need;
use crate::oom::{OomVictim, Watch};
use crate::scenario::Scenario;
use crate::smaps;
use crate::sys::PAGE;
use crate::victim::{Area, Kind};

/// Pages at each end.
const PAGES: u64 = 16;

/// Where user space may end, highest first: with page tables of five levels,
/// of four, and below a stack that fills the last 32 GiB of those.
const TOPS: [u64; 3] = [
    (1 << 56) - PAGE,
    (1 << 47) - PAGE,
    (1 << 47) - PAGE - (32 << 30),
];

pub const SCENARIO: Scenario = Scenario {
    name: "both-ends",
    number: 9,
    summary: "VMAs at both ends of the address space are reaped",
    needs: &[Need::Memcg, Need::OomEvents, Need::Smaps],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let mut oom = victim()?;
    let pid = oom.victim.pid();
    let ends = oom.victim.ranges.concat();
    oom.kill()?;

    let before = smaps::of(pid)?;
    smaps::ensure_resident(&before, &ends)?;
    let outermost = before.first().zip(before.iter().max_by_key(|vma| vma.end));
    let (first, last) = outermost.map_or((0, 0), |(a, b)| (a.start, b.end));
    let highest = ends.last().map_or(0, |end| end.1);
    context.note(format!(
        "VMAs at {first:#x} and below {highest:#x}; the address space is used up to {last:#x}"
    ))?;
    ensure(ends.first().is_some_and(|end| end.0 == first), || {
        format!("{first:#x} lies below what was to be the lowest VMA")
    })?;

    watch.reaped(pid, Vec::new())?;
    let after = smaps::of(pid)?;
    for &end in &ends {
        smaps::at(&after, end)?;
    }
    smaps::ensure_reaped(&after)?;
    oom.end()
}

/// A victim with a VMA of one page at address zero, one close above it, and
/// one at the highest address that is free.
fn victim() -> Result<OomVictim, Failure> {
    let area = |at| Area {
        at: Some(at),
        ..Area::new(Kind::Anon, 1, PAGES)
    };
    let mut last = None;
    for top in TOPS {
        let areas = vec![
            Area::new(Kind::PageZero, 1, 1),
            area(2 * PAGE),
            area(top - PAGES * PAGE),
        ];
        match OomVictim::pinned(SCENARIO.name, areas, None) {
            Ok(oom) => return Ok(oom),
            Err(failure) => last = Some(failure),
        }
    }
    Err(last.unwrap_or_else(|| Failure::unmet("there is no address to try")))
}
