//! What builds kernels, and what each step of it needs.

use std::path::{Path, PathBuf};

use crate::build::kconfig::{Request, overlay};
use crate::build::toolchain::Toolchain;
use crate::cache::{Cache, Lock, Mode, hash};
use crate::error::IoError;
use crate::process::Runner;

/// What builds kernels, or finds them built.
pub struct Builder<'a> {
    pub cache: &'a Cache,
    pub runner: &'a dyn Runner,
    pub toolchain: &'a Toolchain,
    /// The merged fragments.
    pub requests: &'a [Request],
    /// Source folders of modules to build with each kernel, with a `Kbuild`
    /// each. A kernel without `CONFIG_MODULES` is built without.
    pub modules: &'a [PathBuf],
    /// Keep each kernel's objects to start others from (about 250 MB each);
    /// else only the next build can start from them.
    pub keep_objects: bool,
}

/// Progress on one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// Another command builds this kernel or uses this source: waiting for it.
    Waiting,
    /// The configuration is being resolved.
    Configuring,
    /// The source folder and the objects to start from are being laid out.
    Preparing,
    Started {
        /// How many files it will compile, as far as that is known.
        total: Option<u32>,
    },
    Object {
        done: u32,
        /// As in [`Started`](Self::Started), never below `done`.
        total: Option<u32>,
        name: &'a str,
    },
    Ready {
        /// Whether it was there before.
        cached: bool,
    },
}

impl Builder<'_> {
    pub(super) fn lock(
        &self,
        path: &Path,
        mode: Mode,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Lock, IoError> {
        let cancelled = || self.runner.cancelled();
        self.cache
            .lock(path, mode, &cancelled, &mut || on_event(Event::Waiting))
    }

    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.cache
            .root()
            .join("logs")
            .join(name)
            .with_extension("log")
    }

    pub(super) fn requests_hash(&self) -> String {
        hash([overlay("", self.requests)])
    }
}
