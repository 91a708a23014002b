//! Why the cache can't do it.

use std::io;
use std::path::{Path, PathBuf};

/// Why the cache can't do it.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// No place for a cache folder is known.
    #[error("no cache folder: set HOME, XDG_CACHE_HOME or REAPERLAB_CACHE")]
    NoPlace,
    /// A path that kernel makefiles can't stand.
    #[error(
        "the cache folder {0} has a space, a colon or another character that kernel makefiles can't stand; set REAPERLAB_CACHE to another"
    )]
    Unfit(PathBuf),
    /// The device is full.
    #[error("no space left for {path}: free some, or run `cargo xtask cache prune`")]
    NoSpace {
        /// What was to be written.
        path: PathBuf,
    },
    /// A file operation failed.
    #[error("can't {what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Stopped while it waited for another command.
    #[error("interrupted")]
    Cancelled,
}

/// Turns an I/O error on `path` into a [`CacheError`].
pub(crate) fn failed<'a>(
    what: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> CacheError + use<'a> {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            CacheError::NoSpace { path: path.into() }
        }
        _ => CacheError::Io {
            what,
            path: path.into(),
            source,
        },
    }
}
