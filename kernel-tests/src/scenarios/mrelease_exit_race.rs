//! 22: `process_mrelease` against `exit_mmap`, the A/B that the series is
//! about.

use nix::unistd::Pid;

use crate::context::{Context, Repetition};
use crate::failure::Failure;
use crate::needs::Need;
use crate::race::{self, Observer, Releaser, Start, VICTIM_CPU, Walkers, metrics};
use crate::scenario::Scenario;
use crate::victim::{Spec, Victim, bind};

/// How often a repetition is tried. A call that comes too late (ESRCH: its
/// CPU was taken away in the wrong moment) is no sample.
const TRIES: u32 = 5;

pub const SCENARIO: Scenario = Scenario {
    name: "mrelease-exit-race",
    number: 22,
    summary: "process_mrelease and exit_mmap in one address space: how often and how long they wait",
    needs: NEEDS,
    deadline_s: 120,
    metrics: &[
        metrics::CONTENDED,
        metrics::SLOW_PATH,
        metrics::WAIT,
        metrics::MRELEASE,
        metrics::EXIT_MMAP,
        metrics::SUM,
        metrics::CPU,
        metrics::MEMORY_BACK,
        metrics::RELEASE_TO_GONE,
        metrics::SUM_TO_GONE,
        metrics::KILL_TO_GONE,
    ],
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    bind(Pid::from_raw(0), VICTIM_CPU)?;
    let observer = Observer::new(context)?;
    let spec = spec(race::areas());
    Releaser::run(|releaser| {
        let solo = releaser.solo(&spec)?;
        context.note(format!(
            "a reap without the other walker takes {} us",
            solo.as_micros()
        ))?;
        let mut late = 0;
        for repetition in race::repetitions(context.plan, u32::MAX) {
            let start = Start::Held(race::delay(repetition, solo));
            late += race_once(context, &observer, releaser, repetition, &spec, start)?;
        }
        if !context.plan.purpose.is_traced() {
            // A third of the others: each yields but this one sample.
            let warmups = context.plan.warmups.min(1);
            let looks = warmups + context.plan.repetitions.div_ceil(3);
            for repetition in context.repetitions().take(looks as usize) {
                let repetition = Repetition {
                    warmup: repetition.index < warmups,
                    ..repetition
                };
                if let Some(back) = releaser.memory_back(&spec)? {
                    let micros = back.as_micros() as f64;
                    context.sample(repetition, metrics::MEMORY_BACK, micros)?;
                }
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

/// What a race through `process_mrelease` needs.
pub(super) const NEEDS: &[Need] = &[
    Need::ProcessMrelease,
    Need::TwoCpus,
    Need::KprobeEvents,
    Need::SpinlockSlowPath,
];

/// A victim with these mappings.
pub(super) fn spec(areas: Vec<crate::victim::Area>) -> Spec {
    Spec {
        areas,
        cpu: Some(VICTIM_CPU),
        ..Spec::default()
    }
}

/// One repetition. Returns how many calls came too late.
pub(super) fn race_once(
    context: &Context<'_>,
    observer: &Observer,
    releaser: &Releaser<'_>,
    repetition: Repetition,
    spec: &Spec,
    start: Start,
) -> Result<u32, Failure> {
    for late in 0..TRIES {
        let victim = Victim::spawn(spec)?;
        let walkers = Walkers::new(releaser.tid(), &victim);
        observer.start()?;
        if let Some(timed) = releaser.race(victim, start)? {
            observer.report(context, repetition, &walkers, timed)?;
            return Ok(late);
        }
    }
    Ok(TRIES)
}
