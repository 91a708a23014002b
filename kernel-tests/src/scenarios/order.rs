//! 8: the order in which the reaper walks an address space, and that it visits
//! each VMA that it may touch exactly once.

use results::record::Record;

use crate::context::{Context, Metric, Repetition};
use crate::failure::{Failure, ensure};
use crate::hugetlb::Pool;
use crate::needs::Need;
use crate::oom::{self, OomVictim, Watch};
use crate::scenario::Scenario;
use crate::smaps;
use crate::trace::{Clock, Trace};
use crate::victim::{Area, Kind};
use crate::walk::{ensure_visited, order_of};

const TIME_PER_VMA: Metric = Metric::us("time-per-vma");

/// How many VMAs the victims map.
const SIZES: [u32; 3] = [300, 2000, 5000];

pub const SCENARIO: Scenario = Scenario {
    name: "order",
    number: 8,
    summary: "the reaper visits each VMA that it may touch once, in the order that the plan expects",
    needs: &[
        Need::Memcg,
        Need::OomEvents,
        Need::KprobeEvents,
        Need::Smaps,
    ],
    deadline_s: 90,
    metrics: &[TIME_PER_VMA],
    proves_order: true,
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    let pool = match Need::Hugetlb.missing() {
        None => Some(Pool::grow(2)?),
        Some(why) => {
            context.note(format!("without huge pages: {why}"))?;
            None
        }
    };
    let reaper = oom::reaper()?;
    let mut watch = Watch::new()?;
    let mut trace = Trace::new("order", Clock::Counter, 4096)?;
    let probe = trace.walks("walk", &context.plan.probes)?;
    context.note(format!("the reaper's walk as seen by a probe on {probe}"))?;

    for (index, size) in (0..).zip(SIZES) {
        let mut oom = OomVictim::pinned("order", mixed(size, pool.is_some()), None)?;
        let pid = oom.victim.pid();
        trace.clear()?;
        oom.kill()?;
        let expected = smaps::reapable(&smaps::of(pid)?);
        let reaped = watch.reaped(pid, Vec::new())?;
        let visited = trace.visits("walk", reaper)?;
        oom.end()?;
        trace.ensure_complete()?;

        ensure_visited(&visited, &expected)?;
        let order = order_of(&visited);
        let vmas = u32::try_from(visited.len()).unwrap_or(u32::MAX);
        context.record(&Record::Order {
            scenario: context.scenario(),
            repetition: index,
            order,
            vmas,
        })?;
        let repetition = Repetition {
            index,
            warmup: false,
            at: Some(size.into()),
        };
        context.sample(
            repetition,
            TIME_PER_VMA,
            reaped.reap as f64 / f64::from(vmas),
        )?;
        if let Some(wanted) = context.plan.order {
            ensure(order == wanted, || {
                format!("{vmas} VMAs were visited in {order:?} order instead of {wanted:?}")
            })?;
        }
    }
    Ok(())
}

/// `size` VMAs of all kinds in turn, so that each kind has neighbours of
/// others above and below.
fn mixed(size: u32, hugetlb: bool) -> Vec<Area> {
    let quarter = size / 4;
    let mut areas = Vec::new();
    for _ in 0..4 {
        areas.extend([
            Area::new(Kind::Anon, quarter - 25, 1),
            Area::new(Kind::Locked, 5, 2),
            Area::new(Kind::Shared, 5, 2),
            Area::new(Kind::ReadOnlyShared, 5, 2),
            Area::new(Kind::PrivateFile, 5, 2),
            Area::new(Kind::Memfd, 5, 2),
        ]);
    }
    if hugetlb {
        areas.insert(5, Area::new(Kind::Hugetlb, 2, 1));
    }
    areas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn victims_have_the_size_asked_for() {
        for size in SIZES {
            let count: u32 = mixed(size, false).iter().map(|area| area.count).sum();
            assert_eq!(count, size);
        }
    }
}
