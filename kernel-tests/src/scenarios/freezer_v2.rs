//! 18: a victim frozen by cgroup v2 dies all the same.

use std::time::{Duration, Instant};

use crate::cgroup::Cgroup;
use crate::context::{Context, Metric, Repetition};
use crate::failure::{Failure, ensure};
use crate::needs::Need;
use crate::oom::{self, only_kill};
use crate::procfs;
use crate::scenario::Scenario;
use crate::timeout_scale::scaled;
use crate::trace::{self, Clock, Trace};
use crate::victim::{Area, Kind, Spec, Victim};

const KILL_TO_GONE: Metric = Metric::us("kill-to-gone");

pub const SCENARIO: Scenario = Scenario {
    name: "freezer-v2",
    number: 18,
    summary: "a victim of 4 threads frozen by cgroup v2 dies of its OOM kill",
    needs: &[Need::Memcg, Need::Sysrq, Need::OomEvents],
    deadline_s: 30,
    metrics: &[KILL_TO_GONE],
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    let trace = Trace::new(SCENARIO.name, Clock::Mono, 64)?;
    trace.event("oom/mark_victim")?;
    let cgroup = Cgroup::new(SCENARIO.name)?;
    let mut victim = Victim::spawn(&Spec {
        areas: vec![Area::new(Kind::Anon, 16, 64)],
        cgroup: Some(cgroup.path().to_owned()),
        threads: 3,
        ..Spec::default()
    })?;
    cgroup.set("cgroup.freeze", "1")?;
    let deadline = Instant::now() + scaled(Duration::from_secs(5));
    let frozen = || -> Result<bool, Failure> {
        let events = procfs::read(cgroup.path().join("cgroup.events"))?;
        Ok(procfs::value(&events, "frozen") == Some(1))
    };
    while !frozen()? {
        ensure(Instant::now() < deadline, || {
            "the victim can't be frozen".into()
        })?;
        std::thread::sleep(Duration::from_millis(5));
    }
    oom::request()?;
    victim.wait_killed()?;
    let gone = trace::monotonic_us()?;
    let kill = only_kill(&trace.events()?, victim.pid())?;
    context.sample(
        Repetition::ONLY,
        KILL_TO_GONE,
        gone.saturating_sub(kill) as f64,
    )
}
