//! One run against another: what has changed since.

use crate::analyse::judge;
use crate::analyse::model::Report;
use crate::run::{ArmInfo, Run};
use results::Arm;

/// What the two sides are called.
const NAMES: [&str; 2] = ["earlier", "later"];

/// The same arm in two runs.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Between {
    pub arm: Arm,
    /// The earlier run's boots of it as base, the later one's as patched.
    pub report: Report,
}

/// Compares each arm that both runs have, patched first. Where base has changed
/// as well, something else than the series did it.
pub fn between(earlier: &Run, later: &Run) -> Vec<Between> {
    [Arm::Patched, Arm::Base]
        .into_iter()
        .filter(|&arm| earlier.kernel.has(arm) && later.kernel.has(arm))
        .map(|arm| {
            let differences = differences(earlier, later, arm);
            let report = judge(&joined(earlier, later, arm), NAMES, differences);
            Between { arm, report }
        })
        .collect()
}

/// A run whose arms are one arm of two runs. Nothing is expected of its order,
/// and it has looked at its samples once.
fn joined(earlier: &Run, later: &Run, arm: Arm) -> Run {
    let sides = [(earlier, Arm::Base), (later, Arm::Patched)];
    let infos = |(run, side): (&Run, Arm)| {
        let of = move |info: &&ArmInfo| info.arm == arm;
        let info = run.kernel.arms.iter().find(of).cloned();
        info.map(|info| ArmInfo { arm: side, ..info })
    };
    let rounds = sides
        .into_iter()
        .flat_map(|(run, side)| {
            let of = run.rounds.iter().filter(move |round| round.arm == arm);
            of.map(move |round| {
                let mut round = round.clone();
                round.arm = side;
                round
            })
        })
        .zip(0..)
        .map(|(mut round, index)| {
            round.index = index;
            round
        })
        .collect();
    let mut run = later.clone();
    run.kernel.arms = sides.into_iter().filter_map(infos).collect();
    run.rounds = rounds;
    run.expect_order = None;
    run.limit = None;
    run.decided_s = None;
    run.changelog.clear();
    run.notes.clear();
    run
}

/// What else is not the same in both runs.
fn differences(earlier: &Run, later: &Run, arm: Arm) -> Vec<String> {
    let of = |run: &Run| {
        let info = run.kernel.arms.iter().find(|info| info.arm == arm);
        let info = |get: fn(&ArmInfo) -> &String| info.map_or(String::new(), |i| get(i).clone());
        let (series, guest, host) = (&run.series, &run.guest, &run.host);
        [
            ("series", format!("{} {}", series.name, series.version)),
            ("kernel", run.kernel.version.clone()),
            ("tree", info(|info| &info.tree)),
            ("configuration", info(|info| &info.config_sha)),
            ("compiler", run.compiler.clone()),
            (
                "guest",
                format!("{} CPUs, {} MiB", guest.cpus, guest.memory_mib),
            ),
            ("flavour", guest.flavour.clone()),
            ("machine", format!("{}, {} CPUs", host.cpu, host.cpus)),
            ("accelerator", run.accelerator.kind.acronym().to_owned()),
            ("QEMU", run.qemu.clone()),
            ("reaperlab", run.tool_version.clone()),
        ]
    };
    of(earlier)
        .into_iter()
        .zip(of(later))
        .filter(|(one, other)| one.1 != other.1)
        .map(|((what, one), (_, other))| format!("Not the same {what}: {one}, then {other}."))
        .collect()
}
