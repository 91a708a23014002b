//! Victims that take longer to die than the kernel waits before it sends the reaper,
//! which so comes in the middle of `exit_mmap`. Each is killed by a real OOM kill and
//! never held.

use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use results::plan::Plan;

use super::cpu;
use super::metrics::{self, Timed};
use super::observer::Observer;
use super::reaper::{Reap, ReaperWatch};
use super::walkers::{REAPER_CPU, Walkers};
use crate::cgroup::Cgroup;
use crate::context::{Context, Repetition};
use crate::failure::{Failure, ensure};
use crate::oom::{self, OomVictim};
use crate::procfs;
use crate::sys::PAGE;
use crate::timeout_scale::scaled;
use crate::trace;
use crate::victim::{Bound, Spec, Victim, bind};

/// How often the memory that is back is looked at: a look takes about one percent of
/// that from the victim.
const POLL: Duration = Duration::from_millis(5);

/// The reaper comes two seconds after the kill, or not at all.
pub const TIMEOUT: Duration = Duration::from_secs(4);

/// How long half of the memory may take to come back: a host that gives the guest's
/// CPUs to others makes seconds of a tenth of one.
const BACK: Duration = Duration::from_secs(20);

/// Pages that the next allocator asks for: a part of what comes back.
pub const NEXT: u64 = 2_048;

/// Repetitions at most, without a warm-up: each takes more than two seconds, and more
/// boots tell more.
const REPETITIONS: u32 = 1;

/// How often a repetition is tried.
const TRIES: u32 = 4;

/// What makes a victim slow to die.
pub trait Form {
    /// Starts one.
    fn victim(&self) -> Result<OomVictim, Failure>;

    /// Has it killed, and returns when the reaper is awake in the middle of its exit.
    /// Nothing where the reaper did not come there.
    fn halfway(&self, oom: &mut OomVictim, reaper: Reaper) -> Result<Option<Halfway>, Failure>;

    /// The walkers did not meet.
    fn missed(&self) {}

    /// Whether its memory comes back so late that another one waits for it.
    const NEXT_WAITS: bool;
}

/// A victim in the middle of its exit when the reaper comes.
pub struct Halfway {
    pub killed: Instant,
    /// When its exit was seen to give memory back, by the trace's clock.
    pub begun: u64,
    /// The bytes of which half is to come back.
    pub of: u64,
}

/// The kernel's thread.
#[derive(Clone, Copy)]
pub struct Reaper(Pid);

impl Reaper {
    pub fn is_awake(self) -> Result<bool, Failure> {
        procfs::state(self.0).map(|state| state != 'S')
    }
}

/// Races in each repetition of a boot.
pub fn run<F: Form>(context: &Context<'_>, form: &F) -> Result<(), Failure> {
    let reaper = oom::reaper()?;
    let _bound = Bound::new(reaper, REAPER_CPU)?;
    let mut late = Late {
        context,
        form,
        reaper: Reaper(reaper),
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
    let at_once = F::NEXT_WAITS && context.plan.purpose.is_traced();
    for repetition in repetitions(context.plan) {
        late.by_turns(repetition, at_once)?;
    }
    // The next allocator takes CPU time from the reaper, so the walkers are not timed
    // beside it. Its own victim takes ten seconds of an emulated boot, for which no other
    // race waits.
    let is_alone = context.plan.scenarios.len() == 1;
    if F::NEXT_WAITS && context.plan.purpose.is_unprobed() && is_alone {
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

/// What the repetitions have in common.
struct Late<'a, F> {
    context: &'a Context<'a>,
    form: &'a F,
    reaper: Reaper,
    watch: ReaperWatch,
    observer: Observer,
}

/// A victim, and who will ask for memory when it dies.
struct Prepared {
    // Dropped in this order: a group with a member can't be removed.
    next: Option<Victim>,
    oom: OomVictim,
}

/// Why a repetition was no race.
type Miss = &'static str;

impl Prepared {
    fn new(form: &impl Form, next: bool) -> Result<Self, Failure> {
        let oom = form.victim()?;
        let next = next.then(|| allocator(&oom.cgroup)).transpose()?;
        Ok(Self { next, oom })
    }
}

impl<F: Form> Late<'_, F> {
    /// A repetition in its turn, with another process that waits for memory (`next`)
    /// or without. It is tried until both walkers have met.
    fn by_turns(&mut self, repetition: Repetition, next: bool) -> Result<(), Failure> {
        let (context, form) = (self.context, self.form);
        let prepare = || Prepared::new(form, next);
        context.take_turn(repetition, prepare, |mut prepared, _| {
            let mut tries = 0;
            while let Some(miss) = self.race(repetition, prepared)? {
                tries += 1;
                if tries == TRIES {
                    let text = format!("{TRIES} times no race: at last {miss}");
                    return Err(Failure::NoRace(text));
                }
                context.note(format!("no race, run again: {miss}"))?;
                form.missed();
                prepared = Prepared::new(form, next)?;
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
        let Prepared { mut oom, mut next } = prepared;
        let pid = oom.victim.pid();
        self.observer.start()?;
        let (reaper_before, children) = (cpu::of_process(self.reaper.0)?, cpu::of_children()?);

        let Some(halfway) = self.form.halfway(&mut oom, self.reaper)? else {
            oom.check_end()?;
            return Ok(Some(
                "the reaper did not come after the victim's exit had begun",
            ));
        };
        self.watch.seen(pid)?;
        let exit_before = cpu::of_process(pid)?;
        // Both walkers have a CPU from here on.
        let together = Instant::now();
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
            wait_for_half(&oom.cgroup, halfway.of)?;
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
            goes_on: Some(trace::time_of(together)?),
            release_to_gone: gone - together,
            kill_to_gone: gone - halfway.killed,
            reaper_cpu: cpu::of_process(self.reaper.0)?.saturating_sub(reaper_before),
            exit_cpu: cpu::of_children()?.saturating_sub(children + exit_before),
        };
        let walkers = Walkers::new(self.reaper.0, &oom.victim);
        if !self.observer.report(context, repetition, &walkers, timed)? {
            return Ok(Some("one walker was done before the other began"));
        }
        if is_timed {
            context.sample(repetition, metrics::MEMORY_BACK, back)?;
        }
        Ok(None)
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

/// Bytes that a group has in memory and in swap. Both are counters: to read them
/// takes no lock of the walkers.
pub fn held(cgroup: &Cgroup) -> Result<u64, Failure> {
    Ok(cgroup.number("memory.current")? + cgroup.number("memory.swap.current")?)
}

/// Has a victim run into its group's limit, and returns when it is killed.
pub fn killed(oom: &mut OomVictim) -> Result<Instant, Failure> {
    // To look for the kill takes nothing from the victim on the other CPU.
    bind(Pid::from_raw(0), REAPER_CPU)?;
    let asked = Instant::now();
    oom.exhaust()?;
    while oom.cgroup.event("oom_kill")? == 0 {
        ensure(asked.elapsed() < scaled(TIMEOUT), || {
            "the victim ran into its group's limit, and nobody was killed".into()
        })?;
    }
    Ok(Instant::now())
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
}
