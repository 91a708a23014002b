//! Locks on what lies in the cache. They are the kernel's: they go with the
//! process. The time stamp of a lock file is the last use of what it locks.

use std::fs::{FileTimes, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use fs_err::File;

use crate::cache::files::hash;
use crate::error::IoError;

/// How often a waiting command looks again, and asks whether to stop.
const POLL: Duration = Duration::from_millis(50);

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To use it.
    Shared,
    /// To make or remove it.
    Exclusive,
}

/// Waits for a lock file; calls `waiting` once when somebody else holds it.
pub(crate) fn hold(
    file: &Path,
    mode: Mode,
    cancelled: &mut dyn FnMut() -> bool,
    waiting: &mut dyn FnMut(),
) -> Result<Lock, IoError> {
    let mut told = false;
    loop {
        if let Some(lock) = try_hold(file, mode)? {
            lock.stamp();
            return Ok(lock);
        }
        if cancelled() {
            return Err(IoError::Cancelled);
        }
        if !told {
            waiting();
            told = true;
        }
        thread::sleep(POLL);
    }
}

pub(super) fn try_hold(file: &Path, mode: Mode) -> Result<Option<Lock>, IoError> {
    let file = lock_file(file)?;
    let result = match mode {
        Mode::Shared => file.try_lock_shared(),
        Mode::Exclusive => file.try_lock(),
    };
    match result {
        Ok(()) => Ok(Some(Lock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error.into()),
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
pub(crate) fn in_use(root: &Path, path: &Path) -> Result<Lock, IoError> {
    let locks = root.join("locks");
    fs_err::create_dir_all(&locks)?;
    let lock = Lock(lock_file(&lock_path(root, path))?);
    lock.0.lock_shared()?;
    lock.stamp();
    Ok(lock)
}

pub(super) fn lock_file(path: &Path) -> Result<File, IoError> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    Ok(options.open(path)?)
}
