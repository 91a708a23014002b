//! Waits for spinlocks by stack: who waits for what, and whether the series
//! changes that.

use std::collections::BTreeMap;

use results::record::{Record, Walker};
use serde::Serialize;

use crate::run::Run;
use results::Arm;

/// Rows of each scenario beyond these are left out.
const MOST: usize = 12;

/// Waits in a repetition below which a stack is left out.
const RARE: f64 = 0.5;

/// One stack in which a walker waited.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StackRow {
    /// The scenario that saw it.
    pub scenario: String,
    pub walker: Walker,
    /// The functions behind the lock, the one that takes it first.
    pub frames: Vec<String>,
    pub base: Waits,
    pub patched: Waits,
}

/// The waits of a repetition, on average: a sum over stacks is what all waits
/// come to, which no sum of medians is.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Waits {
    pub entries: f64,
    /// How long in all, in microseconds.
    pub wait_us: f64,
}

/// A scenario, who waited there, and in what.
type Place<'a> = (&'a str, Walker, &'a [String]);

/// The stacks of a run's measuring boots, those with the most waits first.
pub fn rows(run: &Run) -> Vec<StackRow> {
    let mut sums: BTreeMap<Place<'_>, [(u64, u64); 2]> = BTreeMap::new();
    let mut repetitions: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    let rounds = run.rounds.iter().filter(|round| round.is_measured());
    for round in rounds.filter(|round| round.status.has_sound_samples()) {
        let arm = usize::from(round.arm == Arm::Patched);
        for record in &round.records {
            let Record::Stacks(seen) = record else {
                continue;
            };
            let times = repetitions.entry(&seen.scenario).or_default();
            times[arm] += u64::from(seen.repetitions);
            for stack in &seen.stacks {
                let key = (seen.scenario.as_str(), stack.walker, &*stack.frames);
                let sum = &mut sums.entry(key).or_default()[arm];
                sum.0 = sum.0.saturating_add(stack.entries);
                sum.1 = sum.1.saturating_add(stack.wait_us);
            }
        }
    }
    let mut rows: Vec<StackRow> = sums
        .into_iter()
        .map(|((scenario, walker, frames), sums)| {
            let times = repetitions.get(scenario).copied().unwrap_or_default();
            let waits = |arm: usize| {
                let each = |sum: u64| sum as f64 / times[arm].max(1) as f64;
                Waits {
                    entries: each(sums[arm].0),
                    wait_us: each(sums[arm].1),
                }
            };
            StackRow {
                scenario: scenario.to_owned(),
                walker,
                frames: frames.to_vec(),
                base: waits(0),
                patched: waits(1),
            }
        })
        .collect();
    let most = |row: &StackRow| row.base.entries.max(row.patched.entries);
    rows.sort_by(|a, b| {
        let scenario = a.scenario.cmp(&b.scenario);
        scenario.then(most(b).total_cmp(&most(a)))
    });
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    rows.retain(|row| {
        if most(row) < RARE {
            return false;
        }
        let count = seen.entry(row.scenario.clone()).or_default();
        *count += 1;
        *count <= MOST
    });
    rows
}
