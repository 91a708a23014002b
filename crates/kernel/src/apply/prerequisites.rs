//! What both arms get beside the series.

use std::collections::BTreeSet;
use std::slice;

use git2::Oid;
use series::patch::Patch;

use crate::apply::code;
use crate::apply::names::{Names, text, tree};
use crate::apply::patch::{ApplyError, apply, unfit};
use crate::apply::report::Verdict;
use crate::store::{Store, StoreError};

/// A patch that both arms get where a tree lacks a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prerequisite {
    pub symbol: String,
    /// The patch that provides it.
    pub patch: Patch,
}

/// The symbols of prerequisites that patches need on a tree: they use them,
/// and neither they nor the tree have them.
pub(super) fn needed(
    store: &Store,
    commit: Oid,
    brought: &[Names],
    prerequisites: &[Prerequisite],
) -> Result<BTreeSet<String>, StoreError> {
    let tree = tree(store, commit)?;
    let used = |symbol: &str| {
        let mut declared = brought.iter().map(|names| &names.declared);
        brought.iter().any(|names| names.all.contains(symbol))
            && !declared.any(|names| names.contains(symbol))
    };
    // A tree that has a symbol has it where the prerequisite would put it.
    let lacks = |symbol: &str| {
        let providers = prerequisites.iter().filter(|p| p.symbol == symbol);
        let mut files = providers.flat_map(|p| &p.patch.files);
        !files.any(|diff| {
            text(store, &tree, diff.path())
                .is_some_and(|text| code::names(&text).contains(symbol.as_bytes()))
        })
    };
    let symbols = prerequisites.iter().map(|p| &p.symbol);
    let needed = symbols.filter(|symbol| used(symbol) && lacks(symbol));
    Ok(needed.cloned().collect())
}

/// Applies the prerequisites that provide what is missing, and what they need
/// in turn. Returns the last commit and the subjects of what was applied.
pub(super) fn provide(
    store: &Store,
    mut commit: Oid,
    missing: &BTreeSet<String>,
    prerequisites: &[Prerequisite],
) -> Result<(Oid, Vec<String>), ApplyError> {
    let mut wanted = missing.clone();
    // What a prerequisite needs itself, found by trying them alone.
    loop {
        let chosen = prerequisites.iter().filter(|p| wanted.contains(&p.symbol));
        let alone: Vec<Patch> = chosen.map(|p| p.patch.clone()).collect();
        let applied = apply(store, commit, &alone)?;
        let brought = Names::brought(store, commit, &alone, &applied)?;
        let before = wanted.len();
        wanted.extend(needed(store, commit, &brought, prerequisites)?);
        if wanted.len() == before {
            break;
        }
    }
    let mut used = Vec::new();
    for prerequisite in prerequisites.iter().filter(|p| wanted.contains(&p.symbol)) {
        let applied = apply(store, commit, slice::from_ref(&prerequisite.patch))?;
        match applied.verdict {
            Verdict::Conflict => return Err(unfit("the prerequisite", &applied)),
            // One patch may provide several symbols and be listed for each.
            Verdict::AlreadyApplied => continue,
            _ => {}
        }
        commit = applied.commit;
        used.push(prerequisite.patch.subject.clone());
    }
    Ok((commit, used))
}
