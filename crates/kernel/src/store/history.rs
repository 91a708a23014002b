//! One file in a repository's history, followed as `git log -- FILE` does.

use std::collections::HashSet;

use git2::{ErrorCode, ObjectType, Oid, Repository, Tree};

/// Where a kernel's own history is: a repository of the user's, and the commit.
pub(super) struct History {
    pub(super) repo: Repository,
    pub(super) commit: Oid,
}

impl History {
    /// The blob that a path once had, by its abbreviated id.
    pub(super) fn version(&self, path: &str, id: &str) -> Option<Vec<u8>> {
        // The repository holds more than this history; what it does not hold is
        // not worth a walk.
        let object = self.repo.find_object_by_prefix(id, Some(ObjectType::Blob));
        if object.is_err_and(|error| error.code() == ErrorCode::NotFound) {
            return None;
        }
        let found = self.find(path, |blob| blob.to_string().starts_with(id))?;
        let blob = self.repo.find_blob(found).ok()?;
        Some(blob.content().to_vec())
    }

    /// Whether there ever was such a file.
    pub(super) fn has(&self, path: &str) -> bool {
        self.find(path, |_| true).is_some()
    }

    /// The first blob of a path that is wanted, from the newest back. Of a merge
    /// only the side is followed that the path was taken from, if it was.
    fn find(&self, path: &str, wanted: impl Fn(Oid) -> bool) -> Option<Oid> {
        let parts: Vec<&str> = path.split('/').collect();
        let (mut pending, mut seen) = (vec![self.commit], HashSet::from([self.commit]));
        while let Some(id) = pending.pop() {
            // A shallow clone ends somewhere.
            let Ok(commit) = self.repo.find_commit(id) else {
                continue;
            };
            let Ok(tree) = commit.tree() else { continue };
            if let Some(blob) = self.at(&tree, &parts).filter(|blob| wanted(*blob)) {
                return Some(blob);
            }
            let same = commit.parents().find(|parent| {
                let other = parent.tree();
                other.is_ok_and(|other| self.same(&tree, &other, &parts))
            });
            let next: Vec<Oid> = match same {
                Some(parent) => vec![parent.id()],
                None => commit.parent_ids().collect(),
            };
            pending.extend(next.into_iter().rev().filter(|id| seen.insert(*id)));
        }
        None
    }

    fn at(&self, tree: &Tree<'_>, parts: &[&str]) -> Option<Oid> {
        let (first, rest) = parts.split_first()?;
        let id = tree.get_name(first)?.id();
        match rest.is_empty() {
            true => Some(id),
            false => self.at(&self.repo.find_tree(id).ok()?, rest),
        }
    }

    /// Whether two trees have the same at a path; folders that are the same are
    /// not read.
    fn same(&self, one: &Tree<'_>, other: &Tree<'_>, parts: &[&str]) -> bool {
        let Some((first, rest)) = parts.split_first() else {
            return true;
        };
        let id = |tree: &Tree<'_>| tree.get_name(first).map(|entry| entry.id());
        let below = |id: Option<Oid>| id.and_then(|id| self.repo.find_tree(id).ok());
        match (id(one), id(other)) {
            (one, other) if one == other => true,
            _ if rest.is_empty() => false,
            (one, other) => match (below(one), below(other)) {
                (Some(one), Some(other)) => self.same(&one, &other, rest),
                (Some(only), None) | (None, Some(only)) => self.at(&only, rest).is_none(),
                (None, None) => true,
            },
        }
    }
}
