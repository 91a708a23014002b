//! 39: a caller of `process_mrelease` waits for the address space, and can be killed
//! meanwhile.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use crate::context::Context;
use crate::failure::{Failure, ResultExt, ensure};
use crate::helper::Helper;
use crate::mrelease::{Mrelease, wait_for_lock};
use crate::needs::Need;
use crate::procfs;
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{Area, Kind, Spec, Victim};
use crate::wait;

/// How long a caller may take to end.
const TIMEOUT: Duration = Duration::from_secs(5);

pub const SCENARIO: Scenario = Scenario {
    name: "mrelease-lock",
    number: 39,
    summary: "mmap_lock is held for writing: process_mrelease waits, its caller can be killed, and when \
              the lock is free the next call reaps",
    needs: &[Need::Helper, Need::ProcessMrelease, Need::Smaps],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let helper = Helper::load()?;
    let mut victim = Victim::spawn(&Spec {
        areas: vec![Area::new(Kind::Anon, 8, 64)],
        ..Spec::default()
    })?;
    let pid = victim.pid();
    let mut callers = [
        Victim::spawn(&Spec::default())?,
        Victim::spawn(&Spec::default())?,
    ];
    victim.kill_held()?;
    let whole = procfs::resident(pid)?;

    let hold = helper.hold(pid)?;
    for caller in &mut callers {
        caller.mrelease(pid)?;
        wait_for_lock(caller)?;
    }
    let [killed, waiting] = &mut callers;
    kill(killed.pid(), Signal::SIGKILL).while_doing(|| format!("killing {}", killed.pid()))?;
    wait::until(
        TIMEOUT,
        || killed.ended(),
        || "a killed caller still waits for mmap_lock".into(),
    )?;
    killed.wait_killed()?;
    let left = procfs::resident(pid)?;
    ensure(left == whole, || {
        format!("{left} of {whole} pages are left although mmap_lock is held")
    })?;

    drop(hold);
    let answer = waiting.mreleased()?;
    ensure(answer == 0, || {
        format!("process_mrelease failed with {answer} behind the lock")
    })?;
    smaps::ensure_reaped(&smaps::of(pid)?)?;
    // The one that was killed took nothing with it.
    Mrelease::of(pid)?.expect("the same again", Ok(()))?;
    victim.release()?;
    victim.wait_killed()
}
