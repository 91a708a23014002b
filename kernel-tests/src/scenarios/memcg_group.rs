//! 2: a group that dies as one, but for the members that must not.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::unistd::Pid;

use crate::cgroup::Cgroup;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::guest;
use crate::kmsg::Log;
use crate::needs::Need;
use crate::oom::{self, Watch, wait_for_reports};
use crate::procfs::Setting;
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{Area, Kind, Spec, Victim};
use crate::wait;

/// How long the list of the group's tasks may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Members that may be killed.
const MEMBERS: u64 = 3;

pub const SCENARIO: Scenario = Scenario {
    name: "memcg-group",
    number: 2,
    summary: "memory.oom.group kills all members of a group at once, and all are reaped, but one with adj \
              -1000 and the first process",
    needs: &[Need::Memcg, Need::OomEvents, Need::Smaps],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    wait_for_reports()?;
    let mut watch = Watch::new()?;
    let mut log = Log::end()?;
    let cgroup = Cgroup::new(SCENARIO.name)?;
    cgroup.set("memory.oom.group", "1")?;
    let spawn = |oom_score_adj| {
        Victim::spawn(&Spec {
            areas: vec![Area::new(Kind::Anon, 4, 256)],
            cgroup: Some(cgroup.path().to_owned()),
            oom_score_adj,
            ..Spec::default()
        })
    };
    let _tasks = Setting::new("/proc/sys/vm/oom_dump_tasks", "1")?;
    let mut exempt = spawn(-1000)?;
    // Whatever its adj.
    let _adj = Setting::new("/proc/1/oom_score_adj", "0")?;
    guest::ensure_first_process()?;
    let _member = cgroup.join()?;
    let mut members = (0..MEMBERS)
        .map(|_| spawn(0))
        .collect::<Result<Vec<_>, _>>()?;
    members.iter().try_for_each(Victim::pin)?;
    cgroup.limit_to_current(1 << 20)?;
    if let Some(member) = members.first_mut() {
        member.exhaust()?;
    }
    members.iter().try_for_each(Victim::wait_pinned)?;
    let pids: Vec<Pid> = members.iter().map(Victim::pid).collect();
    watch.all_reaped(&pids)?;
    for &pid in &pids {
        smaps::ensure_reaped(&smaps::of(pid)?)?;
    }
    members.iter().try_for_each(Victim::release)?;
    members.iter_mut().try_for_each(Victim::wait_killed)?;

    exempt.ping()?;
    let mut listed = BTreeSet::new();
    let all = || {
        let lines = log.lines();
        listed.extend(lines.iter().filter_map(|line| oom::listed(&line.text)));
        Ok(pids.iter().all(|pid| listed.contains(pid)))
    };
    wait::until(TIMEOUT, all, || {
        format!("the log does not list all of the group's tasks {pids:?} behind the first process")
    })?;
    let (groups, kills) = (cgroup.event("oom_group_kill")?, cgroup.event("oom_kill")?);
    // The member that was chosen first may be counted with the others again.
    ensure(groups == 1 && kills >= MEMBERS, || {
        format!(
            "memory.events: oom_group_kill {groups} and oom_kill {kills} instead of 1 and \
             {MEMBERS} or more"
        )
    })
}
