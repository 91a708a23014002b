//! What a rule says of a patch.

use serde::Serialize;

/// Something that a changelog or a trailer has or lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's name, `split-trailers`.
    pub rule: String,
    pub severity: Severity,
    /// The patch and the place in its mail, `2/2, trailers`.
    #[serde(rename = "where")]
    pub place: String,
    /// What is there or lacking, and what to do.
    pub text: String,
    /// The document and section that the rule is taken from.
    pub source: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Perhaps nothing: judged by words, or a matter of taste.
    Hint,
    /// A maintainer may ask for another version.
    Warning,
    /// Tools or maintainers will stumble.
    Error,
}

impl Severity {
    /// `hint`, `warning`, `error`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hint => "hint",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What a git tree has under an abbreviated commit id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    None,
    /// More commits than one.
    Several,
    /// One, with this subject.
    One(String),
}

/// Looks a commit id up in the tree at hand.
pub type History<'a> = &'a dyn Fn(&str) -> Lookup;
