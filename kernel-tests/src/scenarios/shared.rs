//! 14: the reaper leaves shared memory alone, mapping and content.

use nix::unistd::Pid;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

use crate::context::Context;
use crate::failure::{Failure, ResultExt, ensure};
use crate::needs::Need;
use crate::oom::{OomVictim, Watch};
use crate::scenario::Scenario;
use crate::smaps::{self, Range};
use crate::sys::PAGE;
use crate::victim::{Area, Kind};

/// Pages in each shared VMA.
const PAGES: u64 = 32;

pub const SCENARIO: Scenario = Scenario {
    name: "shared",
    number: 14,
    summary: "shared anonymous memory and memfds stay mapped and keep their content",
    needs: &[Need::Memcg, Need::OomEvents, Need::Smaps],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let areas = vec![
        Area::new(Kind::Shared, 4, PAGES),
        Area::new(Kind::Memfd, 4, PAGES),
        Area::new(Kind::Anon, 8, PAGES),
    ];
    let mut oom = OomVictim::pinned(SCENARIO.name, areas, None)?;
    let pid = oom.victim.pid();
    let all = oom.victim.ranges.concat();
    let shared = all.get(..8).unwrap_or_default();
    let contents = shared
        .iter()
        .map(|&range| Content::write(pid, range))
        .collect::<Result<Vec<_>, _>>()?;
    oom.kill()?;
    smaps::ensure_resident(&smaps::of(pid)?, &all)?;

    watch.reaped(pid, Vec::new())?;
    let after = smaps::of(pid)?;
    smaps::ensure_reaped(&after)?;
    smaps::ensure_resident(&after, shared)?;
    for content in &contents {
        content.check()?;
    }
    // We share the memory: it outlives the victim.
    oom.end()?;
    contents.iter().try_for_each(Content::check)
}

/// The object behind a shared mapping, shared by us, each page filled with
/// words of its own.
struct Content {
    file: File,
    range: Range,
}

impl Content {
    fn write(pid: Pid, range: Range) -> Result<Self, Failure> {
        // Leads to the object even where no file has its name.
        let path = format!("/proc/{pid}/map_files/{:x}-{:x}", range.0, range.1);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .while_doing(|| format!("opening {path}"))?;
        for page in 0..PAGES {
            file.write_all_at(&words(range, page), page * PAGE)
                .while_doing(|| format!("writing to {path}"))?;
        }
        Ok(Self { file, range })
    }

    fn check(&self) -> Result<(), Failure> {
        for page in 0..PAGES {
            let mut found = [0; PAGE as usize];
            self.file
                .read_exact_at(&mut found, page * PAGE)
                .while_doing(|| "reading shared memory".into())?;
            ensure(found.as_slice() == words(self.range, page), || {
                format!("page {page} of {:#x} lost its content", self.range.0)
            })?;
        }
        Ok(())
    }
}

/// What a page holds: its address in the victim, over and over.
fn words(range: Range, page: u64) -> Vec<u8> {
    let word = (range.0 + page * PAGE).to_ne_bytes();
    word.repeat(PAGE as usize / word.len())
}
