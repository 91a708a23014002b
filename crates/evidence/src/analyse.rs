//! The judgement: scenarios, the order proof, and base against patched.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use results::console;
use results::machine::{Accel, Accelerator};
use results::plan::Order;
use results::record::{Record, Sample, Unit, Walker};
use results::{Arm, Purpose, ktap};
use serde::Serialize;

use crate::claims::{self, Check, Claims};
use crate::design::{self, ALPHA, FEWEST, Looks, holm};
use crate::run::{ExpectOrder, Guest, Host, KernelInfo, Round, RoundStatus, Run, SeriesInfo};
use crate::stacks::{self, StackRow};
use crate::sweep::{self, Sweep};
use crate::{render, stats};

/// The flavour of the kernels whose times count.
const MEASURED: &str = "lean";
/// More rounds than these are not worth naming.
const MOST_ROUNDS: f64 = 1_000.0;

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
}

/// What a comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Patched is better, by more than the margin.
    Improved,
    /// Patched is worse, by more than the margin.
    Regressed,
    /// The whole interval lies inside the margin.
    NoChange,
    /// It can't be told from these rounds.
    Inconclusive,
}

impl Verdict {
    /// The words in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Improved => "improved",
            Self::Regressed => "regressed",
            Self::NoChange => "no change",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// A run, judged: what `report.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The schema of this document.
    pub schema: u32,
    /// How the run ended.
    pub status: Status,
    /// Why, in words: first what decides, then what adds to it.
    pub reasons: Vec<String>,
    /// Whether every primary metric has a verdict other than inconclusive.
    pub conclusive: bool,
    /// The order of the walk.
    pub order: OrderProof,
    /// Base against patched: primary metrics first.
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
    /// Each scenario, in the order in which the rounds ran them.
    pub scenarios: Vec<ScenarioRow>,
    /// Each boot.
    pub rounds: Vec<RoundRow>,
    /// What a reader must know to judge the figures.
    pub caveats: Vec<String>,
    /// What scenarios noted, such as the probe that they used.
    pub notes: Vec<String>,
    /// What base and patched are called.
    pub names: [&'static str; 2],
    /// The series.
    pub series: SeriesInfo,
    /// The kernel and its arms.
    pub kernel: KernelInfo,
    /// What the guests ran on.
    pub accelerator: Accelerator,
    /// What each guest was given.
    pub guest: Guest,
    /// The machine.
    pub host: Host,
    /// QEMU's version.
    pub qemu: String,
    /// virtme-ng's version.
    pub virtme_ng: String,
    /// The compiler's version.
    pub compiler: String,
    /// reaperlab's version.
    pub tool_version: String,
    /// When the run began.
    pub started: String,
    /// Seconds from the command's start until the metrics that decide were
    /// decided; none where they were not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_s: Option<f64>,
    /// The command line.
    pub command: String,
    /// The seed.
    pub seed: u64,
    /// The margin.
    pub margin: f64,
    /// The metrics that decide, in the order in which they are tested.
    pub primary: Vec<String>,
    /// The looks that the run planned: boots of each arm, and the share of
    /// false alarms that each may give.
    pub looks: Vec<(usize, f64)>,
}

/// The order in which each arm's reaper walked the address space.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OrderProof {
    /// What base showed; none where nothing proved an order.
    pub base: Option<Order>,
    /// What patched showed.
    pub patched: Option<Order>,
    /// What each must show.
    pub expected: Option<ExpectOrder>,
    /// Whether the arms showed what they must. True where nothing is expected.
    pub held: bool,
    /// Walks that proved base's.
    pub base_walks: usize,
    /// Walks that proved patched's.
    pub patched_walks: usize,
}

/// One scenario in both arms.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScenarioRow {
    /// Its name.
    pub name: String,
    /// How its runs on base ended.
    pub base: Tally,
    /// How its runs on patched ended.
    pub patched: Tally,
    /// The first reason for a failure or a skip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl ScenarioRow {
    /// Whether it ran, and passed wherever it did.
    pub fn held(&self) -> bool {
        let arms = [self.base, self.patched];
        let ill = |t: &Tally| t.failed + t.skipped + t.lost > 0;
        arms.iter().any(|t| t.passed > 0) && !arms.iter().any(ill)
    }
}

/// How often a scenario ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// It held.
    pub passed: u32,
    /// It did not, or its guest's kernel broke.
    pub failed: u32,
    /// It could not run.
    pub skipped: u32,
    /// Its result was lost with the guest, which is not its fault.
    pub lost: u32,
}

impl Tally {
    /// Whether it held at times and at others not.
    pub fn flaky(&self) -> bool {
        self.passed > 0 && self.failed > 0
    }

    /// Such as `4 passed, 1 failed: flaky`.
    pub fn words(&self) -> String {
        let parts = [
            (self.passed, "passed"),
            (self.failed, "failed"),
            (self.skipped, "skipped"),
            (self.lost, "lost"),
        ];
        let parts: Vec<_> = parts
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{n} {word}"))
            .collect();
        match parts.join(", ") {
            words if words.is_empty() => "-".into(),
            words if self.flaky() => format!("{words}: flaky"),
            words => words,
        }
    }
}

/// One boot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoundRow {
    /// Counted from 0.
    pub index: u32,
    /// Which kernel.
    pub arm: Arm,
    /// What it was for.
    pub purpose: Purpose,
    /// These in words, as they stand behind the arm's name.
    pub how: &'static str,
    /// How it ended.
    pub status: RoundStatus,
    /// What the console shows.
    pub console_verdict: console::Kind,
    /// Seconds to the first line of results.
    pub boot_s: Option<f64>,
    /// Seconds in all.
    pub wall_s: f64,
    /// What its tests say.
    pub counts: ktap::Counts,
}

/// One metric, base against patched.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The scenario that took the samples.
    pub scenario: String,
    /// What was measured.
    pub metric: String,
    /// Whose it is; none where both walkers'.
    pub walker: Option<Walker>,
    /// Whether the samples come from rounds without probes. Such a comparison
    /// is never primary.
    pub unprobed: bool,
    /// The samples' unit.
    pub unit: Unit,
    /// Whether less is better.
    pub lower_is_better: bool,
    /// Whether it decides.
    pub primary: bool,
    /// Whether it decides, or stands for what decides without probes.
    pub shown: bool,
    /// What a report calls it.
    pub label: String,
    /// Base's samples.
    pub base: ArmSamples,
    /// Patched's samples.
    pub patched: ArmSamples,
    /// Patched's median over base's; none where base's is 0.
    pub ratio: Option<f64>,
    /// Its 95 % interval; none from fewer than two boots an arm, or where
    /// base's median can be 0.
    pub interval: Option<[f64; 2]>,
    /// Patched's median less base's.
    pub difference: f64,
    /// Its 95 % interval.
    pub difference_interval: Option<[f64; 2]>,
    /// The two-sided p-value of a permutation of all boots.
    pub p: Option<f64>,
    /// The same, corrected for all the metrics that don't decide (Holm); none
    /// for one that does, whose looks have a share each.
    pub p_adjusted: Option<f64>,
    /// The boots of each arm after which a metric that decides differed.
    pub decided_at: Option<usize>,
    /// What follows.
    pub verdict: Verdict,
    /// For a time that decides, what boots without probes say of it: probes
    /// take time themselves, and not the same from both arms.
    pub without_probes: Option<Unprobed>,
    /// Rounds an arm that would probably decide it, where it is inconclusive
    /// and that can be estimated.
    pub rounds_needed: Option<u32>,
    /// All of this in one line.
    pub text: String,
}

/// What stands for a metric where nothing is probed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Unprobed {
    /// Patched's median over base's.
    pub ratio: f64,
    /// Its 95 % interval; none where it has none.
    pub interval: Option<[f64; 2]>,
    /// Whether the interval lies on the same side of 1 as that with probes.
    pub agrees: bool,
}

/// What one arm measured, warm-ups left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArmSamples {
    /// Boots with samples.
    pub boots: usize,
    /// Samples over all boots.
    pub samples: usize,
    /// Their median.
    pub median: f64,
    /// The median of each boot, in the order of the rounds.
    pub boot_medians: Vec<f64>,
}

impl ArmSamples {
    /// What these boots measured; none without a sample.
    pub(crate) fn of(boots: &stats::Boots) -> Option<Self> {
        Some(Self {
            boots: boots.len(),
            samples: boots.iter().map(Vec::len).sum(),
            median: stats::pooled_median(boots)?,
            boot_medians: stats::boot_medians(boots),
        })
    }
}

/// What identifies a metric. Within a scenario, what was measured without
/// probes comes last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub scenario: String,
    pub unprobed: bool,
    pub metric: String,
    pub walker: Option<Walker>,
}

impl Key {
    /// What a sample of such a boot belongs to.
    pub(crate) fn of(sample: &Sample, unprobed: bool) -> Self {
        Self {
            scenario: sample.scenario.clone(),
            unprobed,
            metric: sample.metric.clone(),
            walker: sample.walker,
        }
    }
}

/// Every sample that may be compared: for each arm its boots.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub unit: Unit,
    pub base: Vec<Vec<f64>>,
    pub patched: Vec<Vec<f64>>,
}

impl Measured {
    pub(crate) fn new(unit: Unit) -> Self {
        Self {
            unit,
            base: Vec::new(),
            patched: Vec::new(),
        }
    }
}

/// Collects samples from rounds that were sound and not traced, warm-ups and
/// what is not a finite number left out.
pub(crate) fn measured(run: &Run) -> BTreeMap<Key, Measured> {
    let mut all: BTreeMap<Key, Measured> = BTreeMap::new();
    for round in run
        .rounds
        .iter()
        .filter(|r| r.status.has_sound_samples() && !r.purpose.is_traced() && !r.purpose.is_sweep())
    {
        let mut boot: BTreeMap<Key, (Unit, Vec<f64>)> = BTreeMap::new();
        for record in &round.records {
            let Record::Sample(sample) = record else {
                continue;
            };
            if sample.warmup || !sample.value.is_finite() {
                continue;
            }
            boot.entry(Key::of(sample, round.purpose.is_unprobed()))
                .or_insert((sample.unit, Vec::new()))
                .1
                .push(sample.value);
        }
        for (key, (unit, values)) in boot {
            let entry = all.entry(key).or_insert_with(|| Measured::new(unit));
            match round.arm {
                Arm::Base => entry.base.push(values),
                Arm::Patched => entry.patched.push(values),
            }
        }
    }
    all
}

/// Judges a run.
pub fn analyse(run: &Run) -> Report {
    let order = order(run);
    let scenarios = scenarios(run);
    let comparisons = comparisons(run);
    let (status, reasons) = status(run, &order, &scenarios, &comparisons);
    let conclusive = !run.primary.is_empty()
        && run.primary.iter().all(|name| {
            let mut found = comparisons.iter().filter(|c| names(name, c)).peekable();
            found.peek().is_some() && found.all(|c| c.verdict != Verdict::Inconclusive)
        });
    let lost = run.lost_boots.iter();
    let notes = lost
        .map(|boot| format!("boot {} ({}) was lost: {}", boot.index, boot.arm, boot.why))
        .chain(run.notes.iter().cloned())
        .chain(agreements(&comparisons))
        .chain(notes(run))
        .collect();
    let probe_costs = probe_costs(run);
    let mut caveats = caveats(run);
    caveats.extend(uneven(&probe_costs));
    let mut report = Report {
        schema: crate::run::SCHEMA,
        status,
        reasons,
        conclusive,
        order,
        comparisons,
        sweeps: sweep::sweeps(run),
        stacks: stacks::rows(run),
        probe_costs,
        claims: None,
        scenarios,
        rounds: run.rounds.iter().map(round_row).collect(),
        caveats,
        notes,
        names: ["base", "patched"],
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
        looks: run.limit.map_or_else(Vec::new, |limit| {
            let looks = Looks::new(limit as usize);
            looks
                .at()
                .map(|boots| (boots, looks.alpha(boots)))
                .collect()
        }),
    };
    report.claims = Claimed::of(run, &report);
    report
}

/// A series' claims about itself, checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Claimed {
    /// What it claims.
    pub claims: Claims,
    /// What was measured of it.
    pub checks: Vec<Check>,
}

impl Claimed {
    /// Those of the run's changelog; none where it claims nothing in figures,
    /// or nothing was measured.
    fn of(run: &Run, report: &Report) -> Option<Self> {
        let claims = claims::read(&run.changelog);
        let in_figures = !claims.rows.is_empty() || !claims.figures.is_empty();
        let checks = claims::check(&claims, report, &run.claims);
        (in_figures && !report.comparisons.is_empty()).then_some(Self { claims, checks })
    }
}

/// What the probes cost one arm in one metric that was measured with and
/// without them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbeCost {
    /// Which arm.
    pub arm: Arm,
    /// The scenario.
    pub scenario: String,
    /// The metric.
    pub metric: String,
    /// Whose it is; none where both walkers'.
    pub walker: Option<Walker>,
    /// Whether it decides, or stands for what decides without probes.
    pub shown: bool,
    /// What a report calls it.
    pub label: String,
    /// The samples' unit.
    pub unit: Unit,
    /// The median without probes.
    pub unprobed: f64,
    /// The median with them.
    pub probed: f64,
    /// The second over the first.
    pub ratio: f64,
    /// Its 95 % interval; none where it has none.
    pub interval: Option<[f64; 2]>,
}

fn unprobed_key(key: &Key) -> Key {
    Key {
        unprobed: true,
        ..key.clone()
    }
}

fn probe_costs(run: &Run) -> Vec<ProbeCost> {
    let all = measured(run);
    let pairs = all
        .iter()
        .filter(|(key, _)| key.unprobed)
        .filter_map(|pair| {
            let (key, unprobed) = pair;
            let with = Key {
                unprobed: false,
                ..key.clone()
            };
            Some((all.get(&with)?, with, unprobed))
        });
    pairs
        .flat_map(|(probed, key, unprobed)| {
            let unit = unprobed.unit;
            let arms = [
                (Arm::Base, &unprobed.base, &probed.base),
                (Arm::Patched, &unprobed.patched, &probed.patched),
            ];
            arms.map(|(arm, without, with)| {
                let medians = stats::pooled_median(without).zip(stats::pooled_median(with));
                let (unprobed, probed) = medians.filter(|(unprobed, _)| *unprobed != 0.0)?;
                let found = stats::bootstrap(without, with, seed(run.seed, &key));
                Some(ProbeCost {
                    arm,
                    scenario: key.scenario.clone(),
                    metric: key.metric.clone(),
                    walker: key.walker,
                    shown: is_primary(run, &key, &all)
                        || stands_for_primary(run, &unprobed_key(&key), &all),
                    label: label(run, &key),
                    unit,
                    unprobed,
                    probed,
                    ratio: probed / unprobed,
                    interval: found
                        .map(|found| found.ratio)
                        .filter(|ends| ends.iter().all(|end| end.is_finite())),
                })
            })
        })
        .flatten()
        .collect()
}

fn round_row(round: &Round) -> RoundRow {
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
    }
}

fn order(run: &Run) -> OrderProof {
    let seen = |arm: Arm| -> (Option<Order>, usize) {
        let records = run
            .rounds
            .iter()
            .filter(|round| round.arm == arm)
            .flat_map(|r| &r.records);
        let orders: Vec<Order> = records
            .filter_map(|record| match record {
                Record::Order { order, .. } => Some(*order),
                _ => None,
            })
            .collect();
        let first = orders.first().copied();
        let all_alike = orders.iter().all(|order| Some(*order) == first);
        (
            if all_alike { first } else { Some(Order::Mixed) },
            orders.len(),
        )
    };
    let ((base, base_walks), (patched, patched_walks)) = (seen(Arm::Base), seen(Arm::Patched));
    let held = run.expect_order.is_none_or(|expect| {
        let proved = |seen: Option<Order>, must: Option<Order>| must.is_none() || seen == must;
        proved(base, expect.base) && proved(patched, expect.patched)
    });
    OrderProof {
        base,
        patched,
        expected: run.expect_order,
        held,
        base_walks,
        patched_walks,
    }
}

fn scenarios(run: &Run) -> Vec<ScenarioRow> {
    let mut rows: Vec<ScenarioRow> = Vec::new();
    for round in &run.rounds {
        let excused = round.status.is_infrastructure();
        let ended = !matches!(round.status, RoundStatus::Ok | RoundStatus::Failed);
        let mut row = |name: &str, status: ktap::Status, why: Option<&str>| {
            let at = rows
                .iter()
                .position(|row| row.name == name)
                .unwrap_or_else(|| {
                    rows.push(ScenarioRow {
                        name: name.to_owned(),
                        base: Tally::default(),
                        patched: Tally::default(),
                        why: None,
                    });
                    rows.len() - 1
                });
            let row = &mut rows[at];
            let tally = match round.arm {
                Arm::Base => &mut row.base,
                Arm::Patched => &mut row.patched,
            };
            match status {
                ktap::Status::Passed => tally.passed += 1,
                ktap::Status::Skipped => tally.skipped += 1,
                ktap::Status::Crashed | ktap::Status::NoTests if excused => tally.lost += 1,
                _ => tally.failed += 1,
            }
            if status != ktap::Status::Passed && row.why.is_none() {
                row.why = why.map(str::to_owned);
            }
        };
        let reported: BTreeSet<&str> = round
            .ktap
            .tests
            .iter()
            .map(|test| test.name.as_str())
            .collect();
        let mut unfinished = 0usize;
        for record in &round.records {
            let Record::Start { scenario, .. } = record else {
                continue;
            };
            if !reported.contains(scenario.as_str()) {
                unfinished += 1;
                let why = format!("the round ended in it: {}", round.status.as_str());
                row(scenario, ktap::Status::Crashed, Some(&why));
            }
        }
        for test in &round.ktap.tests {
            // Those that never began: what ended the round is charged with it,
            // and another one judges them.
            if test.missing && (ended || unfinished > 0) {
                continue;
            }
            // Another round judges it.
            if round.handed_over(&test.name) {
                continue;
            }
            row(
                &test.name,
                test.status,
                test.why.as_deref().or_else(|| failing(test)),
            );
        }
    }
    rows
}

/// The first subtest's reason.
fn failing(test: &ktap::Test) -> Option<&str> {
    test.subtests
        .iter()
        .filter(|sub| !sub.status.is_ok())
        .find_map(|sub| {
            sub.why
                .as_deref()
                .or_else(|| failing(sub))
                .or(Some(sub.name.as_str()))
        })
}

/// What a scenario that did not always hold does.
fn ill(tally: Tally) -> Option<&'static str> {
    match (tally.failed > 0, tally.flaky()) {
        (false, _) => None,
        (true, true) => Some("is flaky"),
        (true, false) => Some("fails"),
    }
}

fn status(
    run: &Run,
    order: &OrderProof,
    scenarios: &[ScenarioRow],
    comparisons: &[Comparison],
) -> (Status, Vec<String>) {
    let (mut failed, mut broken) = (Vec::new(), Vec::new());
    for row in scenarios {
        match [row.base, row.patched].map(ill) {
            [Some(one), Some(other)] if one == other => {
                failed.push(format!("{} {one} on both arms", row.name));
            }
            both => {
                for (arm, ill) in Arm::BOTH.into_iter().zip(both) {
                    failed.extend(ill.map(|ill| format!("{} {ill} on {}", row.name, arm.as_str())));
                }
            }
        }
    }
    for round in &run.rounds {
        let name = format!("round {} ({})", round.index, round.arm.as_str());
        let console = round.console_verdict;
        match round.status {
            RoundStatus::Panic => failed.push(format!("{name}: the kernel panicked")),
            RoundStatus::Timeout => failed.push(format!("{name}: a scenario timed out")),
            status if status.is_infrastructure() => {
                broken.push(format!("{name}: {}", status.as_str()));
            }
            RoundStatus::Ok if !round.ktap.status.is_ok() => {
                failed.push(format!("{name}: its log is {}", round.ktap.status.as_str()));
            }
            _ => {}
        }
        if console.is_fault() && round.status != RoundStatus::Panic {
            let title = round.console_title();
            let title = title.map(|title| format!(": {title}")).unwrap_or_default();
            failed.push(format!("{name}: {console} on the console{title}"));
        }
    }
    for comparison in comparisons
        .iter()
        .filter(|c| c.primary && c.verdict == Verdict::Regressed)
    {
        failed.push(format!("{} regressed", comparison.label));
    }
    if run.rounds.is_empty() {
        broken.push("no guest was booted".into());
    }
    for row in scenarios {
        for (arm, tally) in Arm::BOTH.into_iter().zip([row.base, row.patched]) {
            if run.kernel.has(arm) && tally == Tally::default() {
                broken.push(format!("{} was not run on {}", row.name, arm.as_str()));
            }
        }
    }
    if !order.held {
        // Without a proof from both arms the rounds are to blame, if they broke.
        let missing = order.expected.is_some_and(|expected| {
            (expected.base.is_some() && order.base.is_none())
                || (expected.patched.is_some() && order.patched.is_none())
        });
        let list = if missing && !broken.is_empty() {
            &mut broken
        } else {
            &mut failed
        };
        list.push(order_line(order, ["base", "patched"]));
    }
    let status = match (failed.is_empty(), broken.is_empty()) {
        (false, _) => Status::Failed,
        (true, false) => Status::Infrastructure,
        (true, true) => Status::Passed,
    };
    (status, failed.into_iter().chain(broken).collect())
}

/// The order proof in one line.
pub(crate) fn order_words(report: &Report) -> String {
    order_line(&report.order, report.names)
}

fn order_line(order: &OrderProof, names: [&str; 2]) -> String {
    let word = |order: Option<Order>| order.map_or("not proved", render::order_word);
    let expected = match order.expected {
        None => [None, None],
        Some(expected) => [expected.base, expected.patched],
    };
    let arms = [(names[0], order.base), (names[1], order.patched)];
    // An arm that was not booted neither shows an order nor must.
    let one_arm = expected.iter().flatten().count() == 1;
    let (seen, expected): (Vec<String>, Vec<&str>) = arms
        .into_iter()
        .zip(expected)
        .filter(|((_, seen), expected)| !one_arm || seen.is_some() || expected.is_some())
        .map(|((arm, seen), expected)| (format!("{} on {arm}", word(seen)), word(expected)))
        .unzip();
    let seen = format!("order of the reaper's walk: {}", seen.join(", "));
    match order.expected {
        None => seen,
        Some(_) if order.held => format!("{seen}, as expected"),
        Some(_) => format!("{seen}; expected {}", expected.join(" and ")),
    }
}

/// Whether the probes cost one arm more than the other, so that times measured
/// with them are biased: the first of the metrics that show it.
fn uneven(costs: &[ProbeCost]) -> Option<String> {
    let shown: Vec<&ProbeCost> = costs.iter().filter(|cost| cost.shown).collect();
    let twin = |of: &ProbeCost| {
        let same = |c: &&&ProbeCost| {
            (&c.scenario, &c.metric, c.walker) == (&of.scenario, &of.metric, of.walker)
        };
        let patched = |c: &&&ProbeCost| c.arm == Arm::Patched;
        shown.iter().filter(same).find(patched).copied()
    };
    let bases = shown.iter().filter(|cost| cost.arm == Arm::Base);
    let uneven = bases
        .filter_map(|base| Some((*base, twin(base)?)))
        .find(|(base, patched)| {
            let ends = base.interval.zip(patched.interval);
            ends.is_some_and(|(a, b)| a[0] > b[1] || b[0] > a[1])
        });
    let (base, patched) = uneven?;
    let (more, less) = if base.ratio > patched.ratio {
        ("base", "patched")
    } else {
        ("patched", "base")
    };
    Some(format!(
        "The probes cost {more} more than {less} ({}: {:.2} and {:.2} times as long on base and \
         patched): times measured with probes are biased; what boots without probes say of them \
         stands beside.",
        base.label, base.ratio, patched.ratio
    ))
}

fn caveats(run: &Run) -> Vec<String> {
    let mut caveats = Vec::new();
    if run.accelerator.kind == Accel::Tcg {
        caveats.push(
            "Measured under emulation (QEMU TCG): times do not carry over to hardware; \
             counts, the order of the walk and the sign of a change do."
                .to_owned(),
        );
    }
    if run.is_same_kernel() && run.kernel.arms.len() > 1 {
        caveats.push(
            "Both arms are the same kernel (A/A): whatever differs here is a false alarm."
                .to_owned(),
        );
    }
    for missing in &run.series.missing {
        let total = run.series.patches.len() + run.series.missing.len();
        caveats.push(format!(
            "Patch {missing}/{total} of the series was not at hand; what is here was tested \
             without it."
        ));
    }
    let boots = |arm: Arm| {
        run.rounds
            .iter()
            .filter(|r| r.arm == arm && r.is_measured() && r.status.has_sound_samples())
            .count()
    };
    let fewest = boots(Arm::Base).min(boots(Arm::Patched));
    let both = Arm::BOTH.into_iter().all(|arm| run.kernel.has(arm));
    if run.guest.flavour != MEASURED {
        caveats.push(format!(
            "Kernels of the {} flavour, whose checks cost more time than what they check: this \
             run judges what is right, and measures nothing.",
            run.guest.flavour
        ));
    } else if both && !run.rounds.is_empty() && fewest < FEWEST {
        caveats.push(format!(
            "With {fewest} timed boot{} an arm at least, no difference can be significant; \
             {FEWEST} an arm are the fewest that can show one.",
            if fewest == 1 { "" } else { "s" }
        ));
    }
    let ill = run
        .rounds
        .iter()
        .filter(|r| !r.status.has_sound_samples())
        .count();
    if ill > 0 {
        caveats.push(format!(
            "{ill} of {} rounds did not end well; their samples are kept but not compared.",
            run.rounds.len()
        ));
    }
    caveats
}

/// For each metric that was measured with and without probes: whether probes
/// change what follows from it.
fn agreements(comparisons: &[Comparison]) -> impl Iterator<Item = String> {
    let probed = |unprobed: &&Comparison| {
        let same = |c: &&Comparison| {
            (c.unprobed, &c.scenario, &c.metric, c.walker)
                == (false, &unprobed.scenario, &unprobed.metric, unprobed.walker)
        };
        comparisons.iter().find(same)
    };
    comparisons
        .iter()
        .filter(|c| c.unprobed)
        .filter_map(move |unprobed| Some((unprobed, probed(&unprobed)?)))
        .map(|(unprobed, probed)| {
            let word = match (sign(unprobed), sign(probed)) {
                (Some(one), Some(other)) if one == other => "same sign",
                (Some(_), Some(_)) => "opposite signs",
                _ => "can't be told",
            };
            format!(
                "{}: {}: {}, with probes {}: {word}",
                unprobed.scenario,
                unprobed.label,
                render::ratio_words(unprobed),
                render::ratio_words(probed)
            )
        })
}

/// On which side of 1 a ratio lies; none if its interval has both.
fn sign(of: &Comparison) -> Option<Ordering> {
    let [low, high] = of.interval?;
    if high < 1.0 {
        Some(Ordering::Less)
    } else if low > 1.0 {
        Some(Ordering::Greater)
    } else {
        None
    }
}

fn notes(run: &Run) -> Vec<String> {
    let notes = run
        .rounds
        .iter()
        .flat_map(|round| &round.records)
        .filter_map(|record| match record {
            Record::Note { scenario, text } => Some(format!("{scenario}: {text}")),
            _ => None,
        });
    let mut seen = BTreeSet::new();
    notes
        .filter(|note| seen.insert(note.clone()))
        .take(40)
        .collect()
}

/// Whether a name from [`Run::primary`] means this comparison.
fn names(primary: &str, comparison: &Comparison) -> bool {
    let metric = match primary.split_once('/') {
        Some((scenario, metric)) if scenario == comparison.scenario => metric,
        Some(_) => return false,
        None => primary,
    };
    metric == comparison.metric && comparison.primary
}

fn is_primary(run: &Run, key: &Key, all: &BTreeMap<Key, Measured>) -> bool {
    let named = run.primary.iter().any(|name| match name.split_once('/') {
        Some((scenario, metric)) => scenario == key.scenario && metric == key.metric,
        None => *name == key.metric,
    });
    // A share of one walker decides nothing where the sum is known.
    let sum = Key {
        walker: None,
        ..key.clone()
    };
    named && !key.unprobed && (key.walker.is_none() || !all.contains_key(&sum))
}

/// Whether a metric that was measured without probes stands for one that
/// decides. A share of one walker stands for nothing where the sum is known.
fn stands_for_primary(run: &Run, key: &Key, all: &BTreeMap<Key, Measured>) -> bool {
    let sum = Key {
        walker: None,
        ..key.clone()
    };
    key.unprobed
        && run.stands_for_primary(&key.metric)
        && (key.walker.is_none() || !all.contains_key(&sum))
}

/// The metrics that decide, with probes and without, and what stands for them.
pub(crate) fn primary_keys(run: &Run, all: &BTreeMap<Key, Measured>) -> Vec<Key> {
    let probed = |key: &Key| Key {
        unprobed: false,
        ..key.clone()
    };
    all.keys()
        .filter(|key| is_primary(run, &probed(key), all) || stands_for_primary(run, key, all))
        .cloned()
        .collect()
}

fn comparisons(run: &Run) -> Vec<Comparison> {
    let all = measured(run);
    let mut found: Vec<(Comparison, Seen)> = all
        .iter()
        .filter_map(|(key, measured)| {
            let primary = is_primary(run, key, &all);
            let shown = primary || stands_for_primary(run, key, &all);
            compare(run, key, measured, primary, shown)
        })
        .collect();
    // A stable sort: within each, as keys are ordered.
    found.sort_by_key(|(c, _)| {
        let at = run.primary.iter().position(|name| names(name, c));
        at.unwrap_or(usize::MAX)
    });
    for at in 0..found.len() {
        let unprobed = unprobed(run, &found[at].0, &found);
        found[at].0.without_probes = unprobed;
    }
    let mut adjusted = adjusted(&found);
    let others = |unprobed: bool| {
        let of = |c: &&(Comparison, Seen)| !c.0.primary && c.0.unprobed == unprobed;
        found.iter().filter(of).count()
    };
    let (probed, unprobed) = (others(false), others(true));
    let mut in_sequence = true;
    found
        .into_iter()
        .map(|(mut c, seen)| {
            let significant = if c.primary {
                c.decided_at = seen.decided_at.filter(|_| in_sequence);
                in_sequence = c.decided_at.is_some();
                in_sequence
            } else {
                c.p_adjusted = adjusted.next().flatten();
                c.p_adjusted.is_some_and(|p| p <= ALPHA)
            };
            c.verdict = judge(&c, significant, run.margin);
            if c.verdict == Verdict::Inconclusive {
                let boots = c.base.boots.min(c.patched.boots);
                let at_once = match (c.primary, c.unprobed) {
                    (true, _) => 1,
                    (false, true) => unprobed,
                    (false, false) => probed,
                };
                c.rounds_needed = c.ratio.zip(c.interval).and_then(|(ratio, ends)| {
                    let needed = rounds_needed(ratio, ends, boots, run.margin)?;
                    Some(needed.max(design::fewest(at_once) as u32))
                });
            }
            c.text = render::comparison_line(&c);
            c
        })
        .collect()
}

/// What boots without probes say of a time that decides.
fn unprobed(run: &Run, of: &Comparison, all: &[(Comparison, Seen)]) -> Option<Unprobed> {
    if !of.primary || of.unit != Unit::Us {
        return None;
    }
    let metric = run.unprobed_of(&of.metric);
    let stands = |c: &&Comparison| c.unprobed && c.scenario == of.scenario && c.metric == metric;
    let same = |c: &&Comparison| c.walker == of.walker || c.walker.is_none();
    let unprobed = all.iter().map(|(c, _)| c).filter(stands).find(same)?;
    Some(Unprobed {
        ratio: unprobed.ratio?,
        interval: unprobed.interval,
        agrees: sign(of).is_some() && sign(of) == sign(unprobed),
    })
}

/// The corrected p-values of all metrics that don't decide, in their order.
/// What was measured without probes asks a question of its own.
fn adjusted(found: &[(Comparison, Seen)]) -> impl Iterator<Item = Option<f64>> + use<> {
    let others: Vec<&Comparison> = found
        .iter()
        .map(|(c, _)| c)
        .filter(|c| !c.primary)
        .collect();
    let family = |unprobed: bool| {
        let of = others.iter().filter(move |c| c.unprobed == unprobed);
        holm(&of.filter_map(|c| c.p).collect::<Vec<_>>()).into_iter()
    };
    let (mut probed, mut unprobed) = (family(false), family(true));
    let adjusted: Vec<_> = others
        .iter()
        .map(|c| {
            c.p.and_then(|_| {
                if c.unprobed {
                    unprobed.next()
                } else {
                    probed.next()
                }
            })
        })
        .collect();
    adjusted.into_iter()
}

/// What a comparison's looks say, whatever the other metrics do.
struct Seen {
    decided_at: Option<usize>,
}

fn compare(
    run: &Run,
    key: &Key,
    measured: &Measured,
    primary: bool,
    shown: bool,
) -> Option<(Comparison, Seen)> {
    let base = ArmSamples::of(&measured.base)?;
    let patched = ArmSamples::of(&measured.patched)?;
    let seed = seed(run.seed, key);
    let bootstrap = stats::bootstrap(&measured.base, &measured.patched, seed);
    let p = |boots: usize| {
        let first = |arm: &ArmSamples| arm.boot_medians.get(..boots).map(<[f64]>::to_vec);
        stats::permutation_test(&first(&base)?, &first(&patched)?, seed)
    };
    let boots = base.boots.min(patched.boots);
    // A run that had no limit in mind looked once.
    let looks = Looks::new(run.limit.map_or(boots, |limit| limit as usize));
    let decided_at = looks.differs(boots, p);
    let ratio = (base.median != 0.0).then(|| patched.median / base.median);
    let comparison = Comparison {
        scenario: key.scenario.clone(),
        metric: key.metric.clone(),
        walker: key.walker,
        unprobed: key.unprobed,
        unit: measured.unit,
        lower_is_better: measured.unit != Unit::PerSecond,
        primary,
        shown,
        without_probes: None,
        label: label(run, key),
        ratio,
        interval: bootstrap
            .map(|b| b.ratio)
            .filter(|ends| ratio.is_some() && ends.iter().all(|end| end.is_finite())),
        difference: patched.median - base.median,
        difference_interval: bootstrap.map(|b| b.difference),
        p: stats::permutation_test(&base.boot_medians, &patched.boot_medians, seed),
        p_adjusted: None,
        decided_at: None,
        base,
        patched,
        verdict: Verdict::Inconclusive,
        rounds_needed: None,
        text: String::new(),
    };
    Some((comparison, Seen { decided_at }))
}

pub(crate) fn label(run: &Run, key: &Key) -> String {
    let metric = run.labels.get(&key.metric).cloned();
    let mut metric = metric.unwrap_or_else(|| key.metric.replace('-', " "));
    if key.unprobed {
        metric.push_str(" without probes");
    }
    match key.walker {
        None => metric,
        Some(Walker::Reaper) => format!("{metric}, reaper"),
        Some(Walker::Exit) => format!("{metric}, exit"),
    }
}

/// Another seed for each metric, whatever else was measured (FNV-1a).
pub(crate) fn seed(seed: u64, key: &Key) -> u64 {
    let unprobed = if key.unprobed { "/bare" } else { "" };
    let name = format!("{}/{}/{:?}{unprobed}", key.scenario, key.metric, key.walker);
    name.bytes()
        .fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        })
}

/// What follows from a ratio and its interval, where the arms differ at all.
fn judge(of: &Comparison, significant: bool, margin: f64) -> Verdict {
    let (down, up) = if of.lower_is_better {
        (Verdict::Improved, Verdict::Regressed)
    } else {
        (Verdict::Regressed, Verdict::Improved)
    };
    if let (Some(ratio), Some([low, high])) = (of.ratio, of.interval) {
        let (floor, ceiling) = (1.0 - margin, 1.0 + margin);
        return if low >= floor && high <= ceiling {
            Verdict::NoChange
        } else if significant && high < 1.0 && ratio <= floor {
            down
        } else if significant && low > 1.0 && ratio >= ceiling {
            up
        } else {
            Verdict::Inconclusive
        };
    }
    // Where base's median is 0 there is no ratio, only a difference.
    match of.difference_interval {
        Some([low, high]) if low == 0.0 && high == 0.0 => Verdict::NoChange,
        Some([_, high]) if significant && high < 0.0 => down,
        Some([low, _]) if significant && low > 0.0 => up,
        _ => Verdict::Inconclusive,
    }
}

/// Rounds an arm after which the interval, which narrows with their root,
/// would exclude 1 or lie inside the margin, if the ratio stayed as it is.
fn rounds_needed(ratio: f64, [low, high]: [f64; 2], boots: usize, margin: f64) -> Option<u32> {
    let effect = (ratio - 1.0).abs();
    let width = if ratio < 1.0 {
        high - ratio
    } else {
        ratio - low
    };
    let widest = (high - ratio).max(ratio - low);
    let (width, target) = if effect > margin {
        (width, effect)
    } else {
        (widest, margin - effect)
    };
    let needed = boots as f64 * (width / target).powi(2);
    if !needed.is_finite() || needed > MOST_ROUNDS {
        return None;
    }
    Some((needed.ceil() as u32).max(boots as u32 + 1))
}
