//! 21: what `process_mrelease` refuses, and what it repeats.

use std::os::fd::AsFd;

use nix::errno::Errno;

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::mrelease::{Mrelease, ensure_answer};
use crate::needs::Need;
use crate::oom;
use crate::scenario::Scenario;
use crate::smaps;
use crate::sys::{process_mrelease, process_mrelease_raw};
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
    let mrelease = Mrelease::of(victim.pid())?;

    let answer = process_mrelease_raw(-1, 0);
    ensure_answer("no descriptor", answer, Err(Errno::EBADF))?;
    mrelease.expect("a live target", Err(Errno::EINVAL))?;
    victim.kill_held()?;
    // Nothing but the flag is wrong.
    let answer = process_mrelease(mrelease.as_fd(), 1 << 31);
    ensure_answer("a dying target, with a flag", answer, Err(Errno::EINVAL))?;
    mrelease.expect("a dying target", Ok(()))?;
    smaps::ensure_reaped(&smaps::of(victim.pid())?)?;
    mrelease.expect("the same again", Ok(()))?;
    // It is the OOM reaper's to say that nothing more will come of a process.
    ensure(oom::score(victim.pid())? != 0, || {
        "the OOM killer no longer sees a process that was released by hand".into()
    })?;
    victim.release()?;
    victim.wait_zombie()?;
    // It has no memory any more, and is still among the processes.
    mrelease.expect("a zombie", Err(Errno::ESRCH))?;
    oom::ensure_unseen(victim.pid())?;
    victim.wait_killed()?;
    mrelease.expect("a target that is gone", Err(Errno::ESRCH))
}
