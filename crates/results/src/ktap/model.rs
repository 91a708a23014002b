//! A log, read: its tests, their statuses and counts.

use serde::{Deserialize, Serialize};

/// How a test, or a whole log, ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It said so, and all that it announced is there.
    Passed,
    /// It said so, or one of its subtests did.
    Failed,
    /// It could not run here.
    Skipped,
    /// Its result is missing. What is not proved otherwise has crashed.
    #[default]
    Crashed,
    /// Nothing was run.
    NoTests,
}

impl Status {
    /// The word that reports and JSON use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Crashed => "crashed",
            Self::NoTests => "no-tests",
        }
    }

    /// Whether nothing went wrong: passed or skipped.
    pub fn is_ok(self) -> bool {
        matches!(self, Self::Passed | Self::Skipped)
    }
}

/// How many tests ended how. A test with subtests is not counted beside them,
/// unless it failed although they all passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests that could not run.
    pub skipped: u64,
    /// Tests that were announced and whose result is missing.
    pub crashed: u64,
    /// Faults of the log itself, such as wrong numbers.
    pub errors: u64,
}

impl Counts {
    pub(super) fn total(&self) -> u64 {
        self.passed
            .saturating_add(self.failed)
            .saturating_add(self.skipped)
            .saturating_add(self.crashed)
    }

    pub(super) fn add(&mut self, status: Status) {
        match status {
            Status::Passed => self.passed += 1,
            Status::Failed => self.failed += 1,
            Status::Skipped => self.skipped += 1,
            Status::Crashed => self.crashed = self.crashed.saturating_add(1),
            Status::NoTests => {}
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.crashed = self.crashed.saturating_add(other.crashed);
        self.errors = self.errors.saturating_add(other.errors);
    }

    pub(super) fn status(&self) -> Status {
        if self.total() == 0 {
            Status::NoTests
        } else if self.crashed > 0 {
            Status::Crashed
        } else if self.failed > 0 {
            Status::Failed
        } else if self.passed > 0 {
            Status::Passed
        } else {
            Status::Skipped
        }
    }
}

/// One test and what it was made of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Test {
    /// Its name; empty where the log gives none.
    pub name: String,
    /// How it ended.
    pub status: Status,
    /// Why it was skipped, or the last diagnostics before it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether the log has nothing of it: only a plan announced it.
    #[serde(skip)]
    pub missing: bool,
    /// Its parts, in the order of the log.
    #[serde(default)]
    pub subtests: Vec<Self>,
}

/// A log, read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// How the whole ended.
    pub status: Status,
    /// How many tests ended how.
    pub counts: Counts,
    /// The tests at the top, in the order of the log.
    pub tests: Vec<Test>,
    /// What is wrong with the log, each with its line. Long lists are cut;
    /// `counts.errors` is not.
    pub problems: Vec<String>,
}
