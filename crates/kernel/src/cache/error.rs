//! Why there is no cache.

use std::path::PathBuf;

use crate::error::{IoError, from_io};

#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// No place for a cache folder is known.
    #[error("no place for the cache folder is known")]
    NoPlace,
    /// A path that kernel makefiles do not support.
    #[error(
        "the cache folder {0} has a space, a colon or another character that kernel makefiles do not support"
    )]
    Unfit(PathBuf),
    #[error(transparent)]
    Io(#[from] IoError),
}

from_io!(CacheError);
