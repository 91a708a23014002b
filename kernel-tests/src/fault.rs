//! What the harness can make a guest do wrong, to prove that the host names it
//! rightly.

use std::thread;
use std::time::Duration;

use nix::unistd::Pid;
use results::plan::Fault;

use crate::context::Context;
use crate::failure::{Doing, Failure};
use crate::procfs;
use crate::scenarios::{Need, Scenario};
use crate::sys;
use crate::victim::bind;

/// The pseudo scenario that commits a fault; none for those that the runner
/// commits between scenarios.
pub fn scenario(fault: Fault) -> Option<&'static dyn Scenario> {
    match fault {
        Fault::Hang => Some(&Hang),
        Fault::Slow => Some(&Slow),
        Fault::Panic | Fault::Cut => None,
    }
}

/// Takes every CPU away from everybody.
struct Hang;

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
        procfs::write("/proc/sys/kernel/sched_rt_runtime_us", "-1")?;
        let cpus = thread::available_parallelism()
            .doing(|| "counting CPUs".into())?
            .get();
        // This thread spins on CPU 0, last: the others must get going first.
        for cpu in (0..cpus).rev() {
            let spin = move || -> Result<(), Failure> {
                bind(Pid::from_raw(0), cpu)?;
                sys::be_realtime().doing(|| "asking for real time".into())?;
                loop {
                    std::hint::spin_loop();
                }
            };
            if cpu == 0 {
                return spin();
            }
            thread::spawn(spin);
        }
        Ok(())
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
        thread::sleep(self.deadline() * 2);
        Ok(())
    }
}
