//! A run, judged: what reports are made from.

use results::machine::Accelerator;
use results::{Arm, Purpose, console, ktap};
use serde::Serialize;

use super::comparison::{Comparison, with_text};
use super::order::OrderProof;
use super::probes::ProbeCost;
use super::scenarios::ScenarioRow;
use super::stacks::StackRow;
use super::sweep::Sweep;
use super::turns::Turns;
use crate::claims::Claimed;
use crate::run::{Coverage, Guest, Host, KernelInfo, Question, Round, RoundStatus, SeriesInfo};

/// How the whole run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// All held.
    Passed,
    /// A scenario failed, a kernel broke, an order was not proved, or a
    /// primary metric regressed.
    Failed,
    /// Guests did not run, or not to their end.
    Infrastructure,
    /// They ran, and nothing that they did says anything of the series.
    NotJudged,
}

/// A run, judged: what `report.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The schema of this document.
    pub schema: u32,
    /// What was asked of the series.
    pub question: Question,
    /// How the run ended.
    pub status: Status,
    /// Why, in words: first what decides, then what adds to it.
    pub reasons: Vec<String>,
    /// Whether every primary metric has a verdict other than inconclusive.
    pub conclusive: bool,
    /// The order of the walk.
    pub order: OrderProof,
    /// Base against patched: primary metrics first.
    #[serde(serialize_with = "with_text")]
    pub comparisons: Vec<Comparison>,
    /// The effect as one thing was varied.
    pub sweeps: Vec<Sweep>,
    /// Where the walkers waited for spinlocks.
    pub stacks: Vec<StackRow>,
    /// What the probes cost each arm.
    pub probe_costs: Vec<ProbeCost>,
    /// What the series claims of itself in figures, beside what was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<Claimed>,
    /// What the scenarios execute of the lines that the series changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// Each scenario, in the order in which the rounds ran them.
    pub scenarios: Vec<ScenarioRow>,
    pub rounds: Vec<RoundRow>,
    /// What a reader must know to judge the figures.
    pub caveats: Vec<String>,
    /// What scenarios noted, such as the probe that they used.
    pub notes: Vec<String>,
    /// What base and patched are called.
    pub names: [&'static str; 2],
    pub series: SeriesInfo,
    /// The kernel and its arms.
    pub kernel: KernelInfo,
    /// What the guests ran on.
    pub accelerator: Accelerator,
    /// What each guest was given.
    pub guest: Guest,
    pub host: Host,
    pub qemu: String,
    pub virtme_ng: String,
    pub compiler: String,
    pub tool_version: String,
    /// When the run began.
    pub started: String,
    /// Seconds from the command's start until the metrics that decide were
    /// decided; none where they were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_s: Option<f64>,
    pub command: String,
    pub seed: u64,
    pub margin: f64,
    /// The metrics that decide, in the order in which they are tested.
    pub primary: Vec<String>,
    /// What the host was like while guests took turns; none where none did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<Turns>,
    /// The metric that reviewers ask for first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// The looks that the run planned: blocks, and the share of false alarms
    /// that each may give.
    pub looks: Vec<(usize, f64)>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoundRow {
    /// Counted from 0.
    pub index: u32,
    pub arm: Arm,
    /// What it was for.
    pub purpose: Purpose,
    /// These in words, as they stand behind the arm's name.
    pub how: &'static str,
    pub status: RoundStatus,
    /// What the console shows.
    pub console_verdict: console::Kind,
    /// Seconds to the first line of results.
    pub boot_s: Option<f64>,
    /// Seconds in all.
    pub wall_s: f64,
    /// What its tests say.
    pub counts: ktap::Counts,
    /// The turns that its guest took.
    pub turns: usize,
    /// Those of them that the host disturbed, which do not count.
    pub void_turns: usize,
}

pub(super) fn round_row(round: &Round) -> RoundRow {
    RoundRow {
        index: round.index,
        arm: round.arm,
        purpose: round.purpose,
        how: round.how(),
        status: round.status,
        console_verdict: round.console_verdict,
        boot_s: round.boot_s,
        wall_s: round.wall_s,
        counts: round.ktap.counts,
        turns: round.turns().count(),
        void_turns: round.void_turns().count(),
    }
}
