//! The judgement of a run: scenarios, the order proof, and base against patched.

mod caveats;
mod compare;
pub(crate) mod comparison;
pub(crate) mod model;
pub(crate) mod order;
pub(crate) mod probes;
pub(crate) mod samples;
pub(crate) mod scenarios;
pub(crate) mod stacks;
mod status;
pub(crate) mod sweep;
pub(crate) mod turns;

use crate::breakdown::OnBothArms;
use crate::claims::Claimed;
use crate::run::Run;
pub use compare::decided;
use model::Report;
use samples::Samples;
use scenarios::ScenarioRow;
use turns::Turns;

/// Judges a run.
pub fn analyse(run: &Run) -> Report {
    judge(run, ["base", "patched"], caveats::same_kernel(run))
}

/// Judges a run whose arms have these names, with more caveats.
pub(crate) fn judge(run: &Run, names: [&'static str; 2], more: Vec<String>) -> Report {
    let order = order::order(run);
    let on_both = OnBothArms::of(run);
    let scenarios = scenarios::scenarios(run, &on_both);
    let samples = Samples::of(run);
    let mut comparisons = compare::comparisons(run, &samples);
    let doubted = scenarios.iter().any(ScenarioRow::fails_on_patched)
        && compare::doubt_improvements(&mut comparisons);
    let (status, reasons) = status::status(run, &on_both, &order, &scenarios, &comparisons);
    let lost = run.lost_boots.iter();
    let notes = lost
        .map(|boot| format!("boot {} ({}) was lost: {}", boot.index, boot.arm, boot.why))
        .chain(run.notes.iter().cloned())
        .chain(status::not_counted(run, &scenarios))
        .chain(doubted.then(|| compare::DOUBT.to_owned()))
        .chain(probes::agreements(&comparisons))
        .chain(caveats::notes(run))
        .collect();
    let probe_costs = probes::probe_costs(run, &samples);
    let turns = Turns::of(run);
    let mut caveats = caveats::caveats(run, turns.as_ref());
    caveats.extend(more);
    caveats.extend(probes::uneven(&probe_costs));
    let claims = Claimed::of(run, &comparisons);
    Report {
        schema: crate::run::SCHEMA,
        question: run.question,
        status,
        reasons,
        conclusive: compare::conclusive(run, &comparisons),
        order,
        comparisons,
        sweeps: sweep::sweeps(run),
        stacks: stacks::rows(run),
        probe_costs,
        claims,
        coverage: run.coverage.clone(),
        scenarios,
        rounds: run.rounds.iter().map(model::round_row).collect(),
        caveats,
        notes,
        names,
        series: run.series.clone(),
        kernel: run.kernel.clone(),
        accelerator: run.accelerator.clone(),
        guest: run.guest.clone(),
        host: run.host.clone(),
        qemu: run.qemu.clone(),
        virtme_ng: run.virtme_ng.clone(),
        compiler: run.compiler.clone(),
        tool_version: run.tool_version.clone(),
        started: run.started.clone(),
        decided_s: run.decided_s,
        command: run.command.clone(),
        seed: run.seed,
        margin: run.margin,
        primary: run.primary.clone(),
        turns,
        asked: run.asked.clone(),
        looks: run.limit.map_or_else(Vec::new, |limit| {
            let looks = run.looks(limit as usize);
            looks
                .at()
                .map(|boots| (boots, looks.alpha(boots)))
                .collect()
        }),
    }
}
