//! Names that a series calls and that are nowhere to be seen: a hint, which
//! stops nobody. The compiler decides.
//!
//! Macros make names, and some headers are the compiler's, libc's or generated:
//! where such a thing may explain a name, the hint is silent.

use std::collections::BTreeSet;

use git2::{Oid, Tree, TreeEntry, TreeWalkMode, TreeWalkResult};
use regex::bytes::Regex;

use crate::apply::code::Halves;
use crate::apply::names::{Names, is_user_space, text, tree};
use crate::store::{Store, StoreError};

/// What the patches call and no header in sight of the patched tree has.
pub(super) fn looks_missing(
    store: &Store,
    patched: Oid,
    brought: &[Names],
) -> Result<BTreeSet<String>, StoreError> {
    let tree = tree(store, patched)?;
    let mut unknown = BTreeSet::new();
    let mut folders = BTreeSet::new();
    for (path, called) in brought.iter().flat_map(|names| &names.called) {
        let Some(text) = text(store, &tree, path).filter(|text| in_sight(&tree, path, text)) else {
            continue;
        };
        let halves = Halves::of(&text);
        unknown.extend(called.iter().filter(|name| !halves.explain(name)));
        folders.insert(folder(path));
    }
    for declared in brought.iter().flat_map(|names| &names.declared) {
        unknown.remove(declared);
    }
    let any: Vec<String> = unknown.iter().map(|name| regex::escape(name)).collect();
    let any = Regex::new(&format!(r"(?-u)\b(?:{})\b", any.join("|")));
    // More than can be looked for: a hint less.
    let Some(any) = any.ok().filter(|_| !unknown.is_empty()) else {
        return Ok(BTreeSet::new());
    };
    let fail = |e| store.failed(e);
    for id in headers(store, &tree, &folders).map_err(fail)? {
        if unknown.is_empty() {
            break;
        }
        let blob = store.repo().find_blob(id).map_err(fail)?;
        for found in any.find_iter(blob.content()) {
            unknown.retain(|name| name.as_bytes() != found.as_bytes());
        }
        if blob.content().windows(2).any(|two| two == b"##") {
            let halves = Halves::of(blob.content());
            unknown.retain(|name| !halves.explain(name));
        }
    }
    Ok(unknown.into_iter().cloned().collect())
}

/// The headers that any file may include by `<…>`, and those in some folders.
fn headers(
    store: &Store,
    tree: &Tree<'_>,
    folders: &BTreeSet<&str>,
) -> Result<Vec<Oid>, git2::Error> {
    let below = |path: &str| {
        let entry = tree.get_path(path.as_ref()).ok()?;
        store.repo().find_tree(entry.id()).ok()
    };
    let is_header = |entry: &TreeEntry<'_>| entry.name_bytes().ends_with(b".h");
    let mut ids = Vec::new();
    let arches = below("arch");
    let arches = arches.iter().flat_map(Tree::iter);
    let arches = arches.filter_map(|arch| Some(format!("arch/{}/include", arch.name().ok()?)));
    let public = std::iter::once("include".to_owned()).chain(arches);
    for public in public.filter_map(|path| below(&path)) {
        public.walk(TreeWalkMode::PreOrder, |_, entry| {
            ids.extend(is_header(entry).then(|| entry.id()));
            TreeWalkResult::Ok
        })?;
    }
    for beside in folders.iter().filter_map(|folder| below(folder)) {
        ids.extend(beside.iter().filter(is_header).map(|entry| entry.id()));
    }
    Ok(ids)
}

/// Whether a file is the kernel's and includes only headers that the tree has
/// where one would look first.
fn in_sight(tree: &Tree<'_>, path: &str, text: &[u8]) -> bool {
    let has = |path: String| tree.get_path(path.as_ref()).is_ok();
    !is_user_space(path)
        && text.split(|b| *b == b'\n').all(|line| match include(line) {
            Some(name) => match name.strip_prefix('"') {
                Some(beside) => has(format!("{}/{beside}", folder(path))),
                // Many of `asm` are made of `asm-generic`.
                None => {
                    name.starts_with("asm/")
                        || has(format!("include/{name}"))
                        || has(format!("include/uapi/{name}"))
                }
            },
            None => true,
        })
}

/// What a line includes; by `"…"` with the first quote.
fn include(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line).ok()?.trim().strip_prefix('#')?;
    let name = line.trim_start().strip_prefix("include")?.trim_start();
    match name.strip_prefix('<') {
        Some(name) => Some(name.split_once('>')?.0),
        None => Some(name.rsplit_once('"')?.0).filter(|name| name.starts_with('"')),
    }
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
