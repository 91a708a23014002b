//! The kernel's text files: reading, writing, and the few that several
//! scenarios look into.

use std::fs;
use std::path::Path;

use nix::unistd::Pid;

use crate::failure::{Failure, ResultExt};
use crate::sys::PAGE;

/// Reads a file of the kernel's.
pub fn read(path: impl AsRef<Path>) -> Result<String, Failure> {
    let path = path.as_ref();
    let bytes = fs::read(path).while_doing(|| format!("reading {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes a file of the kernel's in one call, and never creates one.
pub fn write(path: impl AsRef<Path>, text: &str) -> Result<(), Failure> {
    use std::io::Write;
    let path = path.as_ref();
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .while_doing(|| format!("writing {:?} to {}", text.trim_end(), path.display()))
}

/// A setting of the kernel's that has another value until this is dropped.
#[derive(Debug)]
pub struct Setting {
    path: &'static str,
    before: String,
}

impl Setting {
    pub fn new(path: &'static str, value: &str) -> Result<Self, Failure> {
        let before = read(path)?;
        write(path, value)?;
        Ok(Self { path, before })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        // It was writable before.
        let _ = write(self.path, self.before.trim_end());
    }
}

/// The first word behind a key of a file of `Key: value` lines, such as
/// `/proc/PID/status`.
pub fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(key)?.strip_prefix(':')?;
        rest.split_whitespace().next()
    })
}

/// The same for a number, as in `/proc/meminfo`, whose values are in KiB.
pub fn kib(text: &str, key: &str) -> Option<u64> {
    field(text, key)?.parse().ok()
}

/// A value of a file of `key value` lines, such as memory.events or vmstat.
pub fn value(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(char::is_whitespace)?;
        (name == key).then(|| value.trim().parse().ok())?
    })
}

/// Memory in KiB that can be had: `MemAvailable`, and the free pages that each
/// CPU keeps for itself, which after a large victim are many and in no other
/// count.
pub fn mem_available() -> Result<u64, Failure> {
    let available = kib(&read("/proc/meminfo")?, "MemAvailable")
        .ok_or_else(|| Failure::unmet("/proc/meminfo has no MemAvailable"))?;
    Ok(available + per_cpu_pages(&read("/proc/zoneinfo")?) * PAGE / 1024)
}

/// Memory in KiB that is free, the pages that each CPU keeps for itself
/// included.
pub fn mem_free() -> Result<u64, Failure> {
    let free = kib(&read("/proc/meminfo")?, "MemFree")
        .ok_or_else(|| Failure::unmet("/proc/meminfo has no MemFree"))?;
    Ok(free + per_cpu_pages(&read("/proc/zoneinfo")?) * PAGE / 1024)
}

/// The pages in per-CPU lists, from `/proc/zoneinfo`.
fn per_cpu_pages(zoneinfo: &str) -> u64 {
    zoneinfo
        .lines()
        .filter_map(|line| {
            line.trim_start()
                .strip_prefix("count:")?
                .trim()
                .parse::<u64>()
                .ok()
        })
        .sum()
}

/// Pages of a process that are in memory.
pub fn resident(pid: Pid) -> Result<u64, Failure> {
    let path = format!("/proc/{pid}/statm");
    let statm = read(&path)?;
    statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .ok_or_else(|| Failure::unmet(format!("{path} does not say what is resident: {statm:?}")))
}

/// Whether the kernel has a symbol that can be probed by exactly this name.
pub fn has_symbol(name: &str) -> bool {
    read("/proc/kallsyms")
        .is_ok_and(|text| text.lines().any(|line| text_symbol(line) == Some(name)))
}

/// The kernel's count of OOM kills.
pub fn oom_kills() -> Result<u64, Failure> {
    value(&read("/proc/vmstat")?, "oom_kill")
        .ok_or_else(|| Failure::unmet("/proc/vmstat has no oom_kill"))
}

/// The function in which a contended spinlock waits, by the name that this
/// kernel gives it.
pub fn spinlock_slow_path() -> Option<String> {
    let text = read("/proc/kallsyms").ok()?;
    let has = |name: &str| text.lines().any(|line| text_symbol(line) == Some(name));
    [
        "native_queued_spin_lock_slowpath",
        "queued_spin_lock_slowpath",
    ]
    .into_iter()
    .find(|name| has(name))
    .map(str::to_owned)
}

/// The name on a line of kallsyms, if it is built-in code.
fn text_symbol(line: &str) -> Option<&str> {
    let mut fields = line.split_whitespace();
    let (_address, kind, name) = (fields.next()?, fields.next()?, fields.next()?);
    (matches!(kind, "t" | "T") && fields.next().is_none()).then_some(name)
}

/// A process as `/proc/PID/stat` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: Pid,
    pub parent: Pid,
    /// Its name, as the kernel cuts it.
    pub comm: String,
    /// What it does: `S`, `Z` and the like.
    pub state: char,
}

impl Process {
    /// Reads one line of `/proc/PID/stat`, where a name may hold anything.
    fn parse(stat: &str) -> Option<Self> {
        let (pid, rest) = stat.split_once(" (")?;
        let (comm, rest) = rest.rsplit_once(") ")?;
        let mut fields = rest.split_whitespace();
        let (state, parent) = (fields.next()?, fields.next()?);
        Some(Self {
            pid: Pid::from_raw(pid.parse().ok()?),
            parent: Pid::from_raw(parent.parse().ok()?),
            comm: comm.to_owned(),
            state: state.chars().next()?,
        })
    }
}

/// What a process or a thread of the kernel's does: `S`, `R` and the like.
pub fn state(pid: Pid) -> Result<char, Failure> {
    let path = format!("/proc/{pid}/stat");
    let stat = read(&path)?;
    Process::parse(&stat)
        .map(|process| process.state)
        .ok_or_else(|| Failure::unmet(format!("{path} shows no process: {stat:?}")))
}

/// The threads of a process, itself included.
pub fn threads(pid: Pid) -> Result<Vec<Process>, Failure> {
    let path = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&path).while_doing(|| format!("listing {path}"))?;
    Ok(entries
        .flatten()
        .filter_map(|entry| Process::parse(&read(entry.path().join("stat")).ok()?))
        .collect())
}

/// All processes, kernel threads included.
pub fn processes() -> Result<Vec<Process>, Failure> {
    let entries = fs::read_dir("/proc").while_doing(|| "listing /proc".into())?;
    Ok(entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.parse::<u32>().ok()?;
            // One that ended in between is none.
            Process::parse(&read(format!("/proc/{name}/stat")).ok()?)
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_key() {
        let events = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 1\noom_group_kill 0\n";
        assert_eq!(value(events, "oom"), Some(3));
        assert_eq!(value(events, "oom_kill"), Some(1));
        assert_eq!(value(events, "oom_k"), None);
        assert_eq!(value("oom x\n", "oom"), None);
        assert_eq!(value("", "oom"), None);
        let meminfo = "MemTotal:  1000 kB\nMemAvailable:   900 kB\nHugePages_Free:  2\n";
        assert_eq!(kib(meminfo, "MemAvailable"), Some(900));
        assert_eq!(kib(meminfo, "HugePages_Free"), Some(2));
        assert_eq!(kib(meminfo, "Mem"), None);
    }

    #[test]
    fn pages_of_each_cpu() {
        let zoneinfo = "Node 0, zone    DMA32\n  pages free     233\n  pagesets\n    cpu: 0\n              count:    12\n              high:     20\n    cpu: 1\n              count:    30\n";
        assert_eq!(per_cpu_pages(zoneinfo), 42);
    }

    #[test]
    fn symbols_of_code() {
        assert_eq!(
            text_symbol("ffffffff811bc470 T unmap_page_range"),
            Some("unmap_page_range")
        );
        assert_eq!(
            text_symbol("ffffffff811bc470 t exit_mmap"),
            Some("exit_mmap")
        );
        assert_eq!(text_symbol("ffffffff811bc470 d exit_mmap"), None);
        assert_eq!(text_symbol("ffffffffc0001000 t probe\t[module]"), None);
        assert_eq!(text_symbol("garbage"), None);
    }

    #[test]
    fn processes_with_hostile_names() {
        let parse =
            |stat| Process::parse(stat).map(|p| (p.pid.as_raw(), p.parent.as_raw(), p.comm));
        assert_eq!(parse("12 (sh) S 1 12 12 0"), Some((12, 1, "sh".into())));
        assert_eq!(
            parse("12 (a) R 7 (b) S 1 12"),
            Some((12, 1, "a) R 7 (b".into()))
        );
        assert_eq!(parse("12 sh S 1"), None);
        assert_eq!(parse(""), None);
    }
}
