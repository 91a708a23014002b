//! 29: an address space whose mmap_lock is held is not touched, and neither is one
//! that was given up.

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::helper::Helper;
use crate::kmsg::Log;
use crate::mrelease::wait_for_lock;
use crate::needs::Need;
use crate::oom::{ATTEMPTS, OomVictim, SKIP, Watch, ensure_attempts, wait_skipped};
use crate::procfs;
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{Area, Kind, Spec, Victim};

pub const SCENARIO: Scenario = Scenario {
    name: "mmap-lock",
    number: 29,
    summary: "mmap_lock is held for writing: the reaper skips ten times, gives up, and touches nothing, \
              nor does process_mrelease that waited meanwhile; when the victim is gone before the \
              next attempt, there are no more",
    needs: &[
        Need::Helper,
        Need::Memcg,
        Need::OomEvents,
        Need::ProcessMrelease,
        Need::Smaps,
    ],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let helper = Helper::load()?;
    let mut watch = Watch::new()?;
    let mut log = Log::end()?;
    let mut caller = Victim::spawn(&Spec::default())?;
    let mut oom = OomVictim::pinned(SCENARIO.name, vec![Area::new(Kind::Anon, 16, 64)], None)?;
    let pid = oom.victim.pid();
    oom.kill()?;
    let before = smaps::of(pid)?;
    smaps::ensure_resident(&before, &oom.victim.ranges.concat())?;
    let whole = procfs::resident(pid)?;

    // Long before the reaper's time. From here on a reader of smaps waits too.
    let hold = helper.hold(pid)?;
    caller.mrelease(pid)?;
    wait_for_lock(&caller)?;
    let passed = watch.gave_up(pid, &mut log)?;
    ensure_attempts(&passed, &SKIP, ATTEMPTS..=ATTEMPTS, &[])?;
    // It says so before it is so.
    wait_skipped(pid)?;
    let left = procfs::resident(pid)?;
    ensure(left == whole, || {
        format!("{left} of {whole} pages are left of a victim that nobody could reap")
    })?;
    ensure(!oom.victim.ended()?, || {
        format!("{pid} ended although it was held")
    })?;

    drop(hold);
    let answer = caller.mreleased()?;
    ensure(answer == 0, || {
        format!("process_mrelease failed with {answer} on a victim that was given up")
    })?;
    let after = smaps::of(pid)?;
    ensure(after == before, || {
        format!("the memory of {pid} is not what it was before its lock was held")
    })?;
    oom.end()?;
    gone_between_attempts(&helper, &mut watch)
}

/// The victim gives its memory back between two attempts. The next one finds nothing to
/// do, and so the next victim is reaped at once.
fn gone_between_attempts(helper: &Helper, watch: &mut Watch) -> Result<(), Failure> {
    let pinned = |name| OomVictim::pinned(name, vec![Area::new(Kind::Anon, 4, 64)], None);
    let (mut first, mut next) = (pinned("mmap-lock-1")?, pinned("mmap-lock-2")?);
    let pid = first.victim.pid();
    first.kill()?;
    next.kill()?;
    let hold = helper.hold(pid)?;
    // It comes as far as its exit, which needs the lock.
    first.victim.release()?;
    let passed = watch.skipped(pid)?;
    drop(hold);
    first.check_end()?;
    let passed = watch.finished(next.victim.pid(), passed)?;
    let about = Some(pid.as_raw().into());
    let attempts = passed
        .iter()
        .filter(|event| SKIP.contains(&&*event.name) && event.number("pid") == about)
        .count();
    ensure(attempts < ATTEMPTS, || {
        format!("of a victim that was gone in between the reaper skipped {attempts} times")
    })?;
    next.end()
}
