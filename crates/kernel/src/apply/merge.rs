//! A patch merged with the version that it was made on, as `git am -3` does.

use git2::Tree;
use series::patch::{FileDiff, Patch};

use crate::apply::files::{EXECUTABLE, FILE, Files, Placed, added, file_mode, judge, write};
use crate::apply::hunks::{Fate, Rules};
use crate::apply::known::Known;
use crate::apply::report::Verdict;
use crate::store::Store;

/// Merges what the tree has of the patch's paths with what the patch makes of
/// the versions it was made on; none where those are unknown or it conflicts.
pub(super) fn merge<'r>(
    store: &'r Store,
    known: &'r Known<'r>,
    tree: &Tree<'r>,
    patch: &Patch,
) -> Result<Option<Placed<'r>>, git2::Error> {
    if patch.files.iter().any(|diff| diff.unsupported.is_some()) {
        return Ok(None);
    }
    let repo = store.repo();
    let nothing = repo.find_tree(repo.treebuilder(None)?.write()?)?;
    let files = |tree| Files::new(store, known, tree, Rules::Author);
    let (mut files, mut base, mut ours) = (files(tree), files(&nothing), files(&nothing));
    for diff in &patch.files {
        for path in diff.old_path.iter().chain(&diff.new_path) {
            match files.before(path) {
                Some((_, mode)) if !matches!(mode, FILE | EXECUTABLE) => return Ok(None),
                Some(file) => drop(ours.changed.insert(path.clone(), Some(file))),
                None => {}
            }
        }
        let Some(old) = &diff.old_path else {
            // Two files that have only their place in common.
            if ours
                .now(diff.path())
                .is_some_and(|(text, _)| text != added(diff))
            {
                return Ok(None);
            }
            continue;
        };
        let there = ours.now(old);
        let mode = file_mode(
            diff.old_mode,
            there.as_ref().map_or(FILE, |(_, mode)| *mode),
        );
        // Without hunks there may be no blob to name.
        let unchanged = there.filter(|_| diff.hunks.is_empty());
        let Some(text) = ancestor(known, diff).or(unchanged.map(|(text, _)| text)) else {
            return Ok(None);
        };
        base.changed.insert(old.clone(), Some((text, mode)));
    }
    let base = repo.find_tree(write(repo, &base)?.0)?;
    let theirs = Placed::new(store, known, &base, patch, Rules::Author);
    if !matches!(theirs.verdict(), Verdict::Clean | Verdict::Offset) {
        return Ok(None);
    }
    let ours_tree = repo.find_tree(write(repo, &ours)?.0)?;
    let (theirs, made) = write(repo, &theirs.files)?;
    let theirs = repo.find_tree(theirs)?;
    // The author's next patch may be made on this one.
    known.add(made);
    let index = repo.merge_trees(&base, &ours_tree, &theirs, None)?;
    if index.has_conflicts() {
        return Ok(None);
    }
    for path in patch
        .files
        .iter()
        .flat_map(|diff| diff.old_path.iter().chain(&diff.new_path))
    {
        let merged = match index.get_path(path.as_ref(), 0) {
            Some(entry) => Some((repo.find_blob(entry.id)?.content().to_vec(), entry.mode)),
            None => None,
        };
        if merged != ours.now(path) {
            files.changed.insert(path.clone(), merged);
        }
    }
    let (fate, verdict) = match files.changed.is_empty() {
        true => (Fate::Already, Verdict::AlreadyApplied),
        false => (Fate::Merged, Verdict::ThreeWay),
    };
    let judged = patch
        .files
        .iter()
        .map(|diff| judge(diff, &vec![fate.clone(); diff.hunks.len()], verdict));
    let judged = judged.collect();
    Ok(Some(Placed { files, judged }))
}

/// The text the patch was made on, if it is known.
fn ancestor(known: &Known<'_>, diff: &FileDiff) -> Option<Vec<u8>> {
    known.version(diff.old_path.as_deref()?, diff.old_blob.as_deref()?)
}
