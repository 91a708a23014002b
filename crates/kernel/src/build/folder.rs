//! The source folder in the cache, filled from the store of trees.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use git2::Oid;

use crate::build::target::{Source, Target};
use crate::cache::Cache;
use crate::store::{Store, StoreError, Watch, checkout};

pub struct Folder<'a> {
    store: &'a Store,
    dir: PathBuf,
    watch: &'a mut Watch<'a>,
}

impl<'a> Folder<'a> {
    /// The one for kernels of this version. What kernels that differ little
    /// have in common names it, `6.12` of `6.12.117`: they share the folder, and
    /// so the objects that each leaves, be they releases or the commits of a
    /// bisection. `watch` is asked while files are written.
    pub fn new(cache: &Cache, store: &'a Store, version: &str, watch: &'a mut Watch<'a>) -> Self {
        Self {
            store,
            dir: cache.source_dir(line(version)),
            watch,
        }
    }
}

fn line(version: &str) -> &str {
    let mut dots = version.match_indices('.').map(|(at, _)| at);
    let end = dots.nth(1).unwrap_or(version.len());
    // 6.13-rc1 is of the line 6.13.
    version[..end].split('-').next().unwrap_or(version)
}

impl Source for Folder<'_> {
    fn dir(&self) -> &Path {
        &self.dir
    }

    fn switch(&mut self, target: &Target) -> Result<(), StoreError> {
        checkout(self.store, target.commit, &self.dir, self.watch)?;
        Ok(())
    }

    fn changed(&mut self, tree: Oid, other: Oid) -> Result<Vec<PathBuf>, StoreError> {
        let changes = self.store.changes(tree, other);
        let changes = changes.map_err(|e| self.store.failed(e))?;
        let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
        Ok(changes.iter().map(|change| path(&change.path)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (version, expected) in [
            ("6.12.117", "6.12"),
            ("6.12", "6.12"),
            ("7.3.0-rc7", "7.3"),
            ("6.13-rc1", "6.13"),
            ("6", "6"),
            ("", ""),
        ] {
            assert_eq!(line(version), expected, "{version}");
        }
    }
}
