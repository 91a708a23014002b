//! 22: `process_mrelease` against `exit_mmap`, the A/B that the series is
//! about.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::{Pid, gettid};

use super::{Need, Scenario};
use crate::context::{Context, Metric};
use crate::failure::{Doing, Failure};
use crate::race::{self, Observer, REAPER_CPU, VICTIM_CPU, Walkers};
use crate::sys::{pidfd_open, process_mrelease};
use crate::victim::{Spec, Victim, bind};

const MRELEASE: Metric = Metric::us("mrelease");
const KILL_TO_GONE: Metric = Metric::us("kill-to-gone");

pub struct MreleaseExitRace;

impl Scenario for MreleaseExitRace {
    fn name(&self) -> &'static str {
        "mrelease-exit-race"
    }

    fn number(&self) -> u32 {
        22
    }

    fn summary(&self) -> &'static str {
        "process_mrelease and exit_mmap in one address space: how often and how long they wait"
    }

    fn needs(&self) -> &'static [Need] {
        &[
            Need::ProcessMrelease,
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
            MRELEASE,
            race::EXIT_MMAP,
            race::SUM,
            KILL_TO_GONE,
        ]
    }

    fn run(&self, context: &Context<'_>) -> Result<(), Failure> {
        bind(Pid::from_raw(0), VICTIM_CPU)?;
        let observer = Observer::new(context)?;
        let go = AtomicBool::new(false);
        thread::scope(|scope| {
            let (jobs, inbox) = channel();
            let (outbox, answers) = channel();
            scope.spawn(|| reap(inbox, outbox, &go));
            // Dropping `jobs` at the end of this closure ends the thread.
            let reaper = Reaper {
                jobs,
                answers,
                go: &go,
            };
            let reaper_tid = reaper.answer()?.tid;

            let solo = solo(&reaper)?;
            context.note(format!(
                "a reap without the other walker takes {} us",
                solo.as_micros()
            ))?;
            for repetition in race::repetitions(context, u32::MAX) {
                let victim = Victim::spawn(&spec())?;
                let walkers = Walkers {
                    reaper: reaper_tid,
                    exit: victim.pid(),
                };
                observer.start()?;
                let (took, gone) = race_once(&reaper, victim, race::delay(repetition, solo))?;
                observer.report(context, repetition, walkers, (MRELEASE, micros(took)))?;
                if !context.plan.trace {
                    context.sample(repetition, KILL_TO_GONE, micros(gone))?;
                }
            }
            observer.finish(context)
        })
    }
}

fn spec() -> Spec {
    Spec {
        areas: race::areas(),
        cpu: Some(VICTIM_CPU),
        ..Spec::default()
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_micros() as f64
}

/// The duration of a reap that has the address space to itself.
fn solo(reaper: &Reaper<'_>) -> Result<Duration, Failure> {
    let mut times = Vec::new();
    // The first one pays for what is used for the first time.
    for _ in 0..3 {
        let mut victim = Victim::spawn(&spec())?;
        victim.pin()?;
        reaper.prepare(&victim)?;
        victim.kill()?;
        victim.wait_pinned()?;
        reaper.start();
        times.push(reaper.answer()?.took()?);
        victim.release()?;
        victim.wait_killed()?;
    }
    times
        .into_iter()
        .min()
        .ok_or_else(|| Failure::unmet("no solo reap was timed"))
}

/// One race: the reaper starts while the victim is held, dead but whole; the
/// victim is let go after `delay`. Returns how long the reaper took and how
/// long the victim from the kill to its end.
fn race_once(
    reaper: &Reaper<'_>,
    mut victim: Victim,
    delay: Duration,
) -> Result<(Duration, Duration), Failure> {
    victim.pin()?;
    reaper.prepare(&victim)?;
    let killed = Instant::now();
    victim.kill()?;
    victim.wait_pinned()?;
    reaper.start();
    if !delay.is_zero() {
        thread::sleep(delay);
    }
    victim.release()?;
    victim.wait_killed()?;
    let gone = killed.elapsed();
    Ok((reaper.answer()?.took()?, gone))
}

/// The thread that calls `process_mrelease`, as its commander sees it.
struct Reaper<'a> {
    jobs: Sender<OwnedFd>,
    answers: Receiver<Answer>,
    go: &'a AtomicBool,
}

/// What the reaper thread says: first who it is, then what each call did.
struct Answer {
    tid: Pid,
    result: Result<(), Errno>,
    took: Duration,
}

impl Answer {
    /// The call's duration, if it succeeded or came too late.
    fn took(self) -> Result<Duration, Failure> {
        match self.result {
            Ok(()) | Err(Errno::ESRCH) => Ok(self.took),
            Err(errno) => Err(errno).doing(|| "process_mrelease on a dying victim".into()),
        }
    }
}

impl Reaper<'_> {
    /// Makes it spin for the word on its own CPU.
    fn prepare(&self, victim: &Victim) -> Result<(), Failure> {
        let pidfd = pidfd_open(victim.pid()).doing(|| "opening a pidfd".into())?;
        self.go.store(false, Ordering::Release);
        self.jobs
            .send(pidfd)
            .map_err(|_| Failure::unmet("the reaper thread has ended"))
    }

    fn start(&self) {
        self.go.store(true, Ordering::Release);
    }

    fn answer(&self) -> Result<Answer, Failure> {
        self.answers
            .recv()
            .map_err(|_| Failure::unmet("the reaper thread has ended"))
    }
}

/// The reaper thread's life.
fn reap(jobs: Receiver<OwnedFd>, answers: Sender<Answer>, go: &AtomicBool) {
    let bound = bind(Pid::from_raw(0), REAPER_CPU);
    let tid = gettid();
    if bound.is_err()
        || answers
            .send(Answer {
                tid,
                result: Ok(()),
                took: Duration::ZERO,
            })
            .is_err()
    {
        return;
    }
    for pidfd in jobs {
        while !go.load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
        let start = Instant::now();
        let result = process_mrelease(pidfd.as_fd(), 0);
        let took = start.elapsed();
        if answers.send(Answer { tid, result, took }).is_err() {
            return;
        }
    }
}
