//! Exit codes: one enum for what can go wrong, one map to what the shell sees.

use std::fmt;
use std::process::ExitCode;

/// Why a command did not end well. The order of the variants is that of the
/// codes users rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A scenario failed, or a regression was found.
    Judgement,
    /// The command line or an input can't be used.
    Usage,
    /// The series does not apply.
    Apply,
    /// A build failed.
    Build,
    /// No boot, a dead guest, a missing tool, no space.
    Infrastructure,
    /// A conclusion was asked for and the samples do not give one.
    Inconclusive,
    /// Ctrl-C or SIGTERM, all cleaned up.
    Interrupted,
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
        }
    }
}

/// A failure with its kind.
#[derive(Debug)]
pub struct Failure {
    /// Which exit code it gets.
    pub kind: Kind,
    /// What to tell the user.
    pub error: anyhow::Error,
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
        self.map_err(|error| Failure {
            kind,
            error: error.into(),
        })
    }
}

/// A failure of `kind` with this message.
pub fn fail<T>(kind: Kind, message: impl Into<String>) -> Result<T> {
    Err(Failure {
        kind,
        error: anyhow::Error::msg(message.into()),
    })
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
        }
    }
}
