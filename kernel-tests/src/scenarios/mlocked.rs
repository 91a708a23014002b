//! 12: locked memory is no safer from the reaper than other memory.

use std::time::Duration;

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::needs::Need;
use crate::oom::{OomVictim, Watch};
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{Area, Kind};

pub struct Mlocked;

impl Scenario for Mlocked {
    fn name(&self) -> &'static str {
        "mlocked"
    }

    fn number(&self) -> u32 {
        12
    }

    fn summary(&self) -> &'static str {
        "mlocked memory is reaped"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Memcg, Need::OomEvents, Need::Smaps]
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn run(&self, _: &Context<'_>) -> Result<(), Failure> {
        let mut watch = Watch::new()?;
        let areas = vec![
            Area::new(Kind::Locked, 8, 64),
            Area::new(Kind::Anon, 8, 64),
            Area::new(Kind::Locked, 8, 1),
        ];
        let mut oom = OomVictim::pinned(self.name(), areas, None)?;
        let pid = oom.victim.pid();
        oom.kill()?;

        let before = smaps::of(pid)?;
        smaps::ensure_resident(&before, &oom.victim.ranges.concat())?;
        let locked = before.iter().filter(|vma| vma.has("lo")).count();
        ensure(locked == 16, || {
            format!("the victim has {locked} locked VMAs instead of 16")
        })?;

        watch.reaped(pid, Vec::new())?;
        smaps::ensure_reaped(&smaps::of(pid)?)?;
        oom.end()
    }
}
