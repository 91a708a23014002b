//! The versions of files that a merge may begin from, and proof that a file once
//! was there: what the kernel has and has had, and what this input made of it.
//! What other runs left in the store is never asked.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};

use git2::{Oid, Tree};

use crate::store::Store;

/// Shorter ids name too many blobs.
const SHORTEST: usize = 7;

/// What an application may know of a kernel.
pub(super) struct Known<'s> {
    store: &'s Store,
    base: Oid,
    chain: OnceCell<Chain>,
    made: RefCell<HashMap<String, Vec<Oid>>>,
}

/// The commits from a base down to its kernel.
#[derive(Default)]
struct Chain {
    trees: Vec<Oid>,
    kernel: Option<Oid>,
}

impl<'s> Known<'s> {
    /// Of a commit and what it was made from.
    pub(super) fn new(store: &'s Store, base: Oid) -> Self {
        Self {
            store,
            base,
            chain: OnceCell::new(),
            made: RefCell::default(),
        }
    }

    /// Takes files that this input made.
    pub(super) fn add(&self, files: Vec<(String, Oid)>) {
        let mut made = self.made.borrow_mut();
        for (path, id) in files {
            made.entry(path).or_default().push(id);
        }
    }

    /// The tree that the application began with.
    pub(super) fn base(&self) -> Option<Tree<'s>> {
        let tree = self.chain().trees.first()?;
        self.store.repo().find_tree(*tree).ok()
    }

    /// A file's version by its (abbreviated) blob id; none when unknown or
    /// ambiguous.
    pub(super) fn version(&self, path: &str, id: &str) -> Option<Vec<u8>> {
        let id = (id.len() >= SHORTEST).then(|| id.to_ascii_lowercase())?;
        let mut named = self.here(path);
        named.retain(|known| known.to_string().starts_with(&id));
        let mut named = named.into_iter();
        match (named.next(), named.next()) {
            (Some(one), None) => {
                let blob = self.store.repo().find_blob(one).ok()?;
                Some(blob.content().to_vec())
            }
            (None, _) => self.store.lent_version(self.chain().kernel?, path, &id),
            _ => None,
        }
    }

    /// Whether there ever was such a file.
    pub(super) fn had(&self, path: &str) -> bool {
        let lent = |kernel| self.store.lent_file(kernel, path);
        !self.here(path).is_empty() || self.chain().kernel.is_some_and(lent)
    }

    /// The blobs of a path in the chain, and those made.
    fn here(&self, path: &str) -> BTreeSet<Oid> {
        let repo = self.store.repo();
        let in_tree = |tree: &Oid| {
            let entry = repo.find_tree(*tree).ok()?.get_path(path.as_ref()).ok()?;
            Some(entry.id())
        };
        let made = self.made.borrow();
        let made = made.get(path).into_iter().flatten().copied();
        made.chain(self.chain().trees.iter().filter_map(in_tree))
            .collect()
    }

    fn chain(&self) -> &Chain {
        self.chain.get_or_init(|| {
            let mut chain = Chain::default();
            let mut next = self.store.repo().find_commit(self.base).ok();
            while let Some(commit) = next {
                chain.trees.push(commit.tree_id());
                chain.kernel = Some(commit.id());
                next = commit.parent(0).ok();
            }
            chain.trees.dedup();
            chain
        })
    }
}
