//! Why an input is no mail, and how much of it is read.

/// The largest input, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// The most messages of one thread.
pub(crate) const MAX_MESSAGES: usize = 100_000;
/// What a gzip may grow to, in bytes.
pub(super) const MAX_INFLATED: u64 = 4 << 30;
/// So many times its own size a gzip may grow to.
pub(super) const MAX_RATIO: u64 = 200;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the input is empty")]
    Empty,
    /// More bytes or messages than a thread has.
    #[error("the input has more than {limit} {what}")]
    TooLarge { what: &'static str, limit: usize },
    #[error("the gzipped input {0}")]
    Gzip(GzipError),
    /// The place that it comes from fails.
    #[error("the input can't be read: {0}")]
    Read(String),
    #[error("the input is only a diff, without author, date and changelog")]
    BareDiff,
    /// None of the known forms.
    #[error("the input begins with {0:?} and is not mail")]
    Unrecognised(String),
    /// One file of several.
    #[error("{name}: {error}")]
    File { name: String, error: Box<Error> },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GzipError {
    #[error("is cut off or damaged ({0})")]
    Damaged(String),
    #[error("holds more than {} GiB", MAX_INFLATED >> 30)]
    TooLarge,
    #[error("grows to more than {MAX_RATIO} times its size, which no mail does")]
    Bomb,
}

impl Error {
    /// Whether the input is something else than mail.
    pub fn is_no_mail(&self) -> bool {
        matches!(self, Self::Empty | Self::BareDiff | Self::Unrecognised(_))
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Empty | Self::Unrecognised(_) => {
                "give an archive's plain text of the thread, an mbox, or files that `git \
                 format-patch` wrote"
            }
            Self::TooLarge { .. } | Self::Gzip(GzipError::TooLarge) => {
                "save only the thread of the series"
            }
            Self::Gzip(GzipError::Damaged(_)) => "download it again",
            Self::Gzip(GzipError::Bomb) => "check where it comes from",
            Self::BareDiff => "commit it and give the file that `git format-patch` writes",
            Self::File { error, .. } => return error.hint(),
            Self::Read(_) => return None,
        })
    }
}
