//! 43: mappings that are large and nearly empty.

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::mrelease::Mrelease;
use crate::needs::Need;
use crate::scenario::Scenario;
use crate::smaps;
use crate::sys::PAGE;
use crate::victim::{Area, Kind, Spec, Victim};

/// Pages in each: above 4 GiB, and above 512 GiB, which takes more than one entry of
/// the table below the top.
const SIZES: [u64; 2] = [(6 << 30) / PAGE, (600 << 30) / PAGE];

/// Pages of each that are touched.
const TOUCHED: u64 = 3;

pub const SCENARIO: Scenario = Scenario {
    name: "sparse",
    number: 43,
    summary: "of mappings of 6 and 600 GiB the first page, the middle and the last are reaped",
    needs: &[Need::ProcessMrelease, Need::Smaps],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let mut victim = Victim::spawn(&Spec {
        areas: SIZES
            .map(|pages| Area::new(Kind::Sparse, 1, pages))
            .to_vec(),
        ..Spec::default()
    })?;
    let pid = victim.pid();
    victim.kill_held()?;
    let vmas = smaps::of(pid)?;
    for range in victim.ranges.concat() {
        let (rss, touched) = (smaps::at(&vmas, range)?.rss, TOUCHED * PAGE / 1024);
        ensure(rss == touched, || {
            format!("{:#x} has {rss} KiB instead of {touched}", range.0)
        })?;
    }
    Mrelease::of(pid)?.expect("a dying process", Ok(()))?;
    smaps::ensure_reaped(&smaps::of(pid)?)?;
    victim.release()?;
    victim.wait_killed()
}
