//! 38: what can't be reaped at first is reaped later, and others wait their turn.

use std::ops::RangeInclusive;
use std::time::Duration;

use nix::unistd::Pid;

use crate::context::Context;
use crate::failure::Failure;
use crate::helper::Helper;
use crate::kmsg::Log;
use crate::needs::Need;
use crate::oom::{ATTEMPT, ATTEMPTS, OomVictim, SKIP, Watch, ensure_attempts, wait_skipped};
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{Area, Kind};
use crate::wait;

/// Attempts at the memory of the first victim that are refused. The reaper makes one
/// more, its last.
const REFUSALS: usize = ATTEMPTS - 1;

/// Attempts that find the lock of the other one held, at least. They are a tenth of a
/// second apart.
const SKIPS: usize = 3;

/// How long the reaper may take to make them.
const TIMEOUT: Duration = Duration::from_secs(10);

pub const SCENARIO: Scenario = Scenario {
    name: "retry",
    number: 38,
    summary: "a victim whose notifier refuses nine times, then one whose mmap_lock is held: the reaper \
              comes back to each until it is reaped, and two others wait meanwhile",
    needs: &[Need::Helper, Need::Memcg, Need::OomEvents, Need::Smaps],
    deadline_s: 60,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let helper = Helper::load()?;
    let watch = Watch::new()?;
    let mut refused = Waiting::spawn("retry-refused")?;
    let mut held = Waiting::spawn("retry-held")?;
    let mut others = [
        Waiting::spawn("retry-waiting")?,
        Waiting::spawn("retry-last")?,
    ];
    let notifier = helper.watch(refused.pid())?;
    let whole = refused.oom.victim.ranges.concat();
    let (first, last) = (whole.first(), whole.last());
    let (Some(&(start, _)), Some(&(_, end))) = (first, last) else {
        return Err(Failure::unmet("the victim reports no mappings"));
    };
    let times = (REFUSALS * whole.len()) as u64;
    notifier.refuse_times((start, end), times)?;

    // All of it before the reaper's time for the first.
    refused.oom.kill()?;
    held.oom.kill()?;
    let hold = helper.hold(held.pid())?;
    for other in &mut others {
        other.oom.kill()?;
    }

    refused.ensure_reaped(&watch, &ATTEMPT, REFUSALS..=REFUSALS)?;
    let skips = || -> Result<usize, Failure> {
        let passed = watch.about(held.pid())?.into_iter();
        Ok(passed.filter(|event| SKIP.contains(&&*event.name)).count())
    };
    wait::until(
        TIMEOUT,
        || Ok(skips()? >= SKIPS),
        || "did not reach the reaper: it did not find the lock held".into(),
    )?;
    drop(hold);
    held.ensure_reaped(&watch, &SKIP, SKIPS..=ATTEMPTS - 1)?;
    for other in &mut others {
        other.ensure_reaped(&watch, &ATTEMPT, 0..=0)?;
    }
    drop(notifier);
    for waiting in others.iter_mut().chain([&mut refused, &mut held]) {
        smaps::ensure_reaped(&smaps::of(waiting.pid())?)?;
        waiting.oom.end()?;
    }
    Ok(())
}

/// A victim, and the log since before it was killed.
struct Waiting {
    oom: OomVictim,
    log: Log,
}

impl Waiting {
    fn spawn(name: &str) -> Result<Self, Failure> {
        let oom = OomVictim::pinned(name, vec![Area::new(Kind::Anon, 4, 64)], None)?;
        let log = Log::end()?;
        Ok(Self { oom, log })
    }

    fn pid(&self) -> Pid {
        self.oom.victim.pid()
    }

    /// Waits until it is reaped, which must be at the attempt behind so many that
    /// have failed.
    fn ensure_reaped(
        &mut self,
        watch: &Watch,
        attempt: &[&str],
        failed: RangeInclusive<usize>,
    ) -> Result<(), Failure> {
        watch.reaped_at_last(self.pid(), &mut self.log)?;
        // What says that it is the end of it.
        wait_skipped(self.pid())?;
        ensure_attempts(&watch.about(self.pid())?, attempt, failed, &ATTEMPT)
    }
}
