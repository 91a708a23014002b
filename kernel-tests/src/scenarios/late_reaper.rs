//! 30: a victim in the background.
//!
//! What makes a large victim slow on a phone is that it is in the background, and in
//! swap. So is this one: it runs when nobody else wants its CPU, and somebody does.
//! Its CPU is left to it until a part of its memory is back, taken then until the
//! reaper is awake, and left to it again for the rest. So the reaper finds the same
//! part of the way done on both arms, on quick and slow hosts, and from there on both
//! walkers have a CPU each: what is timed behind that is the kernel's doing alone.

use std::thread;
use std::time::Duration;

use nix::unistd::Pid;

use crate::cgroup::Cgroup;
use crate::failure::{Failure, ResultExt};
use crate::needs::Need;
use crate::oom::OomVictim;
use crate::race::late::{self, Form, Halfway, Reaper, TIMEOUT, held, killed};
use crate::race::{VICTIM_CPU, metrics};
use crate::scenario::Scenario;
use crate::sys;
use crate::timeout_scale::scaled;
use crate::trace;
use crate::victim::{Area, Kind, bind};
use crate::zram::Zram;

/// The victim's memory in swap and outside alternates, so that wherever a walker is,
/// it has as much of each ahead.
const STRIPES: u32 = 50;
/// The VMAs of a stripe that are in swap, and those that are not.
const SWAPPED: u32 = 54;
const RESIDENT: u32 = 26;
/// Pages in each.
const PAGES: u64 = 18;

/// Bytes of swap: more than the victim has there.
const SWAP: u64 = 256 << 20;

/// The part of its way, one in so many, that the victim has behind it when its CPU is
/// taken. The kernel gives resident pages back 10,000 at a time, and it has not met so
/// many.
const DONE: u64 = 4;

/// How long the victim has its CPU before the next look at how far it is.
const TURN: Duration = Duration::from_micros(200);

pub const SCENARIO: Scenario = Scenario {
    name: "late-reaper",
    number: 30,
    summary: "oom_reaper comes in the middle of the exit_mmap of a victim that is slow to die: when \
         its memory is back, and, in a run that measures nothing else, when the next allocation \
         goes on",
    needs: &[
        Need::Memcg,
        Need::OomEvents,
        Need::TwoCpus,
        Need::KprobeEvents,
        Need::SpinlockSlowPath,
        Need::Zram,
    ],
    deadline_s: 180,
    metrics: metrics::of_a_race![REAP, MEMORY_BACK, NEXT_ALLOCATOR],
    takes_turns: true,
    run: |context| {
        let _zram = Zram::of(SWAP)?;
        late::run(context, &Background)
    },
    ..Scenario::DEFAULT
};

/// What a victim maps.
fn areas() -> Vec<Area> {
    (0..STRIPES)
        .flat_map(|_| {
            [
                Area::new(Kind::Swapped, SWAPPED, PAGES),
                Area::new(Kind::Anon, RESIDENT, PAGES),
            ]
        })
        .collect()
}

struct Background;

impl Form for Background {
    const NEXT_WAITS: bool = true;

    fn victim(&self) -> Result<OomVictim, Failure> {
        let oom = OomVictim::spawn(SCENARIO.name, areas(), Some(VICTIM_CPU))?;
        let pid = oom.victim.pid();
        sys::run_when_idle(pid).while_doing(|| format!("having {pid} run when idle"))?;
        Ok(oom)
    }

    /// Lets it go a part of its way, and takes its CPU until the reaper is awake.
    fn halfway(&self, oom: &mut OomVictim, reaper: Reaper) -> Result<Option<Halfway>, Failure> {
        // What is in swap stays there, and nothing follows.
        oom.cgroup.set("memory.swap.max", "0")?;
        let of = held(&oom.cgroup)?;
        let whole = swapped(&oom.cgroup)?;
        let killed = killed(oom)?;
        let _ahead = Ahead::of_all()?;
        bind(Pid::from_raw(0), VICTIM_CPU)?;
        let is_over = || killed.elapsed() > scaled(TIMEOUT);
        let mut begun = None;
        loop {
            // All that is back before the reaper is awake is the victim's own doing.
            let done = whole.saturating_sub(swapped(&oom.cgroup)?);
            if reaper.is_awake()? || is_over() {
                break;
            }
            if done > 0 && begun.is_none() {
                begun = Some(trace::monotonic_us()?);
            }
            if done >= whole / DONE {
                break;
            }
            thread::sleep(TURN);
        }
        while !reaper.is_awake()? {
            if is_over() {
                return Ok(None);
            }
        }
        Ok(begun.map(|begun| Halfway { killed, begun, of }))
    }
}

/// Has the calling thread come before all others on its CPU, until it is dropped.
struct Ahead;

impl Ahead {
    fn of_all() -> Result<Self, Failure> {
        sys::set_nice(-20)
            .map(|()| Self)
            .while_doing(|| "setting a nice value".into())
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Allowed before, and so now.
        let _ = sys::set_nice(0);
    }
}

/// Bytes that a group has in swap.
fn swapped(cgroup: &Cgroup) -> Result<u64, Failure> {
    cgroup.number("memory.swap.current")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::race::late::NEXT;
    use crate::sys::PAGE;

    #[test]
    fn the_victim_fits_into_the_swap_and_a_small_guest() {
        let pages = |kind| -> u64 {
            let areas = areas().into_iter().filter(|area| area.kind == kind);
            areas.map(|area| u64::from(area.count) * area.pages).sum()
        };
        assert!(pages(Kind::Swapped) * PAGE < SWAP);
        assert!(pages(Kind::Anon) * PAGE < 256 << 20);
        assert!(NEXT < pages(Kind::Anon));
    }
}
