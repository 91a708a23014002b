//! 28: a range whose invalidation is refused is left alone, and all others are
//! reaped.

use nix::errno::Errno;
use nix::unistd::Pid;

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::helper::{Helper, Notifier};
use crate::kmsg::Log;
use crate::mrelease::Mrelease;
use crate::needs::Need;
use crate::oom::{ATTEMPT, ATTEMPTS, OomVictim, Watch, ensure_attempts, wait_skipped};
use crate::scenario::Scenario;
use crate::smaps::{self, Range};
use crate::victim::{Area, Kind, Spec, Victim};
use crate::walk::ensure_visited;

/// Which of the victim's areas is refused: others lie on both sides of it.
const REFUSED: usize = 1;

pub const SCENARIO: Scenario = Scenario {
    name: "notifier",
    number: 28,
    summary: "an MMU notifier refuses one range: EAGAIN, ten attempts, giving up; all else is reaped",
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
    system_call(&helper)?;
    reaper(&helper, SCENARIO.name)
}

fn areas() -> Vec<Area> {
    vec![
        Area::new(Kind::Anon, 8, 16),
        Area::new(Kind::Anon, 1, 16),
        Area::new(Kind::Anon, 8, 16),
    ]
}

fn refused(victim: &Victim) -> Result<Range, Failure> {
    let range = victim.ranges.get(REFUSED).and_then(|area| area.first());
    range
        .copied()
        .ok_or_else(|| Failure::unmet("the victim reports other areas than asked for"))
}

/// `process_mrelease` says EAGAIN for as long as the range is refused.
fn system_call(helper: &Helper) -> Result<(), Failure> {
    let mut victim = Victim::spawn(&Spec {
        areas: areas(),
        ..Spec::default()
    })?;
    let (pid, range) = (victim.pid(), refused(&victim)?);
    let mrelease = Mrelease::of(pid)?;
    let notifier = helper.watch(pid)?;
    victim.kill_held()?;
    let before = smaps::of(pid)?;
    smaps::ensure_resident(&before, &victim.ranges.concat())?;
    let ranges = smaps::reapable(&before);
    let reapable = ranges.len() as u64;

    notifier.refuse(range)?;
    for times in 1..=2 {
        mrelease.expect("what is refused", Err(Errno::EAGAIN))?;
        only_left(pid, range)?;
        // Each VMA is asked about once, those behind the refused one too.
        ensure_counts(&notifier, times, times * reapable)?;
    }
    notifier.refuse_nothing()?;
    mrelease.expect("what is refused no more", Ok(()))?;
    smaps::ensure_reaped(&smaps::of(pid)?)?;
    ensure_counts(&notifier, 2, 3 * reapable)?;
    // Each VMA as a whole, and nothing beside them.
    ensure_visited(&notifier.ranges()?, &ranges)?;
    victim.release()?;
    victim.wait_killed()
}

/// The OOM reaper tries ten times, gives up, and lets others pass.
fn reaper(helper: &Helper, name: &str) -> Result<(), Failure> {
    let watch = Watch::new()?;
    let mut log = Log::end()?;
    let mut oom = OomVictim::pinned(name, areas(), None)?;
    let (pid, range) = (oom.victim.pid(), refused(&oom.victim)?);
    let mrelease = Mrelease::of(pid)?;
    let notifier = helper.watch(pid)?;
    notifier.refuse(range)?;
    oom.kill()?;
    let before = smaps::of(pid)?;
    smaps::ensure_resident(&before, &oom.victim.ranges.concat())?;
    let reapable = before.iter().filter(|vma| vma.reapable()).count() as u64;

    let passed = watch.gave_up(pid, &mut log)?;
    ensure_attempts(&passed, &ATTEMPT, ATTEMPTS..=ATTEMPTS, &[])?;
    only_left(pid, range)?;
    ensure_counts(&notifier, 10, 10 * reapable)?;
    // The log line comes before the flag.
    wait_skipped(pid)?;

    // The flag hides the mm from all that reap: the call succeeds and reaps
    // nothing.
    notifier.refuse_nothing()?;
    mrelease.expect("what the reaper gave up", Ok(()))?;
    only_left(pid, range)?;
    ensure_counts(&notifier, 10, 10 * reapable)?;
    oom.end()
}

/// Fails unless one range is whole and nothing else is left.
fn only_left(pid: Pid, range: Range) -> Result<(), Failure> {
    let mut vmas = smaps::of(pid)?;
    smaps::ensure_resident(&vmas, &[range])?;
    vmas.retain(|vma| (vma.start, vma.end) != range);
    smaps::ensure_reaped(&vmas)
}

/// Fails unless each invalidation has ended, so many were refused, and so many
/// were not allowed to block; and no flush of the TLB is pending.
fn ensure_counts(notifier: &Notifier<'_>, refusals: u64, nonblocking: u64) -> Result<(), Failure> {
    let seen = notifier.counts()?;
    let held = seen.starts == seen.ends
        && seen.refusals == refusals
        && seen.nonblocking == nonblocking
        && seen.flushes == 0;
    ensure(held, || {
        format!("with {refusals} refusals of {nonblocking} the notifier has seen {seen:?}")
    })
}
