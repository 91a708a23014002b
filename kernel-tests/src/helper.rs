//! The helper module, built with the guest's kernel: what no system call can do
//! to an address space.

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::marker::PhantomData;
use std::os::unix::fs::FileExt;

use nix::kmod::{DeleteModuleFlags, ModuleInitFlags, delete_module, finit_module};
use nix::unistd::Pid;

use crate::failure::{Failure, ResultExt};
use crate::procfs;
use crate::smaps::Range;

/// Where the host packed it.
pub const PATH: &str = "/modules/reaperlab_helper.ko";

const NAME: &CStr = c"reaperlab_helper";
const DEVICE: &str = "/dev/reaperlab";

/// The module, loaded. Dropped, it is unloaded.
#[derive(Debug)]
pub struct Helper(());

impl Helper {
    pub fn load() -> Result<Self, Failure> {
        let file = File::open(PATH).while_doing(|| format!("opening {PATH}"))?;
        finit_module(&file, c"", ModuleInitFlags::empty())
            .while_doing(|| format!("loading {PATH}"))?;
        Ok(Self(()))
    }

    /// Registers a notifier with a process's memory.
    pub fn watch(&self, pid: Pid) -> Result<Notifier<'_>, Failure> {
        let (file, helper) = (open(&format!("watch {pid}"))?, PhantomData);
        Ok(Notifier { file, helper })
    }

    /// Takes a process's mmap_lock for writing.
    pub fn hold(&self, pid: Pid) -> Result<Hold<'_>, Failure> {
        let (_file, _helper) = (open(&format!("hold {pid}"))?, PhantomData);
        Ok(Hold { _file, _helper })
    }

    /// Keeps so many pages to give back when memory runs out.
    pub fn spare(&self, pages: u64) -> Result<Spare<'_>, Failure> {
        let (file, _helper) = (open(&format!("spare {pages}"))?, PhantomData);
        Ok(Spare { file, _helper })
    }

    /// A file whose mappings have no pages, and where so many page faults fail for want
    /// of memory before one gets some.
    pub fn starve(&self, faults: u32) -> Result<File, Failure> {
        open(&format!("starve {faults}"))
    }

    /// Has a thread of the kernel's use a process's memory.
    pub fn use_memory(&self, pid: Pid) -> Result<User<'_>, Failure> {
        let (_file, _helper) = (open(&format!("use {pid}"))?, PhantomData);
        let thread = procfs::processes()?
            .into_iter()
            .find(|process| process.comm == "reaperlab_use")
            .map(|process| process.pid)
            .ok_or_else(|| Failure::unmet("the helper's thread is not among the processes"))?;
        Ok(User {
            _file,
            _helper,
            thread,
        })
    }
}

/// Pages of the kernel's that are given back when memory runs out, or when this is
/// dropped.
#[derive(Debug)]
pub struct Spare<'a> {
    file: File,
    _helper: PhantomData<&'a Helper>,
}

impl Spare<'_> {
    /// How often they were asked for: once each time that memory runs out, whether there
    /// are any left or not.
    pub fn asked(&self) -> Result<u64, Failure> {
        count(&read(&self.file)?, "asked")
    }
}

/// Has a thread of the kernel's use a process's memory, until this is dropped.
#[derive(Debug)]
pub struct User<'a> {
    _file: File,
    _helper: PhantomData<&'a Helper>,
    pub thread: Pid,
}

impl Drop for Helper {
    fn drop(&mut self) {
        // One that can't be unloaded is found as a leftover.
        let _ = unload();
    }
}

/// A notifier on a process's memory, until it is dropped.
#[derive(Debug)]
pub struct Notifier<'a> {
    file: File,
    helper: PhantomData<&'a Helper>,
}

/// A process's mmap_lock, held for writing until this is dropped. All who
/// take it meanwhile wait, readers of the process's smaps and maps among them.
#[derive(Debug)]
pub struct Hold<'a> {
    _file: File,
    _helper: PhantomData<&'a Helper>,
}

/// What a notifier has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Beginnings of invalidations.
    pub starts: u64,
    /// Their ends. The kernel ends those that were refused, too.
    pub ends: u64,
    /// The beginnings that were not allowed to block.
    pub nonblocking: u64,
    /// Those of them that were refused.
    pub refusals: u64,
    /// Flushes of the TLB that were begun to be collected and are not finished.
    pub flushes: u64,
}

impl Notifier<'_> {
    /// Refuses, from now on, what overlaps a range and may not block.
    pub fn refuse(&self, range: Range) -> Result<(), Failure> {
        self.refuse_times(range, u64::MAX)
    }

    /// The same, but no more than so many times.
    pub fn refuse_times(&self, range: Range, times: u64) -> Result<(), Failure> {
        let (start, end) = range;
        send(&self.file, &format!("refuse {start:x} {end:x} {times}"))
    }

    pub fn refuse_nothing(&self) -> Result<(), Failure> {
        self.refuse((0, 0))
    }

    pub fn counts(&self) -> Result<Counts, Failure> {
        let text = read(&self.file)?;
        let count = |key| count(&text, key);
        Ok(Counts {
            starts: count("starts")?,
            ends: count("ends")?,
            nonblocking: count("nonblocking")?,
            refusals: count("refusals")?,
            flushes: count("flushes")?,
        })
    }

    /// The ranges of the last invalidations that were not allowed to block, in order:
    /// those that were refused, too.
    pub fn ranges(&self) -> Result<Vec<Range>, Failure> {
        Ok(read(&self.file)?.lines().filter_map(range).collect())
    }
}

fn read(file: &File) -> Result<String, Failure> {
    let mut bytes = vec![0; 16 << 10];
    let read = file
        .read_at(&mut bytes, 0)
        .while_doing(|| format!("reading {DEVICE}"))?;
    Ok(String::from_utf8_lossy(bytes.get(..read).unwrap_or_default()).into_owned())
}

fn count(text: &str, key: &str) -> Result<u64, Failure> {
    procfs::value(text, key)
        .ok_or_else(|| Failure::unmet(format!("{DEVICE} counts no {key}: {text:?}")))
}

/// `range START END`, hexadecimal.
fn range(line: &str) -> Option<Range> {
    let (start, end) = line.strip_prefix("range ")?.split_once(' ')?;
    let address = |text| u64::from_str_radix(text, 16).ok();
    Some((address(start)?, address(end)?))
}

/// The module's device: mapped privately, its pages lie in a `VM_MIXEDMAP`.
pub fn device() -> Result<File, Failure> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(DEVICE)
        .while_doing(|| format!("opening {DEVICE}"))
}

fn open(command: &str) -> Result<File, Failure> {
    let file = device()?;
    send(&file, command)?;
    Ok(file)
}

fn send(mut file: &File, command: &str) -> Result<(), Failure> {
    file.write_all(command.as_bytes())
        .while_doing(|| format!("telling {DEVICE} to {command}"))
}

fn unload() -> nix::Result<()> {
    delete_module(NAME, DeleteModuleFlags::O_NONBLOCK)
}

/// The module, if a scenario left it loaded; unloads it.
pub fn leftovers() -> Vec<String> {
    let name = NAME.to_string_lossy().into_owned();
    let loaded = procfs::read("/proc/modules").unwrap_or_default();
    let ours = |line: &str| line.split(' ').next() == Some(&name);
    if !loaded.lines().any(ours) {
        return Vec::new();
    }
    let _ = unload();
    vec![name]
}
