//! 10: a victim of many threads, of which one is stuck.

use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::cgroup::Cgroup;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::needs::Need;
use crate::oom::Watch;
use crate::procfs;
use crate::scenario::Scenario;
use crate::smaps;
use crate::timeout_scale::scaled;
use crate::victim::{self, Area, Kind, Spec, Victim};

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
    let kills = cgroup.event("oom_kill")?;
    ensure(kills == 1, || {
        format!("memory.events counts {kills} OOM kills instead of 1")
    })
}

/// Waits until all threads but `stuck` have ended; the first one stays as a
/// zombie.
fn wait_alone(pid: Pid, stuck: Pid) -> Result<(), Failure> {
    let deadline = Instant::now() + scaled(TIMEOUT);
    loop {
        let alive: Vec<_> = procfs::threads(pid)?
            .into_iter()
            .filter(|thread| !matches!(thread.state, 'Z' | 'X'))
            .map(|thread| thread.pid)
            .collect();
        if alive == [stuck] {
            return Ok(());
        }
        ensure(Instant::now() < deadline, || {
            format!("of {pid}, {alive:?} live instead of {stuck} alone")
        })?;
        std::thread::sleep(Duration::from_millis(5));
    }
}
