//! 41: a victim that was dying before the OOM killer chose it.

use nix::unistd::Pid;

use crate::cgroup::Cgroup;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::kmsg::Log;
use crate::needs::Need;
use crate::oom::Watch;
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{Area, Kind, Spec, Victim};

/// Pages that the other one asks for: fewer than the victim gives back.
const PAGES: u64 = 512;

/// Several, so that a group that somebody keeps is seen behind them.
const NAMES: [&str; 3] = ["exiting-1", "exiting-2", "exiting-3"];

pub const SCENARIO: Scenario = Scenario {
    name: "already-exiting",
    number: 41,
    summary: "a process that is dying already and stuck is made an OOM victim without being killed \
              again, and is reaped; the one that asked for memory goes on",
    needs: &[Need::Memcg, Need::OomEvents, Need::Smaps],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
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

/// A victim, and who will ask for memory in its group.
struct Group {
    // Dropped in this order: a group with a member can't be removed.
    victim: Victim,
    other: Victim,
    cgroup: Cgroup,
}

impl Group {
    fn new(name: &str) -> Result<Self, Failure> {
        let cgroup = Cgroup::new(name)?;
        let spawn = |oom_score_adj, areas| {
            Victim::spawn(&Spec {
                areas,
                oom_score_adj,
                cgroup: Some(cgroup.path().to_owned()),
                ..Spec::default()
            })
        };
        Ok(Self {
            victim: spawn(1000, vec![Area::new(Kind::Anon, 16, 256)])?,
            // It could be killed, too, and must not be.
            other: spawn(0, Vec::new())?,
            cgroup,
        })
    }
}
