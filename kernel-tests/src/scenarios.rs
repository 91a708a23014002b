//! The scenarios, one file each, and what they have in common.

mod both_ends;
mod global_oom;
mod hugetlb;
mod memcg_limit;
mod mlocked;
mod mrelease_errors;
mod mrelease_exit_race;
mod order;
mod pin_reap;
mod reaper_exit_race;
mod shared;
mod sysrq_f;

use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use serde::Serialize;

use crate::cgroup;
use crate::context::{Context, Metric};
use crate::failure::Failure;
use crate::procfs;
use crate::sys;
use crate::trace;

/// One scenario.
pub trait Scenario: Sync {
    /// Its name, as plans and results use it.
    fn name(&self) -> &'static str;
    /// Its number in the catalogue.
    fn number(&self) -> u32;
    /// What it proves, in a sentence.
    fn summary(&self) -> &'static str;
    /// What it needs of the kernel.
    fn needs(&self) -> &'static [Need];
    /// How long it may take, emulated and with the usual repetitions.
    fn deadline(&self) -> Duration;
    /// What it measures.
    fn metrics(&self) -> &'static [Metric] {
        &[]
    }
    /// Whether it proves the order of the reaper's walk.
    fn proves_order(&self) -> bool {
        false
    }
    /// Runs it.
    fn run(&self, context: &Context<'_>) -> Result<(), Failure>;
}

/// All scenarios, by number.
pub const ALL: &[&dyn Scenario] = &[
    &memcg_limit::MemcgLimit,
    &sysrq_f::SysrqF,
    &global_oom::GlobalOom,
    &pin_reap::PinReap,
    &order::WalkOrder,
    &both_ends::BothEnds,
    &mlocked::Mlocked,
    &hugetlb::Hugetlb,
    &shared::Shared,
    &mrelease_errors::MreleaseErrors,
    &mrelease_exit_race::MreleaseExitRace,
    &reaper_exit_race::ReaperExitRace,
];

/// The scenario of a name.
pub fn find(name: &str) -> Option<&'static dyn Scenario> {
    ALL.iter().copied().find(|scenario| scenario.name() == name)
}

/// A kernel feature that a scenario can't do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// The memory controller, version 2.
    Memcg,
    /// Tracepoints of the OOM killer.
    OomEvents,
    /// Probes set through tracefs.
    KprobeEvents,
    /// A spinlock slow path to probe.
    SpinlockSlowPath,
    /// The system call.
    ProcessMrelease,
    /// Two CPUs.
    TwoCpus,
    /// Page flags and VMA flags in smaps.
    Smaps,
    /// A pool of huge pages.
    Hugetlb,
    /// Requests to the kernel by key, which may be written too.
    Sysrq,
}

impl Need {
    /// Why this kernel does not fulfil it; none where it does.
    pub fn missing(self) -> Option<&'static str> {
        let (there, why) = match self {
            Self::Memcg => (
                procfs::read(Path::new(cgroup::ROOT).join("cgroup.controllers"))
                    .is_ok_and(|text| text.split_whitespace().any(|name| name == "memory")),
                "no memory controller in cgroup v2 (CONFIG_MEMCG)",
            ),
            Self::OomEvents => (
                Path::new(trace::ROOT)
                    .join("events/oom/mark_victim")
                    .exists(),
                "no OOM tracepoints (CONFIG_FTRACE)",
            ),
            Self::KprobeEvents => (
                Path::new(trace::ROOT).join("kprobe_events").exists(),
                "no kprobe events (CONFIG_KPROBE_EVENTS)",
            ),
            Self::SpinlockSlowPath => (
                procfs::spinlock_slow_path().is_some(),
                "no queued spinlock slow path (CONFIG_SMP, CONFIG_KALLSYMS)",
            ),
            Self::ProcessMrelease => (
                sys::process_mrelease_raw(-1, 0) != Err(Errno::ENOSYS),
                "no process_mrelease (Linux 5.15, CONFIG_MMU)",
            ),
            Self::TwoCpus => (
                std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() >= 2),
                "one CPU only: nothing can contend",
            ),
            Self::Smaps => (
                Path::new("/proc/self/smaps").exists(),
                "no smaps (CONFIG_PROC_PAGE_MONITOR)",
            ),
            Self::Hugetlb => (
                Path::new("/proc/sys/vm/nr_hugepages").exists(),
                "no huge page pool (CONFIG_HUGETLBFS)",
            ),
            Self::Sysrq => (
                Path::new("/proc/sysrq-trigger").exists(),
                "no sysrq (CONFIG_MAGIC_SYSRQ)",
            ),
        };
        (!there).then_some(why)
    }
}
