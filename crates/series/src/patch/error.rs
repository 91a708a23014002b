//! Why a diff was refused.

/// Why a diff was refused. `line` counts from 1 in the text that was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A path that could leave the tree, hide, or not be written.
    #[error("line {line}: the path {path:?} {why}")]
    Path {
        line: usize,
        path: String,
        why: &'static str,
    },
    #[error("line {line}: {path:?} is changed as a binary file")]
    Binary { line: usize, path: String },
    /// A line of the diff in two pieces, as mailers that wrap text leave it.
    #[error("line {line}: the sender's mailer wrapped this line of the diff ({text:?})")]
    Wrapped {
        line: usize,
        /// The first piece.
        text: String,
    },
    /// No mode of a file.
    #[error("line {line}: {path:?} has mode {mode}, which is {what}")]
    Mode {
        line: usize,
        path: String,
        mode: String,
        what: &'static str,
    },
    /// Fewer lines than the hunk's header promises.
    #[error("{path:?}, hunk {hunk} (line {line}): its header promises {missing} more line(s)")]
    Truncated {
        /// Where the hunk begins.
        line: usize,
        path: String,
        /// Which hunk of the file, from 1.
        hunk: usize,
        /// How many lines are missing, old and new side added.
        missing: u64,
    },
    /// More lines than the hunk's header promises, or lines out of place.
    #[error("{path:?}, hunk {hunk} (line {line}): {why}")]
    Hunk {
        line: usize,
        path: String,
        /// Which hunk of the file, from 1.
        hunk: usize,
        why: &'static str,
    },
    /// Headers that contradict each other or that can't be read.
    #[error("line {line}: {why} ({text:?})")]
    Header {
        line: usize,
        why: &'static str,
        text: String,
    },
    /// Larger than any patch that people review.
    #[error("line {line}: more than {limit} {what}")]
    TooLarge {
        line: usize,
        what: &'static str,
        limit: usize,
    },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Path { .. } => "check where the patch comes from",
            Self::Binary { .. } => "only text can be changed; ask for the patch without that file",
            Self::Wrapped { .. } => {
                "it was sent like that, so another copy is no better; ask the sender to send it again without line wrapping, as `git send-email` does"
            }
            Self::Mode { .. } => "a file is 100644 or 100755; check where the patch comes from",
            Self::Truncated { .. } | Self::Hunk { .. } | Self::Header { .. } => {
                "the patch was cut off, damaged or edited by hand; get it again as it was sent"
            }
            Self::TooLarge { .. } => "split the patch",
        }
    }
}
