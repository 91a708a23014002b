//! What the cache holds, and what of it goes first.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::cache::files::{children, file_name, read_json};
use crate::cache::folder::Cache;
use crate::cache::lock::{Mode, store_dir};
use crate::error::IoError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    /// Its folder's name, under a kernel's release where it is known.
    pub name: String,
    pub path: PathBuf,
    /// Bytes on disk.
    pub bytes: u64,
    pub last_used: SystemTime,
    /// Whether a command uses it now.
    pub in_use: bool,
}

/// What an entry is, in the order in which pruning prefers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Objects of a build, which make the next one short.
    Objects,
    Source,
    /// The kernel's own tests, compiled.
    Selftests,
    Kernel,
    /// All trees that were imported.
    Store,
}

/// What of a built kernel names its entry.
#[derive(Deserialize)]
struct Built {
    release: String,
}

impl Cache {
    /// Everything it holds: object folders, sources, selftests, kernels and the
    /// store of trees, each kind by last use, the oldest first.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn list(&self) -> Result<Vec<Entry>, IoError> {
        let under = |folder: &str| children(&self.root().join(folder));
        let objects = under("objects")
            .into_iter()
            .flat_map(|family| children(&family));
        let mut entries = objects
            .map(|path| (Kind::Objects, path))
            .chain(
                under("sources")
                    .into_iter()
                    .map(|path| (Kind::Source, path)),
            )
            .chain(
                under("selftests")
                    .into_iter()
                    .map(|path| (Kind::Selftests, path)),
            )
            .chain(
                under("kernels")
                    .into_iter()
                    .map(|path| (Kind::Kernel, path)),
            )
            .chain(
                Some(store_dir(self.root()))
                    .filter(|path| path.is_dir())
                    .map(|path| (Kind::Store, path)),
            )
            .map(|(kind, path)| self.entry(kind, path))
            .collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(|entry| (entry.kind, entry.last_used));
        Ok(entries)
    }

    /// Bytes on disk of all that [`list`](Self::list) names.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn size(&self) -> Result<u64, IoError> {
        Ok(self.list()?.iter().map(|entry| entry.bytes).sum())
    }

    /// Removes entries until at most `max_bytes` are left: the longest unused
    /// first, kernels when all else is gone, the store last; never what a
    /// command uses. Returns what it removed.
    ///
    /// # Errors
    /// When an entry can't be removed.
    pub fn prune(&self, max_bytes: u64) -> Result<Vec<Entry>, IoError> {
        let mut entries = self.list()?;
        let mut size: u64 = entries.iter().map(|entry| entry.bytes).sum();
        entries.sort_by_key(|entry| (entry.kind.max(Kind::Selftests), entry.last_used));
        let mut removed = Vec::new();
        for entry in entries {
            if size <= max_bytes {
                break;
            }
            let Some(_lock) = self.try_lock(lockable(&entry), Mode::Exclusive)? else {
                continue;
            };
            self.remove(&entry.path)?;
            // What says what it held.
            for suffix in [".json", ".commit"] {
                let mut beside = entry.path.clone().into_os_string();
                beside.push(suffix);
                self.remove(Path::new(&beside))?;
            }
            size = size.saturating_sub(entry.bytes);
            removed.push(entry);
        }
        Ok(removed)
    }

    fn entry(&self, kind: Kind, path: PathBuf) -> Result<Entry, IoError> {
        let mut entry = Entry {
            kind,
            name: file_name(&path),
            bytes: usage(&path),
            last_used: SystemTime::UNIX_EPOCH,
            in_use: false,
            path,
        };
        if kind == Kind::Kernel
            && let Some(meta) = read_json::<Built>(&entry.path.join("meta.json"))
        {
            entry.name = format!("{} {}", meta.release, entry.name);
        }
        // Looked at before the lock is tried, which leaves the stamp alone.
        let lock = self.lock_path(lockable(&entry));
        let stamp = lock
            .metadata()
            .or_else(|_| entry.path.metadata())
            .and_then(|m| m.modified());
        entry.last_used = stamp.unwrap_or(SystemTime::UNIX_EPOCH);
        entry.in_use = lock.exists() && self.try_lock(lockable(&entry), Mode::Exclusive)?.is_none();
        Ok(entry)
    }
}

/// What is locked to change an entry: all objects of a family together.
fn lockable(entry: &Entry) -> &Path {
    match entry.kind {
        Kind::Objects => entry.path.parent().unwrap_or(&entry.path),
        Kind::Source | Kind::Selftests | Kind::Kernel | Kind::Store => &entry.path,
    }
}

/// Bytes on disk; what vanishes meanwhile does not count.
fn usage(path: &Path) -> u64 {
    let Ok(meta) = path.symlink_metadata() else {
        return 0;
    };
    let below = if meta.is_dir() {
        let entries = fs_err::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| usage(&entry.path())).sum()
    } else {
        0
    };
    meta.blocks() * 512 + below
}
