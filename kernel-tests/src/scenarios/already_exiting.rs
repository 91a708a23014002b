//! 41: a victim that was dying before the OOM killer chose it.

use std::time::Duration;

use nix::unistd::Pid;

use crate::cgroup::Cgroup;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::kmsg::Log;
use crate::needs::Need;
use crate::oom::Watch;
use crate::procfs;
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{self, Area, Kind, Spec, Victim};
use crate::wait;

/// Pages that the other one asks for: fewer than the victim gives back.
const PAGES: u64 = 512;

/// Several, so that a group that somebody keeps is seen behind them.
const NAMES: [&str; 3] = ["exiting-1", "exiting-2", "exiting-3"];

/// How long a process that was killed may take to stop.
const TIMEOUT: Duration = Duration::from_secs(2);

pub const SCENARIO: Scenario = Scenario {
    name: "already-exiting",
    number: 41,
    summary: "a process that is dying already and stuck is made an OOM victim without being killed \
              again, and is reaped; the one that asked for memory goes on; who shares its memory and lives \
              is killed",
    needs: &[Need::Memcg, Need::OomEvents, Need::Smaps],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    all_are_dying()?;
    one_is_not()
}

fn all_are_dying() -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let mut log = Log::end()?;
    let mut groups = NAMES
        .map(Group::new)
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    for group in &mut groups {
        group.victim.pin()?;
        group.victim.kill()?;
        group.victim.wait_pinned()?;
        group.cgroup.limit_to_current(1 << 20)?;
        group.other.grow(PAGES)?;
    }
    let pids: Vec<Pid> = groups.iter().map(|group| group.victim.pid()).collect();
    watch.all_reaped(&pids)?;
    let lines = log.lines();
    for Group {
        victim,
        other,
        cgroup,
    } in &mut groups
    {
        other.grown()?;
        let pid = victim.pid();
        smaps::ensure_reaped(&smaps::of(pid)?)?;
        let killed = format!("Killed process {pid} ");
        ensure(
            !lines.iter().any(|line| line.text.contains(&killed)),
            || format!("the log says that {pid} was killed, which was dying already"),
        )?;
        let (oom, kills) = (cgroup.event("oom")?, cgroup.event("oom_kill")?);
        ensure(oom >= 1 && kills == 0, || {
            format!("memory.events: oom {oom} and oom_kill {kills} instead of some and 0")
        })?;
        victim.release()?;
        victim.wait_killed()?;
        other.ping()?;
    }
    Ok(())
}

/// Of three who share an address space the last two are dying. The kernel has chosen the
/// last of equals so far, and must kill the first one, too.
fn one_is_not() -> Result<(), Failure> {
    let Group {
        mut victim,
        mut other,
        cgroup,
    } = Group::shared("exiting-4", 2)?;
    for &sharer in &victim.sharers {
        victim::kill_held(sharer)?;
    }
    cgroup.limit_to_current(1 << 20)?;
    other.grow(PAGES)?;
    other.grown()?;
    wait::until(
        TIMEOUT,
        || Ok(procfs::state(victim.pid())? == 'Z'),
        || "one who shares the victim's memory lives on".into(),
    )?;
    for &sharer in &victim.sharers {
        victim::release(sharer)?;
    }
    victim.wait_killed()?;
    victim.wait_sharers_killed()?;
    other.ping()
}

/// A victim, and who will ask for memory in its group.
struct Group {
    // Dropped in this order: a group with a member can't be removed.
    victim: Victim,
    other: Victim,
    cgroup: Cgroup,
}

impl Group {
    fn new(name: &str) -> Result<Self, Failure> {
        Self::shared(name, 0)
    }

    fn shared(name: &str, sharers: u32) -> Result<Self, Failure> {
        let cgroup = Cgroup::new(name)?;
        let spawn = |oom_score_adj, areas, sharers| {
            Victim::spawn(&Spec {
                areas,
                oom_score_adj,
                sharers,
                cgroup: Some(cgroup.path().to_owned()),
                ..Spec::default()
            })
        };
        Ok(Self {
            victim: spawn(1000, vec![Area::new(Kind::Anon, 16, 256)], sharers)?,
            // It could be killed, too, and must not be.
            other: spawn(0, Vec::new(), 0)?,
            cgroup,
        })
    }
}
