//! What the harness can make a guest do wrong, to prove that the host names it
//! rightly.

use std::fs;
use std::thread;

use results::plan::Fault;

use crate::context::Context;
use crate::failure::{Failure, ResultExt};
use crate::oom;
use crate::procfs;
use crate::scenario::Scenario;
use crate::timeout_scale::scaled;
use crate::victim::bind;

/// The pseudo scenario that commits a fault; none for those that the runner
/// commits between scenarios.
pub fn scenario(fault: Fault) -> Option<&'static Scenario> {
    match fault {
        Fault::Hang => Some(&HANG),
        Fault::Slow => Some(&SLOW),
        Fault::Leave => Some(&LEAVE),
        Fault::Panic | Fault::Cut => None,
    }
}

/// The group that is frozen.
const FROZEN: &str = "/sys/fs/cgroup/fault-hang";

const HANG: Scenario = Scenario {
    name: "fault-hang",
    summary: "the guest falls silent",
    deadline_s: 3,
    run: hang,
    ..Scenario::DEFAULT
};

/// Freezes the runner and its watchdog. Real-time threads that spin on every
/// CPU would not do: recent kernels keep a part of each second for others.
fn hang(_: &Context<'_>) -> Result<(), Failure> {
    fs::create_dir(FROZEN).while_doing(|| format!("making {FROZEN}"))?;
    procfs::write(format!("{FROZEN}/cgroup.procs"), "0")?;
    procfs::write(format!("{FROZEN}/cgroup.freeze"), "1")?;
    loop {
        thread::park();
    }
}

const SLOW: Scenario = Scenario {
    name: "fault-slow",
    summary: "a scenario misses its deadline while the guest is well",
    deadline_s: 2,
    run: slow,
    ..Scenario::DEFAULT
};

/// Sleeps past its deadline.
fn slow(_: &Context<'_>) -> Result<(), Failure> {
    thread::sleep(scaled(SLOW.deadline()) * 2);
    Ok(())
}

const LEAVE: Scenario = Scenario {
    name: "fault-leave",
    summary: "a scenario does not put back what it has set",
    deadline_s: 5,
    run: leave,
    ..Scenario::DEFAULT
};

fn leave(_: &Context<'_>) -> Result<(), Failure> {
    bind(oom::reaper()?, 0)?;
    procfs::write("/proc/sys/vm/panic_on_oom", "1")
}
