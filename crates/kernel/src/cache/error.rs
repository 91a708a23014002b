//! Why there is no cache.

use std::path::PathBuf;

use crate::error::{IoError, from_io};

#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// No place for a cache folder is known.
    #[error("no cache folder: set HOME, XDG_CACHE_HOME or REAPERLAB_CACHE")]
    NoPlace,
    /// A path that kernel makefiles do not support.
    #[error(
        "the cache folder {0} has a space, a colon or another character that kernel makefiles do not support; set REAPERLAB_CACHE to another"
    )]
    Unfit(PathBuf),
    #[error(transparent)]
    Io(#[from] IoError),
}

from_io!(CacheError);
