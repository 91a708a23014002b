//! 47: what the kernel's log says of an OOM kill.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use nix::unistd::{Pid, getpid};

use crate::cgroup::Cgroup;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::health::user_processes;
use crate::kmsg::Log;
use crate::needs::Need;
use crate::oom::{self, Watch, wait_for_reports};
use crate::procfs::{self, Setting};
use crate::scenario::Scenario;
use crate::sys::PAGE;
use crate::victim::{Area, Kind, Spec, Victim};
use crate::wait;

/// How far the kernel's counts of pages may be off: each CPU keeps some changes for
/// itself.
const SLACK_KIB: u64 = 768;

/// How long the report of a kill may take.
const TIMEOUT: Duration = Duration::from_secs(5);

pub const SCENARIO: Scenario = Scenario {
    name: "oom-report",
    number: 47,
    summary: "the log of an OOM kill has the group's tasks, the victim, why it was chosen, and its \
              memory before and after the reaper",
    needs: &[Need::Memcg, Need::Sysrq, Need::OomEvents],
    deadline_s: 60,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    wait_for_reports()?;
    {
        let _setting = Setting::new("/proc/sys/vm/oom_dump_tasks", "1")?;
        of_a_group()?;
        of_the_machine()?;
    }
    let _setting = Setting::new("/proc/sys/vm/oom_dump_tasks", "0")?;
    without_tasks()
}

fn of_a_group() -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let mut log = Log::end()?;
    let cgroup = Cgroup::new(SCENARIO.name)?;
    let spawn = |oom_score_adj, areas, threads| {
        Victim::spawn(&Spec {
            areas,
            threads,
            oom_score_adj,
            cgroup: Some(cgroup.path().to_owned()),
            ..Spec::default()
        })
    };
    let areas = vec![
        Area::new(Kind::Anon, 8, 256),
        Area::new(Kind::Shared, 4, 256),
    ];
    let mut victim = spawn(700, areas, 0)?;
    let others = [spawn(-1000, Vec::new(), 0)?, spawn(3, Vec::new(), 2)?];
    let _outside = Victim::spawn(&Spec::default())?;
    let pid = victim.pid();
    victim.pin()?;
    cgroup.limit_to_current(1 << 20)?;
    victim.exhaust()?;
    victim.wait_pinned()?;
    let before = Memory::of(pid)?;
    let report = Report::read(&mut log, pid)?;

    report.ensure_begun(0, 700)?;
    let members: BTreeSet<i32> = others
        .iter()
        .map(Victim::pid)
        .chain([pid])
        .map(Pid::as_raw)
        .collect();
    let listed: BTreeSet<i32> = report.tasks.iter().filter_map(Row::pid).collect();
    ensure(listed == members, || {
        format!("the log lists the tasks {listed:?} instead of the group's {members:?}")
    })?;
    report.row(pid)?.ensure(&before, 700)?;
    let summary = report.line("oom-kill:constraint=CONSTRAINT_MEMCG,")?;
    let end = format!(",task=victim,pid={pid},uid=0");
    ensure(
        summary.ends_with(&end) && summary.contains("/reaperlab/oom-report"),
        || format!("the log does not say whom and where: {summary}"),
    )?;
    let killed = format!("Memory cgroup out of memory: Killed process {pid} (victim) ");
    let killed = Figures(report.line(&killed)?);
    killed.ensure("total-vm:", before.size, 0)?;
    killed.ensure("anon-rss:", before.anon, SLACK_KIB)?;
    killed.ensure("file-rss:", before.file, SLACK_KIB)?;
    killed.ensure("shmem-rss:", before.shmem, SLACK_KIB)?;
    killed.ensure("UID:", 0, 0)?;
    killed.ensure("pgtables:", before.tables, 16)?;
    killed.ensure("oom_score_adj:", 700, 0)?;

    watch.reaped(pid, Vec::new())?;
    let after = Memory::of(pid)?;
    ensure(
        before.anon > 8 * SLACK_KIB && before.shmem > 4 * SLACK_KIB,
        || format!("the victim had {before:?}"),
    )?;
    let lines = report.and(&mut log);
    let reaped = format!("oom_reaper: reaped process {pid} (victim), now ");
    let reaped = Figures(lines.line(&reaped)?);
    reaped.ensure("anon-rss:", 0, SLACK_KIB)?;
    reaped.ensure("file-rss:", after.file, SLACK_KIB)?;
    reaped.ensure("shmem-rss:", after.shmem, SLACK_KIB)?;
    ensure(after.shmem + SLACK_KIB >= before.shmem, || {
        format!(
            "of shared memory {} KiB are left of {}",
            after.shmem, before.shmem
        )
    })?;
    victim.release()?;
    victim.wait_killed()
}

/// On request, where every process but the first may be listed.
fn of_the_machine() -> Result<(), Failure> {
    let mut log = Log::end()?;
    let mut victim = Victim::spawn(&Spec::default())?;
    let other = Victim::spawn(&Spec {
        oom_score_adj: 0,
        ..Spec::default()
    })?;
    let processes = user_processes().into_iter().map(|process| process.pid);
    let expected: BTreeSet<i32> = processes
        .filter(|pid| *pid != getpid())
        .map(Pid::as_raw)
        .collect();
    ensure(expected.contains(&other.pid().as_raw()), || {
        format!("{} is not among the processes {expected:?}", other.pid())
    })?;
    oom::request()?;
    victim.wait_killed()?;
    let report = Report::read(&mut log, victim.pid())?;
    report.ensure_begun(-1, 0)?;
    let listed: BTreeSet<i32> = report.tasks.iter().filter_map(Row::pid).collect();
    ensure(listed == expected, || {
        format!("the log lists the tasks {listed:?} instead of {expected:?}")
    })?;
    report.line("oom-kill:constraint=CONSTRAINT_NONE,")?;
    if Path::new("/proc/sys/vm/compact_memory").exists() {
        let disabled = report
            .lines
            .iter()
            .any(|line| line.contains("COMPACTION is disabled"));
        ensure(!disabled, || {
            "the log says that there is no compaction".into()
        })?;
    }
    let killed = format!("Out of memory: Killed process {} (victim) ", victim.pid());
    report.line(&killed).map(drop)
}

/// Where nobody wants the list.
fn without_tasks() -> Result<(), Failure> {
    let mut log = Log::end()?;
    let mut victim = Victim::spawn(&Spec::default())?;
    oom::request()?;
    victim.wait_killed()?;
    let report = Report::read(&mut log, victim.pid())?;
    report.ensure_begun(-1, 0)?;
    ensure(report.tasks.is_empty(), || {
        "the log lists the tasks although nobody wants it".into()
    })
}

/// A process's memory in KiB, as its status shows it.
#[derive(Debug)]
struct Memory {
    size: u64,
    anon: u64,
    file: u64,
    shmem: u64,
    tables: u64,
}

impl Memory {
    fn of(pid: Pid) -> Result<Self, Failure> {
        let status = procfs::read(format!("/proc/{pid}/status"))?;
        let kib = |key| {
            procfs::kib(&status, key)
                .ok_or_else(|| Failure::unmet(format!("the status of {pid} has no {key}")))
        };
        Ok(Self {
            size: kib("VmSize")?,
            anon: kib("RssAnon")?,
            file: kib("RssFile")?,
            shmem: kib("RssShmem")?,
            tables: kib("VmPTE")?,
        })
    }
}

/// The lines about an OOM kill.
struct Report {
    lines: Vec<String>,
    tasks: Vec<Row>,
}

/// A task of the list: the names of the columns, and its values.
struct Row(Vec<(String, String)>);

impl Report {
    /// Waits for the line about the kill, the last one: a victim may stop or be gone
    /// before it is written.
    fn read(log: &mut Log, victim: Pid) -> Result<Self, Failure> {
        let killed = format!("Killed process {victim} (");
        let mut lines: Vec<String> = Vec::new();
        let more = || {
            lines.extend(log.lines().into_iter().map(|line| line.text));
            Ok(lines.iter().any(|line| line.contains(&killed)))
        };
        wait::until(TIMEOUT, more, || {
            format!("the kernel did not log {killed:?}")
        })?;
        Ok(Self {
            tasks: tasks(&lines),
            lines,
        })
    }

    /// The same with what was written since.
    fn and(mut self, log: &mut Log) -> Self {
        self.lines
            .extend(log.lines().into_iter().map(|line| line.text));
        self
    }

    fn line(&self, start: &str) -> Result<&str, Failure> {
        let line = self.lines.iter().find(|line| line.starts_with(start));
        line.map(String::as_str)
            .ok_or_else(|| Failure::unmet(format!("the kernel did not log {start:?}")))
    }

    fn row(&self, pid: Pid) -> Result<&Row, Failure> {
        let row = self
            .tasks
            .iter()
            .find(|row| row.pid() == Some(pid.as_raw()));
        row.ok_or_else(|| Failure::unmet(format!("the log lists no task {pid}")))
    }

    /// Fails unless the report begins with who asked for memory of which order, and
    /// shows what there is.
    fn ensure_begun(&self, order: i32, adj: i32) -> Result<(), Failure> {
        let order = format!(" order={order}, ");
        let begun = self.lines.iter().any(|line| {
            line.contains(" invoked oom-killer: gfp_mask=0x")
                && line.contains(&order)
                && line.ends_with(&format!("oom_score_adj={adj}"))
        });
        ensure(begun, || {
            format!("the log does not say who invoked the OOM killer with{order}adj {adj}")
        })?;
        let shows = |text: &str| self.lines.iter().any(|line| line.contains(text));
        let what = ["memory: usage ", "Mem-Info:"];
        ensure(what.into_iter().any(shows), || {
            "the log does not show what memory there is".into()
        })
    }
}

/// The list of tasks: its head names the columns, which differ by version.
fn tasks(lines: &[String]) -> Vec<Row> {
    let words = |line: &str| -> Vec<String> {
        let line = line.replace(['[', ']'], " ");
        line.split_whitespace().map(str::to_owned).collect()
    };
    let is_row = |line: &&String| line.starts_with('[') && line.contains(']');
    let mut lines = lines
        .iter()
        .skip_while(|line| !line.starts_with("[  pid  ]"));
    let Some(head) = lines.next().map(|head| words(head)) else {
        return Vec::new();
    };
    lines
        .take_while(is_row)
        .map(|line| Row(head.iter().cloned().zip(words(line)).collect()))
        .collect()
}

impl Row {
    fn value(&self, column: &str) -> Option<i64> {
        let (_, value) = self.0.iter().find(|(name, _)| name == column)?;
        value.parse().ok()
    }

    fn pid(&self) -> Option<i32> {
        self.value("pid")?.try_into().ok()
    }

    fn ensure(&self, memory: &Memory, adj: i64) -> Result<(), Failure> {
        let rss = memory.anon + memory.file + memory.shmem;
        let expected = [
            ("uid", 0, 0),
            ("tgid", self.pid().unwrap_or(0).into(), 0),
            ("total_vm", (memory.size * 1024 / PAGE) as i64, 0),
            (
                "rss",
                (rss * 1024 / PAGE) as i64,
                3 * SLACK_KIB * 1024 / PAGE,
            ),
            ("pgtables_bytes", (memory.tables * 1024) as i64, 16 << 10),
            ("swapents", 0, 0),
            ("oom_score_adj", adj, 0),
        ];
        for (column, expected, slack) in expected {
            let value = self.value(column);
            let holds = value.is_some_and(|value| value.abs_diff(expected) <= slack);
            ensure(holds, || {
                format!(
                    "the log's {column} is {value:?} instead of {expected}: {:?}",
                    self.0
                )
            })?;
        }
        Ok(())
    }
}

/// A line of `name:FIGUREkB` parts.
struct Figures<'a>(&'a str);

impl Figures<'_> {
    fn ensure(&self, name: &str, expected: u64, slack: u64) -> Result<(), Failure> {
        let figure = self.0.split([' ', ',']).find_map(|part| {
            let figure = part.strip_prefix(name)?;
            figure.trim_end_matches("kB").parse::<u64>().ok()
        });
        let holds = figure.is_some_and(|figure| figure.abs_diff(expected) <= slack);
        ensure(holds, || {
            format!("{name}{figure:?} instead of {expected} in: {}", self.0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_tasks() {
        let lines = [
            "Tasks state (memory values in pages):",
            "[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name",
            "[     71]     0    71    12004     4243     2187       64      1992   118784        0           700 victim",
            "[     72]     0    72      811      291       16      275         0    45056        0         -1000 a b",
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),task=victim,pid=71,uid=0",
        ];
        let rows = tasks(&lines.map(str::to_owned));
        let pids: Vec<_> = rows.iter().filter_map(Row::pid).collect();
        assert_eq!(pids, [71, 72]);
        let values = |column| rows.iter().map(|row| row.value(column)).collect::<Vec<_>>();
        assert_eq!(values("oom_score_adj"), [Some(700), Some(-1000)]);
        assert_eq!(values("pgtables_bytes"), [Some(118_784), Some(45_056)]);
        assert!(tasks(&["no list".to_owned()]).is_empty());
    }

    #[test]
    fn figures_of_a_line() {
        let line = Figures(
            "Killed process 7 (v) total-vm:48016kB, anon-rss:8748kB, UID:0 pgtables:116kB oom_score_adj:700",
        );
        assert!(line.ensure("total-vm:", 48_016, 0).is_ok());
        assert!(line.ensure("anon-rss:", 8_700, 50).is_ok());
        assert!(line.ensure("anon-rss:", 8_600, 50).is_err());
        assert!(line.ensure("oom_score_adj:", 700, 0).is_ok());
        assert!(line.ensure("shmem-rss:", 0, 9).is_err());
    }
}
