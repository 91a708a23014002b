//! 4: the guest runs out of memory, and recovers.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::context::{Context, Metric, Repetition};
use crate::failure::{Failure, ensure};
use crate::hugetlb::Pool;
use crate::kmsg::Log;
use crate::needs::Need;
use crate::oom::{constraint, only_kill, wait_for_reports};
use crate::procfs;
use crate::scenario::Scenario;
use crate::timeout_scale::scaled;
use crate::trace::{self, Clock, Trace};
use crate::victim::{Spec, Victim};

/// From the kill until all memory is available again.
const TIME_TO_RECOVER: Metric = Metric::us("time-to-recover");

/// What the victim is left to touch, page by page: more takes an emulator
/// long. The rest waits in the pool of huge pages.
const LEFT_KIB: u64 = 64 << 10;

/// Repetitions at most, so that emulation does not take long.
const REPETITIONS: usize = 5;

/// What may stay away: the kernel's own, which come and go.
const SLACK_KIB: u64 = 4 << 10;

/// How long the memory may take to come back.
const TIMEOUT: Duration = Duration::from_secs(10);

pub const SCENARIO: Scenario = Scenario {
    name: "global-oom",
    number: 4,
    summary: "a victim that takes all memory is killed under CONSTRAINT_NONE, and the guest recovers",
    needs: &[Need::OomEvents],
    deadline_s: 120,
    metrics: &[TIME_TO_RECOVER],
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    // The buffers come before the pool, which leaves too little for them.
    let trace = Trace::new(SCENARIO.name, Clock::Mono, 64)?;
    trace.event("oom/mark_victim")?;
    // Without a pool it takes longer.
    let _pool = match Need::Hugetlb.missing() {
        None => Some(Pool::leaving(LEFT_KIB)?),
        Some(_) => None,
    };
    // One warm-up is enough for a path that is mostly the page allocator's.
    let repetitions = context
        .repetitions()
        .filter(|repetition| !repetition.warmup || repetition.index == 0);
    for repetition in repetitions.take(REPETITIONS) {
        wait_for_reports()?;
        trace.clear()?;
        once(context, repetition, &trace)?;
    }
    Ok(())
}

fn once(context: &Context<'_>, repetition: Repetition, trace: &Trace) -> Result<(), Failure> {
    let mut log = Log::end()?;
    let before = procfs::mem_available()?;
    let mut victim = Victim::spawn(&Spec::default())?;
    victim.exhaust()?;
    victim.wait_killed()?;
    let recovered = recovered(before)?;
    let kill = only_kill(&trace.events()?, victim.pid())?;
    context.sample(
        repetition,
        TIME_TO_RECOVER,
        recovered.saturating_sub(kill) as f64,
    )?;

    let said: Vec<_> = log.lines().into_iter().map(|line| line.text).collect();
    let constraints: Vec<_> = said.iter().filter_map(|line| constraint(line)).collect();
    ensure(constraints == ["CONSTRAINT_NONE"], || {
        format!("the kernel reports the constraints {constraints:?} instead of CONSTRAINT_NONE")
    })?;
    let killed = format!("Out of memory: Killed process {} ", victim.pid());
    ensure(said.iter().any(|line| line.starts_with(&killed)), || {
        format!("the kernel did not log {killed:?}")
    })
}

/// Waits until as much memory is available as before, and returns the time.
fn recovered(before: u64) -> Result<u64, Failure> {
    let deadline = Instant::now() + scaled(TIMEOUT);
    loop {
        let now = procfs::mem_available()?;
        if now + SLACK_KIB >= before {
            return trace::monotonic_us();
        }
        ensure(Instant::now() < deadline, || {
            format!("the guest did not recover: {now} KiB of {before} KiB are available")
        })?;
        sleep(Duration::from_millis(1));
    }
}
