//! 31 to 34: the race of scenario 22 over and over, with one thing varied, so
//! that one sees where a change helps and where it costs.

use std::time::Duration;

use nix::unistd::Pid;
use results::record::Record;

use super::mrelease_exit_race::{NEEDS, race_once, spec};
use crate::context::{Context, Metric, Repetition};
use crate::failure::Failure;
use crate::needs::Need;
use crate::race::{self, Observer, Releaser, Start, VICTIM_CPU};
use crate::scenario::Scenario;
use crate::victim::{Area, Kind, Spec, bind};

/// How many VMAs the victim has.
pub const VMAS: Sweep = Sweep {
    name: "sweep-vmas",
    number: 31,
    summary: "the race of process_mrelease and exit_mmap over 1 to 5,000 VMAs",
    axis: "VMAs of 8 pages",
    points: &[1, 10, 50, 200, 800, 2_000, 5_000],
    at: |vmas| (victim(vmas, 8), Head::Percent(0)),
};

/// How many pages each has.
pub const PAGES: Sweep = Sweep {
    name: "sweep-pages",
    number: 32,
    summary: "the race of process_mrelease and exit_mmap over 1 to 512 pages in each VMA",
    axis: "pages in each of 100 VMAs",
    points: &[1, 4, 16, 64, 256, 512],
    at: |pages| (victim(100, u64::from(pages)), Head::Percent(0)),
};

/// How many threads it has, which must all die before its own exit starts.
pub const THREADS: Sweep = Sweep {
    name: "sweep-threads",
    number: 33,
    summary: "process_mrelease at once after the kill of a victim of 1 to 128 threads",
    axis: "threads of a victim of 400 VMAs of 16 pages, released at once after the kill",
    points: &[1, 4, 16, 64, 128],
    at: |threads| {
        let spec = Spec {
            threads: threads - 1,
            ..victim(400, 16)
        };
        (spec, Head::AtOnce)
    },
};

/// How far the reaper is when the victim's own exit starts.
pub const HEAD_START: Sweep = Sweep {
    name: "sweep-head-start",
    number: 34,
    summary: "the race of process_mrelease and exit_mmap over the reaper's head start",
    axis: "percent of a reap of 800 VMAs of 16 pages when the victim's own exit starts",
    points: &[0, 5, 10, 20, 40, 60, 80],
    at: |percent| (victim(800, 16), Head::Percent(percent)),
};

/// One thing that is varied.
pub struct Sweep {
    name: &'static str,
    number: u32,
    summary: &'static str,
    axis: &'static str,
    points: &'static [u32],
    at: fn(u32) -> (Spec, Head),
}

/// When the victim's own exit starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// After this part of a reap that has the address space to itself.
    Percent(u32),
    /// When it comes to it.
    AtOnce,
}

fn victim(vmas: u32, pages: u64) -> Spec {
    spec(vec![Area::new(Kind::Anon, vmas, pages)])
}

impl Scenario for Sweep {
    fn name(&self) -> &'static str {
        self.name
    }

    fn number(&self) -> u32 {
        self.number
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn needs(&self) -> &'static [Need] {
        NEEDS
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(300)
    }

    fn metrics(&self) -> &'static [Metric] {
        &[
            race::CONTENDED,
            race::SLOW_PATH,
            race::WAIT,
            race::MRELEASE,
            race::EXIT_MMAP,
            race::SUM,
            race::CPU,
            race::RELEASE_TO_GONE,
            race::SUM_TO_GONE,
            race::KILL_TO_GONE,
        ]
    }

    fn sweeps(&self) -> bool {
        true
    }

    fn run(&self, context: &Context<'_>) -> Result<(), Failure> {
        bind(Pid::from_raw(0), VICTIM_CPU)?;
        context.record(&Record::Sweep {
            scenario: context.scenario(),
            axis: self.axis.to_owned(),
        })?;
        let observer = Observer::new(context)?;
        Releaser::run(|releaser| {
            let starts: Vec<_> = self
                .points
                .iter()
                .map(|&point| {
                    let (spec, head) = (self.at)(point);
                    let start = match head {
                        Head::AtOnce => Start::AtOnce,
                        Head::Percent(0) => Start::Held(Duration::ZERO),
                        Head::Percent(part) => {
                            Start::Held(releaser.solo(&spec)?.mul_f64(f64::from(part) / 100.0))
                        }
                    };
                    Ok((point, spec, start))
                })
                .collect::<Result<_, Failure>>()?;
            let mut late = 0;
            // Point by point in each repetition: a drift falls on all alike.
            for repetition in context.repetitions() {
                for (point, spec, start) in &starts {
                    let at = Repetition {
                        at: Some(f64::from(*point)),
                        ..repetition
                    };
                    late += race_once(context, &observer, releaser, at, spec, *start)?;
                }
            }
            if late > 0 {
                context.note(format!(
                    "{late} calls found the victim's memory gone (ESRCH)"
                ))?;
            }
            observer.finish(context)
        })
    }
}
