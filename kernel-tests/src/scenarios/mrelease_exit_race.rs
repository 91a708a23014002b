//! 22: `process_mrelease` against `exit_mmap`, the A/B that the series is
//! about.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::unistd::{Pid, gettid};

use super::{Need, Scenario};
use crate::context::{Context, Metric};
use crate::failure::{Doing, Failure};
use crate::race::{self, Observer, REAPER_CPU, Timed, VICTIM_CPU, Walkers};
use crate::sys::{pidfd_open, process_mrelease};
use crate::victim::{Spec, Victim, bind};

const MRELEASE: Metric = Metric::us("mrelease");

/// How often a repetition is tried. A reaper that comes too late (ESRCH: its
/// CPU was taken away in the wrong moment) has met nobody: not a sample.
const TRIES: u32 = 5;

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
            race::RELEASE_TO_GONE,
            race::SUM_TO_GONE,
            race::KILL_TO_GONE,
        ]
    }

    fn run(&self, context: &Context<'_>) -> Result<(), Failure> {
        bind(Pid::from_raw(0), VICTIM_CPU)?;
        let observer = Observer::new(context)?;
        let word = AtomicU8::new(WAIT);
        thread::scope(|scope| {
            let (jobs, inbox) = channel();
            let (outbox, answers) = channel();
            scope.spawn(|| reap(inbox, outbox, &word));
            // Dropping `jobs` at the end of this closure ends the thread.
            let reaper = Reaper {
                jobs,
                answers,
                word: &word,
            };
            let reaper_tid = reaper.answer()?.tid;

            let mut late = 0;
            let solo = solo(&reaper)?;
            context.note(format!(
                "a reap without the other walker takes {} us",
                solo.as_micros()
            ))?;
            for repetition in race::repetitions(context.plan, u32::MAX) {
                for _ in 0..TRIES {
                    let victim = Victim::spawn(&spec())?;
                    let walkers = Walkers {
                        reaper: reaper_tid,
                        exit: victim.pid(),
                    };
                    observer.start()?;
                    let delay = race::delay(repetition, solo);
                    let Some(timed) = race_once(&reaper, victim, delay)? else {
                        late += 1;
                        continue;
                    };
                    observer.report(context, repetition, walkers, timed)?;
                    break;
                }
            }
            if late > 0 {
                context.note(format!(
                    "{late} calls found the victim's memory gone (ESRCH)"
                ))?;
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
        times.extend(reaper.answer()?.took()?);
        victim.release()?;
        victim.wait_killed()?;
    }
    times
        .into_iter()
        .min()
        .ok_or_else(|| Failure::unmet("no solo reap was timed"))
}

/// One race: the reaper starts while the victim is held, dead but whole; the
/// victim is let go after `delay`. Returns none if the reaper was too late.
fn race_once(
    reaper: &Reaper<'_>,
    mut victim: Victim,
    delay: Duration,
) -> Result<Option<Timed>, Failure> {
    victim.pin()?;
    reaper.prepare(&victim)?;
    let killed = Instant::now();
    victim.kill()?;
    victim.wait_pinned()?;
    reaper.start();
    if !delay.is_zero() {
        thread::sleep(delay);
    }
    let released = Instant::now();
    victim.release()?;
    victim.wait_killed()?;
    let gone = Instant::now();
    let took = reaper.answer()?.took()?;
    Ok(took.map(|took| Timed {
        reap: (MRELEASE, took),
        release_to_gone: gone - released,
        kill_to_gone: gone - killed,
    }))
}

/// What the reaper thread spins on: a wait that sleeps would end too late.
const WAIT: u8 = 0;
const GO: u8 = 1;
const GONE: u8 = 2;

/// The thread that calls `process_mrelease`, as its commander sees it.
struct Reaper<'a> {
    jobs: Sender<OwnedFd>,
    answers: Receiver<Answer>,
    word: &'a AtomicU8,
}

/// What the reaper thread says: first who it is, then what each call did.
struct Answer {
    tid: Pid,
    result: Result<(), Errno>,
    took: Duration,
}

impl Answer {
    /// The call's duration; none if it came too late.
    fn took(self) -> Result<Option<Duration>, Failure> {
        match self.result {
            Ok(()) => Ok(Some(self.took)),
            Err(Errno::ESRCH) => Ok(None),
            Err(errno) => Err(errno).doing(|| "process_mrelease on a dying victim".into()),
        }
    }
}

impl Reaper<'_> {
    /// Makes it spin for the word on its own CPU.
    fn prepare(&self, victim: &Victim) -> Result<(), Failure> {
        let pidfd = pidfd_open(victim.pid()).doing(|| "opening a pidfd".into())?;
        self.word.store(WAIT, Ordering::Release);
        self.jobs
            .send(pidfd)
            .map_err(|_| Failure::unmet("the reaper thread has ended"))
    }

    /// Gives the word, and returns when it is heeded.
    fn start(&self) {
        self.word.store(GO, Ordering::Release);
        while self.word.load(Ordering::Acquire) != GONE {
            std::hint::spin_loop();
        }
    }

    fn answer(&self) -> Result<Answer, Failure> {
        self.answers
            .recv()
            .map_err(|_| Failure::unmet("the reaper thread has ended"))
    }
}

/// The reaper thread's life.
fn reap(jobs: Receiver<OwnedFd>, answers: Sender<Answer>, word: &AtomicU8) {
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
        while word.load(Ordering::Acquire) != GO {
            std::hint::spin_loop();
        }
        let start = Instant::now();
        word.store(GONE, Ordering::Release);
        let result = process_mrelease(pidfd.as_fd(), 0);
        let took = start.elapsed();
        if answers.send(Answer { tid, result, took }).is_err() {
            return;
        }
    }
}
