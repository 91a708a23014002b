//! What a reader must know to judge the figures, and what scenarios noted.

use std::collections::BTreeSet;

use results::machine::Accel;
use results::record::Record;
use results::{Arm, Purpose};

use super::turns::Turns;
use crate::design::FEWEST;
use crate::run::{Round, Run};

/// Whether both arms of a run are the same kernel.
pub(super) fn same_kernel(run: &Run) -> Vec<String> {
    let same = run.is_same_kernel() && run.kernel.arms.len() > 1;
    let mut trees = run.kernel.arms.iter().map(|arm| &arm.tree);
    let first = trees.next();
    let caveat = match trees.all(|tree| Some(tree) == first) {
        true => "Both arms are the same kernel (A/A): any difference is a false alarm.",
        false => {
            "The series does not change the compiled kernel: it changes comments, or code that \
             this configuration leaves out. Nothing of it was tested."
        }
    };
    same.then(|| caveat.to_owned()).into_iter().collect()
}

/// The flavour of the kernels whose times count.
const MEASURED: &str = "lean";

pub(super) fn caveats(run: &Run, turns: Option<&Turns>) -> Vec<String> {
    let mut caveats = Vec::new();
    let is_measured = |round: &Round| round.purpose.measures() || round.purpose.is_sweep();
    if run.accelerator.kind == Accel::Tcg && run.rounds.iter().any(is_measured) {
        let order = match run.expect_order {
            Some(_) => "counts, the order of the walk",
            None => "counts",
        };
        caveats.push(format!(
            "Measured under emulation (QEMU TCG): times do not carry over to hardware; {order} and \
             the sign of a change do."
        ));
    }
    let missing: Vec<String> = run.series.missing.iter().map(ToString::to_string).collect();
    let total = run.series.patches.len() + missing.len();
    match missing.as_slice() {
        [] => {}
        [one] => caveats.push(format!(
            "Patch {one}/{total} of the series is missing: the series was tested without it."
        )),
        several => caveats.push(format!(
            "{} of {total} patches of the series are missing ({}): the series was tested without \
             them.",
            several.len(),
            several.join(", ")
        )),
    }
    let boots = |arm: Arm, purpose: Purpose| {
        let of = |r: &&Round| r.arm == arm && r.purpose == purpose;
        let sound = run.rounds.iter().filter(|r| r.status.has_sound_samples());
        sound.filter(of).count()
    };
    let kinds = [Purpose::Probed, Purpose::Unprobed].map(|purpose| {
        let [base, patched] = Arm::BOTH.map(|arm| boots(arm, purpose));
        base.min(patched)
    });
    let [most, fewest] = [kinds.iter().max(), kinds.iter().filter(|n| **n > 0).min()]
        .map(|found| found.copied().unwrap_or(0));
    let both = run.has_both_arms();
    if run.guest.flavour != MEASURED {
        caveats.push(format!(
            "Kernels of the {} flavour check themselves, which distorts times: this run judges \
             correctness only.",
            run.guest.flavour
        ));
    } else if both && !run.rounds.is_empty() && most == 0 && run.limit.is_none() {
        caveats.push("Nothing was measured: no measuring boot was asked for.".to_owned());
    } else if both && !run.rounds.is_empty() && fewest < FEWEST {
        caveats.push(format!(
            "Too few blocks ({fewest}): with fewer than {FEWEST}, no difference can be \
             significant."
        ));
    }
    caveats.extend(turns.and_then(Turns::caveat));
    if run.by_turns && run.host.cpus < run.guest.cpus {
        caveats.push(format!(
            "The host has {} CPUs and a guest {}: virtual CPUs were not bound to CPUs of the host, \
             and their speeds differ more.",
            run.host.cpus, run.guest.cpus
        ));
    }
    let unsound = run
        .rounds
        .iter()
        .filter(|r| !r.status.has_sound_samples())
        .count();
    if unsound > 0 {
        caveats.push(format!(
            "{unsound} of {} rounds did not end well; their samples are kept, but not compared.",
            run.rounds.len()
        ));
    }
    caveats
}

/// What scenarios noted, and on which arm, where the other one did not say the same.
pub(super) fn notes(run: &Run) -> Vec<String> {
    let notes = || {
        run.rounds.iter().flat_map(|round| {
            round.records.iter().filter_map(|record| match record {
                Record::Note { scenario, text } => Some((scenario, text, round.arm)),
                _ => None,
            })
        })
    };
    let both = run.has_both_arms();
    let said: BTreeSet<_> = notes().collect();
    let mut seen = BTreeSet::new();
    notes()
        .filter(|(scenario, text, _)| seen.insert((*scenario, *text)))
        .take(NOTES)
        .map(|(scenario, text, arm)| {
            let on = |arm| said.contains(&(scenario, text, arm));
            match both && !Arm::BOTH.into_iter().all(on) {
                true => format!("{scenario} on {arm}: {text}"),
                false => format!("{scenario}: {text}"),
            }
        })
        .collect()
}

/// Notes in a report at most.
const NOTES: usize = 40;
