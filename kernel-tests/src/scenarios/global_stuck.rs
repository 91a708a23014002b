//! 46: the guest runs out of memory, and the victim can't go.

use nix::libc;

use crate::context::Context;
use crate::failure::{Failure, ResultExt, ensure};
use crate::hugetlb::Pool;
use crate::needs::Need;
use crate::oom::{self, Watch};
use crate::procfs;
use crate::scenario::Scenario;
use crate::smaps;
use crate::sys::{self, PAGE};
use crate::trace;
use crate::victim::{Spec, Victim};

/// What is left to touch, page by page: more takes an emulator long. The rest waits
/// in the pool of huge pages.
const LEFT_KIB: u64 = 96 << 10;

/// Pages that another one asks for: half of what the victim gives back. What the
/// kernel frees late, of scenarios before, is less.
const PAGES: u64 = LEFT_KIB / 2 / (PAGE >> 10);

pub const SCENARIO: Scenario = Scenario {
    name: "global-stuck",
    number: 46,
    summary: "the guest is out of memory and its victim is stuck: who asks for memory waits until the \
              reaper has come, nobody else is killed, and the victim's priority is what it was",
    needs: &[Need::OomEvents, Need::Hugetlb, Need::Smaps],
    deadline_s: 60,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    // The buffers come before the pool, which leaves too little for them.
    let mut watch = Watch::new()?;
    let mut victim = Victim::spawn(&Spec::default())?;
    let mut other = Victim::spawn(&Spec {
        oom_score_adj: 0,
        ..Spec::default()
    })?;
    victim.pin()?;
    other.reserve(PAGES)?;
    let pool = Pool::leaving(LEFT_KIB)?;
    let before = procfs::oom_kills()?;
    victim.exhaust()?;
    victim.wait_pinned()?;
    other.fill()?;
    other.grown()?;
    let now = trace::monotonic_us()?;
    let reaped = watch.reaped(victim.pid(), Vec::new())?;
    // It must have waited for the reaper, and not found room by chance.
    ensure(reaped.started <= now, || {
        "the other one went on before the reaper began".into()
    })?;
    drop(pool);
    let pid = victim.pid();
    let policy =
        sys::scheduling_policy(pid).while_doing(|| format!("asking for the policy of {pid}"))?;
    ensure(policy == libc::c_long::from(libc::SCHED_OTHER), || {
        format!("the victim is scheduled by policy {policy} instead of SCHED_OTHER")
    })?;
    smaps::ensure_reaped(&smaps::of(pid)?)?;
    victim.release()?;
    victim.wait_killed()?;
    other.ping()?;
    oom::ensure_one_kill_since(before)
}
