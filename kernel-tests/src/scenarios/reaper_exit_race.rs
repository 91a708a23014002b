//! 23: `oom_reaper` against `exit_mmap`, the same race as 22 after a real OOM.

use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::context::{Context, Repetition};
use crate::failure::{Failure, ensure};
use crate::needs::Need;
use crate::oom::{self, OomVictim};
use crate::race::{
    self, Observer, REAPER_CPU, Reap, ReaperWatch, Timed, VICTIM_CPU, Walkers, cpu, metrics,
};
use crate::scenario::Scenario;
use crate::victim::{Bound, bind};

/// Repetitions at most, warm-ups apart: each waits two seconds for the reaper.
const REPETITIONS: u32 = 6;

/// How often in a run the reaper may come when the victim's own walk has ended. A
/// host that gives the guest's CPU to others does that; no race was run then.
const LATE: u32 = 4;

/// What a race of the kernel's own reaper needs.
pub(super) const NEEDS: &[Need] = &[
    Need::Memcg,
    Need::OomEvents,
    Need::TwoCpus,
    Need::KprobeEvents,
    Need::SpinlockSlowPath,
];

pub const SCENARIO: Scenario = Scenario {
    name: "reaper-exit-race",
    number: 23,
    summary: "oom_reaper and exit_mmap in one address space: how often and how long they wait",
    needs: NEEDS,
    deadline_s: 120,
    metrics: metrics::of_a_race![REAP, HEAD_START],
    takes_turns: true,
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    bind(Pid::from_raw(0), VICTIM_CPU)?;
    let reaper = oom::reaper()?;
    let _bound = Bound::new(reaper, REAPER_CPU)?;
    let mut watch = ReaperWatch::new(context)?;
    if context.plan.purpose.is_unprobed() {
        context.note(
            "a reap is timed from when the first memory is seen to be gone until the kernel's \
             log says so",
        )?;
    }
    let observer = Observer::new(context)?;

    let solo = match context.solo() {
        Some(solo) => solo,
        None => context.found_solo(solo(&mut watch)?)?,
    };
    let mut late = 0;
    for repetition in race::repetitions(context.plan, REPETITIONS) {
        context.take_turn(repetition, victim, |mut oom, agreed| {
            let delay = race::delay(repetition, agreed.unwrap_or(solo));
            while !race_once(context, &observer, &mut watch, repetition, &mut oom, delay)? {
                late += 1;
                if late > LATE {
                    return Err(Failure::NoRace(format!(
                        "{late} times the reaper did not meet the victim's own exit"
                    )));
                }
                context.note("the reaper did not meet the victim's own exit: run again")?;
                // A group has one name, and so one victim at a time.
                drop(oom);
                oom = victim()?;
            }
            Ok(())
        })?;
    }
    observer.finish(context)
}

/// One race. Says whether the walkers met.
fn race_once(
    context: &Context<'_>,
    observer: &Observer,
    watch: &mut ReaperWatch,
    repetition: Repetition,
    oom: &mut OomVictim,
    delay: Duration,
) -> Result<bool, Failure> {
    let (reaper, pid) = (oom::reaper()?, oom.victim.pid());
    observer.start()?;
    let (reaper_before, children) = (cpu::of_process(reaper)?, cpu::of_children()?);
    let killed = Instant::now();
    oom.kill()?;
    let before = cpu::of_process(pid)?;
    // The reaper is awake, on the other CPU: the race is on.
    watch.woken(pid)?;
    let woken = Instant::now();
    if !delay.is_zero() {
        thread::sleep(delay);
    }
    let released = Instant::now();
    oom.end()?;
    let gone = Instant::now();
    let Some(Reap { took, span, .. }) = watch.reaped(pid)? else {
        return Ok(false);
    };
    let timed = Timed {
        reap: (metrics::REAP, took),
        head_start: Some(released.saturating_duration_since(woken)),
        reaping: span,
        goes_on: None,
        release_to_gone: gone - released,
        kill_to_gone: gone - killed,
        reaper_cpu: cpu::of_process(reaper)?.saturating_sub(reaper_before),
        exit_cpu: cpu::of_children()?.saturating_sub(children + before),
    };
    let walkers = Walkers::new(reaper, &oom.victim);
    observer.report(context, repetition, &walkers, timed)
}

fn victim() -> Result<OomVictim, Failure> {
    OomVictim::pinned("reaper-exit-race", race::areas(), Some(VICTIM_CPU))
}

/// A reap that has the address space to itself.
fn solo(watch: &mut ReaperWatch) -> Result<Duration, Failure> {
    let mut oom = victim()?;
    oom.kill()?;
    let pid = oom.victim.pid();
    watch.woken(pid)?;
    let reap = watch.reaped(pid)?;
    oom.end()?;
    let Some(Reap { took, .. }) = reap else {
        return Err(Failure::unmet("the reaper left a victim that was held"));
    };
    ensure(!took.is_zero(), || "a solo reap took no time".into())?;
    Ok(took)
}
