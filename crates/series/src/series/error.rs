//! Why a thread gives no series.

use crate::{mail, patch};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It could not be read as mail.
    #[error(transparent)]
    Thread(#[from] mail::Error),
    /// Mail of another kind.
    #[error(
        "no patch in {messages} message(s), the first of which is {first:?}; give the thread, or the mails, that carry the patches"
    )]
    NoPatch {
        messages: usize,
        /// The subject of the first.
        first: String,
    },
    /// A patch mail that has no diff.
    #[error("{subject:?} is called a patch but has no diff; the mail is cut off, fetch it again")]
    NoDiff { subject: String },
    /// A patch with fewer files than its diffstat.
    #[error(
        "{subject:?} changes {found} of the {promised} files in its diffstat; the mail is cut off, fetch it again"
    )]
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
    #[error("{subject:?} {why}; no commit can be made of it, fetch the mail again")]
    Unusable { subject: String, why: &'static str },
}
