//! 26: transparent huge pages, whole and cut.

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::needs::Need;
use crate::oom::{OomVictim, Watch};
use crate::procfs;
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{Area, HUGE, Kind};

pub const SCENARIO: Scenario = Scenario {
    name: "huge-pages",
    number: 26,
    summary: "transparent huge pages are reaped, also where a VMA begins or ends inside one",
    needs: &[
        Need::Memcg,
        Need::OomEvents,
        Need::Smaps,
        Need::TransparentHugePages,
    ],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    // A fragmented guest has none left to give.
    let _ = procfs::write("/proc/sys/vm/compact_memory", "1");
    let mut watch = Watch::new()?;
    let areas = vec![
        Area::new(Kind::Anon, 4, 16),
        Area::new(Kind::Huge, 3, 2),
        Area::new(Kind::CutHuge, 2, 2),
        Area::new(Kind::HeadCutHuge, 2, 2),
        Area::new(Kind::Anon, 4, 16),
    ];
    let mut oom = OomVictim::pinned(SCENARIO.name, areas, None)?;
    let pid = oom.victim.pid();
    oom.kill()?;
    let before = smaps::of(pid)?;
    smaps::ensure_resident(&before, &oom.victim.ranges.concat())?;
    // A cut one maps the rest of the huge page page by page.
    for (area, whole) in [(1, 2), (2, 1), (3, 1)] {
        for &range in oom.victim.ranges.get(area).into_iter().flatten() {
            let (kib, expected) = (smaps::at(&before, range)?.anon_huge, whole * HUGE / 1024);
            ensure(kib == expected, || {
                format!(
                    "{:#x}-{:#x} has {kib} KiB in huge pages instead of {expected}",
                    range.0, range.1
                )
            })?;
        }
    }
    let free = procfs::mem_free()?;

    watch.reaped(pid, Vec::new())?;
    let after = smaps::of(pid)?;
    smaps::ensure_reaped(&after)?;
    let left: u64 = after.iter().map(|vma| vma.anon_huge).sum();
    ensure(left == 0, || format!("{left} KiB are left in huge pages"))?;
    let gained = procfs::mem_free()?.saturating_sub(free);
    let all = before.iter().map(|vma| vma.anonymous).sum::<u64>();
    ensure(gained >= all - all / 4, || {
        format!("{all} KiB were reaped, but only {gained} KiB more are free")
    })?;
    oom.end()
}
