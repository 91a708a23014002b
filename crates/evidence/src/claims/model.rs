//! What a changelog claims, and what became of it.

use serde::Serialize;

/// All that a changelog claims in figures.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Claims {
    /// The rows of its tables that have a value for both arms.
    pub rows: Vec<Row>,
    /// Percentages and times in prose.
    pub figures: Vec<Figure>,
    /// What a reader would ask.
    pub findings: Vec<Finding>,
}

/// One quantity, with and without the patch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What the table calls it; a part behind its whole, as `total / part`.
    pub label: String,
    /// The line of the changelog, counted from 1.
    pub line: usize,
    pub base: f64,
    pub patched: f64,
    /// The table's unit, where it has one.
    pub unit: Option<String>,
}

impl Row {
    /// patched / base; none where base is 0.
    pub fn ratio(&self) -> Option<f64> {
        (self.base != 0.0).then(|| self.patched / self.base)
    }
}

/// A figure in prose.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// The line, counted from 1.
    pub line: usize,
    /// As it stands there.
    pub text: String,
}

/// What a reader would ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The line; none where the whole changelog lacks something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    pub rule: Rule,
    pub text: String,
}

/// What may be wrong with a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// A percentage of what?
    PercentageWithoutBase,
    /// Figures of no known machine.
    NoArchitecture,
    /// Figures of no known number of runs: one may be luck.
    NoNumberOfRuns,
    /// A table whose figures have no unit.
    NoUnit,
    /// Parts that don't add up to their whole.
    DoesNotAddUp,
    /// A percentage that the table's own figures don't give.
    Miscalculated,
}

/// A claim beside what was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    pub label: String,
    /// patched / base as claimed.
    pub claimed: f64,
    /// The measured metric's name in reports; none where nothing like it was
    /// measured.
    pub metric: Option<String>,
    /// patched / base as measured.
    pub measured: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<[f64; 2]>,
    pub verdict: Reproduced,
}

/// Whether a measurement bears a claim out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reproduced {
    /// The interval holds the claim, and excludes no change.
    Reproduced,
    /// The change goes the same way, by more or by less.
    SameSign,
    /// The interval excludes the claim, and shows no change that way.
    NotReproduced,
    /// The interval holds both the claim and no change.
    CantTell,
    /// Nothing like it was measured.
    NotMeasured,
}

impl Reproduced {
    /// The words in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::SameSign => "same sign",
            Self::NotReproduced => "not reproduced",
            Self::CantTell => "can't tell",
            Self::NotMeasured => "not measured",
        }
    }
}

/// A series' claims about itself, checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Claimed {
    pub claims: Claims,
    /// What was measured of it.
    pub checks: Vec<Check>,
}
