//! Exit codes: one enum for what can go wrong, one map to what the shell sees.
//! What counts as a failure of a kernel or of the infrastructure is decided in
//! `evidence::breakdown`, and becomes a [`Kind`] in `run::outcome`.

use std::fmt;
use std::process::ExitCode;

use crate::advice;

/// Why a command did not end well. The order of the variants is that of the
/// codes users rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A scenario failed, a guest broke down after its kernel came up, or a
    /// regression was found.
    Judgement,
    /// The command line or an input can't be used.
    Usage,
    /// The series does not apply.
    Apply,
    /// A build failed.
    Build,
    /// A guest that never came up, a dead QEMU, a cut log, a missing tool, no space.
    Infrastructure,
    /// A conclusion was asked for and the samples do not give one.
    Inconclusive,
    /// Ctrl-C or SIGTERM, all cleaned up.
    Interrupted,
    /// For git bisect: this commit can't be judged, try another.
    Untestable,
    /// For git bisect: no commit can be judged, stop.
    Unbisectable,
}

impl Kind {
    /// The exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Judgement => 1,
            Self::Usage => 2,
            Self::Apply => 3,
            Self::Build => 4,
            Self::Infrastructure => 5,
            Self::Inconclusive => 6,
            Self::Interrupted => 130,
            Self::Untestable => 125,
            Self::Unbisectable => 128,
        }
    }

    /// What git bisect is told of a failure, by `git-bisect(1)`: 1 for bad, 125
    /// for what can't be built or booted, from 128 on to stop. `judged` is
    /// whether guests were booted.
    pub fn for_bisect(self, judged: bool) -> Self {
        match self {
            Self::Judgement | Self::Interrupted => self,
            Self::Apply | Self::Build => Self::Untestable,
            Self::Infrastructure if judged => Self::Untestable,
            _ => Self::Unbisectable,
        }
    }

    /// The kind of an exit code; none of 0 and of what is no exit code of ours.
    pub fn of_code(code: u8) -> Option<Self> {
        [
            Self::Judgement,
            Self::Usage,
            Self::Apply,
            Self::Build,
            Self::Infrastructure,
            Self::Inconclusive,
            Self::Interrupted,
        ]
        .into_iter()
        .find(|kind| kind.code() == code)
    }
}

/// A failure with its kind.
#[derive(Debug)]
pub struct Failure {
    /// Which exit code it gets.
    pub kind: Kind,
    /// What happened, to what.
    pub error: anyhow::Error,
    /// What the user can do about it.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure of this kind, with the advice that is known for the error.
    pub fn new(kind: Kind, error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        Self {
            kind,
            hints: advice::on(&error),
            error,
        }
    }

    /// The same with one more piece of advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// What a command returns.
pub type Result<T = ()> = std::result::Result<T, Failure>;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Some errors quote their cause already.
        let mut text = self.error.to_string();
        for cause in self.error.chain().skip(1).map(ToString::to_string) {
            if !text.contains(&cause) {
                text.push_str(": ");
                text.push_str(&cause);
            }
        }
        f.write_str(&text)
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        Self::from(failure.kind.code())
    }
}

/// Gives an error its kind.
pub trait Classify<T> {
    /// Wraps the error as a failure of this kind.
    fn kind(self, kind: Kind) -> Result<T>;
}

impl<T, E: Into<anyhow::Error>> Classify<T> for std::result::Result<T, E> {
    fn kind(self, kind: Kind) -> Result<T> {
        self.map_err(|error| Failure::new(kind, error))
    }
}

/// Gives a failure its advice.
pub trait Advise {
    /// The same with one more piece of advice, where it is a failure.
    fn hint(self, hint: impl Into<String>) -> Self;
}

impl<T> Advise for Result<T> {
    fn hint(self, hint: impl Into<String>) -> Self {
        self.map_err(|failure| failure.hint(hint))
    }
}

/// A failure of `kind` with this message.
pub fn fail<T>(kind: Kind, message: impl Into<String>) -> Result<T> {
    Err(Failure::new(kind, anyhow::Error::msg(message.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_users_rely_on() {
        let kinds = [
            (Kind::Judgement, 1),
            (Kind::Usage, 2),
            (Kind::Apply, 3),
            (Kind::Build, 4),
            (Kind::Infrastructure, 5),
            (Kind::Inconclusive, 6),
            (Kind::Interrupted, 130),
        ];
        for (kind, code) in kinds {
            assert_eq!(kind.code(), code, "{kind:?}");
            assert_eq!(Kind::of_code(code), Some(kind));
        }
        assert_eq!(Kind::of_code(0), None);
    }

    #[test]
    fn codes_are_those_of_git_bisect() {
        for (kind, judged, code) in [
            (Kind::Judgement, true, 1),
            (Kind::Apply, false, 125),
            (Kind::Build, false, 125),
            (Kind::Infrastructure, true, 125),
            (Kind::Infrastructure, false, 128),
            (Kind::Usage, false, 128),
            (Kind::Interrupted, false, 130),
        ] {
            assert_eq!(kind.for_bisect(judged).code(), code, "{kind:?} {judged}");
        }
    }
}
