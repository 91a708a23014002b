//! What a patch calls and its tree lacks.

use std::collections::{BTreeSet, HashSet};

use git2::Oid;
use series::patch::{LineKind, Patch};

use crate::apply::files::Files;
use crate::store::symbols::{self, Symbols};
use crate::store::{Store, StoreError};

/// The names that are known between two patches.
pub(super) struct Names {
    symbols: Symbols,
    /// Names that earlier patches brought.
    defined: HashSet<String>,
}

impl Names {
    pub(super) fn of_commit(store: &Store, commit: Oid) -> Result<Self, StoreError> {
        Ok(Self {
            symbols: Symbols::of_commit(store, commit)?,
            defined: HashSet::new(),
        })
    }

    /// What the patch calls and nothing in sight provides.
    pub(super) fn missing(&mut self, files: &Files<'_>, patch: &Patch) -> BTreeSet<String> {
        let mut calls = BTreeSet::new();
        for diff in patch.files.iter().filter(|diff| is_c(diff.path())) {
            let Some((new, _)) = files.now(diff.path()) else {
                continue;
            };
            let old = diff.old_path.as_deref().and_then(|path| files.before(path));
            let added: HashSet<&[u8]> = diff
                .hunks
                .iter()
                .flat_map(|hunk| &hunk.lines)
                .filter(|line| line.kind == LineKind::Added)
                .map(|line| line.text.trim_ascii_end())
                .collect();
            let chosen: Vec<bool> = new
                .split(|b| *b == b'\n')
                .map(|line| added.contains(line.trim_ascii_end()))
                .collect();
            let old = old.map(|(text, _)| text).unwrap_or_default();
            let names = symbols::new_names(&new, |at| chosen.get(at) == Some(&true), &old);
            self.defined
                .extend(names.defined.into_iter().map(str::to_owned));
            let unknown = names
                .called
                .into_iter()
                .filter(|name| !self.symbols.knows(name));
            let mut unknown: BTreeSet<String> = unknown.map(str::to_owned).collect();
            if !unknown.is_empty() {
                let folder = diff
                    .path()
                    .rsplit_once('/')
                    .map_or("", |(folder, _)| folder);
                explain_by_includes(files, folder, &new, &mut unknown);
            }
            calls.extend(unknown);
        }
        calls.retain(|name| !self.defined.contains(name));
        calls
    }
}

fn is_c(path: &str) -> bool {
    path.ends_with(".c") || path.ends_with(".h")
}

/// Takes out what the headers beside a file use, whatever they include by
/// `"…"` in turn.
fn explain_by_includes(
    files: &Files<'_>,
    folder: &str,
    text: &[u8],
    unknown: &mut BTreeSet<String>,
) {
    const MAX_HEADERS: usize = 200;
    let mut seen = HashSet::new();
    let mut queue: Vec<String> = headers(folder, text);
    while let Some(path) = queue.pop() {
        if unknown.is_empty() || seen.len() == MAX_HEADERS {
            return;
        }
        if !seen.insert(path.clone()) {
            continue;
        }
        let Some((header, _)) = files.now(&path) else {
            continue;
        };
        let names = symbols::names(&header);
        unknown.retain(|name| !names.contains(name.as_bytes()));
        queue.extend(headers(
            path.rsplit_once('/').map_or("", |(folder, _)| folder),
            &header,
        ));
    }
}

fn headers(folder: &str, text: &[u8]) -> Vec<String> {
    symbols::quoted_includes(text)
        .filter_map(|name| join(folder, name))
        .collect()
}

/// A relative path from a folder, without `..`; none when it leaves the tree.
fn join(folder: &str, name: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
