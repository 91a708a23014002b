//! 31 to 34: the race of scenario 22 over and over, with one thing varied, so
//! that one sees where a change helps and where it costs.

use std::time::Duration;

use nix::unistd::Pid;
use results::record::Record;

use super::mrelease_exit_race::{NEEDS, race_once, say_late, spec};
use crate::context::{Context, Repetition};
use crate::failure::Failure;
use crate::race::{Observer, Releaser, Start, VICTIM_CPU, metrics};
use crate::scenario::Scenario;
use crate::victim::{Area, Kind, Spec, Victim, bind};

/// How many VMAs the victim has.
pub const VMAS: Scenario = Scenario {
    name: "sweep-vmas",
    number: 31,
    summary: "the race of process_mrelease and exit_mmap over 1 to 5,000 VMAs",
    run: |context| {
        run(
            context,
            "VMAs of 8 pages",
            &[1, 10, 50, 200, 800, 2_000, 5_000],
            |vmas| (victim(vmas, 8), HeadStart::Percent(0)),
        )
    },
    ..SWEEP
};

/// How many pages each has.
pub const PAGES: Scenario = Scenario {
    name: "sweep-pages",
    number: 32,
    summary: "the race of process_mrelease and exit_mmap over 1 to 512 pages in each VMA",
    run: |context| {
        run(
            context,
            "pages in each of 100 VMAs",
            &[1, 4, 16, 64, 256, 512],
            |pages| (victim(100, u64::from(pages)), HeadStart::Percent(0)),
        )
    },
    ..SWEEP
};

/// How many threads it has, which must all die before its own exit starts.
pub const THREADS: Scenario = Scenario {
    name: "sweep-threads",
    number: 33,
    summary: "process_mrelease at once after the kill of a victim of 1 to 128 threads",
    run: |context| {
        run(
            context,
            "threads of a victim of 400 VMAs of 16 pages, released at once after the kill",
            &[1, 4, 16, 64, 128],
            |threads| {
                let spec = Spec {
                    threads: threads - 1,
                    ..victim(400, 16)
                };
                (spec, HeadStart::AtOnce)
            },
        )
    },
    ..SWEEP
};

/// How far the reaper is when the victim's own exit starts.
pub const HEAD_START: Scenario = Scenario {
    name: "sweep-head-start",
    number: 34,
    summary: "the race of process_mrelease and exit_mmap over the reaper's head start",
    run: |context| {
        run(
            context,
            "percent of a reap of 800 VMAs of 16 pages when the victim's own exit starts",
            &[0, 5, 10, 20, 40, 60, 80],
            |percent| (victim(800, 16), HeadStart::Percent(percent)),
        )
    },
    ..SWEEP
};

/// What all sweeps have in common.
const SWEEP: Scenario = Scenario {
    needs: NEEDS,
    deadline_s: 300,
    metrics: metrics::of_a_race![MRELEASE, HEAD_START],
    takes_turns: true,
    sweeps: true,
    ..Scenario::DEFAULT
};

/// When the victim's own exit starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeadStart {
    /// After this part of a reap that has the address space to itself.
    Percent(u32),
    /// When it gets there by itself.
    AtOnce,
}

impl HeadStart {
    /// `solo`: how long such a reap takes.
    fn start(self, solo: Duration) -> Start {
        match self {
            Self::AtOnce => Start::AtOnce,
            Self::Percent(part) => Start::Held(solo.mul_f64(f64::from(part) / 100.0)),
        }
    }
}

fn victim(vmas: u32, pages: u64) -> Spec {
    spec(vec![Area::new(Kind::Anon, vmas, pages)])
}

/// Repeats the race at each of the points; `at` says what it is there.
fn run(
    context: &Context<'_>,
    axis: &str,
    points: &[u32],
    at: fn(u32) -> (Spec, HeadStart),
) -> Result<(), Failure> {
    bind(Pid::from_raw(0), VICTIM_CPU)?;
    context.record(&Record::Sweep {
        scenario: context.scenario(),
        axis: axis.to_owned(),
    })?;
    let observer = Observer::new(context)?;
    let points: Vec<_> = points.iter().map(|&point| (point, at(point))).collect();
    let count = u32::try_from(points.len()).unwrap_or(u32::MAX);
    Releaser::run(|releaser| {
        // Of the victim whose reap the head starts are parts of; others need none.
        let parts = |(_, (_, start)): &&(_, _)| matches!(start, HeadStart::Percent(1..));
        let solo = match (points.iter().find(parts), context.solo()) {
            (Some(_), Some(solo)) => solo,
            (Some((_, (spec, _))), None) => context.found_solo(releaser.solo(spec)?)?,
            (None, _) => Duration::ZERO,
        };
        let mut late = 0;
        // Point by point in each repetition: a drift falls on all alike.
        for repetition in context.repetitions() {
            for (nth, (point, (spec, head_start))) in (0..).zip(&points) {
                let turn = Repetition {
                    index: repetition.index * count + nth,
                    at: Some(f64::from(*point)),
                    ..repetition
                };
                let victim = || Victim::spawn(spec);
                context.take_turn(turn, victim, |victim, agreed| {
                    let start = head_start.start(agreed.unwrap_or(solo));
                    late += race_once(context, &observer, releaser, turn, spec, victim, start)?;
                    Ok(())
                })?;
            }
        }
        say_late(context, late)?;
        observer.finish(context)
    })
}
