//! The cache folder itself.

use std::env;
use std::ffi::OsString;
use std::fs::TryLockError;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use fs_err::File;
use serde::Serialize;

use crate::cache::error::CacheError;
use crate::cache::files::children;
use crate::cache::lock::{Lock, Mode, hold, lock_file, lock_path, try_hold};
use crate::error::IoError;

#[derive(Debug)]
pub struct Cache {
    root: PathBuf,
    // In this order: the folder goes before its lock does.
    scratch: tempfile::TempDir,
    _alive: File,
}

impl Cache {
    /// Opens the cache in `root`, makes it where there is none, and removes
    /// what dead processes left half done.
    ///
    /// # Errors
    /// A path unfit for kernel makefiles, or one that can't be written.
    pub fn open(root: &Path) -> Result<Self, CacheError> {
        let usable = |root: PathBuf| {
            let mut bytes = root.as_os_str().as_bytes().iter();
            match bytes.all(|byte| fit(u32::from(*byte))) {
                true => Ok(root),
                false => Err(CacheError::Unfit(root)),
            }
        };
        // What can't be used is not made. A link may lead to what can.
        if !root.exists() {
            fs_err::create_dir_all(usable(std::path::absolute(root)?)?)?;
        }
        let root = usable(fs_err::canonicalize(root)?)?;
        for folder in [
            "kernels",
            "configs",
            "objects",
            "sources",
            "selftests",
            "locks",
            "logs",
            "tmp",
        ] {
            let folder = root.join(folder);
            fs_err::create_dir_all(&folder)?;
        }
        let tmp = root.join("tmp");
        let opening = lock_file(&root.join("locks/open"))?;
        opening.lock()?;
        for stale in children(&tmp) {
            let alive = File::open(stale.join(".alive"));
            if !alive.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock))) {
                // Its owner may be about to remove it, and nothing depends on it.
                let _ = fs_err::remove_dir_all(&stale);
            }
        }
        let scratch = tempfile::tempdir_in(&tmp)?;
        let alive = lock_file(&scratch.path().join(".alive"))?;
        alive.lock()?;
        Ok(Self {
            root,
            scratch,
            _alive: alive,
        })
    }

    /// Where the cache belongs by the environment: `REAPERLAB_CACHE`,
    /// `XDG_CACHE_HOME/reaperlab` or `~/.cache/reaperlab`.
    ///
    /// # Errors
    /// When none of the three variables is set.
    pub fn default_root() -> Result<PathBuf, CacheError> {
        root_from(|name| env::var_os(name)).ok_or(CacheError::NoPlace)
    }

    /// The folder it lies in, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the source folder `name` belongs; what makefiles do not support
    /// in a name is replaced.
    #[must_use]
    pub fn source_dir(&self, name: &str) -> PathBuf {
        let fit = |c: char| if fit(c as u32) && c != '/' { c } else { '-' };
        let name: String = name.chars().map(fit).collect();
        let hidden = if name.is_empty() || name.starts_with('.') {
            "-"
        } else {
            ""
        };
        self.root.join("sources").join(format!("{hidden}{name}"))
    }

    /// A folder that goes with this process, or when the next one opens the cache.
    ///
    /// # Errors
    /// A full disk.
    pub fn temporary(&self) -> Result<tempfile::TempDir, IoError> {
        Ok(tempfile::tempdir_in(self.scratch.path())?)
    }

    /// A new path in this process's own part of `tmp`.
    pub(crate) fn scratch(&self, name: &str) -> Result<PathBuf, IoError> {
        let folder = tempfile::Builder::new()
            .prefix(name)
            .tempdir_in(self.scratch.path())?;
        Ok(folder.keep())
    }

    /// Removes a file or a folder, whole even if interrupted.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), IoError> {
        let grave = self.scratch("removed")?;
        match fs_err::rename(path, grave.join("it")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
        Ok(fs_err::remove_dir_all(&grave)?)
    }

    /// Writes a file, whole even if interrupted.
    pub(crate) fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<(), IoError> {
        let json = serde_json::to_vec_pretty(value).map_err(io::Error::other);
        let staged = self.scratch("json")?.join("it");
        json.and_then(|json| fs_err::write(&staged, json))
            .and_then(|()| fs_err::rename(&staged, path))?;
        Ok(())
    }

    /// Puts a folder made in scratch in its place. The caller holds its lock.
    pub(crate) fn put(&self, staged: &Path, folder: &Path) -> Result<(), IoError> {
        self.remove(folder)?;
        Ok(fs_err::rename(staged, folder)?)
    }

    /// The host, for as long as what is returned lives: to have alone for what is
    /// timed, or to share with others that are not. Commands with this cache
    /// folder agree on it, host by host. Calls `waiting` once when others use it.
    ///
    /// # Errors
    /// [`IoError::Cancelled`], or when the lock file can't be made.
    pub fn host(
        &self,
        alone: bool,
        cancelled: &dyn Fn() -> bool,
        waiting: &mut dyn FnMut(),
    ) -> Result<Lock, IoError> {
        let name = fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let place = self.root.join("host").join(name.trim());
        let mode = if alone { Mode::Exclusive } else { Mode::Shared };
        self.lock(&place, mode, cancelled, waiting)
    }

    /// Locks a path of the cache, or any other; calls `waiting` once when
    /// somebody else holds it.
    pub(crate) fn lock(
        &self,
        path: &Path,
        mode: Mode,
        cancelled: &dyn Fn() -> bool,
        waiting: &mut dyn FnMut(),
    ) -> Result<Lock, IoError> {
        hold(&self.lock_path(path), mode, &mut || cancelled(), waiting)
    }

    pub(super) fn try_lock(&self, path: &Path, mode: Mode) -> Result<Option<Lock>, IoError> {
        try_hold(&self.lock_path(path), mode)
    }

    pub(super) fn lock_path(&self, path: &Path) -> PathBuf {
        lock_path(&self.root, path)
    }
}

/// Whether makefiles and the shell take a character in a path for itself.
fn fit(c: u32) -> bool {
    u8::try_from(c).is_ok_and(|b| b.is_ascii_alphanumeric() || b"/._-+@,".contains(&b))
}

fn root_from(var: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name| {
        var(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    path("REAPERLAB_CACHE")
        .or_else(|| {
            let xdg = path("XDG_CACHE_HOME").filter(|path| path.is_absolute());
            Some(xdg?.join("reaperlab"))
        })
        .or_else(|| Some(path("HOME")?.join(".cache/reaperlab")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_the_place() {
        let place = |vars: &[(&str, &str)]| {
            let var = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into());
            root_from(var).map(|path| path.display().to_string())
        };
        let home = ("HOME", "/home/a");
        assert_eq!(place(&[home]).as_deref(), Some("/home/a/.cache/reaperlab"));
        let xdg = ("XDG_CACHE_HOME", "/xdg");
        assert_eq!(place(&[home, xdg]).as_deref(), Some("/xdg/reaperlab"));
        assert_eq!(
            place(&[home, xdg, ("REAPERLAB_CACHE", "here")]).as_deref(),
            Some("here")
        );
        assert_eq!(
            place(&[
                home,
                ("REAPERLAB_CACHE", ""),
                ("XDG_CACHE_HOME", "relative")
            ]),
            place(&[home])
        );
        assert_eq!(place(&[]), None);
    }

    #[test]
    fn source_folders_have_names_that_makefiles_stand() {
        let folder = tempfile::Builder::new().prefix("lab").tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        for (name, expected) in [
            ("debian/6.12.117-1~deb12u1", "debian-6.12.117-1-deb12u1"),
            ("git:/a b#HEAD", "git--a-b-HEAD"),
            ("../../etc", "-..-..-etc"),
            ("é", "-"),
            ("", "-"),
        ] {
            let sources = cache.root().join("sources");
            assert_eq!(cache.source_dir(name), sources.join(expected), "{name}");
        }
    }
}
