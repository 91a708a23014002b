//! Why a thread gives no series.

use crate::{mail, patch};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It could not be read as mail.
    #[error(transparent)]
    Thread(#[from] mail::Error),
    /// Mail of another kind.
    #[error("no patch in {messages} message(s), the first of which is {first:?}")]
    NoPatch {
        messages: usize,
        /// The subject of the first.
        first: String,
    },
    /// A patch mail that has no diff.
    #[error("{subject:?} is called a patch but has no diff")]
    NoDiff { subject: String },
    /// A patch with fewer files than its diffstat.
    #[error("{subject:?} changes {found} of the {promised} files in its diffstat")]
    Cut {
        subject: String,
        /// The files in the diff.
        found: usize,
        /// The files in the diffstat.
        promised: usize,
    },
    /// A diff that was refused.
    #[error("{subject:?}: {error}")]
    Patch {
        subject: String,
        error: patch::Error,
    },
    /// A mail that can't become a commit.
    #[error("{subject:?} {why}; no commit can be made of it")]
    Unusable { subject: String, why: &'static str },
}

impl Error {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Thread(error) => return error.hint(),
            Self::NoPatch { .. } => "give the thread, or the mails, that carry the patches",
            Self::NoDiff { .. } => "give the mail, or the thread, that carries the patch",
            Self::Cut { .. } => "the mail was cut off; get it again as it was sent",
            Self::Patch { error, .. } => error.hint(),
            Self::Unusable { .. } => "get the mail again as it was sent",
        })
    }
}
