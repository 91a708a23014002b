//! Why there is no source.

use std::io;
use std::path::PathBuf;

use crate::source::release::ReleaseError;
use crate::store::{ImportError, StoreError};

/// Why there is no source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Not a form of `--kernel`.
    #[error(
        "{0:?} names no kernel: write a version (6.12), debian:SUITE/VERSION, release:VERSION, git:PATH#REV, a folder or a tarball"
    )]
    Spec(String),
    /// No package of that version.
    #[error("no kernel {version} among Debian's packages{found}; {advice}")]
    Unknown {
        /// What was asked for.
        version: String,
        /// What there is instead.
        found: String,
        /// What to do.
        advice: &'static str,
    },
    /// No such release, or none that can be relied on.
    #[error(transparent)]
    Release(ReleaseError),
    /// Neither Debian nor kernel.org has it.
    #[error("{debian}\nFrom kernel.org: {release}")]
    Nowhere {
        /// Why there is no package.
        debian: Box<SourceError>,
        /// Why there is no release.
        release: Box<SourceError>,
    },
    /// It would have to be fetched.
    #[error("kernel {0} is not imported yet and --offline forbids fetching it")]
    Offline(String),
    /// apt refused.
    #[error("{command} ended with {code}:\n{tail}")]
    Apt {
        /// The command.
        command: String,
        /// Its exit code.
        code: i32,
        /// Its last lines.
        tail: String,
    },
    /// A program could not be run.
    #[error("can't run {program}: {source}")]
    Run {
        /// The program.
        program: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A git repository or revision that can't be read.
    #[error("{path}#{rev}: {source}")]
    Git {
        /// The repository.
        path: PathBuf,
        /// The revision.
        rev: String,
        /// What libgit2 said.
        source: git2::Error,
    },
    /// A file or folder that can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not a kernel.
    #[error("{0} is no kernel source: it has no Makefile that names a version")]
    NoKernel(String),
    /// Importing failed.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Stopped on request.
    #[error("interrupted")]
    Cancelled,
}

impl From<ReleaseError> for SourceError {
    fn from(error: ReleaseError) -> Self {
        match error {
            ReleaseError::Cancelled => Self::Cancelled,
            error => Self::Release(error),
        }
    }
}
