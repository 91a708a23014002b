//! Why there is no kernel.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::build::diagnose::Cause;
use crate::build::kconfig::ConfigError;
use crate::error::{IoError, from_io};
use crate::store::StoreError;

pub(crate) type Result<T, E = BuildError> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The source can't be laid out.
    #[error(transparent)]
    Source(StoreError),
    /// A file doesn't compile, or the kernel or a module doesn't link.
    #[error("{what} does not build: {cause}\nthe whole log: {log}", log = log.display())]
    Failed {
        /// The target's name, behind the module's folder if it is one.
        what: String,
        cause: Box<Cause>,
        /// All that make said.
        log: PathBuf,
    },
    /// A tool of the host is missing.
    #[error("building kernels needs `{tool}`, which is missing")]
    Tool {
        tool: String,
        /// The Debian package that has it, where known.
        package: Option<&'static str>,
    },
    /// After [`IoError::Cancelled`] the next build goes on where this one was.
    #[error(transparent)]
    Io(#[from] IoError),
}

from_io!(BuildError);

impl From<StoreError> for BuildError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io(error) => Self::Io(error),
            error => Self::Source(error),
        }
    }
}

impl BuildError {
    pub(super) fn no_space(path: &Path) -> Self {
        IoError::NoSpace(path.display().to_string()).into()
    }

    pub(crate) fn cancelled() -> Self {
        IoError::Cancelled.into()
    }
}

/// Whether a folder takes no more.
pub(super) fn full(folder: &Path) -> bool {
    let probe = tempfile::tempfile_in(folder).and_then(|mut file| file.write_all(&[1; 1 << 20]));
    probe.is_err_and(|error| matches!(error.into(), IoError::NoSpace(_)))
}
