//! What the harness can make a guest do wrong, to prove that the host names it
//! rightly.

use std::fs;
use std::thread;
use std::time::Duration;

use results::plan::Fault;

use crate::context::Context;
use crate::failure::{Doing, Failure};
use crate::needs::Need;
use crate::procfs;
use crate::scenario::Scenario;
use crate::timeout_scale::scaled;

/// The pseudo scenario that commits a fault; none for those that the runner
/// commits between scenarios.
pub fn scenario(fault: Fault) -> Option<&'static dyn Scenario> {
    match fault {
        Fault::Hang => Some(&Hang),
        Fault::Slow => Some(&Slow),
        Fault::Panic | Fault::Cut => None,
    }
}

/// Freezes the runner and its watchdog. Real-time threads that spin on every
/// CPU would not do: recent kernels keep a part of each second for others.
struct Hang;

/// The group that is frozen.
const FROZEN: &str = "/sys/fs/cgroup/fault-hang";

impl Scenario for Hang {
    fn name(&self) -> &'static str {
        "fault-hang"
    }

    fn number(&self) -> u32 {
        0
    }

    fn summary(&self) -> &'static str {
        "the guest falls silent"
    }

    fn needs(&self) -> &'static [Need] {
        &[]
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn run(&self, _: &Context<'_>) -> Result<(), Failure> {
        fs::create_dir(FROZEN).doing(|| format!("making {FROZEN}"))?;
        procfs::write(format!("{FROZEN}/cgroup.procs"), "0")?;
        procfs::write(format!("{FROZEN}/cgroup.freeze"), "1")?;
        loop {
            thread::park();
        }
    }
}

/// Sleeps past its deadline.
struct Slow;

impl Scenario for Slow {
    fn name(&self) -> &'static str {
        "fault-slow"
    }

    fn number(&self) -> u32 {
        0
    }

    fn summary(&self) -> &'static str {
        "a scenario misses its deadline while the guest is well"
    }

    fn needs(&self) -> &'static [Need] {
        &[]
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn run(&self, _: &Context<'_>) -> Result<(), Failure> {
        thread::sleep(scaled(self.deadline()) * 2);
        Ok(())
    }
}
