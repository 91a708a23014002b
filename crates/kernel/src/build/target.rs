//! What is built: a tree, and the folder that it is laid out in.

use std::path::{Path, PathBuf};

use git2::Oid;

use crate::store::{Store, StoreError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What messages call it: `base`, `patched`, or a patch's number.
    pub name: String,
    pub commit: Oid,
    pub tree: Oid,
}

impl Target {
    /// # Errors
    /// When the store has no such commit.
    pub fn of(store: &Store, name: &str, commit: Oid) -> Result<Self, StoreError> {
        let found = store.repo().find_commit(commit);
        Ok(Self {
            name: name.to_owned(),
            commit,
            tree: found.map_err(|e| store.failed(e))?.tree_id(),
        })
    }
}

/// A source folder that holds one commit at a time.
pub trait Source {
    /// The folder: absolute, and the same one for as long as it exists.
    fn dir(&self) -> &Path;

    /// Makes the folder hold the target's tree. The files' time stamps are the
    /// builder's to set.
    ///
    /// # Errors
    /// When it can't.
    fn switch(&mut self, target: &Target) -> Result<(), StoreError>;

    /// The paths in which two trees differ, relative to the folder.
    ///
    /// # Errors
    /// When one of the trees is gone.
    fn changed(&mut self, tree: Oid, other: Oid) -> Result<Vec<PathBuf>, StoreError>;
}
