//! tracefs: a ring buffer of one's own, events and probes switched on once
//! before the work and off once behind it.
//!
//! Probes are never toggled in between: patching kernel text while another
//! vCPU runs is what an emulator is worst at.

mod parse;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use results::plan::Probe;

use crate::failure::{Failure, ResultExt, ensure};
use crate::procfs;

pub use parse::Event;

/// tracefs's mount point.
pub const ROOT: &str = "/sys/kernel/tracing";

/// The group under which all probes of this program appear.
const GROUP: &str = "reaperlab";

/// What orders or times the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Strict order across CPUs, no time.
    Counter,
    /// Time across CPUs.
    Mono,
}

impl Clock {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Mono => "mono",
        }
    }
}

/// Now, in microseconds of [`Clock::Mono`].
pub fn monotonic_us() -> Result<u64, Failure> {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).while_doing(|| "reading the clock".into())?;
    u64::try_from(Duration::from(now).as_micros())
        .map_err(|_| Failure::unmet(format!("the clock shows {now}")))
}

/// When something was, in microseconds of [`Clock::Mono`].
pub fn time_of(instant: Instant) -> Result<u64, Failure> {
    let ago = instant.elapsed();
    Ok(monotonic_us()?.saturating_sub(ago.as_micros() as u64))
}

/// From one moment to another, in microseconds of [`Clock::Mono`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    pub start: u64,
    pub end: u64,
}

impl Span {
    pub fn micros(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// What two have in common.
    pub fn overlap(self, other: Self) -> Self {
        Self {
            start: self.start.max(other.start),
            end: self.end.min(other.end),
        }
    }
}

/// A ring buffer with its own events. Dropped, it leaves no trace.
#[derive(Debug)]
pub struct Trace {
    dir: PathBuf,
    probes: Vec<String>,
    pipe: Option<File>,
}

impl Trace {
    /// Makes a ring buffer of `kib` KiB for each CPU.
    pub fn new(name: &str, clock: Clock, kib: u32) -> Result<Self, Failure> {
        let dir = Path::new(ROOT).join("instances").join(name);
        fs::create_dir(&dir).while_doing(|| format!("making {}", dir.display()))?;
        let trace = Self {
            dir,
            probes: Vec::new(),
            pipe: None,
        };
        trace.set("trace_clock", clock.as_str())?;
        trace.set("buffer_size_kb", &kib.to_string())?;
        // Wake a reader at the first event, not when the buffer is half full.
        trace.set("buffer_percent", "0")?;
        Ok(trace)
    }

    /// Records a tracepoint, for example `oom/mark_victim`.
    pub fn event(&self, event: &str) -> Result<(), Failure> {
        self.set(&format!("events/{event}/enable"), "1")
    }

    /// Records each call (`kind` `p`) of a function, or each return (`r`),
    /// under `name`, with what `fetch` shows.
    pub fn probe(
        &mut self,
        kind: char,
        name: &str,
        symbol: &str,
        fetch: &str,
    ) -> Result<(), Failure> {
        add_probe(&format!("{kind}:{GROUP}/{name} {symbol} {fetch}"))?;
        self.probes.push(name.to_owned());
        self.event(&format!("{GROUP}/{name}"))
    }

    /// Records the ranges that walkers unmap, under `name`, by the first of
    /// `probes` that this kernel has. Returns its symbol.
    pub fn walks<'a>(&mut self, name: &str, probes: &'a [Probe]) -> Result<&'a str, Failure> {
        let probe = probes
            .iter()
            .find(|probe| procfs::has_symbol(&probe.symbol))
            .ok_or_else(|| {
                let names: Vec<_> = probes.iter().map(|probe| &*probe.symbol).collect();
                Failure::unmet(format!(
                    "the kernel has none of the functions to probe: {names:?}"
                ))
            })?;
        let fetch = format!("start={} end={}", probe.start, probe.end);
        self.probe('p', name, &probe.symbol, &fetch)?;
        Ok(&probe.symbol)
    }

    /// Records the stack behind each event of a probe.
    pub fn stacks(&self, probe: &str) -> Result<(), Failure> {
        self.set(&format!("events/{GROUP}/{probe}/trigger"), "stacktrace")
    }

    /// Forgets all events so far.
    pub fn clear(&self) -> Result<(), Failure> {
        let path = self.dir.join("trace");
        OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(&path)
            .map(drop)
            .while_doing(|| format!("clearing {}", path.display()))
    }

    /// The events so far, in order.
    pub fn events(&self) -> Result<Vec<Event>, Failure> {
        Ok(parse::events(&procfs::read(self.dir.join("trace"))?))
    }

    /// The ranges that one thread was seen to unmap, by a probe that
    /// [`Self::walks`] set as `name`, in order.
    pub fn visits(&self, name: &str, walker: Pid) -> Result<Vec<(u64, u64)>, Failure> {
        Ok(self
            .events()?
            .iter()
            .filter(|event| event.name == name && event.tid == walker.as_raw())
            .filter_map(|event| Some((event.address("start")?, event.address("end")?)))
            .collect())
    }

    /// Fails if an event was lost, in the ring buffer or by a probe.
    pub fn ensure_complete(&self) -> Result<(), Failure> {
        let path = self.dir.join("per_cpu");
        let cpus = fs::read_dir(&path).while_doing(|| format!("listing {}", path.display()))?;
        for cpu in cpus.flatten() {
            let stats = procfs::read(cpu.path().join("stats"))?;
            let lost = parse::lost(&stats);
            ensure(lost == 0, || {
                format!("{lost} trace events were lost to a full buffer")
            })?;
        }
        let missed = self.missed()?;
        ensure(missed == 0, || {
            format!("{missed} calls were missed by a probe")
        })
    }

    /// Calls that this trace's probes missed.
    pub fn missed(&self) -> Result<u64, Failure> {
        let profile = procfs::read(Path::new(ROOT).join("kprobe_profile"))?;
        Ok(self
            .probes
            .iter()
            .map(|name| parse::missed(&profile, name))
            .sum())
    }

    /// Waits for an event about one of some processes, and takes all events so
    /// far out of the buffer.
    pub fn wait(
        &mut self,
        name: &str,
        about: &[Pid],
        timeout: Duration,
    ) -> Result<Vec<Event>, Failure> {
        self.wait_any(&[name], about, timeout)
    }

    /// The same for the first of several events.
    pub fn wait_any(
        &mut self,
        names: &[&str],
        about: &[Pid],
        timeout: Duration,
    ) -> Result<Vec<Event>, Failure> {
        let deadline = Instant::now() + timeout;
        let mut pipe = match self.pipe.take() {
            Some(pipe) => pipe,
            None => {
                let path = self.dir.join("trace_pipe");
                OpenOptions::new()
                    .read(true)
                    .custom_flags(libc::O_NONBLOCK)
                    .open(&path)
                    .while_doing(|| format!("opening {}", path.display()))?
            }
        };
        let mut bytes = Vec::new();
        loop {
            let events = parse::events(&String::from_utf8_lossy(&bytes));
            let found = |event: &Event| {
                let is_about = |pid: &Pid| event.number("pid") == Some(pid.as_raw().into());
                names.contains(&&*event.name) && about.iter().any(is_about)
            };
            // The reader gets whole lines only.
            if events.iter().any(found) {
                self.pipe = Some(pipe);
                return Ok(events);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            ensure(!left.is_zero(), || {
                let seen: Vec<_> = events.iter().map(|event| &*event.name).collect();
                format!(
                    "no {} within {} s, only {seen:?}",
                    names.join(" or "),
                    timeout.as_secs()
                )
            })?;
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], timeout)
                .while_doing(|| "waiting for a trace event".into())?;
            let mut chunk = [0; 4096];
            match pipe.read(&mut chunk) {
                Ok(read) => bytes.extend(chunk.iter().take(read)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error).while_doing(|| "reading trace events".into()),
            }
        }
    }

    fn set(&self, file: &str, value: &str) -> Result<(), Failure> {
        procfs::write(self.dir.join(file), value)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.pipe = None;
        // What can't be removed is found as a leftover.
        let _ = self.set("events/enable", "0");
        let _ = fs::remove_dir(&self.dir);
        for name in &self.probes {
            let _ = add_probe(&format!("-:{GROUP}/{name}"));
        }
    }
}

/// Changes the list of probes, which must be appended to or is cut.
fn add_probe(line: &str) -> Result<(), Failure> {
    ensure(!line.contains(['\n', ';']), || {
        format!("no probe: {line:?}")
    })?;
    OpenOptions::new()
        .append(true)
        .open(Path::new(ROOT).join("kprobe_events"))
        .and_then(|mut file| file.write_all(line.as_bytes()))
        .while_doing(|| format!("setting the probe {line:?}"))
}

/// The probes and buffers that scenarios left behind; removes them.
pub fn leftovers() -> Vec<String> {
    let mut left = Vec::new();
    if let Ok(entries) = fs::read_dir(Path::new(ROOT).join("instances")) {
        for entry in entries.flatten() {
            left.push(entry.file_name().to_string_lossy().into_owned());
            let _ = procfs::write(entry.path().join("events/enable"), "0");
            let _ = fs::remove_dir(entry.path());
        }
    }
    if let Ok(probes) = procfs::read(Path::new(ROOT).join("kprobe_events")) {
        for line in probes.lines() {
            let Some(name) = line.split([':', ' ']).nth(1) else {
                continue;
            };
            left.push(name.to_owned());
            let _ = add_probe(&format!("-:{name}"));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_spans_have_in_common() {
        let span = |start, end| Span { start, end };
        let common = |one: Span, other: Span| {
            assert_eq!(one.overlap(other), other.overlap(one));
            one.overlap(other).micros()
        };
        assert_eq!(common(span(10, 20), span(15, 30)), 5);
        assert_eq!(common(span(10, 40), span(15, 30)), 15);
        assert_eq!(common(span(10, 20), span(20, 30)), 0);
        assert_eq!(common(span(10, 20), span(25, 30)), 0);
    }
}
