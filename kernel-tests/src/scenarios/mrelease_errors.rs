//! 21: what `process_mrelease` refuses, and what it repeats.

use std::os::fd::AsFd;

use nix::errno::Errno;

use crate::context::Context;
use crate::failure::{Failure, ResultExt, ensure};
use crate::needs::Need;
use crate::procfs;
use crate::scenario::Scenario;
use crate::smaps;
use crate::sys::{pidfd_open, process_mrelease, process_mrelease_raw};
use crate::victim::{Area, Kind, Spec, Victim};

pub const SCENARIO: Scenario = Scenario {
    name: "mrelease-errors",
    number: 21,
    summary: "process_mrelease answers EBADF, EINVAL (a flag; a live target), 0, 0 again, ESRCH, and \
              leaves oom_score",
    needs: &[Need::ProcessMrelease, Need::Smaps],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let mut victim = Victim::spawn(&Spec {
        areas: vec![Area::new(Kind::Anon, 4, 64)],
        ..Spec::default()
    })?;
    let pidfd = pidfd_open(victim.pid()).while_doing(|| "opening a pidfd".into())?;
    let pidfd = pidfd.as_fd();

    expect(
        "no descriptor",
        process_mrelease_raw(-1, 0),
        Err(Errno::EBADF),
    )?;
    expect(
        "a live target",
        process_mrelease(pidfd, 0),
        Err(Errno::EINVAL),
    )?;
    victim.pin()?;
    victim.kill()?;
    victim.wait_pinned()?;
    // Nothing but the flag is wrong.
    expect(
        "a flag",
        process_mrelease(pidfd, 1 << 31),
        Err(Errno::EINVAL),
    )?;
    expect("a dying target", process_mrelease(pidfd, 0), Ok(()))?;
    smaps::ensure_reaped(&smaps::of(victim.pid())?)?;
    expect("the same again", process_mrelease(pidfd, 0), Ok(()))?;
    // It is the OOM reaper's to say that nothing more will come of a process.
    let score = procfs::read(format!("/proc/{}/oom_score", victim.pid()))?;
    ensure(score.trim() != "0", || {
        "the OOM killer no longer sees a process that was released by hand".into()
    })?;
    victim.release()?;
    victim.wait_zombie()?;
    // It has no memory any more, and is still among the processes.
    expect("a zombie", process_mrelease(pidfd, 0), Err(Errno::ESRCH))?;
    let score = procfs::read(format!("/proc/{}/oom_score", victim.pid()))?;
    ensure(score.trim() == "0", || {
        format!("the oom_score of a zombie is {}", score.trim())
    })?;
    victim.wait_killed()?;
    expect(
        "a target that is gone",
        process_mrelease(pidfd, 0),
        Err(Errno::ESRCH),
    )
}

fn expect(
    what: &str,
    answer: Result<(), Errno>,
    expected: Result<(), Errno>,
) -> Result<(), Failure> {
    ensure(answer == expected, || {
        format!("{what}: {answer:?} instead of {expected:?}")
    })
}
