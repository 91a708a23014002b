//! 46: the guest runs out of memory, and the victim can't go.

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::hugetlb::Pool;
use crate::needs::Need;
use crate::oom::Watch;
use crate::procfs;
use crate::scenario::Scenario;
use crate::smaps;
use crate::trace;
use crate::victim::{Spec, Victim};

/// What is left to touch, page by page: more takes an emulator long. The rest waits
/// in the pool of huge pages.
const LEFT_KIB: u64 = 48 << 10;

/// Pages that another one asks for: fewer than the victim gives back, and more than what
/// can be free when it is killed.
const PAGES: u64 = 9_000;

pub const SCENARIO: Scenario = Scenario {
    name: "global-stuck",
    number: 46,
    summary: "the guest is out of memory and its victim is stuck: who asks for memory waits until the \
              reaper has come, and nobody else is killed",
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
    let spare = procfs::mem_available()?.saturating_sub(LEFT_KIB);
    let pool = Pool::grow_up_to(spare >> 11)?;
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
    smaps::ensure_reaped(&smaps::of(victim.pid())?)?;
    victim.release()?;
    victim.wait_killed()?;
    other.ping()?;
    let kills = procfs::oom_kills()?.saturating_sub(before);
    ensure(kills == 1, || {
        format!("vmstat counts {kills} OOM kills instead of 1")
    })
}
