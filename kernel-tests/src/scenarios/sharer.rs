//! 11: processes with one address space.

use nix::errno::Errno;

use crate::cgroup::Cgroup;
use crate::context::Context;
use crate::failure::Failure;
use crate::mrelease::Mrelease;
use crate::needs::Need;
use crate::oom::{self, Watch};
use crate::procfs;
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{self, Area, Kind, Spec, Victim};

pub const SCENARIO: Scenario = Scenario {
    name: "sharer",
    number: 11,
    summary: "the OOM killer takes all who share an address space; process_mrelease waits for them",
    needs: &[
        Need::Memcg,
        Need::Sysrq,
        Need::OomEvents,
        Need::ProcessMrelease,
        Need::Smaps,
    ],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    released(&spawn(None, 2)?)?;
    killed()?;
    killed_without_a_first_thread()
}

fn spawn(cgroup: Option<&Cgroup>, sharers: u32) -> Result<Victim, Failure> {
    Victim::spawn(&Spec {
        areas: vec![Area::new(Kind::Anon, 16, 64)],
        cgroup: cgroup.map(|cgroup| cgroup.path().to_owned()),
        sharers,
        ..Spec::default()
    })
}

/// By hand: as long as one of them lives, whichever, nothing may be released.
fn released(victim: &Victim) -> Result<(), Failure> {
    let mrelease = Mrelease::of(victim.pid())?;
    victim.kill_held()?;
    let ranges = victim.ranges.concat();
    for &sharer in &victim.sharers {
        let of = format!("memory that {sharer} uses, who lives");
        mrelease.expect(&of, Err(Errno::EINVAL))?;
        smaps::ensure_resident(&smaps::of(victim.pid())?, &ranges)?;
        victim::kill_held(sharer)?;
    }
    mrelease.expect("processes that are all dying", Ok(()))?;
    smaps::ensure_reaped(&smaps::of(victim.pid())?)?;
    for &sharer in &victim.sharers {
        victim::release(sharer)?;
    }
    victim.release()?;
    victim::wait_killed(victim.pid())?;
    victim.wait_sharers_killed()
}

/// By the OOM killer: all die of one kill.
fn killed() -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let cgroup = Cgroup::new("sharer")?;
    let mut victim = spawn(Some(&cgroup), 1)?;
    victim.pin()?;
    cgroup.limit_to_current(1 << 20)?;
    victim.exhaust()?;
    victim.wait_pinned()?;
    let all = [victim.sharers.as_slice(), &[victim.pid()]].concat();
    watch.reaped_one_of(&all)?;
    smaps::ensure_reaped(&smaps::of(victim.pid())?)?;
    victim.release()?;
    victim.wait_killed()?;
    victim.wait_sharers_killed()?;
    cgroup.ensure_one_kill()
}

/// The same where the first thread of one has ended. On request the kernel has chosen the
/// last of equals so far: the other one. It must find this one by its second thread.
fn killed_without_a_first_thread() -> Result<(), Failure> {
    let mut victim = Victim::spawn(&Spec {
        areas: vec![Area::new(Kind::Anon, 16, 64)],
        threads: 1,
        sharers: 1,
        ..Spec::default()
    })?;
    victim.end_leader()?;
    let other = victim.sharers.first().copied();
    let other = other.ok_or_else(|| Failure::unmet("nobody shares the victim's memory"))?;
    victim::pin(other)?;
    let before = procfs::oom_kills()?;
    oom::request()?;
    victim::wait_pinned(other)?;
    victim.wait_zombie()?;
    victim::release(other)?;
    victim.wait_killed()?;
    victim.wait_sharers_killed()?;
    oom::ensure_one_kill_since(before)
}
