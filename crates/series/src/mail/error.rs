//! Why an input is no mail, and how much of it is read.

/// The largest input, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// The most messages of one thread.
pub(crate) const MAX_MESSAGES: usize = 100_000;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the input is empty; give a mail thread, an mbox or files of `git format-patch`")]
    Empty,
    /// More bytes or messages than a thread has.
    #[error("the input has more than {limit} {what}; save only the thread of the series")]
    TooLarge { what: &'static str, limit: usize },
    /// A gzip that is cut, damaged, or grows beyond all measure.
    #[error("the gzipped input {0}")]
    Gzip(String),
    /// The place that it comes from fails.
    #[error("the input can't be read: {0}")]
    Read(String),
    #[error(
        "the input is a bare diff, without author, date and changelog; commit it and give the file that `git format-patch` writes"
    )]
    BareDiff,
    /// None of the known forms.
    #[error(
        "the input begins with {0:?} and is no mail; give an archive's plain text of the thread, an mbox or files of `git format-patch`"
    )]
    Unrecognised(String),
    /// One file of several.
    #[error("{name}: {error}")]
    File { name: String, error: Box<Error> },
}

impl Error {
    /// Whether the input is something else than mail.
    pub fn is_no_mail(&self) -> bool {
        matches!(self, Self::Empty | Self::BareDiff | Self::Unrecognised(_))
    }
}
