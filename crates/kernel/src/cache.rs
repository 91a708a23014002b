//! What was built once, found again by what went into it.
//!
//! ```text
//! kernels/KEY/{bzImage,config,meta.json}   built kernels, and their modules
//! configs/KEY.json                         resolved configurations
//! objects/FAMILY/{live,KEY}                object folders (see the module `build`)
//! sources/NAME                             source folders
//! selftests/KEY/{FOLDER-NAME,meta.json}    the kernel's own tests, compiled
//! kernels.git                              imported trees (see the module `store`)
//! locks, logs, tmp
//! ```
//!
//! An entry is made in `tmp` and renamed to its place, and moved to `tmp` before
//! it is removed: it is there whole or not at all. A kernel's lock is held
//! shared by whoever boots it and exclusively by whoever builds or removes it;
//! the time stamp of the lock file is the entry's last use. Lock files stay.

use std::env;
use std::ffi::OsString;
use std::fs::{File, FileTimes, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use crate::build::diagnose::Diagnostic;
use crate::config::Unmet;

/// How often a waiting command looks again, and asks whether to stop.
const POLL: Duration = Duration::from_millis(100);

/// A cache folder, opened.
#[derive(Debug)]
pub struct Cache {
    root: PathBuf,
    // In this order: the folder goes before its lock does.
    scratch: tempfile::TempDir,
    _alive: File,
}

/// Something the cache holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its folder's name, under a kernel's release where it is known.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// Bytes on disk.
    pub bytes: u64,
    /// When it was last used.
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
    /// A source folder.
    Source,
    /// The kernel's own tests, compiled.
    Selftests,
    /// A built kernel.
    Kernel,
    /// All trees that were imported.
    Store,
}

/// What is known of a built kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// What `uname -r` will say.
    pub release: String,
    /// The tree's id.
    pub tree: String,
    /// First lines of the compiler's and the linker's `--version`.
    pub compiler: String,
    /// What make was told.
    pub arguments: Vec<String>,
    /// When it was built, in seconds since 1970.
    pub built: u64,
    /// How long that took, in seconds.
    pub seconds: f64,
    /// Files compiled.
    pub objects: u32,
    /// Whether they were all of the kernel's.
    pub complete: bool,
    /// A hash of the configuration asked for.
    pub requests: String,
    /// Options it does not grant that may be missing.
    pub notes: Vec<Unmet>,
    /// What the compiler warned of, in the files compiled.
    pub warnings: Vec<Diagnostic>,
    /// The image's length in bytes.
    pub image_bytes: u64,
    /// The image's SHA-1.
    pub image_sha1: String,
    /// The modules built with it.
    #[serde(default)]
    pub modules: Vec<Module>,
}

/// A module that lies beside its kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// The file's name, with `.ko`.
    pub name: String,
    /// Its SHA-1.
    pub sha1: String,
}

/// Why the cache can't do it.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// No place for a cache folder is known.
    #[error("no cache folder: set HOME, XDG_CACHE_HOME or REAPERLAB_CACHE")]
    NoPlace,
    /// A path that kernel makefiles can't stand.
    #[error(
        "the cache folder {0} has a space, a colon or another character that kernel makefiles can't stand; set REAPERLAB_CACHE to another"
    )]
    Unfit(PathBuf),
    /// The device is full.
    #[error("no space left for {path}: free some, or run `cargo xtask cache prune`")]
    NoSpace {
        /// What was to be written.
        path: PathBuf,
    },
    /// A file operation failed.
    #[error("can't {what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Stopped while it waited for another command.
    #[error("interrupted")]
    Cancelled,
}

/// Turns an I/O error on `path` into a [`CacheError`].
pub(crate) fn failed<'a>(
    what: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> CacheError + use<'a> {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            CacheError::NoSpace { path: path.into() }
        }
        _ => CacheError::Io {
            what,
            path: path.into(),
            source,
        },
    }
}

/// An entry's lock, given back when dropped.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Notes the use. The stamp only orders what is pruned.
    fn stamp(&self) {
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

impl Cache {
    /// Opens the cache in `root`, makes it where there is none, and removes
    /// what dead processes left half done.
    ///
    /// # Errors
    /// A path unfit for kernel makefiles, or one that can't be written.
    pub fn open(root: &Path) -> Result<Self, CacheError> {
        fs_err::create_dir_all(root).map_err(failed("make", root))?;
        let root = root.canonicalize().map_err(failed("find", root))?;
        if !root
            .as_os_str()
            .as_bytes()
            .iter()
            .all(|byte| fit(u32::from(*byte)))
        {
            return Err(CacheError::Unfit(root));
        }
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
            fs_err::create_dir_all(&folder).map_err(failed("make", &folder))?;
        }
        let tmp = root.join("tmp");
        let opening = lock_file(&root.join("locks/open"))?;
        opening.lock().map_err(failed("lock", &tmp))?;
        for stale in children(&tmp) {
            let alive = File::open(stale.join(".alive"));
            if !alive.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock))) {
                // Its owner may be about to remove it, and nothing depends on it.
                let _ = fs_err::remove_dir_all(&stale);
            }
        }
        let scratch = tempfile::tempdir_in(&tmp).map_err(failed("write", &tmp))?;
        let alive = lock_file(&scratch.path().join(".alive"))?;
        alive.lock().map_err(failed("lock", &tmp))?;
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

    /// Where the source folder `name` belongs; what makefiles can't stand in a
    /// name is replaced.
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

    /// Everything it holds: object folders, sources, selftests, kernels and the
    /// store of trees, each kind by last use, the oldest first.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn list(&self) -> Result<Vec<Entry>, CacheError> {
        let under = |folder: &str| children(&self.root.join(folder));
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
                Some(store_dir(&self.root))
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
    pub fn size(&self) -> Result<u64, CacheError> {
        Ok(self.list()?.iter().map(|entry| entry.bytes).sum())
    }

    /// Removes entries until at most `max_bytes` are left: the longest unused
    /// first, kernels when all else is gone, the store last; never what a
    /// command uses. Returns what it removed.
    ///
    /// # Errors
    /// When an entry can't be removed.
    pub fn prune(&self, max_bytes: u64) -> Result<Vec<Entry>, CacheError> {
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

    fn entry(&self, kind: Kind, path: PathBuf) -> Result<Entry, CacheError> {
        let mut entry = Entry {
            kind,
            name: file_name(&path),
            bytes: usage(&path),
            last_used: SystemTime::UNIX_EPOCH,
            in_use: false,
            path,
        };
        if kind == Kind::Kernel
            && let Some(meta) = read_json::<Meta>(&entry.path.join("meta.json"))
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

    /// A new path in this process's own part of `tmp`.
    pub(crate) fn scratch(&self, name: &str) -> Result<PathBuf, CacheError> {
        let folder = tempfile::Builder::new()
            .prefix(name)
            .tempdir_in(self.scratch.path())
            .map_err(failed("write", self.scratch.path()))?;
        Ok(folder.keep())
    }

    /// Removes a file or a folder, whole even if interrupted.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), CacheError> {
        let grave = self.scratch("removed")?;
        match fs_err::rename(path, grave.join("it")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result.map_err(failed("remove", path))?,
        }
        fs_err::remove_dir_all(&grave).map_err(failed("remove", path))
    }

    /// Writes a file, whole even if interrupted.
    pub(crate) fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<(), CacheError> {
        let json = serde_json::to_vec_pretty(value).map_err(io::Error::other);
        let staged = self.scratch("json")?.join("it");
        json.and_then(|json| fs_err::write(&staged, json))
            .and_then(|()| fs_err::rename(&staged, path))
            .map_err(failed("write", path))
    }

    /// The folder of a built kernel.
    pub(crate) fn kernel_dir(&self, key: &str) -> PathBuf {
        self.root.join("kernels").join(key)
    }

    /// A built kernel, if its image and modules are still what was built and
    /// its configuration is this one.
    pub(crate) fn kernel(&self, key: &str, config: &str) -> Option<Meta> {
        let folder = self.kernel_dir(key);
        let meta: Meta = read_json(&folder.join("meta.json"))?;
        let image = fs_err::read(folder.join("bzImage")).ok()?;
        let stored = fs_err::read(folder.join("config")).ok()?;
        let module = |module: &Module| {
            fs_err::read(folder.join(&module.name)).is_ok_and(|it| hash([&it]) == module.sha1)
        };
        let whole = image.len() as u64 == meta.image_bytes
            && hash([&image]) == meta.image_sha1
            && stored == config.as_bytes()
            && meta.modules.iter().all(module);
        whole.then_some(meta)
    }

    /// Puts a built kernel and its modules in their place. The caller holds its
    /// lock.
    pub(crate) fn publish(
        &self,
        key: &str,
        image: &Path,
        modules: &[PathBuf],
        config: &str,
        mut meta: Meta,
    ) -> Result<Meta, CacheError> {
        let staged = self.scratch("kernel")?;
        let bytes = fs_err::read(image).map_err(failed("read", image))?;
        meta.image_bytes = bytes.len() as u64;
        meta.image_sha1 = hash([&bytes]);
        fs_err::write(staged.join("bzImage"), &bytes).map_err(failed("write", &staged))?;
        fs_err::write(staged.join("config"), config).map_err(failed("write", &staged))?;
        for module in modules {
            let bytes = fs_err::read(module).map_err(failed("read", module))?;
            let (name, sha1) = (file_name(module), hash([&bytes]));
            fs_err::write(staged.join(&name), &bytes).map_err(failed("write", &staged))?;
            meta.modules.push(Module { name, sha1 });
        }
        self.write_json(&staged.join("meta.json"), &meta)?;
        self.put(&staged, &self.kernel_dir(key))?;
        Ok(meta)
    }

    /// Puts a folder made in scratch in its place. The caller holds its lock.
    pub(crate) fn put(&self, staged: &Path, folder: &Path) -> Result<(), CacheError> {
        self.remove(folder)?;
        fs_err::rename(staged, folder).map_err(failed("write", folder))
    }

    /// The host, for as long as what is returned lives: to have alone for what is
    /// timed, or to share with others that are not. Commands with this cache
    /// folder agree on it, host by host. Calls `waiting` once when others use it.
    ///
    /// # Errors
    /// [`CacheError::Cancelled`], or when the lock file can't be made.
    pub fn host(
        &self,
        alone: bool,
        cancelled: &dyn Fn() -> bool,
        waiting: &mut dyn FnMut(),
    ) -> Result<Lock, CacheError> {
        let name = fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let place = self.root.join("host").join(name.trim());
        let mode = if alone { Mode::Exclusive } else { Mode::Shared };
        self.lock(&place, mode, cancelled, waiting)
    }

    /// Files compiled when all of a kernel with these requests was last built.
    pub(crate) fn remembered(&self, requests: &str) -> Option<u32> {
        children(&self.root.join("kernels"))
            .iter()
            .filter_map(|folder| read_json::<Meta>(&folder.join("meta.json")))
            .filter(|meta| meta.complete && meta.requests == requests)
            .max_by_key(|meta| meta.built)
            .map(|meta| meta.objects)
    }

    /// Locks a path of the cache, or any other; calls `waiting` once when
    /// somebody else holds it.
    pub(crate) fn lock(
        &self,
        path: &Path,
        mode: Mode,
        cancelled: &dyn Fn() -> bool,
        waiting: &mut dyn FnMut(),
    ) -> Result<Lock, CacheError> {
        let mut told = false;
        loop {
            if let Some(lock) = self.try_lock(path, mode)? {
                lock.stamp();
                return Ok(lock);
            }
            if cancelled() {
                return Err(CacheError::Cancelled);
            }
            if !told {
                waiting();
                told = true;
            }
            thread::sleep(POLL);
        }
    }

    fn try_lock(&self, path: &Path, mode: Mode) -> Result<Option<Lock>, CacheError> {
        let file = lock_file(&self.lock_path(path))?;
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

    fn lock_path(&self, path: &Path) -> PathBuf {
        lock_path(&self.root, path)
    }
}

fn lock_path(root: &Path, path: &Path) -> PathBuf {
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

/// Whether makefiles and the shell take a character in a path for itself.
fn fit(c: u32) -> bool {
    u8::try_from(c).is_ok_and(|b| b.is_ascii_alphanumeric() || b"/._-+@,".contains(&b))
}

/// What is locked to change an entry: all objects of a family together.
fn lockable(entry: &Entry) -> &Path {
    match entry.kind {
        Kind::Objects => entry.path.parent().unwrap_or(&entry.path),
        Kind::Source | Kind::Selftests | Kind::Kernel | Kind::Store => &entry.path,
    }
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

fn lock_file(path: &Path) -> Result<File, CacheError> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).map_err(failed("lock", path))
}

/// The folders in a folder, by name; none where there is no such folder.
pub(crate) fn children(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs_err::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.symlink_metadata().is_ok_and(|meta| meta.is_dir()));
    paths.sort();
    paths
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
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

/// A JSON file; none where it is missing or damaged.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs_err::read(path).ok()?).ok()
}

/// SHA-1 over parts, each with its length, so that no two lists collide.
pub(crate) fn hash<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> String {
    let mut sha = Sha1::new();
    for part in parts {
        let part = part.as_ref();
        sha.update((part.len() as u64).to_le_bytes());
        sha.update(part);
    }
    sha.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
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

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(hash(["ab", "c"]), hash(["a", "bc"]));
        assert_eq!(
            hash([] as [&str; 0]),
            "da39a3ee5e6b4b0d3255bfef95601890afd80709"
        );
    }
}
