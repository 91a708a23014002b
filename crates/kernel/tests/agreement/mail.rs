//! Trees, and the mail that leads from one to another.

use std::collections::BTreeMap;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository, Signature, Time};

use crate::lab::Lab;

/// A tree: its files by path, with content and whether they are executable.
pub type Files = BTreeMap<String, (Vec<u8>, bool)>;

/// A patch as it was sent.
pub struct Mail {
    pub text: Vec<u8>,
    /// The folder of the author's objects.
    pub objects: String,
    /// The commit that it was made on.
    pub base: Oid,
    _author: Lab,
}

impl Mail {
    pub fn new(base: &Files, patched: &Files, context: usize) -> Self {
        let author = Lab::new();
        let repo = Repository::open(author.work()).unwrap();
        let base = commit(&repo, base, "base", &[]);
        let message =
            "mm: change\n\nWhat it is for.\n\nSigned-off-by: A U Thor <author@example.org>\n";
        let change = commit(&repo, patched, message, &[base]).to_string();
        let context = format!("-U{context}");
        let args = [
            "format-patch",
            "-1",
            "--stdout",
            "-M",
            "-C",
            "--find-copies-harder",
            &context,
            &change,
        ];
        Self {
            text: author.run("git", &args, b"").stdout,
            base,
            objects: author.work().join(".git/objects").display().to_string(),
            _author: author,
        }
    }
}

/// Commits a tree of these files, and one beside them: no tree is empty.
pub fn commit(repo: &Repository, files: &Files, message: &str, parents: &[Oid]) -> Oid {
    let mut update = TreeUpdateBuilder::new();
    update.upsert("README", repo.blob(b"A tree.\n").unwrap(), FileMode::Blob);
    for (path, (text, executable)) in files {
        let mode = match executable {
            true => FileMode::BlobExecutable,
            false => FileMode::Blob,
        };
        update.upsert(path.as_str(), repo.blob(text).unwrap(), mode);
    }
    let nothing = repo.treebuilder(None).unwrap().write().unwrap();
    let nothing = repo.find_tree(nothing).unwrap();
    let tree = update.create_updated(repo, &nothing).unwrap();
    let tree = repo.find_tree(tree).unwrap();
    let who = Signature::new(
        "A U Thor",
        "author@example.org",
        &Time::new(1_700_000_000, 120),
    )
    .unwrap();
    let parents: Vec<_> = parents
        .iter()
        .map(|id| repo.find_commit(*id).unwrap())
        .collect();
    let parents: Vec<_> = parents.iter().collect();
    repo.commit(None, &who, &who, message, &tree, &parents)
        .unwrap()
}
