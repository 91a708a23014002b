//! What is not committed yet.

use std::path::Path;

use git2::{Delta, Oid, Repository};
use results::text::printable;
use series::{Commit, Person};

use super::{commits, text};

/// How many files are named that are left out.
const SHOWN: usize = 5;

/// What a work tree has beside its commit.
pub(super) struct Uncommitted {
    /// As one patch; none where nothing differs.
    pub(super) commit: Option<Commit>,
    /// Whether a merge is on its way.
    pub(super) unmerged: bool,
    /// Source files that git does not know.
    unknown: Vec<String>,
}

impl Uncommitted {
    /// What is left out, where something is.
    pub(super) fn left_out(&self) -> Option<String> {
        let mut text = match self.unknown.len() {
            0 => return None,
            1 => "left out, since git does not know it: ".to_owned(),
            _ => "left out, since git does not know them: ".to_owned(),
        };
        let shown = self.unknown.iter().take(SHOWN).cloned();
        text.push_str(&shown.collect::<Vec<_>>().join(", "));
        if let Some(more) = self
            .unknown
            .len()
            .checked_sub(SHOWN)
            .filter(|more| *more > 0)
        {
            text.push_str(&format!(" and {more} more"));
        }
        text.push_str(" (git add includes a file)");
        Some(text)
    }
}

/// Staged and unstaged changes of the files that git knows.
pub(super) fn read(repository: &Repository, head: Oid) -> Result<Uncommitted, git2::Error> {
    let head = repository.find_commit(head)?;
    let unmerged = repository.index()?.has_conflicts();
    let mut options = text::options();
    options
        .ignore_submodules(true)
        .include_untracked(true)
        .recurse_untracked_dirs(true);
    let diff =
        repository.diff_tree_to_workdir_with_index(Some(&head.tree()?), Some(&mut options))?;
    let (mut changed, mut unknown) = (Vec::new(), Vec::new());
    for delta in diff.deltas() {
        let path = delta.new_file().path().or(delta.old_file().path());
        let Some(path) = path else { continue };
        match delta.status() {
            Delta::Untracked if is_source(path) => unknown.push(shown(path)),
            Delta::Untracked => {}
            _ => changed.push(shown(path)),
        }
    }
    let commit = match changed.is_empty() {
        true => None,
        false => Some(Commit {
            author: Person {
                name: "not committed".to_owned(),
                email: "nobody@localhost".to_owned(),
            },
            // Not the time of day: the same content is the same kernel.
            date: commits::date(head.author().when()),
            message: subject(&changed),
            diff: text::print(diff)?,
        }),
    };
    Ok(Uncommitted {
        commit,
        unmerged,
        unknown,
    })
}

fn subject(changed: &[String]) -> String {
    match changed {
        [one] => format!("not committed: {one}"),
        [one, rest @ ..] => format!("not committed: {one} and {} more", rest.len()),
        [] => String::new(),
    }
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

/// Whether a build could use it.
fn is_source(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let known = ["c", "h", "S", "rs", "dts", "dtsi", "lds", "sh", "pl", "py"];
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| known.contains(&extension))
        || ["Kconfig", "Makefile", "Kbuild"]
            .iter()
            .any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_build_uses() {
        for (path, source) in [
            ("mm/new.c", true),
            ("mm/Kconfig.debug", true),
            ("Makefile", true),
            ("mm/oom_kill.o", false),
            ("mm/oom_kill.c.orig", false),
            (".mm.swp", false),
            ("0001-mm.patch", false),
        ] {
            assert_eq!(is_source(Path::new(path)), source, "{path}");
        }
    }

    #[test]
    fn only_some_are_named() {
        let found = |unknown: &[&str]| {
            let unknown = unknown.iter().map(ToString::to_string).collect();
            let commit = None;
            let unmerged = false;
            Uncommitted {
                commit,
                unmerged,
                unknown,
            }
            .left_out()
        };
        assert_eq!(found(&[]), None);
        insta::assert_snapshot!(found(&["a.c"]).unwrap(), @"left out, since git does not know it: a.c (git add includes a file)");
        insta::assert_snapshot!(found(&["a", "b", "c", "d", "e", "f", "g"]).unwrap(), @"left out, since git does not know them: a, b, c, d, e and 2 more (git add includes a file)");
    }
}
