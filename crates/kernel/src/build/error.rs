//! Why there is no kernel.

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::build::diagnose::Cause;
use crate::build::kconfig::ConfigError;
use crate::build::target::Arm;
use crate::cache::CacheError;

pub(crate) type Result<T, E = BuildError> = std::result::Result<T, E>;

/// Why there is no kernel.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The configuration can't be had.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The cache can't do it.
    #[error(transparent)]
    Cache(CacheError),
    /// The source folder can't be made to hold the arm.
    #[error("can't lay out the source of {arm}: {source}")]
    Source {
        /// The arm's name.
        arm: String,
        /// The reason.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file doesn't compile, or the kernel or a module doesn't link.
    #[error("{arm} does not build: {cause}\nthe whole log: {log}", log = log.display())]
    Failed {
        /// The arm's name, behind the module's folder if it is one.
        arm: String,
        /// The first error.
        cause: Box<Cause>,
        /// All that make said.
        log: PathBuf,
    },
    /// A tool of the host is missing.
    #[error("building kernels needs `{tool}`, which is missing{}", advice(.package))]
    Tool {
        /// Its name.
        tool: String,
        /// The Debian package that has it, where known.
        package: Option<&'static str>,
    },
    /// The device is full.
    #[error("no space left for {path}: free some, or run `cargo xtask cache prune`")]
    NoSpace {
        /// What was to be written.
        path: PathBuf,
    },
    /// Stopped. The next build goes on where this one was.
    #[error("interrupted")]
    Cancelled,
}

fn advice(package: &Option<&str>) -> String {
    package.map_or(String::new(), |package| {
        format!("; install the package {package}")
    })
}

impl From<CacheError> for BuildError {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::NoSpace { path } => Self::NoSpace { path },
            CacheError::Cancelled => Self::Cancelled,
            error => Self::Cache(error),
        }
    }
}

pub(super) fn unsourced(arm: &Arm, source: Box<dyn Error + Send + Sync>) -> BuildError {
    BuildError::Source {
        arm: arm.name.clone(),
        source,
    }
}

/// Whether an error goes back to a full disk.
pub(super) fn out_of_space(error: &(dyn Error + 'static)) -> bool {
    let full = |kind| {
        matches!(
            kind,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    };
    let here = error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| full(error.kind()));
    here || error.source().is_some_and(out_of_space)
}

/// Whether a folder takes no more.
pub(super) fn full(folder: &Path) -> bool {
    let probe = tempfile::tempfile_in(folder).and_then(|mut file| file.write_all(&[1; 1 << 20]));
    probe.is_err_and(|error| out_of_space(&error))
}
