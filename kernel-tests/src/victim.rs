//! Victims: processes made to be killed, and how to hold one still in the
//! moment of its death.
//!
//! A victim is this program again, executed so that its address space is small
//! and its own. It maps what it was told to, says so, and waits for a word on
//! its standard input.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use nix::libc;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags};
use nix::sys::prctl::{set_name, set_pdeathsig};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::failure::{Doing, Failure, ensure};
use crate::sys::{Mapping, PAGE};

/// The first argument of a process that is to be a victim.
pub const ARGUMENT: &str = "victim";

/// Where mappings begin that ask for no address of their own: far from what
/// the kernel and the loader place.
const ARENA: u64 = 0x1000_0000_0000;

/// What the first byte of each touched page holds.
pub const FILL: u8 = 0x5a;

/// Size and alignment of a huge page.
const HUGE: u64 = 2 << 20;

/// What the mappings of a victim are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Private anonymous memory.
    Anon,
    /// The same, mlocked.
    Locked,
    /// Shared anonymous memory.
    Shared,
    /// A memfd mapped shared, kept open.
    Memfd,
    /// A memfd mapped privately and written.
    PrivateFile,
    /// Private huge pages from the pool.
    Hugetlb,
}

/// Some mappings of one kind and size, each a VMA of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Area {
    /// What they are made of.
    pub kind: Kind,
    /// How many.
    pub count: u32,
    /// Pages in each, all touched; huge ones for [`Kind::Hugetlb`].
    pub pages: u64,
    /// The first one's address; none for the next free one of the arena.
    pub at: Option<u64>,
}

impl Area {
    /// `count` mappings of `pages` pages in the arena.
    pub fn new(kind: Kind, count: u32, pages: u64) -> Self {
        Self {
            kind,
            count,
            pages,
            at: None,
        }
    }
}

/// What a victim is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Its mappings, in order.
    pub areas: Vec<Area>,
    /// The CPU it is bound to.
    pub cpu: Option<usize>,
    /// The cgroup it joins before it maps anything.
    pub cgroup: Option<PathBuf>,
    /// Its oom_score_adj.
    pub oom_score_adj: i32,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            areas: Vec::new(),
            cpu: None,
            cgroup: None,
            oom_score_adj: 1000,
        }
    }
}

/// One mapping as the victim reports it: its first address and the one behind.
pub type Range = (u64, u64);

/// A running victim. Dropped, it is killed and waited for.
#[derive(Debug)]
pub struct Victim {
    pid: Pid,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// Where its mappings lie, by area.
    pub ranges: Vec<Vec<Range>>,
    gone: bool,
}

impl Victim {
    /// Starts a victim and waits until its memory is there.
    pub fn spawn(spec: &Spec) -> Result<Self, Failure> {
        let spec = serde_json::to_string(spec).doing(|| "describing a victim".into())?;
        let mut child = Command::new("/proc/self/exe")
            .args([ARGUMENT, &spec])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .doing(|| "starting a victim".into())?;
        let pid = i32::try_from(child.id())
            .map_err(|_| Failure::unmet(format!("{} is no process id", child.id())))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::unmet("a victim has no pipes"));
        };
        let mut victim = Self {
            pid: Pid::from_raw(pid),
            stdin,
            stdout: BufReader::new(stdout),
            ranges: Vec::new(),
            gone: false,
        };
        let line = victim.hear()?;
        victim.ranges = serde_json::from_str(&line)
            .map_err(|_| Failure::unmet(format!("the victim could not start: {}", line.trim())))?;
        Ok(victim)
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Tells it to allocate until it is killed.
    pub fn exhaust(&mut self) -> Result<(), Failure> {
        self.stdin
            .write_all(b"exhaust\n")
            .doing(|| "telling the victim to allocate".into())
    }

    /// Has it answer, as only the living do.
    pub fn ping(&mut self) -> Result<(), Failure> {
        self.stdin
            .write_all(b"ping\n")
            .doing(|| format!("asking {} whether it lives", self.pid))?;
        let answer = self.hear()?;
        ensure(answer.trim() == "pong", || {
            format!("{} answered {answer:?}", self.pid)
        })
    }

    /// Sends it SIGKILL.
    pub fn kill(&self) -> Result<(), Failure> {
        kill(self.pid, Signal::SIGKILL).doing(|| format!("killing {}", self.pid))
    }

    /// PIN, the first half: whenever it dies, it will stop with its mm whole.
    /// This and the other half belong to one thread.
    pub fn pin(&self) -> Result<(), Failure> {
        ptrace::seize(self.pid, ptrace::Options::PTRACE_O_TRACEEXIT)
            .doing(|| format!("seizing {}", self.pid))
    }

    /// PIN, the second half: waits until it is dead but whole.
    pub fn wait_pinned(&self) -> Result<(), Failure> {
        match waitpid(self.pid, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_EXIT)) => Ok(()),
            Ok(other) => Err(Failure::unmet(format!(
                "the victim did not stop at its exit: {other:?}"
            ))),
            Err(error) => Err(error).doing(|| format!("waiting for {} to stop", self.pid)),
        }
    }

    /// Lets a pinned victim go on to its end.
    pub fn release(&self) -> Result<(), Failure> {
        ptrace::cont(self.pid, None).doing(|| format!("releasing {}", self.pid))
    }

    /// Waits for its end, which must be by SIGKILL.
    pub fn wait_killed(&mut self) -> Result<(), Failure> {
        let status = waitpid(self.pid, Some(WaitPidFlag::__WALL))
            .doing(|| format!("waiting for {} to end", self.pid))?;
        self.gone = matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..));
        ensure(
            matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _)),
            || format!("the victim did not end by SIGKILL: {status:?}"),
        )
    }

    /// Reads one line of what it says.
    fn hear(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.stdout
            .read_line(&mut line)
            .doing(|| "listening to the victim".into())?;
        ensure(!line.is_empty(), || "the victim ended in silence".into())?;
        Ok(line)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        if self.gone || kill(self.pid, Signal::SIGKILL).is_err() {
            return;
        }
        // A pinned one stops once more on its way.
        while let Ok(status) = waitpid(self.pid, Some(WaitPidFlag::__WALL)) {
            if matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..)) {
                return;
            }
            let _ = ptrace::cont(self.pid, None);
        }
    }
}

/// Binds a thread, the calling one for pid 0, to one CPU.
pub fn bind(pid: Pid, cpu: usize) -> Result<(), Failure> {
    let mut set = CpuSet::new();
    set.set(cpu)
        .and_then(|()| sched_setaffinity(pid, &set))
        .doing(|| format!("binding {pid} to CPU {cpu}"))
}

/// The victim's own life. Returns only if nobody kills it.
pub fn main(spec: &str) -> Result<(), Failure> {
    set_pdeathsig(Signal::SIGKILL).doing(|| "tying the victim to its parent".into())?;
    set_name(c"victim").doing(|| "naming the victim".into())?;
    let spec: Spec = serde_json::from_str(spec).doing(|| "reading what to be".into())?;
    if let Some(cpu) = spec.cpu {
        bind(Pid::from_raw(0), cpu)?;
    }
    crate::procfs::write("/proc/self/oom_score_adj", &spec.oom_score_adj.to_string())?;
    if let Some(cgroup) = &spec.cgroup {
        crate::procfs::write(cgroup.join("cgroup.procs"), "0")?;
    }
    let mut next = ARENA;
    let mut files = Vec::new();
    let mut ranges = Vec::with_capacity(spec.areas.len());
    for area in &spec.areas {
        ranges.push(map(area, &mut next, &mut files)?);
    }
    let mut ready = serde_json::to_string(&ranges).doing(|| "reporting".into())?;
    ready.push('\n');
    std::io::stdout()
        .write_all(ready.as_bytes())
        .doing(|| "reporting".into())?;
    std::io::stdout().flush().doing(|| "reporting".into())?;

    let mut word = String::new();
    while std::io::stdin()
        .read_line(&mut word)
        .is_ok_and(|read| read > 0)
    {
        match word.trim() {
            "exhaust" => exhaust(next)?,
            "ping" => println!("pong"),
            other => {
                return Err(Failure::unmet(format!(
                    "the victim does not know {other:?}"
                )));
            }
        }
        word.clear();
    }
    Ok(())
}

/// Makes the mappings of one area, with a gap behind each so that they do not
/// merge, and touches every page.
fn map(area: &Area, next: &mut u64, files: &mut Vec<OwnedFd>) -> Result<Vec<Range>, Failure> {
    let (unit, gap) = if area.kind == Kind::Hugetlb {
        (HUGE, HUGE)
    } else {
        (PAGE, PAGE)
    };
    let len = area.pages * unit;
    let mut own = area.at.unwrap_or(0);
    let cursor = if area.at.is_some() { &mut own } else { next };
    *cursor = cursor.next_multiple_of(unit);
    let flags = match area.kind {
        Kind::Anon => MapFlags::MAP_PRIVATE,
        Kind::Locked => MapFlags::MAP_PRIVATE | MapFlags::MAP_LOCKED,
        Kind::Shared | Kind::Memfd => MapFlags::MAP_SHARED,
        Kind::PrivateFile => MapFlags::MAP_PRIVATE,
        Kind::Hugetlb => MapFlags::MAP_PRIVATE | MapFlags::MAP_HUGETLB,
    };
    let mut ranges = Vec::with_capacity(area.count as usize);
    for _ in 0..area.count {
        let file = match area.kind {
            Kind::Memfd | Kind::PrivateFile => Some(
                memfd_create("reaperlab", MFdFlags::MFD_CLOEXEC)
                    .and_then(|fd| nix::unistd::ftruncate(&fd, len as i64).map(|()| fd))
                    .doing(|| format!("making a memfd of {len} bytes"))?,
            ),
            _ => None,
        };
        let mapping = Mapping::new(
            Some(*cursor),
            len,
            ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
            flags,
            file.as_ref().map(AsFd::as_fd),
        )
        .doing(|| format!("mapping {len} bytes of {:?} at {:#x}", area.kind, *cursor))?;
        // Kernels before 5.14 can't populate at a word.
        if mapping.populate().is_err() || area.kind != Kind::Anon {
            mapping.fill(FILL);
        }
        ranges.push((mapping.start(), mapping.end()));
        *cursor = mapping.end() + gap;
        files.extend(file);
    }
    Ok(ranges)
}

/// Touches new memory until somebody objects.
fn exhaust(next: u64) -> Result<(), Failure> {
    const STEP: u64 = 16 << 20;
    let mut at = next + HUGE;
    loop {
        let mapping = Mapping::new(
            Some(at),
            STEP,
            ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
            MapFlags::MAP_PRIVATE,
            None,
        )
        .doing(|| format!("mapping {STEP} bytes at {at:#x}"))?;
        mapping.fill(FILL);
        at = mapping.end();
    }
}
