//! Why a scenario did not hold.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The kernel did something else than was promised.
    #[error("{0}")]
    Unmet(String),
    /// Walkers that were to race did not meet, however often it was tried.
    #[error("{0}")]
    NoRace(String),
    /// It turned out that the scenario can't run here.
    #[error("{0}")]
    Skipped(String),
    /// Something the scenario needs of the system went wrong.
    #[error("{doing}: {source}")]
    System {
        /// What was being done, to what.
        doing: String,
        /// How the kernel answered.
        source: io::Error,
    },
}

impl Failure {
    pub fn unmet(what: impl Into<String>) -> Self {
        Self::Unmet(what.into())
    }
}

/// Fails with `what` unless `held`.
pub fn ensure(held: bool, what: impl FnOnce() -> String) -> Result<(), Failure> {
    if held {
        Ok(())
    } else {
        Err(Failure::Unmet(what()))
    }
}

/// Says what was being done when a system call failed.
pub trait ResultExt<T> {
    /// Turns the error into a [`Failure`].
    fn while_doing(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> ResultExt<T> for Result<T, E> {
    fn while_doing(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|source| Failure::System {
            doing: what(),
            source: source.into(),
        })
    }
}
