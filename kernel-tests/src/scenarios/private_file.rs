//! 15: a private mapping of a file: what was written goes, the file stays.

use crate::context::Context;
use crate::failure::{Failure, ResultExt, ensure};
use crate::needs::Need;
use crate::oom::{OomVictim, Watch};
use crate::scenario::Scenario;
use crate::smaps;
use crate::sys::PAGE;
use crate::victim::{Area, CONTENT, Kind};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// VMAs and the pages in each, of which each second one is written.
const VMAS: u32 = 8;
const PAGES: u64 = 32;

pub const SCENARIO: Scenario = Scenario {
    name: "private-file",
    number: 15,
    summary: "of a private file mapping the written pages are reaped, and the file keeps its content",
    needs: &[Need::Memcg, Need::OomEvents, Need::Smaps],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let areas = vec![
        Area::new(Kind::CowFile, VMAS, PAGES),
        Area::new(Kind::Anon, 8, 16),
    ];
    let mut oom = OomVictim::pinned(SCENARIO.name, areas, None)?;
    let pid = oom.victim.pid();
    let ranges = oom.victim.ranges.first().cloned().unwrap_or_default();
    let files = ranges
        .iter()
        .map(|range| {
            let path = format!("/proc/{pid}/map_files/{:x}-{:x}", range.0, range.1);
            File::open(&path).while_doing(|| format!("opening {path}"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    oom.kill()?;
    let before = smaps::of(pid)?;
    smaps::ensure_resident(&before, &ranges)?;
    for &range in &ranges {
        let (kib, written) = (
            smaps::at(&before, range)?.anonymous,
            PAGES * PAGE / 2 / 1024,
        );
        ensure(kib == written, || {
            format!(
                "{:#x} has {kib} KiB of written pages instead of {written}",
                range.0
            )
        })?;
    }

    watch.reaped(pid, Vec::new())?;
    smaps::ensure_reaped(&smaps::of(pid)?)?;
    oom.end()?;
    for file in files {
        let mut content = vec![0; (PAGES * PAGE) as usize];
        file.read_exact_at(&mut content, 0)
            .while_doing(|| "reading the file behind a private mapping".into())?;
        let kept = content
            .iter()
            .step_by(PAGE as usize)
            .all(|byte| *byte == CONTENT);
        ensure(kept, || "a file lost content to a private mapping".into())?;
    }
    Ok(())
}
