//! Why there is no source.

use std::io;
use std::path::PathBuf;

use crate::error::{IoError, from_io};
use crate::source::settings::{BASE, BASE_VARIABLE, KEYRING_VARIABLE};
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Not a form of `--kernel`.
    #[error("{0:?} does not name a kernel")]
    Spec(String),
    /// Debian has no package of that version.
    #[error("no kernel {version} among Debian's packages{found}")]
    Unknown {
        /// What was asked for.
        version: String,
        /// What there is instead.
        found: String,
        advice: &'static str,
    },
    #[error("{0:?} does not name a release of Linux 3.0 or later")]
    Release(String),
    /// kernel.org publishes no sums for those.
    #[error("{0} is a release candidate, and kernel.org publishes no checksums for those")]
    Candidate(String),
    /// Not an address to fetch from.
    #[error("{BASE_VARIABLE} is {0:?}, which is not a mirror's address")]
    Mirror(String),
    /// Not a keyring to check signatures with.
    #[error("{KEYRING_VARIABLE} names {path}: {source}")]
    Keyring { path: PathBuf, source: io::Error },
    /// kernel.org's list does not have the release.
    #[error("{list} has no linux-{asked}.tar.xz{newest}")]
    Unlisted {
        /// What was asked for.
        asked: String,
        /// The list's address.
        list: String,
        /// What there is instead.
        newest: String,
    },
    /// A list that can't be relied on.
    #[error("{list} has two checksums for {file}")]
    Ambiguous {
        /// The list's address.
        list: String,
        file: String,
    },
    /// The list's signature is bad, absent or by somebody else.
    #[error("the signature of {list} is not one by {keyring}: {said}; nothing was imported")]
    Signature {
        /// The list's address.
        list: String,
        keyring: PathBuf,
        /// What gpgv said.
        said: String,
    },
    #[error("can't fetch {url}: {said}")]
    Fetch {
        url: String,
        /// curl's exit code.
        code: i32,
        /// What curl said.
        said: String,
    },
    /// Larger than any honest one.
    #[error("{url} is larger than {} MiB, the most that is allowed", limit >> 20)]
    TooLarge {
        url: String,
        /// In bytes.
        limit: u64,
    },
    /// Not what the list says.
    #[error(
        "{url} has the SHA-256 {found}, but the list beside it says {listed}; it was deleted, and nothing of it was imported"
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
    #[error("kernel {0} is not imported yet, and nothing may be fetched")]
    Offline(String),
    /// apt refused.
    #[error("{command} ended with {code}:\n{tail}")]
    Apt {
        command: String,
        code: i32,
        tail: String,
    },
    #[error("can't run {program}: {source}")]
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
    #[error("{0} is not a kernel's source: it has no Makefile that names a version")]
    NoKernel(String),
    #[error(transparent)]
    Store(StoreError),
    /// After [`IoError::Cancelled`] what a tarball has so far is kept.
    #[error(transparent)]
    Io(#[from] IoError),
}

from_io!(SourceError);

impl From<StoreError> for SourceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io(error) => Self::Io(error),
            error => Self::Store(error),
        }
    }
}

impl SourceError {
    /// What can be done about it.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        let advice = match self {
            Self::Spec(_) => "give a version (6.12), debian:SUITE/VERSION, release:VERSION, \
                              git:PATH#REV, a folder or a tarball"
                .to_owned(),
            Self::Unknown { advice, .. } => (*advice).to_owned(),
            Self::Release(_) => "give release:6.17.3, release:6.17 for the newest of its line, or \
                                 release:6.17.0 for the first"
                .to_owned(),
            Self::Candidate(version) => {
                format!("give a git repository that has it: git:PATH#v{version}")
            }
            Self::Mirror(_) => format!(
                "set it to the https:// address of the folder that has v6.x, such as {BASE}"
            ),
            Self::Keyring { .. } => "set it to a keyring that gpgv can read".to_owned(),
            Self::Signature { .. } => format!(
                "check that {KEYRING_VARIABLE} is the keyring of kernel.org's checksum signer"
            ),
            Self::Fetch { code, .. } => after_curl(*code),
            Self::Ambiguous { .. } | Self::TooLarge { .. } => another_mirror(),
            Self::Mismatch { .. } => format!("try once more; if it persists, {}", another_mirror()),
            Self::Nowhere { debian, release } => {
                return [debian.hints(), release.hints()].concat();
            }
            _ => return Vec::new(),
        };
        vec![advice]
    }

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
fn after_curl(code: i32) -> String {
    match code {
        1 => format!("only HTTPS is allowed: {}", another_mirror()),
        22 => another_mirror(),
        23 => "check that the cache folder has space".into(),
        35 | 60 | 77 => "for a mirror of your own, set CURL_CA_BUNDLE to the file of its CA".into(),
        _ => format!(
            "check the network and the proxy (https_proxy), or {}; the same command continues the \
             download",
            another_mirror()
        ),
    }
}

fn another_mirror() -> String {
    format!("set {BASE_VARIABLE} to another mirror")
}
