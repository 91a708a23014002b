//! What can stop any work on files.

use std::io;

/// Why work on files, or a wait for a lock, came to no end.
#[derive(Debug, thiserror::Error)]
pub enum IoError {
    /// The device or the quota is full.
    #[error("no space left: {0}")]
    NoSpace(String),
    #[error("interrupted")]
    Cancelled,
    #[error(transparent)]
    Other(io::Error),
}

impl From<io::Error> for IoError {
    /// [`io::ErrorKind::Interrupted`] is what a cancelled
    /// [`Runner`](crate::process::Runner) returns.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::NoSpace(error.to_string())
            }
            io::ErrorKind::Interrupted => Self::Cancelled,
            _ => Self::Other(error),
        }
    }
}

/// Lets `?` turn an I/O error into an enum that has a variant `Io(IoError)`.
macro_rules! from_io {
    ($($error:ty),+) => {
        $(impl From<std::io::Error> for $error {
            fn from(error: std::io::Error) -> Self {
                Self::Io(error.into())
            }
        })+
    };
}
pub(crate) use from_io;
