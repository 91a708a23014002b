//! What can go wrong before a guest ends by itself.

use std::io;
use std::path::PathBuf;

/// Why a guest could not be started or watched to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// virtme-ng is neither in the private folder nor in `PATH`.
    #[error(
        "virtme-ng is missing: no `virtme-run` and `vng` in {} or in PATH",
        private.as_ref().map_or_else(|| "a private environment".into(), |dir| dir.display().to_string())
    )]
    NoVirtme {
        /// The private virtual environment that was looked at.
        private: Option<PathBuf>,
    },
    /// QEMU is not in `PATH`.
    #[error("`{program}` is missing from PATH")]
    NoQemu {
        program: &'static str,
        package: &'static str,
    },
    /// A tool could not be run or failed.
    #[error("`{}` {why}", program.display())]
    Tool {
        program: PathBuf,
        /// What it did, with its last words.
        why: String,
    },
    /// virtme-ng answered something other than a QEMU command for the kernel.
    #[error(
        "`{}` did not print a QEMU command that boots {} but: {answer:?}",
        program.display(), image.display()
    )]
    NotComposed {
        program: PathBuf,
        image: PathBuf,
        /// The beginning of what it printed.
        answer: String,
    },
    /// A file the guest boots from can't be read.
    #[error("can't boot from {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// KVM was asked for and can't run a guest here.
    #[error("KVM can't run a guest here: {why}")]
    KvmUnusable { why: String },
    /// The console could not be written down.
    #[error("can't write the guest's console: {0}; the guest was ended")]
    Console(#[source] io::Error),
    /// What was found out about the accelerator could not be written down.
    #[error("can't remember the accelerator in {}: {source}", path.display())]
    State { path: PathBuf, source: io::Error },
    /// A system call failed that a healthy host grants.
    #[error("can't {what}: {source}")]
    System {
        what: &'static str,
        source: io::Error,
    },
    /// The token was cancelled before a guest ran.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
