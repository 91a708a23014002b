//! The names that each patch of a series brings to its files.

use std::collections::BTreeSet;

use git2::{Oid, Tree};
use series::patch::{LineKind, Patch};

use crate::apply::code;
use crate::apply::patch::Applied;
use crate::store::{Store, StoreError};

/// The names that one patch brings: its C files have them, and had not before.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) all: BTreeSet<String>,
    /// Those that it declares or defines.
    pub(super) declared: BTreeSet<String>,
    /// Those that are called and used in no other way, by file.
    pub(super) called: Vec<(String, BTreeSet<String>)>,
}

impl Names {
    /// What each patch brought that was applied on `base`; nothing for those
    /// that were not.
    pub(super) fn brought(
        store: &Store,
        base: Oid,
        patches: &[Patch],
        applied: &Applied,
    ) -> Result<Vec<Self>, StoreError> {
        let mut before = tree(store, base)?;
        let mut all = Vec::new();
        for (patch, commit) in patches.iter().zip(&applied.commits) {
            let mut names = Self::default();
            if let Some(commit) = commit {
                let after = tree(store, *commit)?;
                names.read(store, patch, [&before, &after]);
                before = after;
            }
            all.push(names);
        }
        Ok(all)
    }

    fn read(&mut self, store: &Store, patch: &Patch, [before, after]: [&Tree<'_>; 2]) {
        let is_c =
            |path: &str| (path.ends_with(".c") || path.ends_with(".h")) && !is_user_space(path);
        for diff in patch.files.iter().filter(|diff| is_c(diff.path())) {
            let path = diff.path();
            let Some(new) = text(store, after, path) else {
                continue;
            };
            let old = diff.old_path.as_deref();
            let old = old.and_then(|old| text(store, before, old));
            let names = code::new_names(&new, old.as_deref().unwrap_or_default());
            self.all.extend(names.all);
            self.declared.extend(names.declared);
            if !names.called.is_empty() {
                self.called.push((path.to_owned(), names.called));
            }
        }
    }
}

/// Whether a file is none of the kernel's: what it may call, no header of the
/// kernel tells.
pub(super) fn is_user_space(path: &str) -> bool {
    const FOLDERS: [&str; 5] = ["Documentation/", "samples/", "scripts/", "tools/", "usr/"];
    FOLDERS.iter().any(|folder| path.starts_with(folder))
}

/// Whether patches add a line that names a symbol.
#[must_use]
pub fn uses(patches: &[Patch], symbol: &str) -> bool {
    let hunks = patches.iter().flat_map(|patch| &patch.files);
    let lines = hunks
        .flat_map(|file| &file.hunks)
        .flat_map(|hunk| &hunk.lines);
    let mut added = lines.filter(|line| line.kind == LineKind::Added);
    added.any(|line| code::names(&line.text).contains(symbol.as_bytes()))
}

pub(super) fn tree(store: &Store, commit: Oid) -> Result<Tree<'_>, StoreError> {
    let commit = store.repo().find_commit(commit);
    commit.and_then(|c| c.tree()).map_err(|e| store.failed(e))
}

/// A file of a tree; none where the tree has none.
pub(super) fn text(store: &Store, tree: &Tree<'_>, path: &str) -> Option<Vec<u8>> {
    let entry = tree.get_path(path.as_ref()).ok()?;
    let blob = store.repo().find_blob(entry.id()).ok()?;
    Some(blob.content().to_vec())
}
