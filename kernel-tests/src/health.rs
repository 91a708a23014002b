//! Whether the guest is as well after a scenario as it was before.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

use crate::cgroup;
use crate::failure::{Failure, ResultExt};
use crate::helper;
use crate::oom;
use crate::procfs;
use crate::sys;
use crate::timeout_scale::scaled;
use crate::trace;
use crate::victim::bind;

/// The taints that say that something went wrong: a machine check (bit 4), a bad
/// page (5), an oops (7), a warning (9), a soft lockup (14). The helper module
/// sets others.
const BAD_TAINTS: u64 = 1 << 4 | 1 << 5 | 1 << 7 | 1 << 9 | 1 << 14;

/// Memory that may stay away: caches of the kernel that fill with use.
const SLACK_KIB: u64 = 32 << 10;

/// Removed groups that may still be held: by what the kernel frees late.
const SLACK_GROUPS: u64 = 1;

/// How long memory and the last members of a group may take to come back.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How long a process that is ending by itself may take to be gone.
const ENDING: Duration = Duration::from_secs(2);

/// What scenarios and the kernel's own tests set for a while.
const SETTINGS: [&str; 9] = [
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/vm/nr_hugepages",
    "/proc/sys/vm/oom_dump_tasks",
    "/proc/sys/vm/oom_kill_allocating_task",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/panic_on_oom",
    "/proc/sys/vm/percpu_pagelist_high_fraction",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/proc/swaps",
];

/// The state before a scenario.
#[derive(Debug)]
pub struct Health {
    log: File,
    mounts: String,
    settings: Vec<(&'static str, String)>,
    taint: u64,
    dying: u64,
    available: u64,
}

impl Health {
    pub fn note() -> Result<Self, Failure> {
        let mut log = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/kmsg")
            .while_doing(|| "opening /dev/kmsg".into())?;
        log.seek(SeekFrom::End(0))
            .while_doing(|| "seeking in /dev/kmsg".into())?;
        Ok(Self {
            log,
            mounts: procfs::read("/proc/self/mounts")?,
            settings: settings(),
            taint: taint()?,
            dying: cgroup::dying(),
            available: procfs::mem_available()?,
        })
    }

    /// What is not as it was. Leftovers are removed on the way.
    pub fn complaints(mut self) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut say = |what: &str, left: Vec<String>| {
            if !left.is_empty() {
                complaints.push(format!("left behind: {what} {}", left.join(", ")));
            }
        };
        // The last one to wait for them may have ended before they were gone.
        let _ = wait_until(scaled(ENDING), &mut || {
            wait_for_orphans();
            strays().is_empty()
        });
        say("processes", stray_processes());
        say("cgroups", cgroup::leftovers());
        say("probes", trace::leftovers());
        say("modules", helper::leftovers());
        match procfs::read("/proc/self/mounts") {
            Ok(mounts) if mounts == self.mounts => {}
            _ => complaints.push("left behind: mounts".into()),
        }
        for ((name, before), (_, now)) in self.settings.iter().zip(settings()) {
            if *before != now {
                let (before, now) = (before.trim_end(), now.trim_end());
                complaints.push(format!("left behind: {name} is {now} instead of {before}"));
            }
        }
        let new = taint().unwrap_or(0) & !self.taint & BAD_TAINTS;
        if new != 0 {
            complaints.push(format!("the kernel is tainted: {new:#x}"));
        }
        complaints.extend(self.missing_memory());
        complaints.extend(self.dying_groups());
        drop_lazy_mms();
        complaints.extend(self.trouble());
        complaints
    }

    fn missing_memory(&self) -> Option<String> {
        let (before, mut now) = (self.available, 0);
        let is_back = wait_until(scaled(TIMEOUT), &mut || {
            now = procfs::mem_available().unwrap_or(0);
            now + SLACK_KIB >= before
        });
        (!is_back).then(|| format!("memory did not come back: {now} KiB of {before} KiB"))
    }

    /// A victim's task that is held holds its group.
    fn dying_groups(&self) -> Option<String> {
        let mut more = 0;
        let are_gone = wait_until(scaled(TIMEOUT), &mut || {
            more = cgroup::dying().saturating_sub(self.dying);
            more <= SLACK_GROUPS
        });
        (!are_gone).then(|| format!("{more} removed cgroups are still held"))
    }

    /// Lines of the kernel log that no healthy kernel writes.
    fn trouble(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        let mut record = [0; 8192];
        loop {
            match self.log.read(&mut record) {
                Ok(0) => break,
                Ok(read) => {
                    let text = String::from_utf8_lossy(record.get(..read).unwrap_or_default());
                    let line = text.split_once(';').map_or(&*text, |(_, line)| line);
                    let line = line.lines().next().unwrap_or_default();
                    if is_trouble(line) {
                        found.push(format!("kernel log: {line}"));
                    }
                }
                // The log went round: the next read goes on where it can.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        found
    }
}

/// The settings as they are, by their names. A kernel that lacks one has an empty value.
fn settings() -> Vec<(&'static str, String)> {
    let files = SETTINGS.map(|path| (path, procfs::read(path).unwrap_or_default()));
    let reaper = oom::reaper().and_then(|pid| procfs::read(format!("/proc/{pid}/status")));
    let reaper = reaper.unwrap_or_default();
    let cpus = procfs::field(&reaper, "Cpus_allowed_list").unwrap_or_default();
    let cpus = ("the CPUs of oom_reaper", cpus.to_owned());
    files.into_iter().chain([cpus]).collect()
}

/// Has each CPU drop the address space that it ran last (lazy TLB): the kernel
/// checks an address space only when nothing holds it any more.
fn drop_lazy_mms() {
    let Ok(all) = sched_getaffinity(Pid::from_raw(0)) else {
        return;
    };
    for cpu in (0..CpuSet::count()).filter(|cpu| all.is_set(*cpu) == Ok(true)) {
        let _ = bind(Pid::from_raw(0), cpu);
    }
    let _ = sched_setaffinity(Pid::from_raw(0), &all);
    sys::membarrier();
}

fn taint() -> Result<u64, Failure> {
    const PATH: &str = "/proc/sys/kernel/tainted";
    let text = procfs::read(PATH)?;
    text.trim()
        .parse()
        .map_err(|_| Failure::unmet(format!("{PATH} is no number: {text:?}")))
}

/// Says of a single line what the host's triage says of a whole console.
fn is_trouble(line: &str) -> bool {
    [
        "BUG:",
        "BUG at",
        "kernel BUG",
        "WARNING:",
        "Oops",
        "general protection fault",
        "soft lockup",
        "hard LOCKUP",
        "KASAN:",
        "UBSAN:",
        "detected stall",
        "suspected memory leaks",
        "possible circular locking",
        "inconsistent lock state",
        "possible recursive locking",
        "suspicious RCU usage",
        "Bad rss-counter",
        "Bad page",
        "blocked for more than",
    ]
    .iter()
    .any(|sign| line.contains(sign))
}

/// Ends all processes but this one and the kernel's threads, and names them.
pub fn stray_processes() -> Vec<String> {
    let deadline = Instant::now() + scaled(TIMEOUT);
    let mut names = Vec::new();
    loop {
        wait_for_orphans();
        let strays = strays();
        if names.is_empty() {
            names = strays
                .iter()
                .map(|(pid, comm)| format!("{comm} ({pid})"))
                .collect();
        }
        if strays.is_empty() || Instant::now() >= deadline {
            return names;
        }
        for (pid, _) in strays {
            let _ = kill(pid, Signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until something holds, but no longer than this. Returns whether it does.
fn wait_until(most: Duration, holds: &mut dyn FnMut() -> bool) -> bool {
    let deadline = Instant::now() + most;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn strays() -> Vec<(Pid, String)> {
    let own = getpid();
    user_processes()
        .into_iter()
        .filter(|p| p.pid != own)
        .map(|p| (p.pid, p.comm))
        .collect()
}

/// All processes but the kernel's threads.
pub fn user_processes() -> Vec<procfs::Process> {
    const KTHREADD: i32 = 2;
    procfs::processes()
        .unwrap_or_default()
        .into_iter()
        .filter(|p| p.pid.as_raw() != KTHREADD && p.parent.as_raw() != KTHREADD)
        .collect()
}

/// Waits for ended orphans, as the first process must. Only between scenarios:
/// these wait for their own children.
fn wait_for_orphans() {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)) {
        if status == WaitStatus::StillAlive {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oom_report_is_no_trouble() {
        for line in [
            "init invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=1000",
            "Memory cgroup out of memory: Killed process 55 (init) total-vm:5kB",
            "oom_reaper: reaped process 55 (init), now anon-rss:0kB",
        ] {
            assert!(!is_trouble(line), "{line}");
        }
        for line in [
            "BUG: Bad rss-counter state mm:00000000 type:MM_ANONPAGES val:5",
            "WARNING: CPU: 0 PID: 55 at mm/memory.c:1675 zap_pte_range",
            "watchdog: BUG: soft lockup - CPU#0 stuck for 26s!",
            "WARNING: possible circular locking dependency detected",
        ] {
            assert!(is_trouble(line), "{line}");
        }
    }

    #[test]
    fn what_ends_by_itself_is_waited_for() {
        let mut left = 3;
        assert!(wait_until(Duration::from_secs(3600), &mut || {
            left -= 1;
            left == 0
        }));
        let mut looks = 0;
        assert!(!wait_until(Duration::ZERO, &mut || {
            looks += 1;
            false
        }));
        assert_eq!(looks, 1);
    }

    #[test]
    fn the_host_says_the_same_of_real_consoles() {
        // No guest outlives a panic, or a boot that failed.
        const NOT_SEEN: [&str; 4] = ["panic", "sysrq-crash", "boot-failed", "cut-boot"];
        const CLEAN: [&str; 3] = ["oom", "oom-allocation", "memcg"];
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../crates/vm/tests/data/console"
        );
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy();
            if NOT_SEEN.contains(&&*name) {
                continue;
            }
            let console = std::fs::read_to_string(&path).unwrap();
            let trouble = console.lines().any(is_trouble);
            assert_eq!(trouble, !CLEAN.contains(&&*name), "{name}");
        }
    }
}
