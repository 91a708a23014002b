//! 3: the OOM killer on request kills one process, by `oom_score_adj`.

use crate::context::Context;
use crate::failure::Failure;
use crate::needs::Need;
use crate::oom::{self, only_kill};
use crate::procfs::{self, Setting};
use crate::scenario::Scenario;
use crate::trace::{Clock, Trace};
use crate::victim::{Area, Kind, Spec, Victim};

pub const SCENARIO: Scenario = Scenario {
    name: "sysrq-f",
    number: 3,
    summary: "sysrq-f kills the one process with the highest oom_score_adj",
    needs: &[Need::Sysrq, Need::OomEvents],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let trace = Trace::new(SCENARIO.name, Clock::Counter, 64)?;
    trace.event("oom/mark_victim")?;
    // Neither the largest nor the first or last to come: only its adj can
    // have made it the one. A point of adj is 1 MiB in a guest of 1 GiB.
    let spawn = |oom_score_adj, pages| {
        Victim::spawn(&Spec {
            areas: vec![Area::new(Kind::Anon, 1, pages)],
            oom_score_adj,
            ..Spec::default()
        })
    };
    let mut bystanders = vec![spawn(0, 4096)?];
    let mut victim = spawn(800, 16)?;
    bystanders.push(spawn(400, 2048)?);
    bystanders.push(spawn(-1000, 16)?);
    // Whom somebody asks for is no shortage.
    let _setting = Setting::new("/proc/sys/vm/panic_on_oom", "2")?;
    let before = procfs::oom_kills()?;

    oom::request()?;
    victim.wait_killed()?;

    for bystander in &mut bystanders {
        bystander.ping()?;
    }
    only_kill(&trace.events()?, victim.pid())?;
    oom::ensure_one_kill_since(before)
}
