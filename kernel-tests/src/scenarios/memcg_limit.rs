//! 1: a cgroup's limit kills, and kills once.

use crate::cgroup::Cgroup;
use crate::context::{Context, Metric, Repetition};
use crate::failure::{Failure, ensure};
use crate::needs::Need;
use crate::oom::only_kill;
use crate::procfs::Setting;
use crate::scenario::Scenario;
use crate::trace::{self, Clock, Trace};
use crate::victim::{Area, Kind, Spec, Victim};

/// From the kill for the limit to the victim's end, its memory freed.
const LIMIT_TO_GONE: Metric = Metric::us("limit-to-gone");

/// How far below its limit the victim starts to allocate.
const SLACK: u64 = 2 << 20;

pub const SCENARIO: Scenario = Scenario {
    name: "memcg-limit",
    number: 1,
    summary: "a victim that allocates past memory.max is killed, once",
    needs: &[Need::Memcg, Need::OomEvents],
    deadline_s: 60,
    metrics: &[LIMIT_TO_GONE],
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    let trace = Trace::new(SCENARIO.name, Clock::Mono, 64)?;
    trace.event("oom/mark_victim")?;
    // A panic is for shortages of the whole machine.
    let _setting = Setting::new("/proc/sys/vm/panic_on_oom", "1")?;
    // One is enough where nothing is measured: a victim keeps its group until the
    // reaper's timer has run out, and the check of the guest's health waits for the
    // groups of several.
    let wanted = match context.plan.purpose.measures() {
        true => usize::MAX,
        false => 1,
    };
    for repetition in context.repetitions().take(wanted) {
        trace.clear()?;
        once(context, repetition, &trace)?;
    }
    Ok(())
}

fn once(context: &Context<'_>, repetition: Repetition, trace: &Trace) -> Result<(), Failure> {
    let cgroup = Cgroup::new(SCENARIO.name)?;
    let mut victim = Victim::spawn(&Spec {
        areas: vec![Area::new(Kind::Anon, 16, 128)],
        cgroup: Some(cgroup.path().to_owned()),
        ..Spec::default()
    })?;
    cgroup.limit_to_current(SLACK)?;
    victim.exhaust()?;
    victim.wait_killed()?;
    let gone = trace::monotonic_us()?;

    let (oom, killed) = (cgroup.event("oom")?, cgroup.event("oom_kill")?);
    ensure(oom >= 1 && killed == 1, || {
        format!("memory.events: oom {oom} and oom_kill {killed} instead of some and 1")
    })?;
    let limit = only_kill(&trace.events()?, victim.pid())?;
    context.sample(repetition, LIMIT_TO_GONE, gone.saturating_sub(limit) as f64)
}
