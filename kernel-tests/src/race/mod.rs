//! Two walkers in one address space, and how they get into each other's way:
//! what the scenarios that measure have in common.

mod cpu;
mod releaser;
mod stacks;

use std::cell::RefCell;
use std::time::Duration;

use nix::unistd::Pid;
use results::plan::Plan;
use results::record::{Record, Step, Walk, Walker};

use crate::context::{Context, Metric, Repetition};
use crate::failure::{Failure, ensure};
use crate::procfs;
use crate::trace::{Clock, Event, Trace};
use crate::victim::{Area, Kind, Victim};

pub use cpu::{of_children as cpu_of_children, of_process as cpu_of};
pub use releaser::{MRELEASE, Releaser, Start};
use stacks::Stacks;

/// The CPU of the victim, and of whoever holds it.
pub const VICTIM_CPU: usize = 0;
/// The CPU of the other walker.
pub const REAPER_CPU: usize = 1;

/// Waits for a page-table lock in which a walker met the other.
pub const CONTENDED: Metric = Metric::count("contended-entries");
/// Waits for any spinlock, by the walkers' threads.
pub const SLOW_PATH: Metric = Metric::count("slowpath-entries");
/// Time in those of [`CONTENDED`].
pub const WAIT: Metric = Metric::us("contended-wait");
/// The victim's time in exit_mmap.
pub const EXIT_MMAP: Metric = Metric::us("exit-mmap");
/// Both walkers' times together.
pub const SUM: Metric = Metric::us("sum");
/// From the kill to the victim's end.
pub const KILL_TO_GONE: Metric = Metric::us("kill-to-gone");
/// From the moment when the victim is let go to its end: what user space sees
/// of [`EXIT_MMAP`].
pub const RELEASE_TO_GONE: Metric = Metric::us("release-to-gone");
/// That and the reaper's time: what user space sees of [`SUM`].
pub const SUM_TO_GONE: Metric = Metric::us("sum-to-gone");

/// CPU time that the walkers burn, waits for spinlocks included.
pub const CPU: Metric = Metric::us("cpu");
/// From the kill until half of the victim's memory is free again.
pub const MEMORY_BACK: Metric = Metric::us("memory-back");

/// Repetitions at most in a boot that traces: each is a page of a chart.
const WALKS: u32 = 4;

/// What the victims map: as many VMAs as large applications have, and in each
/// as few pages as most of theirs. The sweeps show what other numbers do.
pub fn areas() -> Vec<Area> {
    vec![Area::new(Kind::Anon, 2_000, 8)]
}

/// The threads that walk.
#[derive(Debug, Clone)]
pub struct Walkers {
    /// Who reaps.
    pub reaper: Pid,
    /// Who exits: the last of these.
    pub exit: Vec<Pid>,
}

impl Walkers {
    /// A reaper, and all threads of a victim.
    pub fn new(reaper: Pid, victim: &Victim) -> Self {
        let first = std::iter::once(victim.pid());
        let exit = first.chain(victim.threads.iter().copied()).collect();
        Self { reaper, exit }
    }

    fn who(&self, tid: i32) -> Option<Walker> {
        let tid = Pid::from_raw(tid);
        if tid == self.reaper {
            Some(Walker::Reaper)
        } else {
            self.exit.contains(&tid).then_some(Walker::Exit)
        }
    }
}

/// What is known of a race without looking into the kernel.
#[derive(Debug, Clone, Copy)]
pub struct Timed {
    /// What the reaper's own time is called, and how long it was.
    pub reap: (Metric, Duration),
    /// [`RELEASE_TO_GONE`].
    pub release_to_gone: Duration,
    /// [`KILL_TO_GONE`].
    pub kill_to_gone: Duration,
    /// The reaper's [`CPU`].
    pub reaper_cpu: Duration,
    /// The victim's, from its death on.
    pub exit_cpu: Duration,
}

/// The repetitions of a race: where in a solo reap the second walker starts is
/// swept from 0 to below 100 percent, denser near the start (the cube of an
/// even sweep: five of eight start within the first eighth), where the walkers
/// have most of the way in common. The sweep is the same in each boot, so that
/// the medians of two boots differ by what happened, not by what was asked.
pub fn repetitions(plan: &Plan, at_most: u32) -> Vec<Repetition> {
    let warmups = if plan.purpose.is_traced() {
        0
    } else {
        plan.warmups.min(at_most)
    };
    let at_most = if plan.purpose.is_traced() {
        at_most.min(WALKS)
    } else {
        at_most
    };
    let counted = plan.repetitions.min(at_most);
    let sweep = (0..counted).map(|nth| 100.0 * (f64::from(nth) / f64::from(counted)).powi(3));
    (0..warmups)
        .map(|_| (true, 0.0))
        .chain(sweep.map(|at| (false, at)))
        .zip(0..)
        .map(|((warmup, at), index)| Repetition {
            index,
            warmup,
            at: Some(at),
        })
        .collect()
}

/// The part of a solo reap after which a repetition's second walker starts.
pub fn delay(repetition: Repetition, solo: Duration) -> Duration {
    solo.mul_f64(repetition.at.unwrap_or(0.0) / 100.0)
}

/// What is watched during a race.
#[derive(Debug)]
pub enum Observer {
    /// Where the walkers wait for each other, and on whose behalf.
    Waits(Trace, RefCell<Stacks>),
    /// Where they are, in a boot that traces.
    Walks(Trace),
    /// Nothing, in an unprobed boot.
    Nothing,
}

impl Observer {
    /// Sets the probes, once for all repetitions.
    pub fn new(context: &Context<'_>) -> Result<Self, Failure> {
        if context.plan.purpose.is_unprobed() {
            context.note("a boot without any probe or tracepoint")?;
            return Ok(Self::Nothing);
        }
        let mut trace = Trace::new("race", Clock::Mono, 4096)?;
        if context.plan.purpose.is_traced() {
            let probe = trace.walks("walk", &context.plan.probes)?;
            context.note(format!("walks as seen by a probe on {probe}"))?;
            return Ok(Self::Walks(trace));
        }
        let slow_path = procfs::spinlock_slow_path()
            .ok_or_else(|| Failure::unmet("the kernel has no spinlock slow path"))?;
        trace.probe('p', "slow", &slow_path, "")?;
        trace.stacks("slow")?;
        trace.probe('r', "slow_end", &slow_path, "")?;
        trace.probe('p', "exit", "exit_mmap", "")?;
        trace.probe('r', "exit_end", "exit_mmap", "")?;
        context.note(format!("contention as seen by a probe on {slow_path}"))?;
        Ok(Self::Waits(trace, RefCell::default()))
    }

    fn trace(&self) -> Option<&Trace> {
        match self {
            Self::Waits(trace, _) | Self::Walks(trace) => Some(trace),
            Self::Nothing => None,
        }
    }

    /// Forgets what was seen before the walkers start.
    pub fn start(&self) -> Result<(), Failure> {
        self.trace().map_or(Ok(()), Trace::clear)
    }

    /// Reports what was seen of both walkers. In a boot that traces nothing is
    /// timed.
    pub fn report(
        &self,
        context: &Context<'_>,
        repetition: Repetition,
        walkers: &Walkers,
        timed: Timed,
    ) -> Result<(), Failure> {
        let (metric, reap) = timed.reap;
        let reap = micros(reap);
        match self {
            Self::Walks(trace) => {
                let steps = steps(&trace.events()?, walkers);
                trace.whole()?;
                let seen = |walker: Walker| steps.iter().any(|step| step.0 == walker);
                ensure(seen(Walker::Reaper), || {
                    "the reaper was not seen to walk".into()
                })?;
                // On some kernels each walker has a function of its own, and the
                // reaper's is the one that is probed.
                if !seen(Walker::Exit) {
                    context.note("the probe does not see the victim's own exit walk")?;
                }
                return context.record(&Record::Walk(Walk {
                    scenario: context.scenario(),
                    repetition: repetition.index,
                    steps,
                }));
            }
            Self::Waits(trace, stacks) => {
                let events = trace.events()?;
                let seen = Seen::of(&events, walkers)?;
                if !repetition.warmup {
                    stacks.borrow_mut().add(&events, walkers);
                }
                let mut total = Waits::default();
                for (walker, waits) in [(Walker::Reaper, seen.reaper), (Walker::Exit, seen.exit)] {
                    waits.report(context, repetition, Some(walker))?;
                    total = total + waits;
                }
                total.report(context, repetition, None)?;
                let exit_mmap = seen.exit_mmap as f64;
                context.walker_sample(repetition, EXIT_MMAP, exit_mmap, Some(Walker::Exit))?;
                context.sample(repetition, SUM, reap + exit_mmap)?;
            }
            Self::Nothing => {}
        }
        context.walker_sample(repetition, metric, reap, Some(Walker::Reaper))?;
        let (reaper, exit) = (micros(timed.reaper_cpu), micros(timed.exit_cpu));
        context.walker_sample(repetition, CPU, reaper, Some(Walker::Reaper))?;
        context.walker_sample(repetition, CPU, exit, Some(Walker::Exit))?;
        context.sample(repetition, CPU, reaper + exit)?;
        let release_to_gone = micros(timed.release_to_gone);
        context.sample(repetition, RELEASE_TO_GONE, release_to_gone)?;
        context.sample(repetition, SUM_TO_GONE, reap + release_to_gone)?;
        context.sample(repetition, KILL_TO_GONE, micros(timed.kill_to_gone))
    }

    /// Says for whom the walkers waited, and how many waits were not seen, for
    /// want of a probe at the moment.
    pub fn finish(&self, context: &Context<'_>) -> Result<(), Failure> {
        if let Self::Waits(_, stacks) = self {
            context.record(&Record::Stacks(
                stacks.take().into_record(context.scenario()),
            ))?;
        }
        match self.trace().map_or(Ok(0), Trace::missed)? {
            0 => Ok(()),
            missed => context.note(format!(
                "the probes missed {missed} calls in all repetitions"
            )),
        }
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_micros() as f64
}

/// The ranges that both walkers entered, from the first on.
fn steps(events: &[Event], walkers: &Walkers) -> Vec<Step> {
    let walks: Vec<_> = events
        .iter()
        .filter(|event| event.name == "walk")
        .filter_map(|event| Some((walkers.who(event.tid)?, event)))
        .collect();
    let first = walks.first().map_or(0, |(_, event)| event.time);
    walks
        .into_iter()
        .filter_map(|(walker, event)| {
            let time = event.time.saturating_sub(first) as f64;
            Some(Step(
                walker,
                time,
                event.address("start")?,
                event.address("end")?,
            ))
        })
        .collect()
}

/// One walker's waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Waits {
    contended: u64,
    slow_path: u64,
    wait: u64,
}

impl Waits {
    fn report(
        self,
        context: &Context<'_>,
        repetition: Repetition,
        walker: Option<Walker>,
    ) -> Result<(), Failure> {
        for (metric, value) in [
            (CONTENDED, self.contended),
            (SLOW_PATH, self.slow_path),
            (WAIT, self.wait),
        ] {
            context.walker_sample(repetition, metric, value as f64, walker)?;
        }
        Ok(())
    }
}

impl std::ops::Add for Waits {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            contended: self.contended + other.contended,
            slow_path: self.slow_path + other.slow_path,
            wait: self.wait + other.wait,
        }
    }
}

/// What a repetition's events say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    reaper: Waits,
    exit: Waits,
    exit_mmap: u64,
}

impl Seen {
    fn of(events: &[Event], walkers: &Walkers) -> Result<Self, Failure> {
        let mut seen = Self::default();
        for (walker, event, wait) in waits(events, walkers) {
            let waits = match walker {
                Walker::Reaper => &mut seen.reaper,
                Walker::Exit => &mut seen.exit,
            };
            waits.slow_path += 1;
            if waits_for_page_table(&event.stack) {
                waits.contended += 1;
                waits.wait += wait;
            }
        }
        let time = |name: &str| {
            let of = |event: &&Event| walkers.who(event.tid) == Some(Walker::Exit);
            let mut named = events.iter().filter(|event| event.name == name);
            named.find(of).map(|event| event.time)
        };
        let (Some(start), Some(end)) = (time("exit"), time("exit_end")) else {
            return Err(Failure::unmet("the victim was not seen in exit_mmap"));
        };
        seen.exit_mmap = end.saturating_sub(start);
        Ok(seen)
    }
}

/// Every wait of a walker for a spinlock, and how long it was in microseconds.
/// A thread waits for one lock at a time; what interrupts it meanwhile is too
/// short to matter.
fn waits<'a>(
    events: &'a [Event],
    walkers: &Walkers,
) -> impl Iterator<Item = (Walker, &'a Event, u64)> {
    events.iter().enumerate().filter_map(move |(index, event)| {
        let walker = walkers.who(event.tid)?;
        let end = events
            .iter()
            .skip(index)
            .find(|end| end.name == "slow_end" && end.tid == event.tid);
        let wait = end.map_or(0, |end| end.time.saturating_sub(event.time));
        (event.name == "slow").then_some((walker, event, wait))
    })
}

/// The functions that a stack shows behind the lock itself: whoever took it
/// first. Above the lock are the probe's own.
fn behind_lock(stack: &[String]) -> impl Iterator<Item = &str> {
    let is_lock = |symbol: &&String| symbol.contains("spin_lock");
    stack
        .iter()
        .skip_while(move |symbol| !is_lock(symbol))
        .skip_while(move |symbol| is_lock(symbol))
        .map(|symbol| symbol.split('.').next().unwrap_or_default())
}

/// Whether a stack shows a wait for a page-table lock: by what walks the
/// tables, and not for another lock by what frees the pages found there.
fn waits_for_page_table(stack: &[String]) -> bool {
    matches!(
        behind_lock(stack).next(),
        Some(
            "__pte_offset_map_lock"
                | "pte_offset_map_lock"
                | "pte_offset_map_rw_nolock"
                | "unmap_page_range"
                | "zap_pte_range"
                | "zap_pmd_range"
                | "zap_huge_pmd"
        )
    )
}

#[cfg(test)]
mod tests {
    use results::Purpose;

    use super::*;

    fn event(tid: i32, time: u64, name: &str, stack: &[&str]) -> Event {
        Event::new(tid, time, name, "", stack)
    }

    #[test]
    fn the_sweep_starts_at_zero_and_is_dense_there() {
        let mut plan = Plan {
            nonce: String::new(),
            seed: 0,
            scenarios: Vec::new(),
            repetitions: 8,
            warmups: 2,
            order: None,
            probes: Vec::new(),
            purpose: Purpose::Probed,
            timeout_scale: 1,
            fault: None,
        };
        let sweep = repetitions(&plan, u32::MAX);
        let at: Vec<_> = sweep
            .iter()
            .filter(|r| !r.warmup)
            .filter_map(|r| r.at)
            .collect();
        assert_eq!(sweep.len(), 10);
        assert_eq!(sweep.last().map(|r| r.index), Some(9));
        assert_eq!((at.first(), at.len()), (Some(&0.0), 8));
        assert_eq!(at.iter().filter(|at| **at <= 12.5).count(), 5);
        assert!(at.is_sorted() && at.iter().all(|at| *at < 100.0));
        plan.purpose = Purpose::Unprobed;
        assert_eq!(repetitions(&plan, u32::MAX), sweep);
        plan.purpose = Purpose::Correctness;
        assert_eq!(repetitions(&plan, u32::MAX).len(), 4);
        plan.repetitions = 0;
        assert_eq!(repetitions(&plan, u32::MAX).len(), 0);
    }

    #[test]
    fn waits_are_told_apart_by_walker_and_stack() {
        let walkers = Walkers {
            reaper: Pid::from_raw(5),
            exit: vec![Pid::from_raw(8), Pid::from_raw(9)],
        };
        let walk = [
            "queued_spin_lock_slowpath",
            "__pte_offset_map_lock",
            "unmap_page_range",
        ];
        let free = [
            "queued_spin_lock_slowpath",
            "_raw_spin_lock",
            "free_pcppages_bulk",
            "unmap_page_range",
        ];
        let events = [
            event(9, 10, "exit", &[]),
            event(9, 11, "slow", &walk),
            event(5, 12, "slow", &free),
            event(7, 12, "slow", &walk),
            event(5, 13, "slow_end", &[]),
            event(9, 16, "slow_end", &[]),
            event(5, 17, "slow", &walk),
            event(9, 30, "exit_end", &[]),
        ];
        assert_eq!(
            Seen::of(&events, &walkers).unwrap(),
            Seen {
                reaper: Waits {
                    contended: 1,
                    slow_path: 2,
                    wait: 0
                },
                exit: Waits {
                    contended: 1,
                    slow_path: 1,
                    wait: 5
                },
                exit_mmap: 20,
            }
        );
        assert!(Seen::of(&events[1..], &walkers).is_err());
    }
}
