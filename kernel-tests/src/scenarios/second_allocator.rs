//! 7: an allocation in the group of a victim that is stuck waits for the reaper,
//! and no other process is killed until that has come.

use std::time::Instant;

use crate::context::{Context, Metric, Repetition};
use crate::failure::{Failure, ensure};
use crate::needs::Need;
use crate::oom::{OomVictim, Watch, wait_skipped};
use crate::scenario::Scenario;
use crate::trace;
use crate::victim::{Area, Kind, Spec, Victim};

const UNBLOCKED: Metric = Metric::us("time-until-unblocked");

/// Pages that the other one asks for: fewer than the victim gives back.
const PAGES: u64 = 512;

pub const SCENARIO: Scenario = Scenario {
    name: "second-allocator",
    number: 7,
    summary: "a second allocator in a stuck victim's group stalls until the reaper has come, and nobody \
              else is killed; when it wants still more, it is killed, whoever is stuck",
    needs: &[Need::Memcg, Need::OomEvents],
    deadline_s: 60,
    metrics: &[UNBLOCKED],
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let areas = vec![Area::new(Kind::Anon, 16, 256)];
    let mut oom = OomVictim::pinned(SCENARIO.name, areas, None)?;
    let pid = oom.victim.pid();
    let mut other = Victim::spawn(&Spec {
        cgroup: Some(oom.cgroup.path().to_owned()),
        oom_score_adj: 0,
        ..Spec::default()
    })?;
    oom.kill()?;

    let asked = Instant::now();
    other.grow(PAGES)?;
    other.grown()?;
    let took = asked.elapsed();
    let now = trace::monotonic_us()?;
    // It must have waited for the reaper, and not found room by chance.
    let woken = watch.woken(pid)?;
    let since = woken
        .iter()
        .find(|event| event.name == "wake_reaper")
        .map_or(u64::MAX, |event| event.time);
    ensure(since <= now, || {
        "the second allocator went on before the reaper was called".into()
    })?;
    watch.reaped(pid, woken)?;
    other.ping()?;
    oom.cgroup.ensure_one_kill()?;

    wait_skipped(pid)?;
    other.exhaust()?;
    other.wait_killed()?;
    oom.victim.release()?;
    oom.victim.wait_killed()?;
    let kills = oom.cgroup.event("oom_kill")?;
    ensure(kills == 2, || {
        format!("memory.events counts {kills} OOM kills instead of 2")
    })?;
    context.sample(Repetition::ONLY, UNBLOCKED, took.as_micros() as f64)
}
