//! A patch before the rules, and what they find.

use super::finding::{Finding, History, Severity};
use crate::patch::Patch;
use crate::series::Reply;

const MAX_FINDINGS: usize = 200;

/// A rule's name, and what it looks at.
pub(super) type Rule = (&'static str, fn(&Case, &mut Report));

/// A patch, and what is known around it.
pub(super) struct Case<'a> {
    pub(super) patch: &'a Patch,
    pub(super) history: Option<History<'a>>,
    /// The answers to the patch, and to the cover letter.
    pub(super) replies: Vec<&'a Reply>,
    /// The first patch of the series that has the same subject.
    pub(super) namesake: Option<u32>,
}

/// What the rules find in one patch.
pub(super) struct Report {
    patch: String,
    rule: &'static str,
    found: Vec<Finding>,
}

impl Report {
    pub(super) fn of(case: &Case, rules: &[Rule]) -> Vec<Finding> {
        let mut report = Self {
            patch: format!("{}/{}", case.patch.index, case.patch.total),
            rule: "",
            found: Vec::new(),
        };
        for (name, check) in rules {
            report.rule = name;
            check(case, &mut report);
        }
        report.found
    }

    pub(super) fn error(&mut self, place: &str, source: &'static str, text: impl Into<String>) {
        self.add(Severity::Error, place, source, text);
    }

    pub(super) fn warning(&mut self, place: &str, source: &'static str, text: impl Into<String>) {
        self.add(Severity::Warning, place, source, text);
    }

    pub(super) fn hint(&mut self, place: &str, source: &'static str, text: impl Into<String>) {
        self.add(Severity::Hint, place, source, text);
    }

    /// Adds what is wrong at a place in the mail (`subject`, `trailers`).
    pub(super) fn add(
        &mut self,
        severity: Severity,
        place: &str,
        source: &'static str,
        text: impl Into<String>,
    ) {
        if self.found.len() < MAX_FINDINGS {
            self.found.push(Finding {
                rule: self.rule.to_owned(),
                severity,
                place: format!("{}, {place}", self.patch),
                text: text.into(),
                source: source.to_owned(),
            });
        }
    }
}
