//! One metric, base against patched, and its verdict.

use std::cmp::Ordering;

use results::record::{Unit, Walker};
use serde::{Serialize, Serializer};

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

/// One metric, base against patched.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The scenario that took the samples.
    pub scenario: String,
    pub metric: String,
    /// Whose it is; none where both walkers'.
    pub walker: Option<Walker>,
    /// Whether the samples come from unprobed rounds. Such a comparison
    /// is never primary.
    pub unprobed: bool,
    pub unit: Unit,
    /// Whether less is better.
    pub lower_is_better: bool,
    pub primary: bool,
    /// Whether it decides, or is the unprobed counterpart of one that does.
    pub shown: bool,
    /// What a report calls it.
    pub label: String,
    pub base: ArmSamples,
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
    pub verdict: Verdict,
    /// For a time that decides, what unprobed boots say of it: probes take time
    /// themselves, and not the same from both arms.
    pub without_probes: Option<Unprobed>,
    /// Boots of each arm that would probably decide it, where it is inconclusive
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
    pub median: f64,
    /// The median of each boot, in the order of the rounds.
    pub boot_medians: Vec<f64>,
}

impl ArmSamples {
    /// What these boots measured; none without a sample.
    fn of(boots: &stats::Boots) -> Option<Self> {
        Some(Self {
            boots: boots.len(),
            samples: boots.iter().map(Vec::len).sum(),
            median: stats::pooled_median(boots)?,
            boot_medians: stats::boot_medians(boots),
        })
    }
}

/// Both arms' samples of one metric.
pub(crate) struct Sides {
    pub base: ArmSamples,
    pub patched: ArmSamples,
    /// Patched's median over base's; none where base's is 0.
    pub ratio: Option<f64>,
}

impl Sides {
    /// None unless both arms have a sample.
    pub(crate) fn of(base: &stats::Boots, patched: &stats::Boots) -> Option<Self> {
        let (base, patched) = (ArmSamples::of(base)?, ArmSamples::of(patched)?);
        Some(Self {
            ratio: (base.median != 0.0).then(|| patched.median / base.median),
            base,
            patched,
        })
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
        value(c.unit, c.base.median),
        value(c.unit, c.patched.median)
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
    if c.verdict != Verdict::Inconclusive {
        line.push_str(&unprobed_words(c));
    }
    if let Some(boots) = c.rounds_needed {
        line.push_str(&format!(" ({})", boots_words(boots)));
    }
    line
}

/// What unprobed boots add to a time that was measured with probes.
pub(crate) fn unprobed_words(comparison: &Comparison) -> String {
    let Some(found) = comparison.without_probes else {
        return String::new();
    };
    let ratio = ratio_words(Some(found.ratio), found.interval);
    if found.agrees {
        format!(" with probes, confirmed without them: {ratio}")
    } else {
        format!(" with probes, not confirmed without them: {ratio}")
    }
}

/// What it would take to decide.
pub(crate) fn boots_words(boots: u32) -> String {
    format!("about {boots} boots per arm needed")
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
