//! What scenarios need of the kernel, and whether this one has it.

use std::path::Path;

use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags};
use nix::sys::uio::process_vm_readv;
use nix::unistd::Pid;
use serde::Serialize;

use crate::cgroup;
use crate::disk;
use crate::fuse;
use crate::helper;
use crate::hugetlb;
use crate::kselftest;
use crate::procfs;
use crate::sys::{self, Mapping};
use crate::trace;
use crate::zram;

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
    ProcessMrelease,
    TwoCpus,
    /// Page flags and VMA flags in smaps.
    Smaps,
    /// A pool of huge pages.
    Hugetlb,
    TransparentHugePages,
    /// Requests to the kernel by key, which may be written too.
    Sysrq,
    /// The freezer controller of cgroup version 1.
    FreezerV1,
    /// A compressed disk in memory, to swap to.
    Zram,
    /// Names of anonymous VMAs.
    VmaNames,
    /// Counts of the slab allocator's objects.
    SlabInfo,
    /// File systems in user space.
    Fuse,
    /// Page faults handled in user space.
    Userfaultfd,
    /// Reading the memory of another process.
    CrossMemory,
    Helper,
    /// Core dumps.
    CoreDump,
    /// A file system on a disk in memory.
    Disk,
    /// One of the kernel's own tests.
    Selftest(&'static str),
}

impl Need {
    /// Why this kernel does not fulfil it; none where it does.
    pub fn missing(self) -> Option<String> {
        if let Self::Selftest(name) = self {
            return (!kselftest::program(name).exists()).then(|| {
                format!("the kernel's own {name} is missing: not in its tree, or not compiled")
            });
        }
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
                Path::new(hugetlb::POOL).exists(),
                "no huge page pool (CONFIG_HUGETLBFS)",
            ),
            Self::Sysrq => (
                Path::new("/proc/sysrq-trigger").exists(),
                "no sysrq (CONFIG_MAGIC_SYSRQ)",
            ),
            Self::TransparentHugePages => (
                Path::new("/sys/kernel/mm/transparent_hugepage").exists(),
                "no transparent huge pages (CONFIG_TRANSPARENT_HUGEPAGE)",
            ),
            Self::FreezerV1 => (
                procfs::read("/proc/cgroups")
                    .is_ok_and(|text| text.lines().any(|line| line.starts_with("freezer\t"))),
                "no freezer in cgroup v1 (CONFIG_CGROUP_FREEZER)",
            ),
            Self::Zram => (
                Path::new(zram::SYSFS).exists(),
                "no compressed disk in memory (CONFIG_ZRAM, CONFIG_SWAP)",
            ),
            Self::VmaNames => (
                names_a_vma(),
                "no names of anonymous VMAs (CONFIG_ANON_VMA_NAME)",
            ),
            Self::SlabInfo => (
                Path::new("/proc/slabinfo").exists(),
                "no counts of slab objects (CONFIG_SLUB_DEBUG)",
            ),
            Self::Fuse => (Path::new(fuse::DEVICE).exists(), "no FUSE (CONFIG_FUSE_FS)"),
            Self::Userfaultfd => (
                sys::userfaultfd().is_ok(),
                "no userfaultfd (CONFIG_USERFAULTFD)",
            ),
            Self::CrossMemory => (
                process_vm_readv(Pid::this(), &mut [], &[]).is_ok(),
                "no process_vm_readv (CONFIG_CROSS_MEMORY_ATTACH)",
            ),
            Self::Helper => (
                Path::new(helper::PATH).exists(),
                "no helper module (CONFIG_MODULES, CONFIG_MMU_NOTIFIER)",
            ),
            Self::CoreDump => (
                Path::new("/proc/sys/kernel/core_pattern").exists(),
                "no core dumps (CONFIG_COREDUMP)",
            ),
            Self::Disk => (
                Path::new(disk::DEVICE).exists()
                    && procfs::read("/proc/filesystems")
                        .is_ok_and(|text| text.contains("\text2\n")),
                "no file system on a disk in memory (CONFIG_BLK_DEV_RAM, CONFIG_EXT2_FS)",
            ),
            Self::Selftest(_) => (true, ""),
        };
        (!there).then(|| why.to_owned())
    }
}

/// Whether this process can name a page that it maps, and keeps.
fn names_a_vma() -> bool {
    let protection = ProtFlags::PROT_READ;
    Mapping::new(None, sys::PAGE, protection, MapFlags::MAP_PRIVATE, None)
        .is_ok_and(|page| page.name(c"test").is_ok())
}
