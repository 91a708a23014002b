//! What is built: a tree, and the folder that it is laid out in.

use std::error::Error;
use std::path::{Path, PathBuf};

/// One tree to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    /// `base`, `patched`, or a commit's name.
    pub name: String,
    /// What [`Source::switch`] is given.
    pub commit: String,
    /// The id of the commit's tree.
    pub tree: String,
}

/// A source folder that holds one commit at a time.
pub trait Source {
    /// The folder: absolute, and the same one for as long as it exists.
    fn dir(&self) -> &Path;

    /// Makes the folder hold the arm's tree. Files that differ from what it
    /// holds are written with the present time, the others left alone.
    ///
    /// # Errors
    /// When it can't.
    fn switch(&mut self, arm: &Arm) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// The paths in which two trees differ, relative to the folder.
    ///
    /// # Errors
    /// When one of the trees is gone.
    fn changed(
        &mut self,
        tree: &str,
        other: &str,
    ) -> Result<Vec<PathBuf>, Box<dyn Error + Send + Sync>>;
}
