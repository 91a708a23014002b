//! A commit's tree as a folder to build in.
//!
//! A marker beside the folder says which commit it holds. A folder that holds
//! another commit gets only the files that differ. A folder whose writing was
//! interrupted is written again.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fs_err as fs;
use fs_err::OpenOptions;
use fs_err::os::unix::fs::{OpenOptionsExt, symlink};
use git2::{ObjectType, Oid, Repository, TreeWalkMode, TreeWalkResult};

use crate::error::IoError;
use crate::store::import::{Progress, Watch, check_name};
use crate::store::repository::{FOLDER, Store, StoreError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Files and links written or deleted.
    pub files: usize,
    /// Whether the whole tree was written, not only what differed.
    pub whole: bool,
}

/// A file or link to be written.
struct Item {
    path: Vec<u8>,
    id: Oid,
    mode: i32,
}

const LINK: i32 = 0o120_000;

/// The commit that a folder holds, if it was written to the end.
#[must_use]
pub fn held(folder: &Path) -> Option<Oid> {
    let text = fs::read_to_string(marker(folder)).ok()?;
    Oid::from_str(text.strip_suffix('\n')?)
        .ok()
        .filter(|_| folder.is_dir())
}

/// Makes `folder` hold a commit's tree: nothing to do when it does, the files
/// that differ when it holds another, else everything.
///
/// One caller at a time for each folder.
///
/// # Errors
/// See [`StoreError`]; after any of them the next call writes everything.
pub fn checkout(
    store: &Store,
    commit: Oid,
    folder: &Path,
    watch: &mut Watch<'_>,
) -> Result<Written, StoreError> {
    let marker = marker(folder);
    let git = |e| store.failed(e);
    let repo = store.repo();
    let tree = repo
        .find_commit(commit)
        .and_then(|c| c.tree())
        .map_err(git)?;
    let before = held(folder);
    if before == Some(commit) {
        return Ok(Written {
            files: 0,
            whole: false,
        });
    }
    // Unknown after garbage collection: then everything is written.
    let before = before.and_then(|id| repo.find_commit(id).ok()?.tree().ok());
    if before.is_none() && folder.exists() {
        if !marker.exists() {
            return Err(StoreError::Occupied(folder.to_owned()));
        }
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    fs::write(&marker, "unfinished\n")?;

    let mut gone = Vec::new();
    let (items, whole) = match &before {
        None => (all(&tree).map_err(git)??, true),
        Some(before) => {
            let mut items = Vec::new();
            for change in store.changes(before.id(), tree.id()).map_err(git)? {
                check_path(&change.path).map_err(|why| StoreError::refused(&change.path, why))?;
                if change.old.is_some() {
                    gone.push(change.path.clone());
                }
                if let Some((id, mode)) = change.new {
                    items.push(Item {
                        path: change.path,
                        id,
                        mode,
                    });
                }
            }
            (items, false)
        }
    };
    for path in &gone {
        remove(folder, path)?;
    }
    let kept = items.len();
    write(store, folder, items, watch)?;
    fs::write(&marker, format!("{commit}\n"))?;
    Ok(Written {
        files: if whole { kept } else { kept.max(gone.len()) },
        whole,
    })
}

/// Writes those parts of a commit's tree that lie at or below `paths` to a
/// folder that holds none of them yet, and which no [`checkout`] goes to.
///
/// # Errors
/// See [`StoreError`].
pub fn extract(
    store: &Store,
    commit: Oid,
    paths: &[&str],
    folder: &Path,
    watch: &mut Watch<'_>,
) -> Result<(), StoreError> {
    let git = |e| store.failed(e);
    let tree = store
        .repo()
        .find_commit(commit)
        .and_then(|c| c.tree())
        .map_err(git)?;
    let mut items = all(&tree).map_err(git)??;
    items.retain(|item| {
        paths.iter().any(|path| {
            let rest = item.path.strip_prefix(path.as_bytes());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        })
    });
    write(store, folder, items, watch)
}

/// Writes files and links, and the folders that they need.
fn write(
    store: &Store,
    folder: &Path,
    items: Vec<Item>,
    watch: &mut Watch<'_>,
) -> Result<(), StoreError> {
    let folders: BTreeSet<&[u8]> = items
        .iter()
        .filter_map(|i| i.path.rsplitn(2, |b| *b == b'/').nth(1))
        .collect();
    for path in folders {
        let path = place(folder, path);
        fs::create_dir_all(&path)?;
    }
    // Links come last: nothing is ever written through one.
    let (links, files): (Vec<_>, Vec<_>) = items.into_iter().partition(|i| i.mode == LINK);
    write_files(store.path(), folder, &files, watch)?;
    for link in &links {
        let blob = store
            .repo()
            .find_blob(link.id)
            .map_err(|e| store.failed(e))?;
        if !stays_inside(&link.path, blob.content()) {
            return Err(StoreError::refused(&link.path, "the link leaves the tree"));
        }
        let target = std::ffi::OsString::from_vec(blob.content().to_vec());
        let path = place(folder, &link.path);
        symlink(target, &path)?;
    }
    Ok(())
}

fn marker(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(".commit");
    name.into()
}

fn place(folder: &Path, path: &[u8]) -> PathBuf {
    folder.join(std::ffi::OsStr::from_bytes(path))
}

fn check_path(path: &[u8]) -> Result<(), &'static str> {
    path.split(|b| *b == b'/').try_for_each(check_name)
}

/// Every file and link of a tree.
fn all(tree: &git2::Tree<'_>) -> Result<Result<Vec<Item>, StoreError>, git2::Error> {
    let mut items = Vec::new();
    let mut bad = None;
    let walked = tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
        let path = [folder.as_bytes(), entry.name_bytes()].concat();
        let mode = entry.filemode();
        if let Err(why) = check_name(entry.name_bytes()) {
            bad = Some(StoreError::refused(&path, why));
        } else if mode != FOLDER && entry.kind() != Some(ObjectType::Blob) {
            bad = Some(StoreError::refused(&path, "it is a submodule"));
        } else if mode != FOLDER {
            items.push(Item {
                path,
                id: entry.id(),
                mode,
            });
        }
        if bad.is_some() {
            TreeWalkResult::Abort
        } else {
            TreeWalkResult::Ok
        }
    });
    match bad {
        Some(error) => Ok(Err(error)),
        None => walked.map(|()| Ok(items)),
    }
}

fn remove(folder: &Path, path: &[u8]) -> io::Result<()> {
    let full = place(folder, path);
    match fs::remove_file(&full) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    // A folder that is empty now goes too, as git has none.
    let mut parent = full.parent();
    while let Some(at) = parent.filter(|at| *at != folder && at.starts_with(folder)) {
        if fs::remove_dir(at).is_err() {
            break;
        }
        parent = at.parent();
    }
    Ok(())
}

/// Whether a relative link at `path` names something in its own tree.
fn stays_inside(path: &[u8], target: &[u8]) -> bool {
    if target.is_empty() || target.starts_with(b"/") || target.contains(&0) {
        return false;
    }
    let mut depth = path.iter().filter(|b| **b == b'/').count();
    for part in target.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." if depth == 0 => return false,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}

fn write_files(
    store: &Path,
    folder: &Path,
    files: &[Item],
    watch: &mut Watch<'_>,
) -> Result<(), StoreError> {
    /// Handed out at once: few enough to balance, enough not to contend.
    const CHUNK: usize = 64;
    let next = AtomicUsize::new(0);
    let bytes = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let failed = Mutex::new(None);
    let work = || -> Result<(), StoreError> {
        let repo = Repository::open_bare(store).map_err(|e| store_failed(store, e))?;
        let odb = repo.odb().map_err(|e| store_failed(store, e))?;
        while !stop.load(Ordering::Relaxed) {
            let start = next.fetch_add(CHUNK, Ordering::Relaxed);
            let Some(rest) = files.get(start..) else {
                break;
            };
            for item in rest.iter().take(CHUNK) {
                let object = odb.read(item.id).map_err(|e| store_failed(store, e))?;
                bytes.fetch_add(object.len(), Ordering::Relaxed);
                let path = place(folder, &item.path);
                write_file(&path, item.mode, object.data())?;
            }
        }
        Ok(())
    };
    let work = &|| {
        if let Err(error) = work() {
            stop.store(true, Ordering::Relaxed);
            failed
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .get_or_insert(error);
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let few = files.len() <= CHUNK;
    let cancelled = std::thread::scope(|scope| {
        if few {
            work();
            return false;
        }
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut cancelled = false;
        while !workers.iter().all(|w| w.is_finished()) {
            let done = next.load(Ordering::Relaxed).min(files.len());
            let progress = Progress {
                files: done as u64,
                bytes: bytes.load(Ordering::Relaxed) as u64,
                share: Some(done as f64 / files.len().max(1) as f64),
            };
            if let ControlFlow::Break(()) = watch(progress) {
                cancelled = true;
                stop.store(true, Ordering::Relaxed);
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        cancelled
    });
    match failed
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
    {
        Some(error) => Err(error),
        None if cancelled => Err(IoError::Cancelled.into()),
        None => Ok(()),
    }
}

fn store_failed(store: &Path, source: git2::Error) -> StoreError {
    StoreError::Git {
        path: store.to_owned(),
        source,
    }
}

fn write_file(path: &Path, mode: i32, data: &[u8]) -> io::Result<()> {
    let mode = if mode & 0o100 == 0 { 0o644 } else { 0o755 };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_judged_by_where_they_lead() {
        for (path, target, inside) in [
            (
                &b"scripts/dtc/include-prefixes/arm"[..],
                &b"../../../arch/arm/boot/dts"[..],
                true,
            ),
            (b"a", b"b", true),
            (b"a", b"../etc", false),
            (b"a/b", b"../../etc", false),
            (b"a/b", b"c/../../d", true),
            (b"a", b"/etc/passwd", false),
            (b"a", b"", false),
        ] {
            assert_eq!(stays_inside(path, target), inside, "{target:?}");
        }
    }
}
