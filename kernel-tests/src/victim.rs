//! Victims: processes made to be killed, and how to hold one still in the
//! moment of its death.
//!
//! A victim is this program again, executed so that its address space is small
//! and its own. It maps what it was told to, says so, and waits for commands on
//! its standard input.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags};
use nix::sys::prctl::{set_name, set_pdeathsig};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::uio::pwrite;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, gettid};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, ResultExt, ensure};
use crate::helper;
use crate::procfs;
use crate::smaps::Range;
use crate::sys::{self, Mapping, PAGE, map_page_zero, spawn_sharer};
use crate::timeout_scale::scaled;
use crate::wait;

/// The first argument of a process that is to be a victim.
pub const ARGUMENT: &str = "victim";

/// Where mappings begin that ask for no address of their own: far from what
/// the kernel and the loader place.
const ARENA: u64 = 0x1000_0000_0000;

/// What the first byte of each touched page holds.
pub const FILL: u8 = 0x5a;

/// What the first byte of each page of a [`Kind::CowFile`]'s file holds.
pub const CONTENT: u8 = 0xa5;

/// Size and alignment of a huge page.
pub const HUGE: u64 = 2 << 20;

/// How long one that was given up may take to end.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How many bytes a victim that is to die of it allocates at once.
const EXHAUST: u64 = 16 << 20;

/// What the mappings of a victim are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Private anonymous memory.
    Anon,
    /// The same, mlocked.
    Locked,
    /// The same as the first, written to swap.
    Swapped,
    /// One private anonymous page at address zero.
    PageZero,
    /// Shared anonymous memory.
    Shared,
    /// A memfd mapped shared, kept open.
    Memfd,
    /// A memfd opened for reading only and mapped shared: the kernel does not
    /// count such a VMA as shared.
    ReadOnlyShared,
    /// A memfd mapped privately and written.
    PrivateFile,
    /// A memfd full of [`CONTENT`], mapped privately; each second page is
    /// written, the others are only read.
    CowFile,
    /// A memfd mapped privately by all of its VMAs, and only read: much to unmap, in
    /// the memory of one VMA.
    OneFile,
    /// Private huge pages from the pool.
    Hugetlb,
    /// Private anonymous memory in transparent huge pages.
    Huge,
    /// The same, and each VMA ends in the middle of its last huge page.
    CutHuge,
    /// The same, and each VMA begins in the middle of its first huge page.
    HeadCutHuge,
    /// Private anonymous memory of which the first page, the last one and the one in
    /// the middle are touched.
    Sparse,
    /// Private anonymous memory of which one page in each 512 is touched.
    Spread,
    /// The helper's device, mapped privately (`VM_MIXEDMAP`); each second page is
    /// written, the others are only read.
    Mixed,
}

/// Some mappings of one kind and size, each a VMA of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Area {
    /// What they are made of.
    pub kind: Kind,
    pub count: u32,
    /// Pages in each, all touched; huge ones where the kind is made of them.
    pub pages: u64,
    /// The first one's address; none for the next free one of the arena.
    pub at: Option<u64>,
    /// Whether names keep anonymous VMAs apart, and not gaps.
    pub named: bool,
}

impl Area {
    /// `count` mappings of `pages` pages in the arena.
    pub fn new(kind: Kind, count: u32, pages: u64) -> Self {
        Self {
            kind,
            count,
            pages,
            at: None,
            named: false,
        }
    }

    /// The same with names between them.
    pub fn named(self) -> Self {
        Self {
            named: true,
            ..self
        }
    }
}

/// The description of a victim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Its mappings, in order.
    pub areas: Vec<Area>,
    /// The CPU it is bound to.
    pub cpu: Option<usize>,
    /// The cgroup it joins before it maps anything.
    pub cgroup: Option<PathBuf>,
    pub oom_score_adj: i32,
    /// Threads beside the first.
    pub threads: u32,
    /// Other processes that share its memory.
    pub sharers: u32,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            areas: Vec::new(),
            cpu: None,
            cgroup: None,
            oom_score_adj: 1000,
            threads: 0,
            sharers: 0,
        }
    }
}

/// What a victim says once its memory, threads and sharers are there.
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    ranges: Vec<Vec<Range>>,
    threads: Vec<i32>,
    sharers: Vec<i32>,
}

/// A running victim. Dropped, it is killed and waited for.
#[derive(Debug)]
pub struct Victim {
    pid: Pid,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// Where its mappings lie, by area.
    pub ranges: Vec<Vec<Range>>,
    /// Its threads but the first.
    pub threads: Vec<Pid>,
    /// The processes that share its memory, as they began.
    pub sharers: Vec<Pid>,
    gone: bool,
}

impl Victim {
    /// Starts a victim and waits until its memory is there.
    pub fn spawn(spec: &Spec) -> Result<Self, Failure> {
        let spec = serde_json::to_string(spec).while_doing(|| "describing a victim".into())?;
        let mut child = Command::new("/proc/self/exe")
            .args([ARGUMENT, &spec])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .while_doing(|| "starting a victim".into())?;
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
            threads: Vec::new(),
            sharers: Vec::new(),
            gone: false,
        };
        let line = victim.read_line()?;
        let ready: Ready = serde_json::from_str(&line)
            .map_err(|_| Failure::unmet(format!("the victim could not start: {}", line.trim())))?;
        victim.ranges = ready.ranges;
        victim.threads = ready.threads.into_iter().map(Pid::from_raw).collect();
        victim.sharers = ready.sharers.into_iter().map(Pid::from_raw).collect();
        Ok(victim)
    }

    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Tells it to allocate until it is killed.
    pub fn exhaust(&mut self) -> Result<(), Failure> {
        self.send("exhaust")
    }

    /// Tells it to allocate so many pages more; [`Self::grown`] waits until it
    /// has them.
    pub fn grow(&mut self, pages: u64) -> Result<(), Failure> {
        self.send(&format!("grow {pages}"))
    }

    /// Has it map so many pages and touch none of them. To fill them takes memory,
    /// and no mapping, which the kernel may refuse.
    pub fn reserve(&mut self, pages: u64) -> Result<(), Failure> {
        self.send(&format!("reserve {pages}"))?;
        self.expect("reserved")
    }

    /// Tells it to touch the pages of [`Self::reserve`]; [`Self::grown`] waits until
    /// it has them.
    pub fn fill(&mut self) -> Result<(), Failure> {
        self.send("fill")
    }

    /// Waits until it has the pages of [`Self::grow`] or [`Self::fill`].
    pub fn grown(&mut self) -> Result<(), Failure> {
        self.expect("grown")
    }

    /// Has its first thread read a file. Another one listens on.
    pub fn read(&mut self, path: &str) -> Result<(), Failure> {
        self.send(&format!("read {path}"))
    }

    /// Has it register two pages with a userfaultfd. Returns the descriptor, which
    /// we share, and the address of the page that it never touches.
    pub fn userfault(&mut self) -> Result<(OwnedFd, u64), Failure> {
        self.send("userfault")?;
        let line = self.read_line()?;
        let (fd, page) = serde_json::from_str(&line)
            .map_err(|_| Failure::unmet(format!("the victim has no userfaultfd: {line:?}")))?;
        let pidfd = sys::pidfd_open(self.pid).while_doing(|| format!("opening {}", self.pid))?;
        let fd = sys::pidfd_getfd(pidfd.as_fd(), fd)
            .while_doing(|| format!("sharing the userfaultfd of {}", self.pid))?;
        Ok((fd, page))
    }

    /// Whether it has ended and only waits to be waited for.
    pub fn ended(&self) -> Result<bool, Failure> {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        let status = waitid(Id::Pid(self.pid), look)
            .while_doing(|| format!("looking after {}", self.pid))?;
        Ok(status != WaitStatus::StillAlive)
    }

    /// Waits until it has ended, and leaves it as a zombie.
    pub fn wait_zombie(&self) -> Result<(), Failure> {
        let otherwise = || format!("{} does not end", self.pid);
        wait::until(TIMEOUT, || self.ended(), otherwise)
    }

    /// Has it answer, to prove that it lives.
    pub fn ping(&mut self) -> Result<(), Failure> {
        self.send("ping")?;
        self.expect("pong")
    }

    fn send(&mut self, word: &str) -> Result<(), Failure> {
        self.stdin
            .write_all(format!("{word}\n").as_bytes())
            .while_doing(|| format!("telling {} to {word}", self.pid))
    }

    fn expect(&mut self, expected: &str) -> Result<(), Failure> {
        let answer = self.read_line()?;
        ensure(answer.trim() == expected, || {
            format!("{} answered {answer:?}", self.pid)
        })
    }

    /// Sends it SIGKILL.
    pub fn kill(&self) -> Result<(), Failure> {
        kill(self.pid, Signal::SIGKILL).while_doing(|| format!("killing {}", self.pid))
    }

    /// Has it call `process_mrelease` on another process.
    pub fn mrelease(&mut self, pid: Pid) -> Result<(), Failure> {
        self.send(&format!("mrelease {pid}"))
    }

    /// Waits until it has, and returns the error's number, or 0.
    pub fn mreleased(&mut self) -> Result<i32, Failure> {
        let line = self.read_line()?;
        let answer = line.trim().parse();
        answer.map_err(|_| Failure::unmet(format!("{} answered {line:?}", self.pid)))
    }

    /// Has its first thread call `vfork` for a child that does nothing, and returns
    /// that one.
    pub fn vfork(&mut self) -> Result<Pid, Failure> {
        self.send("vfork")?;
        let deadline = Instant::now() + scaled(TIMEOUT);
        loop {
            let child = procfs::processes()?;
            if let Some(child) = child.iter().find(|child| child.parent == self.pid) {
                return Ok(child.pid);
            }
            ensure(Instant::now() < deadline, || {
                format!("{} has no child", self.pid)
            })?;
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Has its first thread end, while another one listens on.
    pub fn end_leader(&mut self) -> Result<(), Failure> {
        self.send("leave")?;
        self.expect("left")?;
        wait::until(
            TIMEOUT,
            || Ok(procfs::state(self.pid)? == 'Z'),
            || "the victim's first thread does not end".into(),
        )
    }

    /// All threads that it began with.
    pub fn tasks(&self) -> Vec<Pid> {
        self.threads.iter().chain([&self.pid]).copied().collect()
    }

    /// PIN, the first half: whenever it dies, it will stop with its mm whole.
    /// This and the other half belong to one thread.
    pub fn pin(&self) -> Result<(), Failure> {
        pin(self.pid)
    }

    /// PIN, the second half: waits until it is dead but whole.
    pub fn wait_pinned(&self) -> Result<(), Failure> {
        wait_pinned(self.pid)
    }

    /// Kills it, and holds it dead but whole (PIN).
    pub fn kill_held(&self) -> Result<(), Failure> {
        kill_held(self.pid)
    }

    /// Lets a pinned victim go on to its end.
    pub fn release(&self) -> Result<(), Failure> {
        release(self.pid)
    }

    /// Waits for its end, which must be by SIGKILL.
    pub fn wait_killed(&mut self) -> Result<(), Failure> {
        ensure_sigkill(self.wait_end()?)
    }

    /// The same of those who share its memory: their parent has to be gone, so that the
    /// first process waits for them.
    pub fn wait_sharers_killed(&self) -> Result<(), Failure> {
        self.sharers.iter().copied().try_for_each(wait_killed)
    }

    /// Waits for its end, and returns the signal by which it ended.
    pub fn wait_ended(&mut self) -> Result<Signal, Failure> {
        match self.wait_end()? {
            WaitStatus::Signaled(_, signal, _) => Ok(signal),
            status => Err(Failure::unmet(format!(
                "the victim did not end by a signal: {status:?}"
            ))),
        }
    }

    fn wait_end(&mut self) -> Result<WaitStatus, Failure> {
        let status = wait_end(self.pid)?;
        self.gone = matches!(status, WaitStatus::Exited(..) | WaitStatus::Signaled(..));
        Ok(status)
    }

    /// Reads one line of what it says.
    fn read_line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.stdout
            .read_line(&mut line)
            .while_doing(|| "listening to the victim".into())?;
        ensure(!line.is_empty(), || {
            "the victim ended without an answer".into()
        })?;
        Ok(line)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        if self.gone || kill(self.pid, Signal::SIGKILL).is_err() {
            return;
        }
        // Whatever of it is pinned stands still, or will stop on its way.
        let tasks = self.tasks();
        for &task in &tasks {
            let _ = ptrace::cont(task, None);
        }
        // One that can't end is found as a leftover.
        let deadline = Instant::now() + scaled(TIMEOUT);
        while Instant::now() < deadline {
            for &task in &tasks {
                let flags = WaitPidFlag::__WALL | WaitPidFlag::WNOHANG;
                match waitpid(task, Some(flags)) {
                    Ok(WaitStatus::PtraceEvent(..)) => drop(ptrace::cont(task, None)),
                    Ok(WaitStatus::StillAlive) => {}
                    _ if task == self.pid => return,
                    _ => {}
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Has a thread stop in its death, with its mm whole.
pub fn pin(task: Pid) -> Result<(), Failure> {
    ptrace::seize(task, ptrace::Options::PTRACE_O_TRACEEXIT)
        .while_doing(|| format!("seizing {task}"))
}

/// Waits until a pinned thread is dead but whole.
pub fn wait_pinned(task: Pid) -> Result<(), Failure> {
    match waitpid(task, Some(WaitPidFlag::__WALL)) {
        Ok(WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_EXIT)) => Ok(()),
        Ok(other) => Err(Failure::unmet(format!(
            "{task} did not stop at its exit: {other:?}"
        ))),
        Err(error) => Err(error).while_doing(|| format!("waiting for {task} to stop")),
    }
}

/// Lets a pinned thread go on to its end.
pub fn release(task: Pid) -> Result<(), Failure> {
    ptrace::cont(task, None).while_doing(|| format!("releasing {task}"))
}

/// Kills a process, and holds it dead but whole (PIN).
pub fn kill_held(pid: Pid) -> Result<(), Failure> {
    pin(pid)?;
    kill(pid, Signal::SIGKILL).while_doing(|| format!("killing {pid}"))?;
    wait_pinned(pid)
}

/// Waits for the end of a process, which must be by SIGKILL.
pub fn wait_killed(pid: Pid) -> Result<(), Failure> {
    ensure_sigkill(wait_end(pid)?)
}

fn wait_end(pid: Pid) -> Result<WaitStatus, Failure> {
    waitpid(pid, Some(WaitPidFlag::__WALL)).while_doing(|| format!("waiting for {pid} to end"))
}

fn ensure_sigkill(status: WaitStatus) -> Result<(), Failure> {
    ensure(
        matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _)),
        || format!("the victim did not end by SIGKILL: {status:?}"),
    )
}

/// Binds a thread, the calling one for pid 0, to one CPU.
pub fn bind(pid: Pid, cpu: usize) -> Result<(), Failure> {
    let mut set = CpuSet::new();
    set.set(cpu)
        .and_then(|()| sched_setaffinity(pid, &set))
        .while_doing(|| format!("binding {pid} to CPU {cpu}"))
}

/// A thread that is bound to one CPU until this is dropped.
#[derive(Debug)]
pub struct Bound {
    pid: Pid,
    before: CpuSet,
}

impl Bound {
    pub fn new(pid: Pid, cpu: usize) -> Result<Self, Failure> {
        let before =
            sched_getaffinity(pid).while_doing(|| format!("asking for the CPUs of {pid}"))?;
        bind(pid, cpu)?;
        Ok(Self { pid, before })
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // A thread that stays bound is found as a leftover.
        let _ = sched_setaffinity(self.pid, &self.before);
    }
}

/// What the victim itself does. Returns only if it is not killed.
pub fn main(spec: &str) -> Result<(), Failure> {
    set_pdeathsig(Signal::SIGKILL).while_doing(|| "tying the victim to its parent".into())?;
    set_name(c"victim").while_doing(|| "naming the victim".into())?;
    let spec: Spec =
        serde_json::from_str(spec).while_doing(|| "reading the description of a victim".into())?;
    if let Some(cpu) = spec.cpu {
        bind(Pid::from_raw(0), cpu)?;
    }
    procfs::write("/proc/self/oom_score_adj", &spec.oom_score_adj.to_string())?;
    if let Some(cgroup) = &spec.cgroup {
        procfs::write(cgroup.join("cgroup.procs"), "0")?;
    }
    let mut next = ARENA;
    let mut files = Vec::new();
    let mut ranges = Vec::with_capacity(spec.areas.len());
    for area in &spec.areas {
        ranges.push(map(area, &mut next, &mut files)?);
    }
    let ready = Ready {
        ranges,
        threads: (0..spec.threads)
            .map(|_| idle_thread())
            .collect::<Result<_, _>>()?,
        sharers: (0..spec.sharers)
            .map(|_| spawn_sharer().map(Pid::as_raw))
            .collect::<Result<_, _>>()
            .while_doing(|| "sharing memory".into())?,
    };
    let mut ready = serde_json::to_string(&ready).while_doing(|| "reporting".into())?;
    ready.push('\n');
    std::io::stdout()
        .write_all(ready.as_bytes())
        .while_doing(|| "reporting".into())?;
    std::io::stdout()
        .flush()
        .while_doing(|| "reporting".into())?;

    listen(next)
}

/// Does what it is told, until the parent's end of the pipe is closed.
fn listen(mut next: u64) -> Result<(), Failure> {
    let mut line = String::new();
    let mut reserved = None;
    while std::io::stdin()
        .read_line(&mut line)
        .is_ok_and(|read| read > 0)
    {
        let words = line.trim();
        let (verb, what) = words.split_once(' ').unwrap_or((words, ""));
        match (verb, what.parse::<u64>()) {
            ("exhaust", _) => loop {
                next = grow(next, EXHAUST)?;
            },
            ("grow", Ok(pages)) if pages > 0 => {
                next = grow(next, pages * PAGE)?;
                println!("grown");
            }
            ("reserve", Ok(pages)) if pages > 0 => {
                let mapping = reserve(next, pages * PAGE)?;
                next = mapping.end();
                reserved = Some(mapping);
                println!("reserved");
            }
            ("fill", _) => {
                if let Some(mapping) = reserved {
                    mapping.fill(FILL);
                }
                println!("grown");
            }
            ("ping", _) => println!("pong"),
            ("read", _) => return read(what, next),
            ("leave", _) => leave(next),
            ("vfork", _) => {
                let child = sys::vfork_idle().while_doing(|| "calling vfork".into())?;
                waitpid(child, None).while_doing(|| format!("waiting for {child}"))?;
            }
            ("mrelease", Ok(pid)) => println!("{}", mrelease(pid)?),
            ("userfault", _) => println!("{}", userfault()?),
            _ => {
                return Err(Failure::unmet(format!(
                    "the victim does not know {words:?}"
                )));
            }
        }
        line.clear();
    }
    Ok(())
}

/// A thread that does nothing.
fn idle_thread() -> Result<i32, Failure> {
    let (say, hear) = channel();
    thread::spawn(move || {
        let _ = say.send(gettid().as_raw());
        loop {
            thread::park();
        }
    });
    hear.recv()
        .map_err(|_| Failure::unmet("a thread of the victim's did not start"))
}

/// Reads a file in this thread, while another one listens on.
fn read(path: &str, next: u64) -> Result<(), Failure> {
    let mut file = File::open(path).while_doing(|| format!("opening {path}"))?;
    thread::spawn(move || listen(next));
    file.read(&mut [0; PAGE as usize])
        .map(drop)
        .while_doing(|| format!("reading {path}"))
}

/// Reaps another process, and returns the error's number, or 0.
fn mrelease(pid: u64) -> Result<i32, Failure> {
    let pid = i32::try_from(pid).map_err(|_| Failure::unmet(format!("{pid} is no process")))?;
    let pidfd = sys::pidfd_open(Pid::from_raw(pid)).while_doing(|| format!("opening {pid}"))?;
    let answer = sys::process_mrelease(pidfd.as_fd(), 0);
    Ok(answer.err().map_or(0, |errno| errno as i32))
}

/// Ends this thread, the process's first, while another one listens on.
fn leave(next: u64) -> ! {
    thread::spawn(move || {
        println!("left");
        listen(next)
    });
    sys::end_thread()
}

/// Registers two pages, of which the first is touched, with a userfaultfd that
/// stays open. Returns it and the other page as JSON.
fn userfault() -> Result<String, Failure> {
    let fd = sys::userfaultfd().while_doing(|| "opening a userfaultfd".into())?;
    let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    let pages = Mapping::new(None, 2 * PAGE, protection, MapFlags::MAP_PRIVATE, None)
        .while_doing(|| "mapping two pages".into())?;
    pages.fill_each(2, FILL);
    sys::userfaultfd_register(fd.as_fd(), pages).while_doing(|| "registering two pages".into())?;
    Ok(format!("[{},{}]", fd.into_raw_fd(), pages.start() + PAGE))
}

/// Makes the mappings of one area, with a gap behind each so that they do not
/// merge, and touches every page.
fn map(area: &Area, next: &mut u64, files: &mut Vec<OwnedFd>) -> Result<Vec<Range>, Failure> {
    let huge = matches!(
        area.kind,
        Kind::Hugetlb | Kind::Huge | Kind::CutHuge | Kind::HeadCutHuge
    );
    let (unit, gap) = match (huge, area.named) {
        (true, _) => (HUGE, HUGE),
        (false, false) => (PAGE, PAGE),
        (false, true) => (PAGE, 0),
    };
    let len = area.pages * unit;
    let mut own = area.at.unwrap_or(0);
    let cursor = if area.at.is_some() { &mut own } else { next };
    *cursor = cursor.next_multiple_of(unit);
    let flags = match area.kind {
        Kind::Anon | Kind::Swapped | Kind::PageZero => MapFlags::MAP_PRIVATE,
        Kind::Locked => MapFlags::MAP_PRIVATE | MapFlags::MAP_LOCKED,
        Kind::Shared | Kind::Memfd | Kind::ReadOnlyShared => MapFlags::MAP_SHARED,
        Kind::PrivateFile | Kind::CowFile | Kind::OneFile | Kind::Mixed => MapFlags::MAP_PRIVATE,
        Kind::Huge | Kind::CutHuge | Kind::HeadCutHuge => MapFlags::MAP_PRIVATE,
        Kind::Sparse | Kind::Spread => MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE,
        Kind::Hugetlb => MapFlags::MAP_PRIVATE | MapFlags::MAP_HUGETLB,
    };
    let prot = match area.kind {
        Kind::ReadOnlyShared | Kind::OneFile => ProtFlags::PROT_READ,
        _ => ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
    };
    if area.kind == Kind::PageZero {
        map_page_zero().while_doing(|| "mapping the page at address zero".into())?;
        return Ok(vec![(0, PAGE)]);
    }
    let common = match area.kind {
        Kind::OneFile => Some(memfd(len)?),
        Kind::Mixed => Some(helper::device()?.into()),
        _ => None,
    };
    let mut ranges = Vec::with_capacity(area.count as usize);
    for nth in 0..area.count {
        let file = match area.kind {
            Kind::Memfd | Kind::PrivateFile | Kind::CowFile => Some(memfd(len)?),
            Kind::ReadOnlyShared => Some(read_only(&memfd(len)?)?),
            _ => None,
        };
        let doing = || format!("mapping {len} bytes of {:?} at {:#x}", area.kind, *cursor);
        let mut mapping = Mapping::new(
            Some(*cursor),
            len,
            prot,
            flags,
            file.as_ref().or(common.as_ref()).map(AsFd::as_fd),
        )
        .while_doing(doing)?;
        if area.named {
            let name = if nth % 2 == 0 { c"even" } else { c"odd" };
            mapping.name(name).while_doing(doing)?;
        }
        match (area.kind, &file) {
            (Kind::CowFile, Some(file)) => {
                for page in 0..area.pages {
                    pwrite(file, &[CONTENT], (page * PAGE) as i64)
                        .while_doing(|| "writing a memfd".into())?;
                }
                mapping.read();
                mapping.fill_each(2, FILL);
            }
            (Kind::Huge | Kind::CutHuge | Kind::HeadCutHuge, _) => {
                mapping.huge().while_doing(doing)?;
                mapping.fill(FILL);
                let cut = match area.kind {
                    Kind::CutHuge => Some(mapping.split(len - HUGE / 2)),
                    Kind::HeadCutHuge => {
                        Some(mapping.split(HUGE / 2).map(|(head, tail)| (tail, head)))
                    }
                    _ => None,
                };
                if let Some((kept, cut)) = cut.transpose().while_doing(doing)? {
                    cut.unmap().while_doing(doing)?;
                    mapping = kept;
                }
            }
            (Kind::Sparse, _) => mapping.fill_ends(FILL),
            (Kind::Spread, _) => mapping.fill_each((HUGE / PAGE) as usize, FILL),
            (Kind::Mixed, _) => {
                mapping.read();
                mapping.fill_each(2, FILL);
            }
            (Kind::Anon, _) => {
                // Only to be quicker: kernels before 5.14 can't.
                let _ = mapping.populate();
                mapping.fill(FILL);
            }
            (Kind::ReadOnlyShared | Kind::OneFile, _) => mapping.read(),
            (Kind::Swapped, _) => {
                let _ = mapping.populate();
                mapping.fill(FILL);
                mapping.page_out().while_doing(doing)?;
            }
            _ => mapping.fill(FILL),
        }
        ranges.push((mapping.start(), mapping.end()));
        *cursor = mapping.end() + gap;
        files.extend(file);
    }
    files.extend(common);
    Ok(ranges)
}

fn memfd(len: u64) -> Result<OwnedFd, Failure> {
    memfd_create("reaperlab", MFdFlags::MFD_CLOEXEC)
        .and_then(|fd| nix::unistd::ftruncate(&fd, len as i64).map(|()| fd))
        .while_doing(|| format!("making a memfd of {len} bytes"))
}

/// The same file, opened for reading only.
fn read_only(file: &OwnedFd) -> Result<OwnedFd, Failure> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let file = File::open(&path).while_doing(|| format!("opening {path}"))?;
    Ok(file.into())
}

/// Touches new memory, and returns where the next may lie.
fn grow(next: u64, bytes: u64) -> Result<u64, Failure> {
    let mapping = reserve(next, bytes)?;
    mapping.fill(FILL);
    Ok(mapping.end())
}

/// Maps new memory.
fn reserve(next: u64, bytes: u64) -> Result<Mapping, Failure> {
    Mapping::new(
        Some(next + HUGE),
        bytes,
        ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
        MapFlags::MAP_PRIVATE,
        None,
    )
    .while_doing(|| format!("mapping {bytes} bytes at {next:#x}"))
}
