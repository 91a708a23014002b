//! 40: a victim whose first thread has ended, while others use the memory.

use nix::errno::Errno;
use nix::unistd::Pid;

use crate::cgroup::Cgroup;
use crate::context::Context;
use crate::failure::Failure;
use crate::mrelease::Mrelease;
use crate::needs::Need;
use crate::oom::Watch;
use crate::procfs;
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{self, Area, Kind, Spec, Victim};

/// Pages that another one asks for: fewer than the victim gives back.
const PAGES: u64 = 400;

pub const SCENARIO: Scenario = Scenario {
    name: "leader-gone",
    number: 40,
    summary: "the first thread of a victim has ended: process_mrelease still refuses it alive and \
              reaps it dying, and the OOM killer finds it, alive and dying",
    needs: &[
        Need::Memcg,
        Need::OomEvents,
        Need::ProcessMrelease,
        Need::Smaps,
    ],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    released()?;
    killed(false)?;
    killed(true)
}

/// By hand.
fn released() -> Result<(), Failure> {
    let (mut victim, held) = spawn(None)?;
    let mrelease = Mrelease::of(victim.pid())?;
    mrelease.expect("a living process", Err(Errno::EINVAL))?;
    smaps::ensure_resident(&smaps::of(held)?, &victim.ranges.concat())?;
    victim::pin(held)?;
    victim.kill()?;
    victim::wait_pinned(held)?;
    mrelease.expect("a dying process", Ok(()))?;
    smaps::ensure_reaped(&smaps::of(held)?)?;
    end(&mut victim, held)
}

/// By the OOM killer, which names the thread that it finds; `dying` if the process was
/// killed before.
fn killed(dying: bool) -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let cgroup = Cgroup::new(SCENARIO.name)?;
    let (mut victim, held) = spawn(Some(&cgroup))?;
    let mut other = Victim::spawn(&Spec {
        cgroup: Some(cgroup.path().to_owned()),
        oom_score_adj: 0,
        ..Spec::default()
    })?;
    victim::pin(held)?;
    if dying {
        victim.kill()?;
        victim::wait_pinned(held)?;
    }
    cgroup.limit_to_current(1 << 20)?;
    other.grow(PAGES)?;
    if !dying {
        victim::wait_pinned(held)?;
    }
    let threads = procfs::threads(victim.pid())?;
    let threads: Vec<Pid> = threads.into_iter().map(|thread| thread.pid).collect();
    watch.reaped_one_of(&[threads, victim.threads.clone()].concat())?;
    other.grown()?;
    smaps::ensure_reaped(&smaps::of(held)?)?;
    end(&mut victim, held)?;
    other.ping()?;
    cgroup.ensure_one_kill()
}

/// A victim whose first thread has ended, and the one to hold.
fn spawn(cgroup: Option<&Cgroup>) -> Result<(Victim, Pid), Failure> {
    let mut victim = Victim::spawn(&Spec {
        areas: vec![Area::new(Kind::Anon, 8, 64)],
        threads: 1,
        cgroup: cgroup.map(|cgroup| cgroup.path().to_owned()),
        ..Spec::default()
    })?;
    let held = victim.threads.first().copied();
    let held = held.ok_or_else(|| Failure::unmet("the victim has no second thread"))?;
    victim.end_leader()?;
    Ok((victim, held))
}

fn end(victim: &mut Victim, held: Pid) -> Result<(), Failure> {
    victim::release(held)?;
    victim::wait_killed(held)?;
    victim.wait_killed()
}
