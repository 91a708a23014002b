//! 22: `process_mrelease` against `exit_mmap`, the A/B that the series is
//! about.

use std::time::Duration;

use nix::unistd::Pid;
use results::plan::Plan;

use crate::context::{Context, Metric, Repetition};
use crate::failure::Failure;
use crate::needs::Need;
use crate::race::{self, Observer, Releaser, Start, VICTIM_CPU, Walkers, metrics};
use crate::scenario::Scenario;
use crate::victim::{Spec, Victim, bind};

/// How often a repetition is tried. A call that comes too late (its CPU was taken
/// away in the wrong moment) is no sample: the victim's memory is gone (ESRCH), or
/// its own walk has ended.
const TRIES: u32 = 5;

pub const SCENARIO: Scenario = Scenario {
    name: "mrelease-exit-race",
    number: 22,
    summary: "process_mrelease and exit_mmap in one address space: how often and how long they wait",
    needs: NEEDS,
    deadline_s: 120,
    metrics: metrics::of_a_race![MRELEASE, HEAD_START, MEMORY_BACK, SOLO],
    takes_turns: true,
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    bind(Pid::from_raw(0), VICTIM_CPU)?;
    let observer = Observer::new(context)?;
    let spec = spec(race::areas());
    Releaser::run(|releaser| {
        let solo = match context.solo() {
            Some(solo) => solo,
            None => context.found_solo(releaser.solo(&spec)?)?,
        };
        let victim = || Victim::spawn(&spec);
        let mut late = 0;
        for repetition in race::repetitions(context.plan, u32::MAX) {
            context.take_turn(repetition, victim, |victim, agreed| {
                let solo = agreed.unwrap_or(solo);
                let start = Start::Held(race::delay(repetition, solo));
                late += race_once(
                    context, &observer, releaser, repetition, &spec, victim, start,
                )?;
                Ok(())
            })?;
        }
        if context.plan.purpose.is_unprobed() {
            for repetition in fewer(context.plan) {
                context.take_turn(repetition, victim, |victim, _| {
                    let back = releaser.memory_back(victim)?;
                    sample(context, repetition, metrics::MEMORY_BACK, back)
                })?;
            }
            for repetition in fewer(context.plan).filter(|it| !it.warmup) {
                let repetition = Repetition {
                    index: repetition.index + context.plan.repetitions,
                    ..repetition
                };
                context.take_turn(repetition, victim, |victim, _| {
                    let took = releaser.reap_alone(victim)?;
                    sample(context, repetition, metrics::SOLO, Some(took))
                })?;
            }
        }
        say_late(context, late)?;
        observer.finish(context)
    })
}

/// A third of the usual repetitions, counted on, for what yields but one sample each.
fn fewer(plan: &Plan) -> impl Iterator<Item = Repetition> + use<> {
    let warmups = plan.warmups;
    let behind = plan.warmups + plan.repetitions;
    (0..warmups + plan.repetitions.div_ceil(3)).map(move |nth| Repetition {
        index: behind + nth,
        warmup: nth < warmups,
        at: None,
    })
}

fn sample(
    context: &Context<'_>,
    repetition: Repetition,
    metric: Metric,
    took: Option<Duration>,
) -> Result<(), Failure> {
    took.map_or(Ok(()), |took| {
        context.sample(repetition, metric, took.as_micros() as f64)
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

/// One repetition with this victim, or, where the call came too late, with
/// another one. Returns how many calls came too late.
pub(super) fn race_once(
    context: &Context<'_>,
    observer: &Observer,
    releaser: &Releaser<'_>,
    repetition: Repetition,
    spec: &Spec,
    mut victim: Victim,
    start: Start,
) -> Result<u32, Failure> {
    for late in 0..TRIES {
        let walkers = Walkers::new(releaser.tid(), &victim);
        observer.start()?;
        if let Some(timed) = releaser.race(victim, start)?
            && observer.report(context, repetition, &walkers, timed)?
        {
            return Ok(late);
        }
        victim = Victim::spawn(spec)?;
    }
    Err(Failure::NoRace(format!(
        "in {TRIES} tries the call never met the victim's own exit"
    )))
}

/// Says how many calls came too late in all.
pub(super) fn say_late(context: &Context<'_>, late: u32) -> Result<(), Failure> {
    match late {
        0 => Ok(()),
        late => context.note(format!(
            "{late} calls found the victim's memory gone, and were made again"
        )),
    }
}
