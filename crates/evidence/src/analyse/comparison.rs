//! One metric, base against patched, and its verdict.

use std::cmp::Ordering;

use results::record::{Unit, Walker};
use serde::{Serialize, Serializer};

use super::samples::{Measured, summary};
use crate::stats;
use crate::words::{ratio_words, value};

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
    /// It does not decide, and so nobody asked: its figures stand for themselves.
    NotTested,
}

impl Verdict {
    /// The words in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Improved => "improved",
            Self::Regressed => "regressed",
            Self::NoChange => "no change",
            Self::Inconclusive => "inconclusive",
            Self::NotTested => "not tested",
        }
    }
}

/// One metric, base against patched.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The scenario that took the samples.
    pub scenario: String,
    pub metric: String,
    /// Whose it is; none where both walkers'.
    pub walker: Option<Walker>,
    /// Whether the samples come from unprobed rounds.
    pub unprobed: bool,
    pub unit: Unit,
    /// Whether less is better.
    pub lower_is_better: bool,
    pub primary: bool,
    /// The relative change below which nobody cares.
    pub margin: f64,
    /// Whether it decides, is the tail of a time that does, or is that time as
    /// probed boots have it.
    pub shown: bool,
    /// What a report calls it.
    pub label: String,
    pub base: ArmSamples,
    pub patched: ArmSamples,
    /// Patched over base: the middle of what every two blocks say together. None
    /// where base is mostly 0.
    pub ratio: Option<f64>,
    /// Its 95 % interval, by the same test; none from fewer than six blocks, or
    /// where it is open. Of a metric that decides it is as wide as the look's
    /// share of false alarms calls for.
    pub interval: Option<[f64; 2]>,
    /// Patched less base, in the same way.
    pub difference: f64,
    /// Its 95 % interval.
    pub difference_interval: Option<[f64; 2]>,
    /// The two-sided p-value, by exchanges within blocks.
    pub p: Option<f64>,
    /// Nothing corrects p-values any more: always none.
    pub p_adjusted: Option<f64>,
    /// Blocks in which both arms measured it.
    pub blocks: usize,
    /// The blocks after which a metric that decides differed.
    pub decided_at: Option<usize>,
    pub verdict: Verdict,
    /// For a time of probed boots, what the unprobed ones say, which decide.
    pub without_probes: Option<Unprobed>,
    /// Blocks that would decide it in most runs, where it is inconclusive
    /// and that can be estimated.
    pub rounds_needed: Option<u32>,
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
    /// Of all samples.
    pub median: f64,
    /// What a report shows: the median of the boots' own, which are rates for
    /// counts and medians for all else.
    pub level: f64,
    /// The median of each boot, in the order of the rounds.
    pub boot_medians: Vec<f64>,
}

impl ArmSamples {
    /// What these boots measured; none without a sample.
    fn of(unit: Unit, boots: &stats::Boots) -> Option<Self> {
        let levels: Vec<f64> = boots.iter().map(|boot| summary(unit, boot)).collect();
        Some(Self {
            boots: boots.len(),
            samples: boots.iter().map(Vec::len).sum(),
            median: stats::pooled_median(boots)?,
            level: stats::median(&levels)?,
            boot_medians: stats::boot_medians(boots),
        })
    }
}

/// Both arms' samples of one metric.
pub(crate) struct Sides {
    pub base: ArmSamples,
    pub patched: ArmSamples,
}

impl Sides {
    /// None unless both arms have a sample.
    pub(crate) fn of(measured: &Measured) -> Option<Self> {
        let base = ArmSamples::of(measured.unit, &measured.base)?;
        let patched = ArmSamples::of(measured.unit, &measured.patched)?;
        Some(Self { base, patched })
    }
}

/// On which side of 1 an interval lies; none if it has both.
pub(crate) fn side([low, high]: [f64; 2]) -> Option<Ordering> {
    if high < 1.0 {
        Some(Ordering::Less)
    } else if low > 1.0 {
        Some(Ordering::Greater)
    } else {
        None
    }
}

/// A comparison in one line of ASCII, as it may be quoted in a review.
pub(crate) fn comparison_line(c: &Comparison) -> String {
    let mut line = format!(
        "{}: {} -> {}",
        c.label,
        value(c.unit, c.base.level),
        value(c.unit, c.patched.level)
    );
    if c.ratio.is_some() {
        line.push_str(&format!(", ratio {}", ratio_words(c.ratio, c.interval)));
    }
    line.push_str(&format!(
        ", {}+{} boots, {} samples: {}",
        c.base.boots,
        c.patched.boots,
        c.base.samples + c.patched.samples,
        c.verdict.as_str()
    ));
    if let Some(boots) = c.rounds_needed {
        line.push_str(&format!(" ({})", boots_words(boots)));
    }
    line
}

/// What it would take to decide.
pub(crate) fn boots_words(boots: u32) -> String {
    format!("about {boots} blocks needed")
}

/// Comparisons as JSON has them: each with all of it in one line.
pub(crate) fn with_text<S: Serializer>(all: &[Comparison], to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct WithText<'a> {
        #[serde(flatten)]
        comparison: &'a Comparison,
        text: String,
    }
    to.collect_seq(all.iter().map(|comparison| WithText {
        comparison,
        text: comparison_line(comparison),
    }))
}
