//! The way back to a guest: what it is told, and what its host did to it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// A guest that runs, as others may hold on to it: words for it go to the port
/// of its results.
#[derive(Debug)]
pub struct Link {
    port: UnixStream,
    tasks: PathBuf,
}

impl Link {
    pub(super) fn new(port: &UnixStream, qemu: u32) -> io::Result<Self> {
        Ok(Self {
            port: port.try_clone()?,
            tasks: PathBuf::from(format!("/proc/{qemu}/task")),
        })
    }

    /// The same link, for another thread.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn again(&self) -> io::Result<Self> {
        Ok(Self {
            port: self.port.try_clone()?,
            tasks: self.tasks.clone(),
        })
    }

    /// Sends the guest a line.
    ///
    /// # Errors
    /// When nobody listens any more.
    pub fn say(&self, line: &str) -> io::Result<()> {
        (&self.port).write_all(format!("{line}\n").as_bytes())
    }

    /// How long the threads that run virtual CPUs have stood ready without a CPU of
    /// the host, all together. Nothing where the kernel does not count that. Source:
    /// the second figure of `/proc/PID/schedstat`
    /// (Documentation/scheduler/sched-stats.rst).
    pub fn run_delay(&self) -> Duration {
        let delays = self.cpus().filter_map(|(_, task)| {
            let text = fs::read_to_string(task.join("schedstat")).ok()?;
            text.split_whitespace().nth(1)?.parse::<u64>().ok()
        });
        Duration::from_nanos(delays.sum())
    }

    /// Gives each virtual CPU a CPU of the host, the same for the same one of every
    /// guest, where there are enough. Says whether it has.
    pub fn pin(&self) -> bool {
        let ours = allowed();
        let cpus: Vec<(usize, Pid)> = self.threads().collect();
        cpus.len() <= ours.len()
            && cpus.iter().all(|(cpu, thread)| {
                let host = ours.get(*cpu).map(|host| set(&[*host]));
                host.is_some_and(|host| sched_setaffinity(*thread, &host).is_ok())
            })
    }

    /// Lets them run anywhere again.
    pub fn unpin(&self) {
        let all = set(&allowed());
        for (_, thread) in self.threads() {
            let _ = sched_setaffinity(thread, &all);
        }
    }

    fn threads(&self) -> impl Iterator<Item = (usize, Pid)> {
        self.cpus().filter_map(|(cpu, task)| {
            let thread = task.file_name()?.to_str()?.parse().ok()?;
            Some((cpu, Pid::from_raw(thread)))
        })
    }

    /// The virtual CPUs' numbers, and the folders of the threads that run them.
    fn cpus(&self) -> impl Iterator<Item = (usize, PathBuf)> {
        let tasks = fs::read_dir(&self.tasks).into_iter().flatten().flatten();
        tasks.filter_map(|task| {
            let comm = fs::read_to_string(task.path().join("comm")).ok()?;
            // As QEMU calls them: "CPU 0/TCG", "CPU 1/KVM".
            let (number, _) = comm.strip_prefix("CPU ")?.split_once('/')?;
            Some((number.parse().ok()?, task.path()))
        })
    }
}

/// The CPUs of the host that this process may use.
fn allowed() -> Vec<usize> {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    let cpus = 0..CpuSet::count();
    cpus.filter(|cpu| set.is_set(*cpu).unwrap_or(false))
        .collect()
}

fn set(cpus: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    for cpu in cpus {
        let _ = set.set(*cpu);
    }
    set
}
