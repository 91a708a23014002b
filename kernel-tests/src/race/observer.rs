//! What is watched during a race, and reported of it.

use std::cell::RefCell;
use std::time::Duration;

use results::record::{Record, Step, Walk, Walker};

use super::metrics::{
    CPU, EXIT_MMAP, HEAD_START, KILL_TO_GONE, OVERLAP, RELEASE_TO_GONE, SUM, SUM_TO_GONE, Timed,
};
use super::stacks::Stacks;
use super::waits::{Seen, Waits};
use super::walkers::{Walkers, both_at_work};
use crate::context::{Context, Repetition};
use crate::failure::{Failure, ensure};
use crate::procfs;
use crate::trace::{Clock, Event, Trace};

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
        trace.probe('p', "unmap", "unmap_vmas", "")?;
        trace.probe('r', "unmap_end", "unmap_vmas", "")?;
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
    /// timed. Returns whether they met: where probes show that one was done before
    /// the other began, there was no race, and nothing is reported.
    #[must_use = "what was no race is no sample"]
    pub fn report(
        &self,
        context: &Context<'_>,
        repetition: Repetition,
        walkers: &Walkers,
        timed: Timed,
    ) -> Result<bool, Failure> {
        let (metric, reap) = timed.reap;
        let reap = micros(reap);
        match self {
            Self::Walks(trace) => {
                let steps = steps(&trace.events()?, walkers);
                trace.ensure_complete()?;
                let seen = |walker: Walker| steps.iter().any(|step| step.0 == walker);
                ensure(seen(Walker::Reaper), || {
                    "the reaper was not seen to walk".into()
                })?;
                let passed_over = walkers.passed_over(&steps);
                if let Some((start, end)) = passed_over.first() {
                    return Err(Failure::unmet(format!(
                        "the reaper passed over {} of the victim's {} mappings: the first is \
                         {start:#x}-{end:#x}",
                        passed_over.len(),
                        walkers.ranges.len()
                    )));
                }
                // On some kernels each walker has a function of its own, and the
                // reaper's is the one that is probed.
                if !seen(Walker::Exit) {
                    context.note("the probe does not see the victim's own exit walk")?;
                } else if !both_at_work(&steps) {
                    return Ok(false);
                }
                context.record(&Record::Walk(Walk {
                    scenario: context.scenario(),
                    repetition: repetition.index,
                    steps: thinned(steps),
                }))?;
                return Ok(true);
            }
            Self::Waits(trace, stacks) => {
                let events = trace.events()?;
                let mut seen = Seen::of(&events, walkers)?;
                if let Some(goes_on) = timed.goes_on {
                    if seen.walk.start >= goes_on {
                        return Ok(false);
                    }
                    seen.exit_mmap.start = goes_on;
                }
                if let Some(reaping) = timed.reaping {
                    let overlap = reaping.overlap(seen.walk).micros();
                    // Some points of a sweep are too small for two.
                    if overlap == 0 && !context.plan.purpose.is_sweep() {
                        return Ok(false);
                    }
                    context.sample(repetition, OVERLAP, overlap as f64)?;
                }
                if !repetition.warmup {
                    stacks.borrow_mut().add(&events, walkers);
                }
                let mut total = Waits::default();
                for (walker, waits) in [(Walker::Reaper, seen.reaper), (Walker::Exit, seen.exit)] {
                    waits.report(context, repetition, Some(walker))?;
                    total = total + waits;
                }
                total.report(context, repetition, None)?;
                let exit_mmap = seen.exit_mmap.micros() as f64;
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
        if let Some(head_start) = timed.head_start {
            context.sample(repetition, HEAD_START, micros(head_start))?;
        }
        let release_to_gone = micros(timed.release_to_gone);
        context.sample(repetition, RELEASE_TO_GONE, release_to_gone)?;
        context.sample(repetition, SUM_TO_GONE, reap + release_to_gone)?;
        context.sample(repetition, KILL_TO_GONE, micros(timed.kill_to_gone))?;
        Ok(true)
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

/// No more steps than a chart can show.
fn thinned(steps: Vec<Step>) -> Vec<Step> {
    const MOST: usize = 4_000;
    let every = steps.len().div_ceil(MOST).max(1);
    steps.into_iter().step_by(every).collect()
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
