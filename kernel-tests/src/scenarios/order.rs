//! 8: the order in which the reaper walks an address space, and that it visits
//! each VMA that it may touch exactly once.

use results::plan::Order;
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
        let expected: Vec<_> = smaps::of(pid)?
            .iter()
            .filter(|vma| vma.reapable())
            .map(|vma| (vma.start, vma.end))
            .collect();
        let reaped = watch.reaped(pid, Vec::new())?;
        let visited = trace.visits("walk", reaper)?;
        oom.end()?;
        trace.ensure_complete()?;

        same_set(&visited, &expected)?;
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

/// How a walk's starts follow each other; a walk over one VMA has no order.
fn order_of(visited: &[(u64, u64)]) -> Order {
    let each = |holds: fn(u64, u64) -> bool| {
        visited.len() > 1 && visited.is_sorted_by(|a, b| holds(a.0, b.0))
    };
    if each(|a, b| a < b) {
        Order::Ascending
    } else if each(|a, b| a > b) {
        Order::Descending
    } else {
        Order::Mixed
    }
}

/// Fails unless `visited` has each of `expected`, which is sorted, once and
/// nothing else.
fn same_set(visited: &[(u64, u64)], expected: &[(u64, u64)]) -> Result<(), Failure> {
    let mut visited = visited.to_vec();
    visited.sort_unstable();
    let show = |range: &(u64, u64)| format!("{:#x}-{:#x}", range.0, range.1);
    if let Some(twice) = visited
        .array_windows()
        .find_map(|[a, b]| (a == b).then_some(a))
    {
        return Err(Failure::unmet(format!("{} was visited twice", show(twice))));
    }
    if let Some(missed) = expected
        .iter()
        .find(|range| visited.binary_search(range).is_err())
    {
        return Err(Failure::unmet(format!("{} was not visited", show(missed))));
    }
    let extra = visited
        .iter()
        .find(|range| expected.binary_search(range).is_err());
    ensure(extra.is_none(), || {
        format!(
            "{} was visited, which the reaper must not touch",
            extra.map(show).unwrap_or_default()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders() {
        let walk = |starts: &[u64]| starts.iter().map(|&s| (s, s + 1)).collect::<Vec<_>>();
        for (starts, order) in [
            (&[1, 2, 3][..], Order::Ascending),
            (&[3, 2, 1], Order::Descending),
            (&[1, 3, 2], Order::Mixed),
            (&[3, 1, 2], Order::Mixed),
            (&[2, 2], Order::Mixed),
            (&[1], Order::Mixed),
            (&[], Order::Mixed),
        ] {
            assert_eq!(order_of(&walk(starts)), order, "{starts:?}");
        }
    }

    #[test]
    fn sets() {
        let expected = [(1, 2), (3, 4), (5, 9)];
        let verdict = |visited: &[(u64, u64)]| {
            same_set(visited, &expected).map_err(|failure| failure.to_string())
        };
        assert_eq!(verdict(&[(5, 9), (3, 4), (1, 2)]), Ok(()));
        let err = |text: &str| Err(text.to_owned());
        assert_eq!(verdict(&[(5, 9), (1, 2)]), err("0x3-0x4 was not visited"));
        assert_eq!(
            verdict(&[(5, 8), (3, 4), (1, 2)]),
            err("0x5-0x9 was not visited")
        );
        assert_eq!(
            verdict(&[(1, 2), (1, 2), (3, 4), (5, 9)]),
            err("0x1-0x2 was visited twice")
        );
        assert_eq!(
            verdict(&[(1, 2), (3, 4), (5, 9), (10, 11)]),
            err("0xa-0xb was visited, which the reaper must not touch")
        );
    }

    #[test]
    fn victims_have_the_size_asked_for() {
        for size in SIZES {
            let count: u32 = mixed(size, false).iter().map(|area| area.count).sum();
            assert_eq!(count, size);
        }
    }
}
