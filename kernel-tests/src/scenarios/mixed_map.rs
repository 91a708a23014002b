//! 44: memory that a driver has put into a mapping page by page (`VM_MIXEDMAP`).

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::helper::Helper;
use crate::mrelease::Mrelease;
use crate::needs::Need;
use crate::scenario::Scenario;
use crate::smaps;
use crate::sys::PAGE;
use crate::victim::{Area, Kind, Spec, Victim};

/// Pages of the mapping, of which each second one is written.
const PAGES: u64 = 32;

pub const SCENARIO: Scenario = Scenario {
    name: "mixed-map",
    number: 44,
    summary: "a private VM_MIXEDMAP is reaped like any other",
    needs: &[Need::Helper, Need::ProcessMrelease, Need::Smaps],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let _helper = Helper::load()?;
    let mut victim = Victim::spawn(&Spec {
        areas: vec![
            Area::new(Kind::Anon, 2, 16),
            Area::new(Kind::Mixed, 2, PAGES),
            Area::new(Kind::Anon, 2, 16),
        ],
        ..Spec::default()
    })?;
    let pid = victim.pid();
    victim.kill_held()?;
    let vmas = smaps::of(pid)?;
    smaps::ensure_resident(&vmas, &victim.ranges.concat())?;
    for &range in victim.ranges.get(1).into_iter().flatten() {
        let (vma, written) = (smaps::at(&vmas, range)?, PAGES * PAGE / 2 / 1024);
        ensure(vma.has("mm") && vma.anonymous == written, || {
            format!(
                "{:#x} is no VM_MIXEDMAP of which {written} KiB are written: {vma:?}",
                range.0
            )
        })?;
    }
    Mrelease::of(pid)?.expect("a dying process", Ok(()))?;
    smaps::ensure_reaped(&smaps::of(pid)?)?;
    victim.release()?;
    victim.wait_killed()
}
