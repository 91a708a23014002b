//! 10: a victim of many threads, of which one is stuck.

use std::time::Duration;

use nix::unistd::Pid;

use crate::cgroup::Cgroup;
use crate::context::Context;
use crate::failure::Failure;
use crate::needs::Need;
use crate::oom::Watch;
use crate::procfs;
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{self, Area, Kind, Spec, Victim};
use crate::wait;

/// Threads of the victim, its first included.
const THREADS: u32 = 8;

/// How long the others may take to end.
const TIMEOUT: Duration = Duration::from_secs(2);

pub const SCENARIO: Scenario = Scenario {
    name: "threads",
    number: 10,
    summary: "a victim of 8 threads is reaped while one is stuck and the others have ended",
    needs: &[Need::Memcg, Need::OomEvents, Need::Smaps],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let cgroup = Cgroup::new(SCENARIO.name)?;
    let mut victim = Victim::spawn(&Spec {
        areas: vec![Area::new(Kind::Anon, 32, 32)],
        cgroup: Some(cgroup.path().to_owned()),
        threads: THREADS - 1,
        ..Spec::default()
    })?;
    let stuck = *victim
        .threads
        .get(THREADS as usize / 2)
        .ok_or_else(|| Failure::unmet("the victim has too few threads"))?;
    victim::pin(stuck)?;
    cgroup.limit_to_current(1 << 20)?;
    victim.exhaust()?;
    victim::wait_pinned(stuck)?;
    wait_alone(victim.pid(), stuck)?;
    let ranges = victim.ranges.concat();
    smaps::ensure_resident(&smaps::of(stuck)?, &ranges)?;

    watch.reaped(victim.pid(), Vec::new())?;
    smaps::ensure_reaped(&smaps::of(stuck)?)?;
    wait_alone(victim.pid(), stuck)?;

    victim::release(stuck)?;
    victim::wait_killed(stuck)?;
    victim.wait_killed()?;
    cgroup.ensure_one_kill()
}

/// Waits until all threads but `stuck` have ended; the first one stays as a
/// zombie.
fn wait_alone(pid: Pid, stuck: Pid) -> Result<(), Failure> {
    let alive = || -> Result<Vec<Pid>, Failure> {
        let threads = procfs::threads(pid)?.into_iter();
        let alive = threads.filter(|thread| !matches!(thread.state, 'Z' | 'X'));
        Ok(alive.map(|thread| thread.pid).collect())
    };
    wait::until(
        TIMEOUT,
        || Ok(alive()? == [stuck]),
        || format!("of {pid}, {:?} live instead of {stuck} alone", alive()),
    )
}
