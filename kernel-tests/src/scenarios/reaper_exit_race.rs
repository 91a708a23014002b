//! 23: `oom_reaper` against `exit_mmap`, the same race as 22 after a real OOM.

use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::{Need, Scenario};
use crate::context::{Context, Metric};
use crate::failure::{Failure, ensure};
use crate::oom::{self, OomVictim, Reaped, Watch};
use crate::race::{self, Observer, REAPER_CPU, VICTIM_CPU, Walkers};
use crate::victim::bind;

const REAP: Metric = Metric::us("reap");
const KILL_TO_GONE: Metric = Metric::us("kill-to-gone");

/// Repetitions at most, warm-ups apart: each waits two seconds for the reaper.
const REPETITIONS: u32 = 6;

pub struct ReaperExitRace;

impl Scenario for ReaperExitRace {
    fn name(&self) -> &'static str {
        "reaper-exit-race"
    }

    fn number(&self) -> u32 {
        23
    }

    fn summary(&self) -> &'static str {
        "oom_reaper and exit_mmap in one address space: how often and how long they wait"
    }

    fn needs(&self) -> &'static [Need] {
        &[
            Need::Memcg,
            Need::OomEvents,
            Need::TwoCpus,
            Need::KprobeEvents,
            Need::SpinlockSlowPath,
        ]
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(120)
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            race::CONTENDED,
            race::SLOW_PATH,
            race::WAIT,
            REAP,
            race::EXIT_MMAP,
            race::SUM,
            KILL_TO_GONE,
        ]
    }

    fn run(&self, context: &Context<'_>) -> Result<(), Failure> {
        bind(Pid::from_raw(0), VICTIM_CPU)?;
        let reaper = oom::reaper()?;
        bind(reaper, REAPER_CPU)?;
        let mut watch = Watch::new()?;
        let observer = Observer::new(context)?;

        let solo = Duration::from_micros(solo(&mut watch)?.reap);
        context.note(format!(
            "a reap without the other walker takes {} us",
            solo.as_micros()
        ))?;
        for repetition in race::repetitions(context.plan, REPETITIONS) {
            let mut oom = victim()?;
            let pid = oom.victim.pid();
            observer.start()?;
            let killed = Instant::now();
            oom.kill()?;
            // The reaper is awake, on the other CPU: the race is on.
            let earlier = watch.woken(pid)?;
            let delay = race::delay(repetition, solo);
            if !delay.is_zero() {
                thread::sleep(delay);
            }
            oom.end()?;
            let gone = killed.elapsed();
            let reaped = watch.reaped(pid, earlier)?;
            let walkers = Walkers { reaper, exit: pid };
            observer.report(context, repetition, walkers, (REAP, reaped.reap as f64))?;
            if !context.plan.trace {
                context.sample(repetition, KILL_TO_GONE, gone.as_micros() as f64)?;
            }
        }
        observer.finish(context)
    }
}

fn victim() -> Result<OomVictim, Failure> {
    OomVictim::pinned("reaper-exit-race", race::areas(), Some(VICTIM_CPU))
}

/// A reap that has the address space to itself.
fn solo(watch: &mut Watch) -> Result<Reaped, Failure> {
    let mut oom = victim()?;
    oom.kill()?;
    let reaped = watch.reaped(oom.victim.pid(), Vec::new())?;
    oom.end()?;
    ensure(reaped.reap > 0, || "a solo reap took no time".into())?;
    Ok(reaped)
}
