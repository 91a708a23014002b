//! 30: a victim that takes longer to die than the kernel waits before it sends the
//! reaper, which so comes in the middle of `exit_mmap`.
//!
//! What makes a large victim slow on a phone is that it is in the background, and in
//! swap. So is this one: it runs when nobody else wants its CPU, and somebody does.
//! It is killed by a real OOM kill and never held. Its CPU is left to it until a part
//! of its memory is back, taken then until the reaper is awake, and left to it again
//! for the rest. So the reaper finds the same part of the way done on both arms, on
//! quick and slow hosts, and from there on both walkers have a CPU each: what is
//! timed behind that is the kernel's doing alone.

use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use results::plan::Plan;

use crate::cgroup::Cgroup;
use crate::context::{Context, Repetition};
use crate::failure::{Failure, ResultExt, ensure};
use crate::needs::Need;
use crate::oom::{self, OomVictim};
use crate::procfs;
use crate::race::{
    Observer, REAPER_CPU, Reap, ReaperWatch, Timed, VICTIM_CPU, Walkers, cpu, metrics,
};
use crate::scenario::Scenario;
use crate::sys::{self, PAGE};
use crate::timeout_scale::scaled;
use crate::trace;
use crate::victim::{Area, Kind, Spec, Victim, bind};
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

/// How often the memory that is back is looked at: a look takes about one percent of
/// that from the victim.
const POLL: Duration = Duration::from_millis(5);

/// The reaper comes two seconds after the kill, or not at all.
const TIMEOUT: Duration = Duration::from_secs(4);

/// How long half of the memory may take to come back: a host that gives the guest's
/// CPUs to others makes seconds of a tenth of one.
const BACK: Duration = Duration::from_secs(20);

/// Pages that the next allocator asks for: a part of what comes back.
const NEXT: u64 = 2_048;

/// Repetitions at most, without a warm-up: each takes more than two seconds, and more
/// boots tell more.
const REPETITIONS: u32 = 1;

/// How often a repetition is tried.
const TRIES: u32 = 4;

pub const SCENARIO: Scenario = Scenario {
    name: "late-reaper",
    number: 30,
    summary: "oom_reaper comes in the middle of the exit_mmap of a victim that is slow to die: when \
         its memory is back, and when the next allocation goes on",
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
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    let reaper = oom::reaper()?;
    bind(reaper, REAPER_CPU)?;
    let _zram = Zram::of(SWAP)?;
    let mut late = Late {
        context,
        reaper,
        watch: ReaperWatch::new(context)?,
        observer: Observer::new(context)?,
    };
    if context.plan.purpose.is_unprobed() {
        context.note(
            "a reap is timed from when the reaper is seen to be awake until the kernel's log says \
             that it has ended",
        )?;
    }
    // Where nothing is timed, one has it all.
    let at_once = context.plan.purpose.is_traced();
    for repetition in repetitions(context.plan) {
        late.by_turns(repetition, at_once)?;
    }
    if context.plan.purpose.is_unprobed() {
        // The next allocator takes CPU time from the reaper, so the walkers are not
        // timed beside it.
        let behind = repetitions(context.plan).count() as u32;
        for repetition in repetitions(context.plan) {
            let repetition = Repetition {
                index: repetition.index + behind,
                ..repetition
            };
            late.by_turns(repetition, true)?;
        }
    }
    late.observer.finish(context)
}

/// The repetitions of a boot.
fn repetitions(plan: &Plan) -> impl Iterator<Item = Repetition> + use<> {
    (0..plan.repetitions.min(REPETITIONS)).map(|index| Repetition {
        index,
        warmup: false,
        at: None,
    })
}

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

/// What the repetitions have in common.
struct Late<'a> {
    context: &'a Context<'a>,
    reaper: Pid,
    watch: ReaperWatch,
    observer: Observer,
}

/// A victim, and who will ask for memory when it dies.
struct Prepared {
    // Dropped in this order: a group with a member can't be removed.
    next: Option<Victim>,
    oom: OomVictim,
    /// Bytes that the group has.
    whole: u64,
}

impl Prepared {
    fn new(next: bool) -> Result<Self, Failure> {
        let oom = OomVictim::spawn(SCENARIO.name, areas(), Some(VICTIM_CPU))?;
        let pid = oom.victim.pid();
        sys::run_when_idle(pid).while_doing(|| format!("having {pid} run when idle"))?;
        let next = next.then(|| allocator(&oom.cgroup)).transpose()?;
        // What is in swap stays there, and nothing follows.
        oom.cgroup.set("memory.swap.max", "0")?;
        Ok(Self {
            whole: held(&oom.cgroup)?,
            next,
            oom,
        })
    }
}

/// Why a repetition was no race.
type Miss = &'static str;

/// A victim in the middle of its exit when the reaper comes.
struct Halfway {
    killed: Instant,
    /// When its exit was seen to give memory back, by the trace's clock.
    begun: u64,
    /// When the reaper was awake, and the victim had its CPU again.
    released: Instant,
    /// The CPU time of its exit so far.
    cpu: Duration,
}

impl Late<'_> {
    /// A repetition in its turn, with another process that waits for memory (`next`)
    /// or without. It is tried until both walkers have met.
    fn by_turns(&mut self, repetition: Repetition, next: bool) -> Result<(), Failure> {
        let context = self.context;
        let prepare = || Prepared::new(next);
        context.take_turn(repetition, prepare, |mut prepared, _| {
            let mut tries = 0;
            while let Some(miss) = self.race(repetition, prepared)? {
                tries += 1;
                ensure(tries < TRIES, || {
                    format!("{TRIES} times no race: at last {miss}")
                })?;
                context.note(format!("no race, run again: {miss}"))?;
                prepared = Prepared::new(next)?;
            }
            Ok(())
        })
    }

    /// One repetition. Returns why the walkers did not meet, if they did not.
    fn race(
        &mut self,
        repetition: Repetition,
        prepared: Prepared,
    ) -> Result<Option<Miss>, Failure> {
        let context = self.context;
        let is_timed = !context.plan.purpose.is_traced();
        // Dropped from the last to the first.
        let Prepared {
            mut oom,
            mut next,
            whole,
        } = prepared;
        let pid = oom.victim.pid();
        self.observer.start()?;
        let (reaper_before, children) = (cpu::of_process(self.reaper)?, cpu::of_children()?);

        let Some(halfway) = self.halfway(&mut oom)? else {
            oom.check_end()?;
            return Ok(Some(
                "the reaper did not come after the victim's exit had begun",
            ));
        };
        let mut miss = oom.victim.ended()?.then_some("the victim had ended before");
        if let Some(next) = &mut next {
            // It asks now, and must wait. Had it asked before, it would have waited
            // too. But there are kernels (7.2) whose OOM killer does not see a victim
            // that exits, and fills the log with that it can kill nobody.
            if room(&oom.cgroup)? >= NEXT * PAGE {
                miss = Some("there was room for the next allocator before");
            }
            next.fill()?;
            next.grown()?;
        } else if is_timed {
            wait_for_half(&oom.cgroup, whole)?;
        }
        let back = halfway.killed.elapsed();
        oom.check_end()?;
        let gone = Instant::now();
        if let Some(next) = &mut next {
            next.ping()?;
        }
        let Some(Reap { took, woken, span }) = self.watch.reaped_by_now(pid)? else {
            return Ok(Some("the reaper found the victim's memory gone"));
        };
        if woken.is_some_and(|woken| woken <= halfway.begun) {
            miss = Some("the victim's exit had not begun");
        }
        if miss.is_some() {
            return Ok(miss);
        }
        let back = back.as_micros() as f64;
        if is_timed && next.is_some() {
            context.sample(repetition, metrics::NEXT_ALLOCATOR, back)?;
            return Ok(None);
        }
        let timed = Timed {
            reap: (metrics::REAP, took),
            head_start: None,
            reaping: span,
            goes_on: Some(trace::time_of(halfway.released)?),
            release_to_gone: gone - halfway.released,
            kill_to_gone: gone - halfway.killed,
            reaper_cpu: cpu::of_process(self.reaper)?.saturating_sub(reaper_before),
            exit_cpu: cpu::of_children()?.saturating_sub(children + halfway.cpu),
        };
        let walkers = Walkers::new(self.reaper, &oom.victim);
        if !self.observer.report(context, repetition, &walkers, timed)? {
            return Ok(Some("one walker was done before the other began"));
        }
        if is_timed {
            context.sample(repetition, metrics::MEMORY_BACK, back)?;
        }
        Ok(None)
    }

    /// Has a victim killed, lets it go a part of its way, and takes its CPU until the
    /// reaper is awake. Nothing where the reaper did not come after that.
    fn halfway(&self, oom: &mut OomVictim) -> Result<Option<Halfway>, Failure> {
        let this = Pid::from_raw(0);
        let whole = swapped(&oom.cgroup)?;
        // To look for the kill takes nothing from the victim on the other CPU.
        bind(this, REAPER_CPU)?;
        let asked = Instant::now();
        oom.exhaust()?;
        while oom.cgroup.event("oom_kill")? == 0 {
            ensure(asked.elapsed() < scaled(TIMEOUT), || {
                "the victim ran into its group's limit, and nobody was killed".into()
            })?;
        }
        let killed = Instant::now();
        let _ahead = Ahead::of_all()?;
        bind(this, VICTIM_CPU)?;
        let is_over = || killed.elapsed() > scaled(TIMEOUT);
        let mut begun = None;
        loop {
            // All that is back before the reaper is awake is the victim's own doing.
            let done = whole.saturating_sub(swapped(&oom.cgroup)?);
            if self.is_reaper_awake()? || is_over() {
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
        while !self.is_reaper_awake()? {
            if is_over() {
                return Ok(None);
            }
        }
        self.watch.seen(oom.victim.pid())?;
        let cpu = cpu::of_process(oom.victim.pid())?;
        Ok(begun.map(|begun| Halfway {
            killed,
            begun,
            released: Instant::now(),
            cpu,
        }))
    }

    fn is_reaper_awake(&self) -> Result<bool, Failure> {
        procfs::state(self.reaper).map(|state| state != 'S')
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

/// A process that will ask for memory in the victim's group.
fn allocator(cgroup: &Cgroup) -> Result<Victim, Failure> {
    let mut allocator = Victim::spawn(&Spec {
        cgroup: Some(cgroup.path().to_owned()),
        // The victim's own CPU must be the victim's alone.
        cpu: Some(REAPER_CPU),
        oom_score_adj: -1000,
        ..Spec::default()
    })?;
    allocator.reserve(NEXT)?;
    Ok(allocator)
}

/// Bytes that a group may still have.
fn room(cgroup: &Cgroup) -> Result<u64, Failure> {
    let (most, current) = (
        cgroup.number("memory.max")?,
        cgroup.number("memory.current")?,
    );
    Ok(most.saturating_sub(current))
}

/// Bytes that a group has in swap.
fn swapped(cgroup: &Cgroup) -> Result<u64, Failure> {
    cgroup.number("memory.swap.current")
}

/// Bytes that a group has in memory and in swap. Both are counters: to read them
/// takes no lock of the walkers.
fn held(cgroup: &Cgroup) -> Result<u64, Failure> {
    Ok(cgroup.number("memory.current")? + swapped(cgroup)?)
}

/// Waits until a group has no more than half of what it had.
fn wait_for_half(cgroup: &Cgroup, whole: u64) -> Result<(), Failure> {
    let began = Instant::now();
    while held(cgroup)? > whole / 2 {
        ensure(began.elapsed() < scaled(BACK), || {
            format!("of a victim's {whole} bytes less than half are back")
        })?;
        thread::sleep(POLL);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use results::Purpose;

    use super::*;

    #[test]
    fn a_boot_has_few_repetitions() {
        let mut plan = Plan {
            repetitions: 8,
            warmups: 2,
            ..Plan::new(Purpose::Probed)
        };
        let count = |plan: &Plan| repetitions(plan).count();
        assert_eq!(count(&plan), 1);
        plan.repetitions = 0;
        assert_eq!(count(&plan), 0);
    }

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
