//! 48: a group out of memory in which nobody may be killed.

use crate::cgroup::Cgroup;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::kmsg::Log;
use crate::needs::Need;
use crate::procfs;
use crate::scenario::Scenario;
use crate::sys::PAGE;
use crate::victim::{Area, Kind, Spec, Victim};

/// What its members may have more, in bytes: the points that adj takes away are parts of
/// the limit.
const SLACK: u64 = 4 << 20;

/// Pages that its member asks for.
const PAGES: u64 = 2 * SLACK / PAGE;

pub const SCENARIO: Scenario = Scenario {
    name: "nobody-to-kill",
    number: 48,
    summary: "in a group that runs into its limit the one that may be killed is, however low its adj; \
              then nobody is, and the one with adj -1000 goes on when it may have more",
    needs: &[Need::Memcg],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let mut log = Log::end()?;
    let cgroup = Cgroup::new(SCENARIO.name)?;
    let spawn = |oom_score_adj, cgroup| {
        Victim::spawn(&Spec {
            areas: vec![Area::new(Kind::Anon, 2, 64)],
            oom_score_adj,
            cgroup,
            ..Spec::default()
        })
    };
    let group = || Some(cgroup.path().to_owned());
    let (mut member, mut small) = (spawn(-1000, group())?, spawn(-999, group())?);
    // Outside of the group nobody is looked at.
    let mut outside = spawn(1000, None)?;
    cgroup.limit_to_current(SLACK)?;
    let (limit, own) = (
        cgroup.number("memory.max")? / PAGE,
        procfs::resident(small.pid())?,
    );
    ensure(own < limit / 4 * 3, || {
        format!("with {own} of {limit} pages, adj -999 does not make its points negative")
    })?;
    member.grow(PAGES)?;
    log.wait(
        |text| text == "Out of memory and no killable processes...",
        || "the kernel does not say that it can kill nobody".into(),
    )?;
    // Its points were negative, and it was the only one.
    small.wait_killed()?;
    // It asks again and again, and each time fills the log.
    cgroup.set("memory.max", "max")?;
    member.grown()?;
    member.ping()?;
    outside.ping()?;
    let (oom, kills) = (cgroup.event("oom")?, cgroup.event("oom_kill")?);
    ensure(oom >= 1 && kills == 1, || {
        format!("memory.events: oom {oom} and oom_kill {kills} instead of some and 1")
    })
}
