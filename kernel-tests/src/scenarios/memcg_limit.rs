//! 1: a cgroup's limit kills, and kills once.

use std::time::Duration;

use crate::cgroup::Cgroup;
use crate::context::{Context, Metric, Repetition};
use crate::failure::{Failure, ensure};
use crate::needs::Need;
use crate::oom::only_kill;
use crate::scenario::Scenario;
use crate::trace::{self, Clock, Trace};
use crate::victim::{Area, Kind, Spec, Victim};

/// From the kill for the limit to the victim's end, its memory freed.
const LIMIT_TO_GONE: Metric = Metric::us("limit-to-gone");

/// How far below its limit the victim starts to allocate.
const SLACK: u64 = 2 << 20;

pub struct MemcgLimit;

impl Scenario for MemcgLimit {
    fn name(&self) -> &'static str {
        "memcg-limit"
    }

    fn number(&self) -> u32 {
        1
    }

    fn summary(&self) -> &'static str {
        "a victim that allocates past memory.max is killed, once"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Memcg, Need::OomEvents]
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn metrics(&self) -> &'static [Metric] {
        &[LIMIT_TO_GONE]
    }

    fn run(&self, context: &Context<'_>) -> Result<(), Failure> {
        let trace = Trace::new(self.name(), Clock::Mono, 64)?;
        trace.event("oom/mark_victim")?;
        for repetition in context.repetitions() {
            trace.clear()?;
            self.once(context, repetition, &trace)?;
        }
        Ok(())
    }
}

impl MemcgLimit {
    fn once(
        &self,
        context: &Context<'_>,
        repetition: Repetition,
        trace: &Trace,
    ) -> Result<(), Failure> {
        let cgroup = Cgroup::new(self.name())?;
        let mut victim = Victim::spawn(&Spec {
            areas: vec![Area::new(Kind::Anon, 16, 128)],
            cgroup: Some(cgroup.path().to_owned()),
            ..Spec::default()
        })?;
        cgroup.limit_to_current(SLACK)?;
        victim.exhaust()?;
        victim.wait_killed()?;
        let gone = trace::monotonic_us()?;

        let (oom, killed) = (cgroup.event("oom")?, cgroup.event("oom_kill")?);
        ensure(oom >= 1 && killed == 1, || {
            format!("memory.events: oom {oom} and oom_kill {killed} instead of some and 1")
        })?;
        let limit = only_kill(&trace.events()?, victim.pid())?;
        context.sample(repetition, LIMIT_TO_GONE, gone.saturating_sub(limit) as f64)
    }
}
