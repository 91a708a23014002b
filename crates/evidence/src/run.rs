//! A run folder: what one run of the pipeline leaves behind.
//!
//! `run.json` is a [`Run`] without the raw output of its rounds. That lies
//! beside it in [`Round::folder`]: `record.json` (a JSON array of
//! [`Record`]s), `ktap.log` and `console.log`. Whoever loads a run reads the
//! first two back into [`Round::records`] and [`Round::ktap`].

use std::collections::BTreeMap;

use results::console::{self, Event};
use results::machine::Accelerator;
use results::plan::Order;
use results::record::{Record, Sample, Turn};
use results::{Arm, Purpose, ktap};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::design::Looks;

/// The schema that this version writes.
pub const SCHEMA: u32 = 2;

/// One run: one kernel, both arms, all their rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// [`SCHEMA`].
    pub schema: u32,
    pub tool_version: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// The command line that began it.
    pub command: String,
    /// The machine it ran on.
    pub host: Host,
    /// What the guests ran on.
    pub accelerator: Accelerator,
    pub qemu: String,
    pub virtme_ng: String,
    pub compiler: String,
    /// The seed of all that was chosen at random.
    pub seed: u64,
    /// The patches under test.
    pub series: SeriesInfo,
    /// The kernel that they were tested on.
    pub kernel: KernelInfo,
    /// What each guest was given.
    pub guest: Guest,
    /// The boots, in the order in which they ran.
    pub rounds: Vec<Round>,
    /// What is asked of the series.
    #[serde(default)]
    pub question: Question,
    /// The order of the walk that each arm must prove; none where the series
    /// promises none.
    #[serde(default)]
    pub expect_order: Option<ExpectOrder>,
    /// The metrics that decide: `METRIC` or `SCENARIO/METRIC`.
    #[serde(default)]
    pub primary: Vec<String>,
    /// For some of those the metric that is their unprobed counterpart; the
    /// others are their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unprobed: BTreeMap<String, String>,
    /// The most blocks that were to measure: the run looked at its
    /// samples on the way there, as [`crate::design::Looks`] says. None where
    /// it looked only at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Whether it was to boot so many whatever they showed, and looked once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exactly: bool,
    /// Whether the boots that measured were pairs, of a guest of each arm at the same
    /// time, whose repetitions took turns.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_turns: bool,
    /// Seconds from the command's start until the metrics that decide were
    /// decided; none where they never were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_s: Option<f64>,
    /// The relative change below which nobody cares: 0.05 is five percent.
    pub margin: f64,
    /// The same for some metrics instead.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub margins: BTreeMap<String, f64>,
    /// The metric that reviewers ask for first; its unprobed boots answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// For some metrics the change, in the metric's unit, below which nobody
    /// cares, whatever share that is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub absolute: BTreeMap<String, f64>,
    /// What to call a metric in a report; others go by their own name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What the series says of itself: the changelogs of its patches.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub changelog: String,
    /// Which metric its words mean, as [`crate::claims::check`] takes them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, String>,
    /// What happened to the run that its rounds don't show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Boots that were lost through no fault of the kernel's, and made again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost_boots: Vec<LostBoot>,
    /// What the scenarios execute of the lines that the series changes; none where
    /// nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
}

/// What a run asks of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// Does everything hold? Every scenario must pass on every arm.
    #[default]
    Expectations,
    /// Does it break anything? What fails on base too says nothing of the series.
    Regressions,
}

/// The lines of C that a series changes, by what the scenarios execute of them. A
/// guest of its own counts them, whose kernel has a mark at each statement. Lines that
/// are no statement are not among them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Coverage {
    /// How many are executed.
    pub executed: usize,
    /// Those that are not, as `FILE:LINE` of the patched arm.
    pub not_executed: Vec<String>,
    /// Those that this configuration leaves out.
    pub not_compiled: Vec<String>,
    /// Those that can't be followed: in headers, and in functions that the parser
    /// does not understand.
    pub not_followed: Vec<String>,
    /// Why it is not known of those that seem not to be executed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// A boot that was lost through no fault of the kernel's, and made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostBoot {
    pub index: u32,
    pub arm: Arm,
    #[serde(default)]
    pub lost_to: LostTo,
    /// What happened, and where its files are.
    pub why: String,
}

impl LostBoot {
    /// A boot that ended as this round did.
    #[must_use]
    pub fn of(round: &Round, lost_to: LostTo, why: String) -> Self {
        Self {
            index: round.index,
            arm: round.arm,
            lost_to,
            why,
        }
    }
}

/// What a boot was lost to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LostTo {
    /// QEMU's emulation, as far as anybody can tell: a run excuses one.
    #[default]
    Emulation,
    /// The host's: it slept, or stopped what ran on it.
    Host,
}

/// The machine that ran QEMU.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Host {
    pub os: String,
    pub cpu: String,
    /// Its processors that are online.
    pub cpus: u32,
    /// Its memory in KiB.
    pub memory_kib: u64,
    pub kernel: String,
}

/// The series under test.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SeriesInfo {
    pub name: String,
    /// What it calls itself.
    pub title: String,
    /// Its version, as `v6`.
    pub version: String,
    /// The patches of it that are not at hand, counted from 1.
    pub missing: Vec<u32>,
    /// The subjects of those that are.
    pub patches: Vec<String>,
}

/// The kernel under test.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct KernelInfo {
    /// What the user called it.
    pub name: String,
    pub version: String,
    /// How each arm was made.
    pub arms: Vec<ArmInfo>,
    /// How the series applied, as `apply --json` says it for this kernel.
    #[serde(default)]
    pub apply: Value,
}

impl KernelInfo {
    /// Whether the run is about this arm.
    pub fn has(&self, arm: Arm) -> bool {
        self.arms.iter().any(|info| info.arm == arm)
    }
}

/// How one arm was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmInfo {
    pub arm: Arm,
    /// The commit that was built.
    pub commit: String,
    pub tree: String,
    /// SHA-1 of the configuration.
    pub config_sha: String,
    /// SHA-1 of the kernel image.
    pub image_sha: String,
    /// How long the build took, in seconds; none where it was not measured.
    #[serde(default)]
    pub built_s: Option<f64>,
    /// Whether the cache already had it.
    pub cached: bool,
    /// Subjects of the patches below the series.
    pub prerequisites: Vec<String>,
}

impl Run {
    /// The relative change of a metric below which nobody cares.
    pub fn margin_of(&self, metric: &str) -> f64 {
        self.margins.get(metric).copied().unwrap_or(self.margin)
    }

    /// The unprobed counterpart of this metric.
    pub fn unprobed_of<'a>(&'a self, metric: &'a str) -> &'a str {
        self.unprobed.get(metric).map_or(metric, String::as_str)
    }

    /// Whether it is about both arms.
    pub fn has_both_arms(&self) -> bool {
        Arm::BOTH.into_iter().all(|arm| self.kernel.has(arm))
    }

    /// Whether what base does too, or alone, is not counted against the series.
    pub fn is_excused_by_base(&self) -> bool {
        self.question == Question::Regressions && self.has_both_arms()
    }

    /// The metrics that decide, whatever their scenarios.
    pub fn primary_metrics(&self) -> impl Iterator<Item = &str> {
        (self.primary.iter()).map(|name| name.rsplit('/').next().unwrap_or_default())
    }

    /// Each round with its block. Where none was recorded, blocks are formed by
    /// order: the first boots of each kind and arm, then the second.
    pub fn blocks(&self) -> impl Iterator<Item = (u32, &Round)> {
        let mut seen: BTreeMap<(Purpose, &str), u32> = BTreeMap::new();
        self.rounds.iter().map(move |round| {
            let next = seen.entry((round.purpose, round.arm.as_str())).or_default();
            let block = round.block.unwrap_or(*next);
            *next = block + 1;
            (block, round)
        })
    }

    /// When it looks at its samples, if it has so many blocks.
    pub fn looks(&self, blocks: usize) -> Looks {
        match self.limit {
            Some(limit) if !self.exactly => Looks::new(limit as usize),
            _ => Looks::once(blocks),
        }
    }

    /// Whether both arms ran the same kernel image: an A/A run, in which every
    /// difference is a false alarm.
    pub fn is_same_kernel(&self) -> bool {
        let mut images = self.kernel.arms.iter().map(|arm| &arm.image_sha);
        images
            .next()
            .is_some_and(|first| images.all(|image| image == first))
    }
}

/// What each guest was given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Guest {
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// The kernel's flavour, such as `lean`.
    pub flavour: String,
}

/// The order of the walk that each arm must prove; none from one that was not
/// booted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectOrder {
    /// Base: the positive control.
    pub base: Option<Order>,
    pub patched: Option<Order>,
}

/// One boot of one arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Counted from 0 over all rounds of the run.
    pub index: u32,
    pub arm: Arm,
    /// What it was for.
    pub purpose: Purpose,
    /// The block of neighbouring boots that it belongs to, from 0. None in runs
    /// of versions that had no blocks, and where nothing is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<u32>,
    pub status: RoundStatus,
    /// The worst that the console shows.
    #[serde(default)]
    pub console_verdict: console::Kind,
    /// What that verdict rests on.
    #[serde(default)]
    pub console_events: Vec<Event>,
    /// Seconds from QEMU's start to the first line of results; none where
    /// there was none.
    #[serde(default)]
    pub boot_s: Option<f64>,
    /// Seconds from QEMU's start to its end.
    pub wall_s: f64,
    #[serde(skip)]
    pub ktap: ktap::Report,
    #[serde(skip)]
    pub records: Vec<Record>,
}

impl Round {
    /// Whether it counted what decides.
    pub fn is_measured(&self) -> bool {
        self.purpose == Purpose::Probed
    }

    /// What sets it apart from a boot that measures what decides, as it stands
    /// behind the arm's name.
    pub fn how(&self) -> &'static str {
        match self.purpose {
            Purpose::Probed => "",
            Purpose::Unprobed => ", unprobed",
            Purpose::Correctness => ", traced",
            Purpose::ProbedSweep => ", sweep",
            Purpose::UnprobedSweep => ", unprobed sweep",
        }
    }

    /// Whether the guest left this scenario to a fresh one.
    pub fn handed_over(&self, name: &str) -> bool {
        self.records
            .iter()
            .any(|record| matches!(record, Record::HandedOver { scenario } if scenario == name))
    }

    /// The samples that count, warm-ups included: not those of a repetition that was
    /// run again, nor of one that the host disturbed to the last.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        // Whatever comes before such a record is void.
        let mut void: BTreeMap<(&str, u32), usize> = BTreeMap::new();
        for (at, record) in self.records.iter().enumerate() {
            let of = match record {
                Record::Void {
                    scenario,
                    repetition,
                } => (scenario.as_str(), *repetition),
                Record::Turn(turn) if turn.disturbed => (turn.scenario.as_str(), turn.repetition),
                _ => continue,
            };
            void.insert(of, at);
        }
        let records = self.records.iter().enumerate();
        records.filter_map(move |(at, record)| match record {
            Record::Sample(sample) => {
                let void = void.get(&(sample.scenario.as_str(), sample.repetition));
                void.is_none_or(|void| *void < at).then_some(sample)
            }
            _ => None,
        })
    }

    /// The turns that its guest took.
    pub fn turns(&self) -> impl Iterator<Item = &Turn> {
        self.records.iter().filter_map(|record| match record {
            Record::Turn(turn) => Some(turn),
            _ => None,
        })
    }

    /// Those of them that the host disturbed, which do not count.
    pub fn void_turns(&self) -> impl Iterator<Item = &Turn> {
        self.turns().filter(|turn| turn.disturbed)
    }

    /// The last scenario that began and gave no result.
    pub fn unfinished(&self) -> Option<&str> {
        let reported = |name: &str| self.ktap.tests.iter().any(|test| test.name == name);
        self.records.iter().rev().find_map(|record| match record {
            Record::Start { scenario, .. } if !reported(scenario) => Some(scenario.as_str()),
            _ => None,
        })
    }

    /// What the console's verdict rests on, in a line.
    pub fn console_title(&self) -> Option<&str> {
        let worst = |event: &&Event| event.kind == self.console_verdict;
        Some(&self.console_events.iter().find(worst)?.title)
    }

    pub fn folder(&self, kernel: &str) -> String {
        folder(kernel, self.arm, self.index)
    }
}

/// A round's folder inside that of the run: `KERNEL/ARM/ROUND`, with a kernel's
/// name that is safe as a folder's.
pub fn folder(kernel: &str, arm: Arm, index: u32) -> String {
    format!("{}/{}/{index:03}", folder_name(kernel), arm.as_str())
}

/// A kernel's name as that of a folder.
pub fn folder_name(kernel: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || "._+-".contains(c) {
            c
        } else {
            '-'
        }
    };
    let kernel: String = kernel.chars().map(safe).collect();
    let kernel = kernel.trim_start_matches('.');
    if kernel.is_empty() { "kernel" } else { kernel }.to_owned()
}

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoundStatus {
    /// It reported to the end.
    Ok,
    /// It reported to the end, and that scenarios failed.
    Failed,
    Panic,
    Hang,
    /// A scenario outlived its deadline in a guest that was well.
    Timeout,
    /// It never came up.
    BootFailed,
    QemuDied,
    /// Its results end without the closing line.
    Cut,
    /// The user stopped it.
    Interrupted,
}

impl RoundStatus {
    /// The word in JSON and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Panic => "panic",
            Self::Hang => "hang",
            Self::Timeout => "timeout",
            Self::BootFailed => "boot-failed",
            Self::QemuDied => "qemu-died",
            Self::Cut => "cut",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether such an ending says nothing of the kernel under test. What a
    /// guest's breakdown says, [`crate::breakdown`] tells.
    pub fn is_infrastructure(self) -> bool {
        matches!(
            self,
            Self::BootFailed | Self::QemuDied | Self::Cut | Self::Interrupted
        )
    }

    /// Whether the samples of such a round may be compared: not those of a
    /// guest that broke down.
    pub fn has_sound_samples(self) -> bool {
        matches!(
            self,
            Self::Ok | Self::Failed | Self::Timeout | Self::Interrupted
        )
    }
}
