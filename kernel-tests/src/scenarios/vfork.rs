//! 52: a child between `vfork` and `exec` is not chosen, and sets `oom_score_adj` for
//! itself alone.

use nix::sys::signal::{Signal, kill};

use crate::context::Context;
use crate::failure::{Failure, ResultExt, ensure};
use crate::needs::Need;
use crate::oom::{self, only_kill};
use crate::procfs;
use crate::scenario::Scenario;
use crate::trace::{Clock, Trace};
use crate::victim::{Area, Kind, Spec, Victim};

pub const SCENARIO: Scenario = Scenario {
    name: "vfork",
    number: 52,
    summary: "a child of vfork has the highest oom_score_adj and its parent's memory: neither of them is \
              killed, but who comes next",
    needs: &[Need::Sysrq, Need::OomEvents],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let trace = Trace::new(SCENARIO.name, Clock::Counter, 64)?;
    trace.event("oom/mark_victim")?;
    let spawn = |oom_score_adj| {
        Victim::spawn(&Spec {
            areas: vec![Area::new(Kind::Anon, 2, 64)],
            oom_score_adj,
            ..Spec::default()
        })
    };
    let (mut parent, mut next) = (spawn(0)?, spawn(500)?);
    let child = parent.vfork()?;
    procfs::write(format!("/proc/{child}/oom_score_adj"), "1000")?;
    let own = procfs::read(format!("/proc/{}/oom_score_adj", parent.pid()))?;
    ensure(own.trim() == "0", || {
        format!(
            "the parent's oom_score_adj became {} with its child's",
            own.trim()
        )
    })?;
    oom::ensure_unseen(child)?;
    oom::request()?;
    next.wait_killed()?;
    only_kill(&trace.events()?, next.pid())?;
    // The parent waits for its child.
    kill(child, Signal::SIGKILL).while_doing(|| format!("killing {child}"))?;
    parent.ping()
}
