//! Victims of a real OOM kill in a memory cgroup, and what the kernel's
//! tracepoints and log say of their reaping.

use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::cgroup::Cgroup;
use crate::failure::{Failure, ensure};
use crate::kmsg::{self, Line, Log};
use crate::procfs;
use crate::timeout_scale::scaled;
use crate::trace::{self, Clock, Event, Span, Trace};
use crate::victim::{Area, Spec, Victim};
use crate::wait;

/// The kernel gives a victim two seconds before it wakes the reaper.
const REAPER_DELAY: Duration = Duration::from_secs(2);

/// Timers count ticks, and a guest whose ticks come late counts behind the
/// clock.
const LAG: Duration = Duration::from_millis(100);

/// How long before the reaper's time the polling for it begins: the victim is
/// held some milliseconds after the delay has begun.
const EARLY: Duration = Duration::from_millis(200);

/// What the reaper waits between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// How often the kernel's log is looked into.
const POLL: Duration = Duration::from_millis(5);

/// How long the reaper may take, emulated.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A victim in a group of its own.
#[derive(Debug)]
pub struct OomVictim {
    // Dropped in this order: a group with a member can't be removed.
    pub victim: Victim,
    pub cgroup: Cgroup,
}

impl OomVictim {
    /// Starts one whose death will be held (PIN).
    pub fn pinned(name: &str, areas: Vec<Area>, cpu: Option<usize>) -> Result<Self, Failure> {
        let oom = Self::spawn(name, areas, cpu)?;
        oom.victim.pin()?;
        Ok(oom)
    }

    /// Starts one that dies as it can.
    pub fn spawn(name: &str, areas: Vec<Area>, cpu: Option<usize>) -> Result<Self, Failure> {
        let cgroup = Cgroup::new(name)?;
        let cgroup_path = Some(cgroup.path().to_owned());
        let victim = Victim::spawn(&Spec {
            areas,
            cpu,
            cgroup: cgroup_path,
            ..Spec::default()
        })?;
        Ok(Self { victim, cgroup })
    }

    /// Has it run into its group's limit, and returns when it is dead but
    /// whole.
    pub fn kill(&mut self) -> Result<(), Failure> {
        self.exhaust()?;
        self.victim.wait_pinned()
    }

    /// Has it run into its group's limit.
    pub fn exhaust(&mut self) -> Result<(), Failure> {
        self.cgroup.limit_to_current(1 << 20)?;
        self.victim.exhaust()
    }

    /// Lets it go, and checks that it died of one OOM kill.
    pub fn end(&mut self) -> Result<(), Failure> {
        self.victim.release()?;
        self.check_end()
    }

    /// Waits for the end of a victim that was let go.
    pub fn check_end(&mut self) -> Result<(), Failure> {
        self.victim.wait_killed()?;
        self.cgroup.ensure_one_kill()
    }
}

/// The tracepoints of the OOM killer.
#[derive(Debug)]
pub struct Watch(Trace);

/// How long a victim's way through the reaper took, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaped {
    /// When the reaper was called, by the trace's clock.
    pub woken: u64,
    /// When it started.
    pub started: u64,
    /// From the kill to the reaper's start.
    pub delay: u64,
    /// From the reaper's start to its end.
    pub reap: u64,
}

impl Reaped {
    /// When the reaper was at work.
    pub fn span(self) -> Span {
        Span {
            start: self.started,
            end: self.started + self.reap,
        }
    }
}

impl Watch {
    pub fn new() -> Result<Self, Failure> {
        let trace = Trace::new("oom", Clock::Mono, 256)?;
        for event in [
            "mark_victim",
            "wake_reaper",
            "start_task_reaping",
            "finish_task_reaping",
            "skip_task_reaping",
        ] {
            trace.event(&format!("oom/{event}"))?;
        }
        Ok(Self(trace))
    }

    /// Waits until the reaper has been called for a victim, and returns at
    /// once with what was seen so far.
    pub fn woken(&mut self, pid: Pid) -> Result<Vec<Event>, Failure> {
        self.0
            .wait("wake_reaper", &[pid], scaled(TIMEOUT))
            .map_err(not_reached)
    }

    /// The same until an attempt of the reaper has not come to a victim's memory.
    pub fn skipped(&mut self, pid: Pid) -> Result<Vec<Event>, Failure> {
        self.0
            .wait(SKIP[0], &[pid], scaled(TIMEOUT))
            .map_err(not_reached)
    }

    /// Waits until the reaper has finished with one of those who share an
    /// address space: the OOM killer may choose either.
    pub fn reaped_one_of(&mut self, pids: &[Pid]) -> Result<Reaped, Failure> {
        let events = self
            .0
            .wait("finish_task_reaping", pids, scaled(TIMEOUT))
            .map_err(not_reached)?;
        let chosen = pids.iter().find(|pid| {
            events
                .iter()
                .any(|event| is(event, "finish_task_reaping", **pid))
        });
        steps(&events, chosen.copied().unwrap_or(Pid::from_raw(0)))
    }

    /// Waits until the reaper has finished with each of some victims.
    pub fn all_reaped(&mut self, pids: &[Pid]) -> Result<(), Failure> {
        let mut events: Vec<Event> = Vec::new();
        for &pid in pids {
            if !events
                .iter()
                .any(|event| is(event, "finish_task_reaping", pid))
            {
                let more = self.0.wait("finish_task_reaping", &[pid], scaled(TIMEOUT));
                events.extend(more.map_err(not_reached)?);
            }
            steps(&events, pid)?;
        }
        Ok(())
    }

    /// Waits until the reaper has finished with a victim. `earlier` are the
    /// events already taken.
    pub fn reaped(&mut self, pid: Pid, earlier: Vec<Event>) -> Result<Reaped, Failure> {
        steps(&self.finished(pid, earlier)?, pid)
    }

    /// The same, and returns what was seen on the way.
    pub fn finished(&mut self, pid: Pid, earlier: Vec<Event>) -> Result<Vec<Event>, Failure> {
        self.ended(pid, earlier, &["finish_task_reaping"])
    }

    /// The same; nothing where the reaper came to an address space that its owner had
    /// given back already.
    pub fn reaped_unless_late(
        &mut self,
        pid: Pid,
        earlier: Vec<Event>,
    ) -> Result<Option<Reaped>, Failure> {
        let [late] = SKIP;
        let events = self.ended(pid, earlier, &["finish_task_reaping", late])?;
        match events.iter().any(|event| is(event, late, pid)) {
            true => Ok(None),
            false => steps(&events, pid).map(Some),
        }
    }

    /// Waits for one of these ends of a victim's way through the reaper.
    fn ended(
        &mut self,
        pid: Pid,
        earlier: Vec<Event>,
        ends: &[&str],
    ) -> Result<Vec<Event>, Failure> {
        let mut events = earlier;
        // Fast reapers are done by the time that their start is noticed.
        let is_end = |event: &Event| ends.iter().any(|end| is(event, end, pid));
        if !events.iter().any(is_end) {
            let more = self.0.wait_any(ends, &[pid], scaled(TIMEOUT));
            events.extend(more.map_err(not_reached)?);
        }
        Ok(events)
    }

    /// Waits until the kernel's log says that the reaper gave up on a victim, and
    /// returns the events about it. `log` was opened before the kill.
    pub fn gave_up(&self, pid: Pid, log: &mut Log) -> Result<Vec<Event>, Failure> {
        self.ended_with(pid, log, says_gave_up, says_reaped)
    }

    /// The same until it says that a victim was reaped, at whatever attempt.
    pub fn reaped_at_last(&self, pid: Pid, log: &mut Log) -> Result<Vec<Event>, Failure> {
        self.ended_with(pid, log, says_reaped, says_gave_up)
    }

    fn ended_with(
        &self,
        pid: Pid,
        log: &mut Log,
        wanted: fn(&Line, Pid) -> bool,
        unwanted: fn(&Line, Pid) -> bool,
    ) -> Result<Vec<Event>, Failure> {
        let has_ended = || {
            let lines = log.lines();
            if let Some(line) = lines.iter().find(|line| unwanted(line, pid)) {
                return Err(Failure::unmet(format!("the log says: {}", line.text)));
            }
            Ok(lines.iter().any(|line| wanted(line, pid)))
        };
        wait::until(TIMEOUT, has_ended, || {
            format!("did not reach the reaper: it has not ended with {pid}")
        })?;
        self.about(pid)
    }

    /// The events about a process.
    pub fn about(&self, pid: Pid) -> Result<Vec<Event>, Failure> {
        let about = |event: &Event| event.number("pid") == Some(pid.as_raw().into());
        Ok(self.0.events()?.into_iter().filter(about).collect())
    }
}

/// How often an attempt of the reaper fails before it gives up.
pub const ATTEMPTS: usize = 10;

/// The tracepoints of an attempt that comes to the memory, whether it can take all of
/// it or not.
pub const ATTEMPT: [&str; 2] = ["start_task_reaping", "finish_task_reaping"];

/// The tracepoint of an attempt that does not come to the memory.
pub const SKIP: [&str; 1] = ["skip_task_reaping"];

/// Fails unless a victim passed the kill, the wake-up, as many failed attempts as
/// `failed` holds with a pause of a tenth of a second after each but the last, and
/// then what `ended` says.
pub fn ensure_attempts(
    passed: &[Event],
    attempt: &[&str],
    failed: std::ops::RangeInclusive<usize>,
    ended: &[&str],
) -> Result<(), Failure> {
    let names: Vec<&str> = passed.iter().map(|event| event.name.as_str()).collect();
    let attempts = names
        .strip_prefix(&["mark_victim", "wake_reaper"])
        .and_then(|names| names.strip_suffix(ended))
        .filter(|names| names.chunks(attempt.len()).all(|chunk| chunk == attempt))
        .map(|names| names.len() / attempt.len())
        .filter(|count| failed.contains(count))
        .ok_or_else(|| {
            let (least, most) = (failed.start(), failed.end());
            let wanted = match least == most {
                true => format!("{least} times"),
                false => format!("{least} to {most} times"),
            };
            Failure::unmet(format!(
                "instead of {wanted} {attempt:?}, then {ended:?}, the reaper passed {names:?}"
            ))
        })?;
    let times = passed.get(2).zip(passed.last());
    let took = times.map_or(0, |(first, last)| last.time.saturating_sub(first.time));
    let pauses = attempts.saturating_sub(usize::from(ended.is_empty()));
    ensure(
        Duration::from_micros(took) + LAG >= PAUSE * pauses as u32,
        || {
            format!(
                "the reaper failed {attempts} times within {} ms",
                took / 1000
            )
        },
    )
}

fn is(event: &Event, name: &str, pid: Pid) -> bool {
    event.name == name && event.number("pid") == Some(pid.as_raw().into())
}

fn not_reached(failure: Failure) -> Failure {
    Failure::unmet(format!("did not reach the reaper: {failure}"))
}

/// Checks that a victim passed all steps in order, and the reaper not before
/// its time.
fn steps(events: &[Event], pid: Pid) -> Result<Reaped, Failure> {
    let time = |name: &str| {
        events
            .iter()
            .find(|event| is(event, name, pid))
            .map(|event| event.time)
            .ok_or_else(|| Failure::unmet(format!("did not reach the reaper: no {name}")))
    };
    let (marked, woken) = (time("mark_victim")?, time("wake_reaper")?);
    let (started, finished) = (time("start_task_reaping")?, time("finish_task_reaping")?);
    // wake_oom_reaper() queues the victim before it traces that: a reaper that
    // is awake for another one may begin before.
    let queued = woken.min(started);
    ensure(marked <= queued && started <= finished, || {
        format!("the reaper's steps are out of order: {marked} {woken} {started} {finished}")
    })?;
    let waited = Duration::from_micros(queued - marked);
    ensure(waited + LAG >= REAPER_DELAY, || {
        format!(
            "the reaper was woken {} ms after the kill, before its time",
            waited.as_millis()
        )
    })?;
    ensure(waited < REAPER_DELAY + scaled(REAPER_DELAY), || {
        format!(
            "the reaper was woken {} ms after the kill, long after its time",
            waited.as_millis()
        )
    })?;
    Ok(Reaped {
        woken: queued,
        started,
        delay: started - marked,
        reap: finished - started,
    })
}

/// The reaper as it is seen without a tracepoint: by what it does, and by the
/// kernel's log, which says whom it has reaped.
#[derive(Debug)]
pub struct LogWatch {
    log: Log,
    lines: Vec<Line>,
}

impl LogWatch {
    /// Starts to listen to the log.
    pub fn new() -> Result<Self, Failure> {
        Ok(Self {
            log: Log::end()?,
            lines: Vec::new(),
        })
    }

    /// Waits until a victim that has just been killed, and is held, loses
    /// memory, and marks the moment.
    pub fn woken(&mut self, pid: Pid) -> Result<(), Failure> {
        let held = Instant::now();
        let whole = procfs::resident(pid)?;
        thread::sleep(REAPER_DELAY.saturating_sub(EARLY));
        while procfs::resident(pid)? >= whole {
            ensure(held.elapsed() < scaled(TIMEOUT), || {
                format!("did not reach the reaper: {pid} has kept its memory")
            })?;
        }
        self.seen(pid)
    }

    /// Marks in the log, whose clock is its own, that the reaper is seen to have come
    /// to a victim.
    pub fn seen(&self, pid: Pid) -> Result<(), Failure> {
        kmsg::write(&mark(pid))
    }

    /// Waits until the log says that a victim was reaped, and returns how many
    /// microseconds after the mark that was.
    pub fn reaped(&mut self, pid: Pid) -> Result<u64, Failure> {
        let deadline = Instant::now() + scaled(TIMEOUT);
        loop {
            if let Some(reap) = self.reaped_by_now(pid)? {
                return Ok(reap);
            }
            ensure(Instant::now() < deadline, || {
                format!("did not reach the reaper: the log does not say that it reaped {pid}")
            })?;
            thread::sleep(POLL);
        }
    }

    /// The same without waiting; nothing where the log does not say so. The reaper
    /// says it before it lets go of the address space, and so before the victim ends.
    pub fn reaped_by_now(&mut self, pid: Pid) -> Result<Option<u64>, Failure> {
        self.lines.extend(self.log.lines());
        if !self.lines.iter().any(|line| says_reaped(line, pid)) {
            return Ok(None);
        }
        logged(&std::mem::take(&mut self.lines), pid).map(Some)
    }
}

fn mark(pid: Pid) -> String {
    format!("reaperlab: the reaper has come to {pid}")
}

fn says_reaped(line: &Line, pid: Pid) -> bool {
    line.text
        .starts_with(&format!("oom_reaper: reaped process {pid} ("))
}

fn says_gave_up(line: &Line, pid: Pid) -> bool {
    line.text
        .starts_with(&format!("oom_reaper: unable to reap pid:{pid} ("))
}

/// The microseconds between the mark and the line that says that the victim was
/// reaped. The kill must lie as long before the mark as the kernel promises.
fn logged(lines: &[Line], pid: Pid) -> Result<u64, Failure> {
    let time = |what: &str, is: &dyn Fn(&Line) -> bool| {
        lines
            .iter()
            .find(|line| is(line))
            .map(|line| line.at_us)
            .ok_or_else(|| Failure::unmet(format!("the log lacks {what} of {pid}")))
    };
    let victim = format!("Killed process {pid} (");
    let killed = time("the kill", &|line| line.text.contains(&victim))?;
    let seen = time("the mark", &|line| line.text == mark(pid))?;
    let reaped = time("the reaping", &|line| says_reaped(line, pid))?;
    let waited = Duration::from_micros(seen.saturating_sub(killed));
    ensure(waited + LAG >= REAPER_DELAY, || {
        format!(
            "the reaper came to {pid} {} ms after the kill, before its time",
            waited.as_millis()
        )
    })?;
    ensure(seen <= reaped, || {
        format!("{pid} was reaped before the reaper was seen to come: {seen} {reaped}")
    })?;
    Ok(reaped - seen)
}

/// Asks for the OOM killer (sysrq-f), who chooses from the whole machine.
pub fn request() -> Result<(), Failure> {
    procfs::write("/proc/sysrq-trigger", "f")
}

/// Fails unless the kernel has counted one OOM kill more than `before`.
pub fn ensure_one_kill_since(before: u64) -> Result<(), Failure> {
    let kills = procfs::oom_kills()?.saturating_sub(before);
    ensure(kills == 1, || {
        format!("vmstat counts {kills} OOM kills instead of 1")
    })
}

/// What a process is worth to the OOM killer; 0 where it may not be chosen.
pub fn score(pid: Pid) -> Result<u64, Failure> {
    let text = procfs::read(format!("/proc/{pid}/oom_score"))?;
    text.trim()
        .parse()
        .map_err(|_| Failure::unmet(format!("the oom_score of {pid} is no number: {text:?}")))
}

/// Fails if the OOM killer may choose a process.
pub fn ensure_unseen(pid: Pid) -> Result<(), Failure> {
    let score = score(pid)?;
    ensure(score == 0, || {
        format!("{pid} may be chosen: its oom_score is {score}")
    })
}

/// Waits until the OOM killer skips a victim that is still there
/// (`MMF_OOM_SKIP`): the reaper sets that whether it could reap or not.
pub fn wait_skipped(pid: Pid) -> Result<(), Failure> {
    wait::until(
        TIMEOUT,
        || Ok(score(pid)? == 0),
        || format!("{pid} may still be chosen: its oom_score is not 0"),
    )
}

/// Checks that a trace saw one OOM kill, that of `pid`, and returns its time by
/// the trace's clock.
pub fn only_kill(events: &[Event], pid: Pid) -> Result<u64, Failure> {
    let kills: Vec<_> = events
        .iter()
        .filter(|event| event.name == "mark_victim")
        .map(|event| (event.number("pid"), event.time))
        .collect();
    match *kills.as_slice() {
        [(Some(killed), time)] if killed == i64::from(pid.as_raw()) => Ok(time),
        _ => Err(Failure::unmet(format!(
            "instead of {pid} alone the OOM killer chose {:?}",
            kills.iter().map(|kill| kill.0).collect::<Vec<_>>()
        ))),
    }
}

/// The reaper's kernel thread.
pub fn reaper() -> Result<Pid, Failure> {
    procfs::processes()?
        .into_iter()
        .find(|process| process.comm == "oom_reaper")
        .map(|process| process.pid)
        .ok_or_else(|| Failure::unmet("the kernel has no oom_reaper"))
}

/// The kernel logs the reports of this many OOM kills, then no more for five
/// seconds.
const RATELIMIT_BURST: usize = 10;

/// Those seconds and some more, since its clock for the log is another.
const RATELIMIT_INTERVAL: Duration = Duration::from_secs(6);

/// Waits until the kernel will log the report of the next OOM kill.
pub fn wait_for_reports() -> Result<(), Failure> {
    loop {
        let now = trace::monotonic_us()?;
        let recent = Log::oldest()?
            .lines()
            .iter()
            .filter(|line| constraint(&line.text).is_some())
            .filter(|line| {
                Duration::from_micros(now.saturating_sub(line.at_us)) < RATELIMIT_INTERVAL
            })
            .count();
        if recent < RATELIMIT_BURST {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The process that a line of a report's list of tasks is about.
pub fn listed(line: &str) -> Option<Pid> {
    let (pid, _) = line.strip_prefix('[')?.split_once(']')?;
    Some(Pid::from_raw(pid.trim().parse().ok()?))
}

/// The constraint that a line of the log names as an OOM kill's.
pub fn constraint(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("oom-kill:constraint=")?;
    Some(rest.split(',').next().unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps_at(times: [u64; 4]) -> Result<Reaped, String> {
        let names = [
            "mark_victim",
            "wake_reaper",
            "start_task_reaping",
            "finish_task_reaping",
        ];
        let events: Vec<_> = names
            .iter()
            .zip(times)
            .map(|(name, time)| Event::new(1, time, name, "pid=55", &[]))
            .collect();
        steps(&events, Pid::from_raw(55)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_task_of_the_list() {
        let row = "[     71]     0    71    12004     4243  118784        0   700 victim";
        assert_eq!(listed(row), Some(Pid::from_raw(71)));
        assert_eq!(listed("[  pid  ]   uid  tgid total_vm"), None);
        assert_eq!(listed("oom-kill:constraint=CONSTRAINT_MEMCG"), None);
    }

    #[test]
    fn the_way_through_the_reaper() {
        assert_eq!(
            steps_at([1_000, 2_005_000, 2_006_000, 2_009_000]),
            Ok(Reaped {
                woken: 2_005_000,
                started: 2_006_000,
                delay: 2_005_000,
                reap: 3_000
            })
        );
        assert_eq!(
            steps_at([1_000, 1_801_000, 2_006_000, 2_009_000]),
            Err("the reaper was woken 1800 ms after the kill, before its time".into())
        );
        assert_eq!(
            steps_at([1_000, 5_001_000, 5_002_000, 5_009_000]),
            Err("the reaper was woken 5000 ms after the kill, long after its time".into())
        );
        assert_eq!(
            steps_at([1_000, 2_010_000, 2_004_000, 2_009_000]),
            Ok(Reaped {
                woken: 2_004_000,
                started: 2_004_000,
                delay: 2_003_000,
                reap: 5_000
            }),
            "awake for another victim"
        );
        assert_eq!(
            steps_at([2_006_000, 2_010_000, 2_004_000, 2_009_000]),
            Err("the reaper's steps are out of order: 2006000 2010000 2004000 2009000".into())
        );
        assert_eq!(
            steps_at([1_000, 2_005_000, 2_009_000, 2_006_000]),
            Err("the reaper's steps are out of order: 1000 2005000 2009000 2006000".into())
        );
        assert_eq!(
            steps_at([1_000, 2_005_000, 1_004_000, 2_009_000]),
            Err("the reaper was woken 1003 ms after the kill, before its time".into())
        );
        assert_eq!(
            steps(&[], Pid::from_raw(55)).map_err(|failure| failure.to_string()),
            Err("did not reach the reaper: no mark_victim".into())
        );
    }

    #[test]
    fn the_way_through_the_reaper_as_logged() {
        let logged_at = |times: &[u64]| {
            let texts = [
                "Memory cgroup out of memory: Killed process 55 (victim) total-vm:5kB, anon-rss:4kB",
                "reaperlab: the reaper has come to 55",
                "oom_reaper: reaped process 55 (victim), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
            ];
            let lines: Vec<_> = texts
                .iter()
                .zip(times)
                .map(|(text, &at_us)| Line {
                    at_us,
                    text: (*text).to_owned(),
                })
                .collect();
            logged(&lines, Pid::from_raw(55)).map_err(|failure| failure.to_string())
        };
        assert_eq!(logged_at(&[1_000, 2_005_000, 2_300_000]), Ok(295_000));
        assert_eq!(
            logged_at(&[1_000, 1_500_000, 2_300_000]),
            Err("the reaper came to 55 1499 ms after the kill, before its time".into())
        );
        assert_eq!(
            logged_at(&[1_000, 2_301_000, 2_300_000]),
            Err("55 was reaped before the reaper was seen to come: 2301000 2300000".into())
        );
        assert_eq!(
            logged_at(&[1_000, 2_005_000]),
            Err("the log lacks the reaping of 55".into())
        );
    }

    #[test]
    fn constraints() {
        let line = "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=victim,pid=55,uid=0";
        assert_eq!(constraint(line), Some("CONSTRAINT_NONE"));
        assert_eq!(
            constraint("oom-kill:constraint=CONSTRAINT_MEMCG"),
            Some("CONSTRAINT_MEMCG")
        );
        assert_eq!(
            constraint("Out of memory: Killed process 55 (victim)"),
            None
        );
    }
}
