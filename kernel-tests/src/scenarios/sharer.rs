//! 11: two processes with one address space.

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::fd::AsFd;

use crate::cgroup::Cgroup;
use crate::context::Context;
use crate::failure::{Failure, ResultExt, ensure};
use crate::needs::Need;
use crate::oom::Watch;
use crate::scenario::Scenario;
use crate::smaps;
use crate::sys::{pidfd_open, process_mrelease};
use crate::victim::{self, Area, Kind, Spec, Victim};

pub const SCENARIO: Scenario = Scenario {
    name: "sharer",
    number: 11,
    summary: "the OOM killer takes all who share an address space; process_mrelease waits for them",
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
    released(&spawn(None)?)?;
    killed()
}

fn spawn(cgroup: Option<&Cgroup>) -> Result<Victim, Failure> {
    Victim::spawn(&Spec {
        areas: vec![Area::new(Kind::Anon, 16, 64)],
        cgroup: cgroup.map(|cgroup| cgroup.path().to_owned()),
        sharer: true,
        ..Spec::default()
    })
}

fn sharer_of(victim: &Victim) -> Result<Pid, Failure> {
    victim
        .sharer
        .ok_or_else(|| Failure::unmet("nobody shares the victim's memory"))
}

/// By hand: as long as one of the two lives, nothing may be released.
fn released(victim: &Victim) -> Result<(), Failure> {
    let sharer = sharer_of(victim)?;
    let pidfd = pidfd_open(victim.pid()).while_doing(|| "opening a pidfd".into())?;
    victim.pin()?;
    victim.kill()?;
    victim.wait_pinned()?;
    let answer = process_mrelease(pidfd.as_fd(), 0);
    ensure(answer == Err(Errno::EINVAL), || {
        format!("while the sharer lives: {answer:?} instead of EINVAL")
    })?;
    let ranges = victim.ranges.concat();
    smaps::ensure_resident(&smaps::of(victim.pid())?, &ranges)?;

    victim::pin(sharer)?;
    kill(sharer, Signal::SIGKILL).while_doing(|| format!("killing {sharer}"))?;
    victim::wait_pinned(sharer)?;
    let answer = process_mrelease(pidfd.as_fd(), 0);
    ensure(answer == Ok(()), || {
        format!("when both are dying: {answer:?} instead of 0")
    })?;
    smaps::ensure_reaped(&smaps::of(victim.pid())?)?;
    victim::release(sharer)?;
    victim.release()?;
    victim::wait_killed(victim.pid())?;
    // Its parent is gone: the first process has to wait for it.
    victim::wait_killed(sharer)
}

/// By the OOM killer: both die of one kill.
fn killed() -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let cgroup = Cgroup::new("sharer")?;
    let mut victim = spawn(Some(&cgroup))?;
    let sharer = sharer_of(&victim)?;
    victim.pin()?;
    cgroup.limit_to_current(1 << 20)?;
    victim.exhaust()?;
    victim.wait_pinned()?;
    watch.reaped_one_of(&[victim.pid(), sharer])?;
    smaps::ensure_reaped(&smaps::of(victim.pid())?)?;
    victim.release()?;
    victim.wait_killed()?;
    victim::wait_killed(sharer)?;
    let kills = cgroup.event("oom_kill")?;
    ensure(kills == 1, || {
        format!("memory.events counts {kills} OOM kills instead of 1")
    })
}
