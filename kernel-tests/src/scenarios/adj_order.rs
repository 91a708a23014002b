//! 5: whom the OOM killer takes first: by memory and `oom_score_adj`.

use crate::cgroup::Cgroup;
use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::needs::Need;
use crate::scenario::Scenario;
use crate::trace::{Clock, Trace};
use crate::victim::{Area, Kind, Spec, Victim};

/// The group's limit. A point of adj weighs a thousandth of it.
const LIMIT: u64 = 64 << 20;

/// Adj and pages of the members, in the order in which they must go. Those with
/// the same adj go by size; a large one with a low adj goes before a small one
/// with a higher adj that does not make up for it.
const MEMBERS: [(i32, u64); 7] = [
    (900, 64),
    (700, 64),
    (500, 1024),
    (500, 64),
    (200, 2048),
    (250, 64),
    (0, 1024),
];

/// Who drives the others out: it goes last.
const DRIVER: i32 = -999;

pub const SCENARIO: Scenario = Scenario {
    name: "adj-order",
    number: 5,
    summary: "a group's members are killed one by one, in the order of memory and oom_score_adj",
    needs: &[Need::Memcg, Need::OomEvents],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    let cgroup = Cgroup::new(SCENARIO.name)?;
    cgroup.set("memory.max", &LIMIT.to_string())?;
    let trace = Trace::new(SCENARIO.name, Clock::Counter, 64)?;
    trace.event("oom/mark_victim")?;
    let spawn = |oom_score_adj, pages| {
        Victim::spawn(&Spec {
            areas: vec![Area::new(Kind::Anon, 1, pages)],
            cgroup: Some(cgroup.path().to_owned()),
            oom_score_adj,
            ..Spec::default()
        })
    };
    // Not in the order of their death, and differently each time.
    let mut start: Vec<usize> = (0..MEMBERS.len()).collect();
    start.rotate_left((context.plan.seed % MEMBERS.len() as u64) as usize);
    start.swap(0, 3);
    let mut members: Vec<Option<Victim>> = MEMBERS.iter().map(|_| None).collect();
    for rank in start {
        if let (Some(place), Some(&(adj, pages))) = (members.get_mut(rank), MEMBERS.get(rank)) {
            *place = Some(spawn(adj, pages)?);
        }
    }
    let mut members: Vec<Victim> = members.into_iter().flatten().collect();
    members.push(spawn(DRIVER, 16)?);
    if let Some(driver) = members.last_mut() {
        driver.exhaust()?;
    }
    members.iter_mut().try_for_each(Victim::wait_killed)?;

    let killed: Vec<_> = trace
        .events()?
        .iter()
        .filter_map(|event| event.number("pid"))
        .collect();
    let expected: Vec<i64> = members.iter().map(|m| m.pid().as_raw().into()).collect();
    ensure(killed == expected, || {
        format!("killed were {killed:?} instead of {expected:?}")
    })
}
