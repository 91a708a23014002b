//! The kernel's own repository: what it knows of commits, and what its
//! scripts say of patches.

use std::path::Path;

use git2::{ErrorCode, Oid, Repository};
use kernel::build::Toolchain;
use kernel::cache::Cache;
use kernel::scripts::{checkpatch, maintainers};
use kernel::store::Store;
use series::Person;
use series::patch::{Patch, format};
use series::review::lint::{Finding, Lookup, Severity};
use vm::process::Cancel;

use crate::exit::{Classify, Kind, Result};
use crate::job::Programs;
use crate::kernels;

/// A kernel's repository, at what it has checked out.
pub struct Tree {
    repo: Repository,
    store: Store,
    cache: Cache,
    programs: Programs,
    head: Oid,
}

impl Tree {
    /// Opens the repository at or above a path.
    pub fn open(path: &Path, cancel: &Cancel) -> Result<Self> {
        let repo = Repository::discover(path)
            .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
            .kind(Kind::Usage)?;
        let head = (repo.head().and_then(|head| head.peel_to_commit()))
            .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
            .kind(Kind::Usage)?
            .id();
        let root = Cache::default_root().kind(Kind::Infrastructure)?;
        Ok(Self {
            repo,
            store: Store::of(path).kind(Kind::Usage)?,
            cache: Cache::open(&root).kind(Kind::Infrastructure)?,
            programs: Programs::new(cancel),
            head,
        })
    }

    /// Whether it has the history that a Fixes tag names: a shallow clone and
    /// an imported tree have not.
    pub fn has_history(&self) -> bool {
        let head = self.repo.find_commit(self.head);
        !self.repo.is_shallow() && head.is_ok_and(|head| head.parent_count() > 0)
    }

    /// What an abbreviated id stands for.
    pub fn commit(&self, id: &str) -> Lookup {
        match self.repo.find_commit_by_prefix(id) {
            Ok(commit) => match commit.summary() {
                Ok(Some(summary)) => Lookup::One(summary.to_owned()),
                _ => Lookup::None,
            },
            Err(error) if error.code() == ErrorCode::Ambiguous => Lookup::Several,
            Err(_) => Lookup::None,
        }
    }

    /// What the tree's checkpatch.pl says. None where the tree has none.
    pub fn checkpatch(&self, patches: &[Patch]) -> Result<Option<Vec<Finding>>> {
        let toolchain = Toolchain::default();
        let mut all = Vec::new();
        for patch in patches {
            let mail = format::patch(patch);
            let found = checkpatch::check(
                &self.store,
                &self.cache,
                &self.programs,
                &toolchain,
                self.head,
                &mail,
            );
            let Some(found) = found.map_err(kernels::classify)? else {
                return Ok(None);
            };
            all.extend(found.into_iter().map(|one| of_script(patch, one)));
        }
        Ok(Some(all))
    }

    /// Whom the tree's get_maintainer.pl names for the patches, each once. None
    /// where the tree has none.
    pub fn maintainers(&self, patches: &[Patch]) -> Result<Option<Vec<Person>>> {
        let toolchain = Toolchain::default();
        let mut all: Vec<Person> = Vec::new();
        for patch in patches {
            let mail = format::patch(patch);
            let found = maintainers::of(
                &self.store,
                &self.cache,
                &self.programs,
                &toolchain,
                self.head,
                &mail,
            );
            let Some(found) = found.map_err(kernels::classify)? else {
                return Ok(None);
            };
            for one in found.iter().map(|row| address(row)) {
                if !all.contains(&one) {
                    all.push(one);
                }
            }
        }
        Ok(Some(all))
    }
}

/// `Name <address>`, or an address alone.
fn address(row: &str) -> Person {
    let row = row.trim();
    let (name, email) = match row.split_once('<') {
        Some((name, rest)) => (name.trim().trim_matches('"'), rest.trim_end_matches('>')),
        None => (row, row),
    };
    Person {
        name: if name.is_empty() { email } else { name }.to_owned(),
        email: email.to_owned(),
    }
}

fn of_script(patch: &Patch, one: checkpatch::Finding) -> Finding {
    let place = match (&one.file, one.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        _ => "mail".to_owned(),
    };
    Finding {
        rule: format!("checkpatch/{}", one.rule),
        severity: match one.severity.as_str() {
            "error" => Severity::Error,
            "warning" => Severity::Warning,
            _ => Severity::Hint,
        },
        place: format!("{}/{}, {place}", patch.index, patch.total),
        text: one.text,
        source: "scripts/checkpatch.pl".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_get_maintainer() {
        let table = [
            (
                "Andrew Morton <akpm@example.org>",
                "Andrew Morton <akpm@example.org>",
            ),
            (
                "\"B. Example\" <b@example.org>",
                "B. Example <b@example.org>",
            ),
            ("linux-mm@example.org", "linux-mm@example.org"),
            ("<c@example.org>", "c@example.org"),
        ];
        for (row, shown) in table {
            assert_eq!(address(row).to_string(), shown);
        }
    }
}
