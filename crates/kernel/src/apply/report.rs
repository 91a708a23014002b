//! How hunks, patches and series fared.

use serde::{Deserialize, Serialize};

/// How a hunk, a patch or a series fared, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every line where it was expected.
    Clean,
    /// `git am` takes it; some lines have moved.
    Offset,
    /// GNU `patch` takes it by ignoring context; `git am` refuses.
    Fuzz,
    /// Merged with the version it was made on, as `git am -3` does.
    ThreeWay,
    /// It applies, and needs a prerequisite of the manifest to compile.
    NeedsPrerequisite,
    AlreadyApplied,
    Conflict,
}

impl Verdict {
    /// The word in JSON and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Offset => "offset",
            Self::Fuzz => "fuzz",
            Self::ThreeWay => "three-way",
            Self::NeedsPrerequisite => "needs-prerequisite",
            Self::AlreadyApplied => "already-applied",
            Self::Conflict => "conflict",
        }
    }
}

/// How one hunk fared. A change without hunks (a rename, a mode, an empty
/// file) has an entry only where it failed or was there already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HunkReport {
    /// The file, by its path after the patch.
    pub file: String,
    /// By how many lines it moved.
    pub offset: i64,
    /// How many context lines were ignored at either end, 0 to 2.
    pub fuzz: u32,
    /// How it fared; never needs-prerequisite.
    pub verdict: Verdict,
    /// For a conflict, what was expected and what is there instead: a diff
    /// with the line numbers of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchReport {
    pub subject: String,
    pub verdict: Verdict,
    pub hunks: Vec<HunkReport>,
}

/// How a series fared on one kernel: an entry of `apply --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub kernel: String,
    /// The series as a whole: its worst patch, those left aside that the tree
    /// has; already-applied where it has them all.
    pub verdict: Verdict,
    pub patches: Vec<PatchReport>,
    /// Symbols that the series uses, the tree lacks and the manifest's
    /// prerequisites provide.
    pub missing_symbols: Vec<String>,
    /// The subjects of the prerequisites that both arms got.
    pub prerequisites: Vec<String>,
    /// What may matter, and stops nobody.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// The worst; what the tree has already counts only when it is all there is.
pub(super) fn overall(verdicts: impl Iterator<Item = Verdict> + Clone) -> Verdict {
    let rest = verdicts
        .clone()
        .filter(|verdict| *verdict != Verdict::AlreadyApplied)
        .max();
    rest.or_else(|| verdicts.max()).unwrap_or(Verdict::Clean)
}
