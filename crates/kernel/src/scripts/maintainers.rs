//! `scripts/get_maintainer.pl` of the tree under test, on one patch.

use git2::Oid;
use results::text::printable;

use crate::build::{BuildError, Toolchain};
use crate::cache::Cache;
use crate::process::Runner;
use crate::scripts::checkpatch::Script;
use crate::store::Store;

/// The script, and what it reads of its tree.
const PARTS: [&str; 3] = [
    "scripts/get_maintainer.pl",
    "MAINTAINERS",
    ".get_maintainer.ignore",
];

/// Who gets a patch by the tree's MAINTAINERS, as addresses of mail. None where
/// the tree has no such script.
///
/// # Errors
/// A missing perl, a full disk, a tree that can't be read, a cancelled run.
pub fn of(
    store: &Store,
    cache: &Cache,
    runner: &dyn Runner,
    toolchain: &Toolchain,
    commit: Oid,
    patch: &[u8],
) -> Result<Option<Vec<String>>, BuildError> {
    // Without the tree's history, and without asking whether it is whole.
    let options = [
        "--no-tree",
        "--no-git",
        "--no-git-fallback",
        "--no-rolestats",
        "--no-fixes",
    ];
    let script = Script {
        store,
        cache,
        runner,
        toolchain,
        commit,
    };
    let mut found = Vec::new();
    let ran = script.run(&PARTS, &options, patch, &mut |row, _| {
        let row = printable(row);
        if row.contains('@') && found.len() < 1000 {
            found.push(row.trim().to_owned());
        }
    })?;
    Ok(ran.then_some(found))
}
