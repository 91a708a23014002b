//! 50: who asks for memory is killed, where the administrator wants it so.

use crate::context::Context;
use crate::failure::Failure;
use crate::hugetlb::Pool;
use crate::kmsg::Log;
use crate::needs::Need;
use crate::oom::only_kill;
use crate::procfs::Setting;
use crate::scenario::Scenario;
use crate::sys::PAGE;
use crate::trace::{Clock, Trace};
use crate::victim::{Spec, Victim};

/// What is left to touch, page by page.
const LEFT_KIB: u64 = 48 << 10;

/// Pages of one who may be killed, and those that one who may not asks for: more than
/// are left, though scenarios before give some back late, and fewer than both.
const HELD: u64 = (160 << 20) / PAGE;
const ASKED: u64 = (128 << 20) / PAGE;

pub const SCENARIO: Scenario = Scenario {
    name: "kill-allocating",
    number: 50,
    summary: "with oom_kill_allocating_task the guest's OOM killer takes the one that asks for memory, \
              whatever the others' oom_score_adj, unless its own is -1000",
    needs: &[Need::OomEvents, Need::Hugetlb],
    deadline_s: 60,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let trace = Trace::new(SCENARIO.name, Clock::Counter, 64)?;
    trace.event("oom/mark_victim")?;
    let mut log = Log::end()?;
    let spawn = |oom_score_adj| {
        Victim::spawn(&Spec {
            oom_score_adj,
            ..Spec::default()
        })
    };
    let (mut bystander, mut asking) = (spawn(1000)?, spawn(0)?);
    let _setting = Setting::new("/proc/sys/vm/oom_kill_allocating_task", "1")?;
    let pool = Pool::leaving(LEFT_KIB)?;
    asking.exhaust()?;
    asking.wait_killed()?;
    drop(pool);
    bystander.ping()?;
    only_kill(&trace.events()?, asking.pid())?;
    let killed = format!(
        "Out of memory (oom_kill_allocating_task): Killed process {} ",
        asking.pid()
    );
    log.wait(
        |text| text.starts_with(&killed),
        || format!("the kernel did not log {killed:?}"),
    )?;

    let mut exempt = spawn(-1000)?;
    bystander.grow(HELD)?;
    bystander.grown()?;
    exempt.reserve(ASKED)?;
    let _pool = Pool::leaving(LEFT_KIB)?;
    exempt.fill()?;
    bystander.wait_killed()?;
    exempt.grown()?;
    exempt.ping()
}
