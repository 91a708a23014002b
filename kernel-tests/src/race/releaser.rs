//! Who calls `process_mrelease`: a thread that spins on a CPU of its own, so
//! that it starts within a microsecond of being told.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{self, Signal};
use nix::sys::sysinfo::sysinfo;
use nix::unistd::{Pid, gettid};

use super::cpu;
use super::metrics::{MRELEASE, Timed};
use super::walkers::REAPER_CPU;
use crate::failure::{Failure, ResultExt};
use crate::procfs::{self, Setting};
use crate::sys::{PAGE, pidfd_open, process_mrelease};
use crate::timeout_scale::scaled;
use crate::trace::{self, Span};
use crate::victim::{Spec, Victim, bind};

/// How often freed memory is looked for.
const POLL: Duration = Duration::from_micros(500);
/// How long it may take to come back.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What the thread spins on; to sleep would end too late.
const WAIT: u8 = 0;
const GO: u8 = 1;
const STARTED: u8 = 2;

/// When the victim's own exit starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    /// So much later than the reaper: until then it is held, dead but whole.
    Held(Duration),
    /// When it comes to it: the reaper kills it and calls at once.
    AtOnce,
}

/// The thread that calls `process_mrelease`, seen from the one that directs it.
pub struct Releaser<'a> {
    jobs: Sender<Job>,
    answers: Receiver<Answer>,
    state: &'a AtomicU8,
    tid: Pid,
}

/// Whom to release, and whom to kill before.
struct Job {
    pidfd: OwnedFd,
    kill: Option<Pid>,
}

/// What the thread answers: first its own id, then what each call did.
struct Answer {
    tid: Pid,
    result: Result<(), Errno>,
    start: Instant,
    took: Duration,
    cpu: Duration,
}

impl Answer {
    /// None if the call came too late.
    fn in_time(self) -> Result<Option<Self>, Failure> {
        match self.result {
            Ok(()) => Ok(Some(self)),
            Err(Errno::ESRCH) => Ok(None),
            Err(errno) => Err(errno).while_doing(|| "process_mrelease on a dying victim".into()),
        }
    }
}

impl Releaser<'_> {
    /// Starts the thread, and ends it when `work` is done.
    pub fn run<T>(work: impl FnOnce(&Releaser<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        let state = AtomicU8::new(WAIT);
        thread::scope(|scope| {
            let (jobs, inbox) = channel();
            let (outbox, answers) = channel();
            scope.spawn(|| serve(inbox, outbox, &state));
            // Dropped with the jobs, which ends the thread.
            let mut releaser = Releaser {
                jobs,
                answers,
                state: &state,
                tid: Pid::from_raw(0),
            };
            releaser.tid = releaser.answer()?.tid;
            work(&releaser)
        })
    }

    pub fn tid(&self) -> Pid {
        self.tid
    }

    /// The least duration of three reaps that have the address space to
    /// themselves. The first one pays for what is used for the first time.
    pub fn solo(&self, spec: &Spec) -> Result<Duration, Failure> {
        let solo = |_| self.reap_alone(Victim::spawn(spec)?);
        let times: Vec<_> = (0..3).map(solo).collect::<Result<_, _>>()?;
        times
            .into_iter()
            .min()
            .ok_or_else(|| Failure::unmet("no solo reap was timed"))
    }

    /// The duration of one: the victim is held until it is over.
    pub fn reap_alone(&self, mut victim: Victim) -> Result<Duration, Failure> {
        victim.pin()?;
        self.prepare(&victim, None)?;
        victim.kill()?;
        victim.wait_pinned()?;
        self.start();
        let answer = self.answer()?.in_time()?;
        victim.release()?;
        victim.wait_killed()?;
        answer
            .map(|answer| answer.took)
            .ok_or_else(|| Failure::unmet("a victim that was held was found without memory"))
    }

    /// One race. Returns none if the call was too late to meet the other walker.
    pub fn race(&self, mut victim: Victim, when: Start) -> Result<Option<Timed>, Failure> {
        let children = cpu::of_children()?;
        let (killed, released, before) = match when {
            Start::AtOnce => {
                self.prepare(&victim, Some(victim.pid()))?;
                let before = cpu::of_process(victim.pid())?;
                let killed = Instant::now();
                self.start();
                (killed, killed, before)
            }
            Start::Held(delay) => {
                victim.pin()?;
                self.prepare(&victim, None)?;
                let killed = Instant::now();
                victim.kill()?;
                victim.wait_pinned()?;
                let before = cpu::of_process(victim.pid())?;
                self.start();
                if !delay.is_zero() {
                    thread::sleep(delay);
                }
                let released = Instant::now();
                victim.release()?;
                (killed, released, before)
            }
        };
        victim.wait_killed()?;
        let gone = Instant::now();
        let exit_cpu = cpu::of_children()?.saturating_sub(children + before);
        let Some(answer) = self.answer()?.in_time()? else {
            return Ok(None);
        };
        let start = trace::time_of(answer.start)?;
        let end = start + answer.took.as_micros() as u64;
        Ok(Some(Timed {
            reap: (MRELEASE, answer.took),
            head_start: match when {
                Start::AtOnce => None,
                Start::Held(_) => Some(released.saturating_duration_since(answer.start)),
            },
            reaping: Some(Span { start, end }),
            goes_on: None,
            release_to_gone: gone - released,
            kill_to_gone: gone - killed,
            reaper_cpu: answer.cpu,
            exit_cpu,
        }))
    }

    /// From the kill until half of a victim's memory is free again. To look takes
    /// CPU time from the walkers, so nothing else is timed meanwhile. Returns none
    /// if the call was too late.
    ///
    /// A CPU keeps many megabytes of what it frees for itself, but not while
    /// memory is short. The test is about that case, so here it may not either.
    pub fn memory_back(&self, mut victim: Victim) -> Result<Option<Duration>, Failure> {
        let _lists = short_lists()?;
        victim.pin()?;
        self.prepare(&victim, None)?;
        let held = procfs::resident(victim.pid())? * PAGE;
        let enough = free()? + held / 2;
        let killed = Instant::now();
        victim.kill()?;
        victim.wait_pinned()?;
        self.start();
        victim.release()?;
        while free()? < enough {
            if killed.elapsed() > scaled(TIMEOUT) {
                return Err(Failure::unmet(format!(
                    "of a victim's {held} bytes less than half are free again"
                )));
            }
            thread::sleep(POLL);
        }
        let took = killed.elapsed();
        victim.wait_killed()?;
        Ok(self.answer()?.in_time()?.map(|_| took))
    }

    /// Hands the thread a victim. From now on it spins until [`Self::start`].
    fn prepare(&self, victim: &Victim, kill: Option<Pid>) -> Result<(), Failure> {
        let pidfd = pidfd_open(victim.pid()).while_doing(|| "opening a pidfd".into())?;
        self.state.store(WAIT, Ordering::Release);
        self.jobs
            .send(Job { pidfd, kill })
            .map_err(|_| Failure::unmet("the reaper thread has ended"))
    }

    /// Lets the thread go, and returns when it has started.
    fn start(&self) {
        self.state.store(GO, Ordering::Release);
        while self.state.load(Ordering::Acquire) != STARTED {
            std::hint::spin_loop();
        }
    }

    fn answer(&self) -> Result<Answer, Failure> {
        self.answers
            .recv()
            .map_err(|_| Failure::unmet("the reaper thread has ended"))
    }
}

/// Has CPUs keep as few free pages for themselves as they do when memory is
/// short: a share so small that the kernel takes the least it allows.
fn short_lists() -> Result<Setting, Failure> {
    Setting::new("/proc/sys/vm/percpu_pagelist_high_fraction", "1000000")
}

/// Bytes that are free: MemFree without the cost of a text file.
fn free() -> Result<u64, Failure> {
    Ok(sysinfo()
        .while_doing(|| "asking for free memory".into())?
        .ram_unused())
}

fn serve(jobs: Receiver<Job>, answers: Sender<Answer>, state: &AtomicU8) {
    let tid = gettid();
    let here = Answer {
        tid,
        result: Ok(()),
        start: Instant::now(),
        took: Duration::ZERO,
        cpu: Duration::ZERO,
    };
    if bind(Pid::from_raw(0), REAPER_CPU).is_err() || answers.send(here).is_err() {
        return;
    }
    for Job { pidfd, kill } in jobs {
        while state.load(Ordering::Acquire) != GO {
            std::hint::spin_loop();
        }
        state.store(STARTED, Ordering::Release);
        // One that can't be killed is found alive by the call.
        let _ = kill.map(|pid| signal::kill(pid, Signal::SIGKILL));
        let before = cpu::of_thread();
        let start = Instant::now();
        let result = process_mrelease(pidfd.as_fd(), 0);
        let took = start.elapsed();
        let cpu = cpu::of_thread().saturating_sub(before);
        let answer = Answer {
            tid,
            result,
            start,
            took,
            cpu,
        };
        if answers.send(answer).is_err() {
            return;
        }
    }
}
