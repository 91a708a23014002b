//! CPU time, as the scheduler accounts for it: to the nanosecond, whatever the
//! tick.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeSpec, TimeVal};
use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::failure::{Failure, ResultExt};

/// Of the calling thread; nothing where the kernel does not say.
pub fn of_thread() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, TimeSpec::into)
}

/// Of a process and all its threads, which may be dead but not waited for.
pub fn of_process(pid: Pid) -> Result<Duration, Failure> {
    clock_getcpuclockid(pid)
        .and_then(clock_gettime)
        .map(TimeSpec::into)
        .while_doing(|| format!("asking for the CPU time of {pid}"))
}

/// Of all children that were waited for. Two of its parts are whole
/// microseconds.
pub fn of_children() -> Result<Duration, Failure> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)
        .while_doing(|| "asking for the CPU time of the victims".into())?;
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

fn duration(time: TimeVal) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec()).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}
