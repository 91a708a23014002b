//! The way back to a guest: what it is told, and what its host did to it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// A guest that runs, as others may hold on to it: words for it go to the port
/// of its results.
#[derive(Debug, Clone)]
pub struct Link {
    port: Arc<UnixStream>,
    tasks: PathBuf,
}

impl Link {
    pub(super) fn new(port: &UnixStream, qemu: u32) -> io::Result<Self> {
        Ok(Self {
            port: Arc::new(port.try_clone()?),
            tasks: PathBuf::from(format!("/proc/{qemu}/task")),
        })
    }

    /// Sends the guest a line.
    ///
    /// # Errors
    /// When nobody listens any more.
    pub fn say(&self, line: &str) -> io::Result<()> {
        (&*self.port).write_all(format!("{line}\n").as_bytes())
    }

    /// Its virtual CPUs: all of them, once the guest has said something.
    pub fn cpus(&self) -> Cpus {
        let tasks = fs::read_dir(&self.tasks).into_iter().flatten().flatten();
        let cpus = tasks.filter_map(|task| {
            let comm = fs::read_to_string(task.path().join("comm")).ok()?;
            // As QEMU calls them: "CPU 0/TCG", "CPU 1/KVM".
            let (number, _) = comm.strip_prefix("CPU ")?.split_once('/')?;
            let thread = task.file_name().to_str()?.parse().ok()?;
            Some(Cpu {
                number: number.parse().ok()?,
                thread: Pid::from_raw(thread),
                schedstat: task.path().join("schedstat"),
            })
        });
        Cpus(cpus.collect())
    }
}

/// The threads that run a guest's virtual CPUs.
#[derive(Debug)]
pub struct Cpus(Vec<Cpu>);

#[derive(Debug)]
struct Cpu {
    number: usize,
    thread: Pid,
    schedstat: PathBuf,
}

impl Cpus {
    /// How long they have stood ready without a CPU of the host, all together.
    /// Nothing where the kernel does not count that. Source: the second figure of
    /// `/proc/PID/schedstat` (Documentation/scheduler/sched-stats.rst).
    pub fn run_delay(&self) -> Duration {
        let delays = self.0.iter().filter_map(|cpu| {
            let text = fs::read_to_string(&cpu.schedstat).ok()?;
            text.split_whitespace().nth(1)?.parse::<u64>().ok()
        });
        Duration::from_nanos(delays.sum())
    }

    /// Gives each a CPU of the host, the same for the same one of every guest, where
    /// there are enough.
    pub fn pin(&self) {
        let ours = allowed();
        if self.0.len() > ours.len() {
            return;
        }
        for cpu in &self.0 {
            if let Some(host) = ours.get(cpu.number) {
                let _ = sched_setaffinity(cpu.thread, &set(&[*host]));
            }
        }
    }

    /// Lets them run anywhere again.
    pub fn unpin(&self) {
        let all = set(&allowed());
        for cpu in &self.0 {
            let _ = sched_setaffinity(cpu.thread, &all);
        }
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
