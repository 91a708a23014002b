//! Locks on what lies in the cache. They are the kernel's: they go with the
//! process. The time stamp of a lock file is the last use of what it locks.

use std::fs::{File, FileTimes, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::cache::error::{CacheError, failed};
use crate::cache::files::hash;

/// An entry's lock, given back when dropped.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Notes the use. The stamp only orders what is pruned.
    pub(super) fn stamp(&self) {
        let now = FileTimes::new().set_modified(SystemTime::now());
        let _ = self.0.set_times(now);
    }
}

impl Drop for Lock {
    /// Unlocks by name: a child being started right now has inherited the file,
    /// and closing it here would leave it locked until that child runs.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// How an entry is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To use it.
    Shared,
    /// To make or remove it.
    Exclusive,
}

pub(super) fn try_lock(root: &Path, path: &Path, mode: Mode) -> Result<Option<Lock>, CacheError> {
    let file = lock_file(&lock_path(root, path))?;
    let result = match mode {
        Mode::Shared => file.try_lock_shared(),
        Mode::Exclusive => file.try_lock(),
    };
    match result {
        Ok(()) => Ok(Some(Lock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed("lock", path)(error)),
    }
}

pub(super) fn lock_path(root: &Path, path: &Path) -> PathBuf {
    root.join("locks").join(hash([path.as_os_str().as_bytes()]))
}

/// Where the store of trees lies.
pub(crate) fn store_dir(root: &Path) -> PathBuf {
    root.join("kernels.git")
}

/// Keeps an entry of the cache in `root` from being removed; waits while that
/// is done.
pub(crate) fn in_use(root: &Path, path: &Path) -> Result<Lock, CacheError> {
    let locks = root.join("locks");
    fs_err::create_dir_all(&locks).map_err(failed("make", &locks))?;
    let lock = Lock(lock_file(&lock_path(root, path))?);
    lock.0.lock_shared().map_err(failed("lock", path))?;
    lock.stamp();
    Ok(lock)
}

pub(super) fn lock_file(path: &Path) -> Result<File, CacheError> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).map_err(failed("lock", path))
}
