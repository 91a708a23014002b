//! What the probes saw, and what they cost.

use results::record::Walker;

use super::terminal::columns;
use crate::analyse::model::Report;
use crate::analyse::probes::ProbeCost;
use crate::analyse::stacks::StackRow;
use crate::words::{interval_text, one_line, ratio_text, significant, value};
use results::Arm;

/// Stacks in a table of plain text.
const MOST: usize = 6;

/// Where the walkers waited, as a table.
pub(super) fn stack_table(report: &Report, width: usize) -> String {
    let head = ["waits for a spinlock", "base", "patched"];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    table.extend(report.stacks.iter().take(MOST).map(|row| {
        vec![
            stack_words(row, " < "),
            waits_words(row, Arm::Base),
            waits_words(row, Arm::Patched),
        ]
    }));
    columns(&table, width, &[false, true, true])
}

/// Who waited, and in what.
pub(super) fn stack_words(row: &StackRow, joint: &str) -> String {
    let who = match row.walker {
        Walker::Reaper => "reaper",
        Walker::Exit => "exit",
    };
    let frames: Vec<_> = row.frames.iter().map(|frame| one_line(frame)).collect();
    format!("{who}: {}", frames.join(joint))
}

/// How often and how long in a repetition.
pub(super) fn waits_words(row: &StackRow, arm: Arm) -> String {
    let waits = match arm {
        Arm::Base => row.base,
        Arm::Patched => row.patched,
    };
    let wait = value(results::record::Unit::Us, waits.wait_us.round());
    format!("{}, {wait}", significant(waits.entries))
}

/// What probes cost one metric: such as `reap: 1.10 [1.02, 1.20] times as long
/// with probes on base`.
pub(super) fn cost_words(cost: &ProbeCost) -> String {
    let interval = cost
        .interval
        .map(|ends| format!(" {}", interval_text(ends)))
        .unwrap_or_default();
    format!(
        "{}, {}: {} -> {} with probes, {}{interval}",
        one_line(&cost.label),
        cost.arm.as_str(),
        value(cost.unit, cost.unprobed),
        value(cost.unit, cost.probed),
        ratio_text(cost.ratio),
    )
}

/// The costs worth a line: of what decides, and of what stands for it.
pub(super) fn costs(report: &Report) -> impl Iterator<Item = &ProbeCost> {
    report.probe_costs.iter().filter(|cost| cost.shown)
}
