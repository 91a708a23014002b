//! 29: an address space whose lock somebody holds is not touched.

use std::time::Duration;

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::helper::Helper;
use crate::kmsg::Log;
use crate::needs::Need;
use crate::oom::{OomVictim, Watch, ensure_ten_attempts};
use crate::procfs;
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{Area, Kind};

pub struct MmapLock;

impl Scenario for MmapLock {
    fn name(&self) -> &'static str {
        "mmap-lock"
    }

    fn number(&self) -> u32 {
        29
    }

    fn summary(&self) -> &'static str {
        "mmap_lock is held for writing: the reaper skips ten times, gives up, and touches nothing"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Helper, Need::Memcg, Need::OomEvents, Need::Smaps]
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn run(&self, _: &Context<'_>) -> Result<(), Failure> {
        let helper = Helper::load()?;
        let watch = Watch::new()?;
        let mut log = Log::end()?;
        let mut oom = OomVictim::pinned(self.name(), vec![Area::new(Kind::Anon, 16, 64)], None)?;
        let pid = oom.victim.pid();
        oom.kill()?;
        let before = smaps::of(pid)?;
        smaps::ensure_resident(&before, &oom.victim.ranges.concat())?;
        let whole = procfs::resident(pid)?;

        // Long before the reaper's time. Whoever looks into smaps now waits too.
        let hold = helper.hold(pid)?;
        let passed = watch.gave_up(pid, &mut log)?;
        ensure_ten_attempts(&passed, &["skip_task_reaping"])?;
        let left = procfs::resident(pid)?;
        ensure(left == whole, || {
            format!("{left} of {whole} pages are left of a victim that nobody could reap")
        })?;
        ensure(!oom.victim.ended()?, || {
            format!("{pid} ended although it was held")
        })?;

        drop(hold);
        let after = smaps::of(pid)?;
        ensure(after == before, || {
            format!("the memory of {pid} is not what it was before its lock was held")
        })?;
        oom.end()
    }
}
