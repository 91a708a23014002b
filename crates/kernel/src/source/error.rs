//! Why there is no source.

use std::io;
use std::path::PathBuf;

use crate::error::{IoError, from_io};
use crate::source::settings::{BASE, BASE_VARIABLE, KEYRING_VARIABLE};
use crate::store::{ImportError, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Not a form of `--kernel`.
    #[error(
        "{0:?} names no kernel: write a version (6.12), debian:SUITE/VERSION, release:VERSION, git:PATH#REV, a folder or a tarball"
    )]
    Spec(String),
    /// Debian has no package of that version.
    #[error("no kernel {version} among Debian's packages{found}; {advice}")]
    Unknown {
        /// What was asked for.
        version: String,
        /// What there is instead.
        found: String,
        advice: &'static str,
    },
    #[error(
        "{0:?} names no release of Linux 3.0 or later: write release:6.17.3, release:6.17 for the newest of its line, or release:6.17.0 for the first"
    )]
    Release(String),
    /// kernel.org publishes no sums for those.
    #[error(
        "{0} is a release candidate, and kernel.org publishes no checksums for those: name a git tree that has it, git:PATH#v{0}"
    )]
    Candidate(String),
    /// Not an address to fetch from.
    #[error(
        "{BASE_VARIABLE} is {0:?}: write the https:// address of the folder that has v6.x, such as {BASE}"
    )]
    Mirror(String),
    /// Not a keyring to check signatures with.
    #[error("{KEYRING_VARIABLE} names {path}: {source}; name a keyring that gpgv reads")]
    Keyring { path: PathBuf, source: io::Error },
    /// kernel.org's list does not have the release.
    #[error("{list} names no linux-{asked}.tar.xz{newest}; name another release")]
    Unlisted {
        /// What was asked for.
        asked: String,
        /// The list's address.
        list: String,
        /// What there is instead.
        newest: String,
    },
    /// A list that can't be relied on.
    #[error("{list} has two checksums for {file}: name another mirror in {BASE_VARIABLE}")]
    Ambiguous {
        /// The list's address.
        list: String,
        file: String,
    },
    /// The list's signature is bad, absent or by somebody else.
    #[error(
        "the signature of {list} is not one by {keyring}: {said}; nothing was imported. Is it the keyring of kernel.org's checksum signer?"
    )]
    Signature {
        /// The list's address.
        list: String,
        keyring: PathBuf,
        /// What gpgv said.
        said: String,
    },
    #[error("can't fetch {url}: {said}; {}", advice(*code))]
    Fetch {
        url: String,
        /// curl's exit code.
        code: i32,
        /// What curl said.
        said: String,
    },
    /// Larger than any honest one.
    #[error(
        "{url} is larger than {} MiB, the most that is taken: name another mirror in {BASE_VARIABLE}", limit >> 20
    )]
    TooLarge {
        url: String,
        /// In bytes.
        limit: u64,
    },
    /// Not what the list says.
    #[error(
        "{url} has the SHA-256 {found}, but the list beside it says {listed}: the file was deleted and nothing of it imported. Try once more; if it stays so, name another mirror in {BASE_VARIABLE}"
    )]
    Mismatch {
        url: String,
        listed: String,
        found: String,
    },
    /// Neither Debian nor kernel.org has it.
    #[error("{debian}\nFrom kernel.org: {release}")]
    Nowhere {
        debian: Box<SourceError>,
        release: Box<SourceError>,
    },
    /// It would have to be fetched.
    #[error("kernel {0} is not imported yet and --offline forbids fetching it")]
    Offline(String),
    /// apt refused.
    #[error("{command} ended with {code}:\n{tail}")]
    Apt {
        command: String,
        code: i32,
        tail: String,
    },
    #[error("can't run {program}: {source}; `cargo xtask doctor` says how to get it")]
    Run {
        program: &'static str,
        source: io::Error,
    },
    /// A git repository or revision that can't be read.
    #[error("{path}#{rev}: {source}")]
    Git {
        path: PathBuf,
        rev: String,
        source: git2::Error,
    },
    /// A tarball that can't be read.
    #[error("{path}: {source}")]
    Archive { path: PathBuf, source: io::Error },
    #[error("{0} is no kernel source: it has no Makefile that names a version")]
    NoKernel(String),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// After [`IoError::Cancelled`] what a tarball has so far is kept.
    #[error(transparent)]
    Io(#[from] IoError),
}

from_io!(SourceError);

impl SourceError {
    /// Whether what was asked for is at fault, and not the world.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Spec(_)
            | Self::Unknown { .. }
            | Self::Release(_)
            | Self::Candidate(_)
            | Self::Mirror(_)
            | Self::Keyring { .. }
            | Self::Unlisted { .. }
            | Self::Git { .. }
            | Self::NoKernel(_) => true,
            // Either would do.
            Self::Nowhere { debian, release } => debian.is_usage() && release.is_usage(),
            _ => false,
        }
    }
}

/// What to do after an exit code of curl's.
fn advice(code: i32) -> String {
    match code {
        1 => format!("only HTTPS is taken: name another mirror in {BASE_VARIABLE}"),
        22 => format!("{BASE_VARIABLE} names another mirror"),
        23 => "is there space in the cache folder?".into(),
        35 | 60 | 77 => {
            "if it is a mirror of your own, name its CA's file in CURL_CA_BUNDLE".into()
        }
        _ => format!(
            "see to the network or the proxy (https_proxy), or name another mirror in {BASE_VARIABLE}, and run it again: it goes on where it stopped"
        ),
    }
}
