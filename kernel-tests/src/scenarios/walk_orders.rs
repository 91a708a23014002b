//! 37: the order of both walkers where `order` does not look: the victim's own exit,
//! `process_mrelease`, and victims that are small or have many threads.

use nix::unistd::{Pid, gettid};
use results::plan::Order;

use crate::cgroup::Cgroup;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::mrelease::Mrelease;
use crate::needs::Need;
use crate::oom::{self, Watch};
use crate::scenario::Scenario;
use crate::smaps::{self, Range};
use crate::trace::{Clock, Trace};
use crate::victim::{self, Area, Kind, Spec, Victim};
use crate::walk::{ensure_visited, order_of};

/// What the victims map beside their program, and their threads beside the first.
const VICTIMS: [(u32, u32); 4] = [(0, 0), (12, 1), (150, 0), (40, 40)];

pub const SCENARIO: Scenario = Scenario {
    name: "walk-orders",
    number: 37,
    summary: "exit_mmap visits each VMA once, upwards, and process_mrelease and the reaper each that they \
              may touch, in the order that the plan expects; of small victims and of 41 threads",
    needs: &[
        Need::Memcg,
        Need::OomEvents,
        Need::ProcessMrelease,
        Need::KprobeEvents,
        Need::Smaps,
    ],
    deadline_s: 60,
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let mut trace = Trace::new(SCENARIO.name, Clock::Counter, 1024)?;
    trace.walks("walk", &context.plan.probes)?;
    let seen = Seen { trace, context };
    for victim in VICTIMS {
        released(&seen, victim)?;
    }
    reaped(&seen, &mut watch)
}

/// By `process_mrelease`, then by the victim itself.
fn released(seen: &Seen<'_>, size: (u32, u32)) -> Result<(), Failure> {
    let mut victim = spawn(size, None)?;
    victim.tasks().into_iter().try_for_each(victim::pin)?;
    victim.kill()?;
    let expected = Expected::of(&victim)?;
    let mrelease = Mrelease::of(victim.pid())?;
    seen.trace.clear()?;
    mrelease.expect("a dying process", Ok(()))?;
    smaps::ensure_reaped(&smaps::of(victim.pid())?)?;
    seen.reaper("process_mrelease", gettid(), &expected)?;
    seen.end(&mut victim, &expected)
}

/// By the OOM reaper, while all threads still use the memory.
fn reaped(seen: &Seen<'_>, watch: &mut Watch) -> Result<(), Failure> {
    let cgroup = Cgroup::new(SCENARIO.name)?;
    let [.., many] = VICTIMS;
    let mut victim = spawn(many, Some(&cgroup))?;
    victim.tasks().into_iter().try_for_each(victim::pin)?;
    cgroup.limit_to_current(1 << 20)?;
    victim.exhaust()?;
    let expected = Expected::of(&victim)?;
    seen.trace.clear()?;
    watch.reaped(victim.pid(), Vec::new())?;
    smaps::ensure_reaped(&smaps::of(victim.pid())?)?;
    seen.reaper("the reaper", oom::reaper()?, &expected)?;
    seen.end(&mut victim, &expected)
}

fn spawn((count, threads): (u32, u32), cgroup: Option<&Cgroup>) -> Result<Victim, Failure> {
    let areas = match count {
        0 => Vec::new(),
        count => vec![
            Area::new(Kind::Anon, count, 2),
            Area::new(Kind::Shared, 2, 2),
            Area::new(Kind::PrivateFile, 2, 2),
        ],
    };
    Victim::spawn(&Spec {
        areas,
        threads,
        cgroup: cgroup.map(|cgroup| cgroup.path().to_owned()),
        ..Spec::default()
    })
}

/// What each walker is to visit.
struct Expected {
    reaper: Vec<Range>,
    exit: Vec<Range>,
}

impl Expected {
    /// Waits until all threads of a victim that was killed are held.
    fn of(victim: &Victim) -> Result<Self, Failure> {
        victim
            .tasks()
            .into_iter()
            .try_for_each(victim::wait_pinned)?;
        let vmas = smaps::of(victim.pid())?;
        Ok(Self {
            reaper: smaps::reapable(&vmas),
            exit: vmas.iter().map(|vma| (vma.start, vma.end)).collect(),
        })
    }
}

struct Seen<'a> {
    trace: Trace,
    context: &'a Context<'a>,
}

impl Seen<'_> {
    /// Checks the walk of a reaper.
    fn reaper(&self, who: &str, walker: Pid, expected: &Expected) -> Result<(), Failure> {
        let visited = self.trace.visits("walk", walker)?;
        ensure_visited(&visited, &expected.reaper)?;
        match self.context.plan.order {
            Some(wanted) => ensure_order(who, &visited, wanted),
            None => Ok(()),
        }
    }

    /// Lets a victim go, and checks its own walk.
    fn end(&self, victim: &mut Victim, expected: &Expected) -> Result<(), Failure> {
        let tasks = victim.tasks();
        tasks.iter().copied().try_for_each(victim::release)?;
        for &thread in &victim.threads {
            victim::wait_killed(thread)?;
        }
        victim.wait_killed()?;
        // The last one that leaves the address space walks it.
        let mut walks = tasks.iter().map(|&task| self.trace.visits("walk", task));
        let visited = walks.try_fold(Vec::new(), |all, walk| Ok([all, walk?].concat()))?;
        self.trace.ensure_complete()?;
        ensure_visited(&visited, &expected.exit)?;
        ensure_order("exit_mmap", &visited, Order::Ascending)
    }
}

fn ensure_order(who: &str, visited: &[Range], wanted: Order) -> Result<(), Failure> {
    let order = order_of(visited);
    ensure(order == wanted, || {
        let count = visited.len();
        format!("{who} visited {count} VMAs in {order:?} order instead of {wanted:?}")
    })
}
