//! 36: a victim that is plainly large.
//!
//! Its size is of its address space: it maps a file that is small so often that its
//! exit takes twice the kernel's two seconds, and has its CPU all the time. How many
//! mappings that takes, a small victim tells first.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use super::reaper_exit_race::NEEDS;
use crate::context::Context;
use crate::failure::Failure;
use crate::oom::OomVictim;
use crate::procfs;
use crate::race::late::{self, Form, Halfway, Reaper, TIMEOUT, held, killed};
use crate::race::{VICTIM_CPU, metrics};
use crate::scenario::Scenario;
use crate::sys::PAGE;
use crate::timeout_scale::scaled;
use crate::trace;
use crate::victim::{Area, Kind, Spec, Victim};

/// How long the exit is to take.
const EXIT: Duration = Duration::from_secs(4);

/// Mappings of the file and memory of its own alternate, so that wherever a walker is,
/// it has as much of each ahead.
const STRIPES: u32 = 16;
/// The VMAs of a stripe that have memory of their own, and their pages.
const OWN: u32 = 85;
const OWN_PAGES: u64 = 18;

/// The fewest pages of the file: as many as one page table holds.
const FILE_PAGES: u64 = 512;
/// The most mappings of the file: the kernel allows 65,530 to a process.
const MOST: u64 = 50_000;

/// Page-table entries of the small victim.
const TRIAL: u64 = 256 * FILE_PAGES;

/// How long after the kill the reaper is looked for seldom, and how often then: each
/// look wakes a virtual CPU, which must wait for one of the host's.
const EARLY: Duration = Duration::from_millis(1_900);
const SELDOM: Duration = Duration::from_millis(20);
/// How often it is looked for after that: on its own CPU, which is free until it comes.
const LOOK: Duration = Duration::from_millis(1);

pub const SCENARIO: Scenario = Scenario {
    name: "late-reaper-large",
    number: 36,
    summary: "oom_reaper comes in the middle of the exit_mmap of a victim with so large an address \
              space that its exit takes 4 s",
    needs: NEEDS,
    deadline_s: 240,
    metrics: metrics::of_a_race![REAP, MEMORY_BACK],
    takes_turns: true,
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    let took = trial()?;
    let entries = entries(took);
    let size = Size::of(entries);
    let most = procfs::mem_available()? * 1024 / 2;
    if size.bytes() > most {
        return Err(Failure::Skipped(format!(
            "an exit of {} s takes {entries} page-table entries here, and {} MiB: more than half \
             of the {} MiB that the guest has (--memory)",
            EXIT.as_secs(),
            size.bytes() >> 20,
            most >> 19
        )));
    }
    context.note(format!(
        "{TRIAL} page-table entries of a small victim go in {} ms, so the large one has {entries} \
         in {} mappings",
        took.as_millis(),
        size.mappings * u64::from(STRIPES)
    ))?;
    let large = Large {
        entries: Cell::new(entries),
        most,
    };
    late::run(context, &large)
}

/// How long the small victim takes to die.
fn trial() -> Result<Duration, Failure> {
    let count = u32::try_from(TRIAL / FILE_PAGES).unwrap_or(u32::MAX);
    let mut victim = Victim::spawn(&Spec {
        areas: vec![Area::new(Kind::OneFile, count, FILE_PAGES)],
        cpu: Some(VICTIM_CPU),
        ..Spec::default()
    })?;
    let began = Instant::now();
    victim.kill()?;
    victim.wait_killed()?;
    Ok(began.elapsed())
}

/// The page-table entries that take as long as the exit is to.
fn entries(trial: Duration) -> u64 {
    (TRIAL as f64 * EXIT.as_secs_f64() / trial.as_secs_f64().max(1e-6)) as u64
}

/// What a stripe maps of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    mappings: u64,
    pages: u64,
}

impl Size {
    /// Of so many page-table entries in all stripes.
    fn of(entries: u64) -> Self {
        let pages = entries.div_ceil(MOST).max(FILE_PAGES);
        Self {
            mappings: entries.div_ceil(pages * u64::from(STRIPES)),
            pages,
        }
    }

    /// What all stripes take of memory: their page tables, about one more for each
    /// mapping, their files, and what is their own.
    fn bytes(self) -> u64 {
        let tables = self.mappings * (self.pages / FILE_PAGES + 1);
        u64::from(STRIPES) * PAGE * (tables + self.pages + u64::from(OWN) * OWN_PAGES)
    }
}

struct Large {
    entries: Cell<u64>,
    /// The bytes that it may take.
    most: u64,
}

impl Form for Large {
    /// Half of it has come back by its own exit when the reaper comes.
    const NEXT_WAITS: bool = false;

    fn victim(&self) -> Result<OomVictim, Failure> {
        let Size { mappings, pages } = Size::of(self.entries.get());
        let mappings = u32::try_from(mappings).unwrap_or(u32::MAX);
        let stripe = [
            Area::new(Kind::OneFile, mappings, pages),
            Area::new(Kind::Anon, OWN, OWN_PAGES),
        ];
        let areas = (0..STRIPES).flat_map(|_| stripe.clone()).collect();
        let oom = OomVictim::spawn(SCENARIO.name, areas, Some(VICTIM_CPU))?;
        oom.cgroup.set("memory.swap.max", "0")?;
        Ok(oom)
    }

    /// Lets it go its way until the reaper is awake.
    fn halfway(&self, oom: &mut OomVictim, reaper: Reaper) -> Result<Option<Halfway>, Failure> {
        let killed = killed(oom)?;
        let whole = held(&oom.cgroup)?;
        let mut begun = None;
        while !reaper.is_awake()? {
            if killed.elapsed() > scaled(TIMEOUT) {
                return Ok(None);
            }
            if begun.is_none() && held(&oom.cgroup)? < whole {
                begun = Some(trace::monotonic_us()?);
            }
            let is_early = killed.elapsed() < EARLY;
            thread::sleep(if is_early { SELDOM } else { LOOK });
        }
        let of = held(&oom.cgroup)?;
        Ok(begun.map(|begun| Halfway { killed, begun, of }))
    }

    /// The next one is larger, where that has room.
    fn missed(&self) {
        let larger = self.entries.get() * 3 / 2;
        if Size::of(larger).bytes() <= self.most {
            self.entries.set(larger);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_victim_is_as_large_as_its_exit_must_be_long() {
        // What an emulated guest takes, and one with an accelerator.
        for (trial_us, entries_at_least, megabytes_at_most) in
            [(130_000, 4_000_000, 300), (6_500, 80_000_000, 1_100)]
        {
            let entries = entries(Duration::from_micros(trial_us));
            assert!(entries >= entries_at_least, "{entries}");
            let size = Size::of(entries);
            let all = size.mappings * size.pages * u64::from(STRIPES);
            assert!((entries..entries * 11 / 10).contains(&all), "{size:?}");
            assert!(size.mappings * u64::from(STRIPES) <= MOST + u64::from(STRIPES));
            assert!(size.bytes() >> 20 <= megabytes_at_most, "{size:?}");
        }
    }

    #[test]
    fn a_victim_that_was_too_small_grows_while_it_has_room() {
        let most = Size::of(6_000_000).bytes();
        let large = Large {
            entries: Cell::new(4_000_000),
            most,
        };
        for expected in [6_000_000, 6_000_000] {
            large.missed();
            assert_eq!(large.entries.get(), expected);
        }
        // However large, the kernel allows so many mappings.
        let size = Size::of(500_000_000);
        assert!(size.mappings * u64::from(STRIPES) < 65_530, "{size:?}");
    }
}
