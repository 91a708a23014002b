//! 53: how much a process is worth to the OOM killer.

use std::time::Duration;

use nix::unistd::Pid;

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::needs::Need;
use crate::oom;
use crate::procfs;
use crate::scenario::Scenario;
use crate::sys::PAGE;
use crate::trace::{Clock, Trace};
use crate::victim::{Area, Kind, Spec, Victim};
use crate::wait;
use crate::zram::Zram;

/// What oom_score may be off by: each CPU keeps some changes of the counts for itself.
const SLACK: u64 = 1;

/// Swap that is enough for the scale to show it: a quarter of the guest's memory.
const SWAP: u64 = 256 << 20;

/// How long a kill on request may take.
const TIMEOUT: Duration = Duration::from_secs(5);

pub const SCENARIO: Scenario = Scenario {
    name: "badness",
    number: 53,
    summary: "oom_score counts what is resident, page tables, what is in swap, and oom_score_adj, and \
              so does the OOM killer",
    needs: &[Need::Sysrq, Need::OomEvents],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    let zram = match Need::Zram.missing() {
        None => Some(Zram::of(SWAP)?),
        Some(why) => {
            context.note(format!("without swap: {why}"))?;
            None
        }
    };
    let mut victims = vec![
        ("small", vec![Area::new(Kind::Anon, 1, 16)], 0),
        ("resident", vec![Area::new(Kind::Anon, 8, 1024)], 0),
        ("raised", vec![Area::new(Kind::Anon, 1, 1024)], 300),
        ("lowered", vec![Area::new(Kind::Anon, 1, 1024)], -300),
        // A page of each table: as much in tables as in memory.
        ("spread", vec![Area::new(Kind::Spread, 1, 3000 * 512)], 0),
    ];
    if zram.is_some() {
        victims.push(("swapped", vec![Area::new(Kind::Swapped, 8, 512)], 0));
    }
    for (name, areas, oom_score_adj) in victims {
        let victim = Victim::spawn(&Spec {
            areas,
            oom_score_adj,
            ..Spec::default()
        })?;
        let (score, expected) = (
            oom::score(victim.pid())?,
            expected(victim.pid(), oom_score_adj)?,
        );
        ensure(score.abs_diff(expected) <= SLACK, || {
            format!("the oom_score of a {name} process is {score} instead of {expected}")
        })?;
    }
    // The same scale decides who is killed, and swap is a part of it.
    match zram {
        Some(_zram) => chosen(),
        None => Ok(()),
    }
}

/// With `ADJ` a process is worth `ADJ` thousandths of all memory and swap more. A larger
/// one has as much more as the memory alone makes of that.
fn chosen() -> Result<(), Failure> {
    const ADJ: i32 = 20;
    let total = procfs::read("/proc/meminfo")?;
    let total = procfs::kib(&total, "MemTotal").unwrap_or(0) * 1024 / PAGE;
    let spawn = |pages, oom_score_adj| {
        Victim::spawn(&Spec {
            areas: vec![Area::new(Kind::Anon, 1, pages)],
            oom_score_adj,
            ..Spec::default()
        })
    };
    let mut larger = spawn(16 + total * ADJ.unsigned_abs() as u64 / 1000, 0)?;
    let mut raised = spawn(16, ADJ)?;
    let trace = Trace::new(SCENARIO.name, Clock::Counter, 64)?;
    trace.event("oom/mark_victim")?;
    let mut events = Vec::new();
    oom::request()?;
    let killed = || {
        events = trace.events()?;
        Ok(!events.is_empty())
    };
    wait::until(TIMEOUT, killed, || "the OOM killer kills nobody".into())?;
    oom::only_kill(&events, raised.pid())?;
    raised.wait_killed()?;
    larger.ping()
}

/// As oom_badness() and proc_oom_score() have it.
fn expected(pid: Pid, adj: i32) -> Result<u64, Failure> {
    let (status, meminfo) = (
        procfs::read(format!("/proc/{pid}/status"))?,
        procfs::read("/proc/meminfo")?,
    );
    let pages = |text: &str, key: &str| {
        let kib = procfs::kib(text, key).ok_or_else(|| Failure::unmet(format!("no {key}")))?;
        Ok((kib * 1024 / PAGE) as i64)
    };
    let total = pages(&meminfo, "MemTotal")? + pages(&meminfo, "SwapTotal").unwrap_or(0);
    let own =
        pages(&status, "VmRSS")? + pages(&status, "VmPTE")? + pages(&status, "VmSwap").unwrap_or(0);
    Ok(points(own, adj.into(), total))
}

/// All in pages.
fn points(own: i64, adj: i64, total: i64) -> u64 {
    let badness = own + adj * (total / 1000);
    // Never below 0: nobody's adj is below -1000.
    ((1000 + badness * 1000 / total) * 2 / 3).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::points;

    #[test]
    fn points_of_a_process() {
        assert_eq!(points(0, 0, 250_000), 666);
        assert_eq!(points(250_000, 0, 250_000), 1333);
        assert_eq!(points(0, 1000, 250_000), 1333);
        assert_eq!(points(25_000, -300, 250_000), 533);
    }
}
