//! The object store: one bare git repository in the cache that holds every
//! imported kernel tree and every arm made from one.
//!
//! An imported tree is a parentless commit under `refs/kernels/`, an arm's
//! commit stands under `refs/arms/`, so that `git gc` keeps both. Objects are
//! named by their content, therefore readers need no lock; writers of whole
//! packs hold [`Store::lock`].

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use git2::Oid;
use git2::build::TreeUpdateBuilder;
use git2::{
    Email, EmailCreateOptions, ErrorCode, FileMode, ObjectType, Repository, RepositoryInitOptions,
    Signature, Time, Tree,
};
use results::text::{hex, printable};

use crate::cache::{self, Mode};
use crate::error::{IoError, from_io};
use crate::store::history::History;
use crate::store::mend;

/// Why the store could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the object store {path}: {source}")]
    Git { path: PathBuf, source: git2::Error },
    /// No repository of the user's.
    #[error("{path}: {source}")]
    Foreign { path: PathBuf, source: git2::Error },
    /// A tar stream that can't be read.
    #[error("the archive: {0}")]
    Archive(std::io::Error),
    #[error("no files in it: not a source tree")]
    Empty,
    /// A path that would end up outside its tree, or is no file.
    #[error("refused {path:?}: {why}; this is not a kernel's source, or a hostile one")]
    Refused { path: String, why: &'static str },
    /// A folder that was not written by [`checkout`](crate::store::checkout()).
    #[error("{0} exists and holds something else")]
    Occupied(PathBuf),
    #[error(transparent)]
    Io(#[from] IoError),
}

from_io!(StoreError);

impl StoreError {
    pub(super) fn refused(path: &[u8], why: &'static str) -> Self {
        Self::Refused {
            path: String::from_utf8_lossy(path).into_owned(),
            why,
        }
    }
}

/// A kernel tree in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// Names it in the store, for example `debian/6.12.117-1_7edeb12u1`.
    pub id: String,
    /// Where it came from, as `--kernel` takes it.
    pub origin: String,
    /// What its Makefile calls itself (`6.12.117`), or `unknown`.
    pub version: String,
    /// Its commit, without parents.
    pub commit: Oid,
    pub tree: Oid,
}

/// Where a tree comes from, and by what name it is found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Any text; becomes [`Kernel::id`] once what git does not allow in a ref
    /// is replaced.
    pub id: String,
    /// See [`Kernel::origin`].
    pub text: String,
    /// Whether `id` stands for the same content for ever, so that a second
    /// import has nothing to do.
    pub immutable: bool,
}

pub struct Store {
    root: PathBuf,
    repo: Repository,
    histories: RefCell<BTreeMap<Oid, History>>,
    /// Keeps it from being pruned.
    _in_use: Option<cache::Lock>,
}

/// A path whose file differs between two trees: id and mode, on both sides.
pub(crate) struct Change {
    pub path: Vec<u8>,
    pub old: Option<(Oid, i32)>,
    pub new: Option<(Oid, i32)>,
}

/// The mode of a folder in a tree.
pub(crate) const FOLDER: i32 = 0o040_000;

impl Store {
    /// Opens `<cache>/kernels.git`, made when absent.
    ///
    /// # Errors
    /// When the folder can't be made or is no git repository.
    pub fn open(cache: &Path) -> Result<Self, StoreError> {
        // Every object in a pack carries zlib's own checksum; hashing each one
        // again when it is read would double the time of a checkout.
        git2::opts::strict_hash_verification(false);
        let root = cache::store_dir(cache);
        let in_use = cache::in_use(cache, &root)?;
        let failed = |source| StoreError::Git {
            path: root.clone(),
            source,
        };
        if !root.exists() {
            init(cache, &root)?;
        }
        mend::drop_cut(&root)?;
        let repo = Repository::open_bare(&root).map_err(failed)?;
        Ok(Self {
            root,
            repo,
            histories: RefCell::default(),
            _in_use: Some(in_use),
        })
    }

    /// A repository of the user's instead, whose objects are only read.
    ///
    /// # Errors
    /// Where there is none at `path` or above it.
    pub fn of(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Foreign {
            path: path.to_owned(),
            source,
        };
        let repo = Repository::discover(path).map_err(failed)?;
        Ok(Self {
            root: repo.path().to_owned(),
            repo,
            histories: RefCell::default(),
            _in_use: None,
        })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Says where an imported kernel's history is: three-way merges on it may
    /// begin from what its files once were, for as long as this value lives. The
    /// objects are read and never relied on: the store stays whole without them.
    pub fn lend_history(&self, kernel: Oid, repo: Repository, commit: Oid) {
        let history = History { repo, commit };
        self.histories.borrow_mut().insert(kernel, history);
    }

    /// The blob that a path had in a kernel's history, by its abbreviated id.
    pub(crate) fn lent_version(&self, kernel: Oid, path: &str, id: &str) -> Option<Vec<u8>> {
        self.histories.borrow().get(&kernel)?.version(path, id)
    }

    /// Whether a kernel's history ever had a file.
    pub(crate) fn lent_file(&self, kernel: Oid, path: &str) -> bool {
        let histories = self.histories.borrow();
        histories.get(&kernel).is_some_and(|it| it.has(path))
    }

    /// Every imported kernel, by id.
    ///
    /// # Errors
    /// When the references can't be read.
    pub fn kernels(&self) -> Result<Vec<Kernel>, StoreError> {
        let refs = self
            .repo
            .references_glob("refs/kernels/*")
            .map_err(|e| self.failed(e))?;
        let mut kernels = Vec::new();
        for reference in refs {
            let reference = reference.map_err(|e| self.failed(e))?;
            let Ok(name) = reference.name() else { continue };
            let Some(id) = name.strip_prefix("refs/kernels/") else {
                continue;
            };
            kernels.extend(self.kernel(id)?);
        }
        kernels.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(kernels)
    }

    /// The kernel of one id.
    ///
    /// # Errors
    /// When the store can't be read; an unknown id is `None`.
    pub fn kernel(&self, id: &str) -> Result<Option<Kernel>, StoreError> {
        let name = format!("refs/kernels/{}", ref_name(id));
        let commit = match self
            .repo
            .find_reference(&name)
            .and_then(|r| r.peel_to_commit())
        {
            Ok(commit) => commit,
            Err(e) if e.code() == ErrorCode::NotFound => return Ok(None),
            Err(e) => return Err(self.failed(e)),
        };
        let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
        let notes: BTreeMap<_, _> = message.lines().filter_map(|l| l.split_once(": ")).collect();
        let note = |key| notes.get(key).map_or("unknown", |v| v).to_owned();
        Ok(Some(Kernel {
            id: ref_name(id),
            origin: note("Origin"),
            version: note("Version"),
            commit: commit.id(),
            tree: commit.tree_id(),
        }))
    }

    /// Waits until no other process writes packs, asking `cancelled` all the
    /// while.
    ///
    /// # Errors
    /// [`IoError::Cancelled`], or when the lock file can't be made.
    pub fn lock(&self, cancelled: &mut dyn FnMut() -> bool) -> Result<cache::Lock, IoError> {
        let file = self.root.join("reaperlab/lock");
        cache::hold(&file, Mode::Exclusive, cancelled, &mut || {})
    }

    /// Names a tree that lies in the store already.
    pub(crate) fn record(
        &self,
        origin: &Origin,
        tree: Oid,
        seconds: i64,
    ) -> Result<Kernel, StoreError> {
        let fail = |e| self.failed(e);
        let root = self.repo.find_tree(tree).map_err(fail)?;
        let version = self
            .makefile_version(&root)
            .unwrap_or_else(|| "unknown".to_owned());
        let text = printable(&origin.text);
        let message = format!("Linux {version}\n\nOrigin: {text}\nVersion: {version}\n");
        let who = signature(seconds).map_err(fail)?;
        let commit = self
            .repo
            .commit(None, &who, &who, &message, &root, &[])
            .map_err(fail)?;
        let id = ref_name(&origin.id);
        self.repo
            .reference(&format!("refs/kernels/{id}"), commit, true, "import")
            .map_err(fail)?;
        Ok(Kernel {
            id,
            origin: text,
            version,
            commit,
            tree,
        })
    }

    /// Keeps an arm's commit from garbage collection.
    pub(crate) fn keep(&self, commit: Oid) -> Result<(), StoreError> {
        let name = format!("refs/arms/{commit}");
        // A reference that stands already is left alone: rewriting it on every
        // run would be work for nothing.
        if self.repo.find_reference(&name).is_ok() {
            return Ok(());
        }
        self.repo
            .reference(&name, commit, true, "arm")
            .map(drop)
            .map_err(|e| self.failed(e))
    }

    /// A commit's first line.
    ///
    /// # Errors
    /// When the store has no such commit.
    pub fn subject(&self, commit: Oid) -> Result<String, StoreError> {
        let found = self.repo.find_commit(commit).map_err(|e| self.failed(e))?;
        let subject = found.summary().ok().flatten();
        Ok(subject.unwrap_or_default().to_owned())
    }

    /// A commit as the mail that git would make of it.
    ///
    /// # Errors
    /// When the store has no such commit.
    pub fn mail(&self, commit: Oid) -> Result<Vec<u8>, StoreError> {
        let found = self.repo.find_commit(commit);
        let mail = found.and_then(|it| Email::from_commit(&it, &mut EmailCreateOptions::new()));
        Ok(mail.map_err(|e| self.failed(e))?.as_slice().to_vec())
    }

    /// A file of a commit's; none where it has no such file.
    ///
    /// # Errors
    /// When the store has no such commit.
    pub fn file(&self, commit: Oid, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let fail = |e| self.failed(e);
        let tree = self.repo.find_commit(commit).and_then(|it| it.tree());
        match tree.map_err(fail)?.get_path(Path::new(path)) {
            Ok(entry) if entry.kind() == Some(ObjectType::Blob) => {
                let blob = self.repo.find_blob(entry.id()).map_err(fail)?;
                Ok(Some(blob.content().to_vec()))
            }
            Ok(_) => Ok(None),
            Err(e) if e.code() == ErrorCode::NotFound => Ok(None),
            Err(e) => Err(fail(e)),
        }
    }

    /// The paths of the files in which two commits differ, but for those that are no
    /// text.
    ///
    /// # Errors
    /// When the store has no such commits.
    pub fn changed(&self, old: Oid, new: Oid) -> Result<Vec<String>, StoreError> {
        let tree = |commit| self.repo.find_commit(commit).map(|it| it.tree_id());
        let changes = tree(old).and_then(|old| self.changes(old, tree(new)?));
        let changes = changes.map_err(|e| self.failed(e))?;
        let paths = changes.into_iter().map(|change| change.path);
        Ok(paths.filter_map(|it| String::from_utf8(it).ok()).collect())
    }

    /// A commit on top of another one, in which files that are there have another
    /// content. The same input makes the same commit.
    ///
    /// # Errors
    /// When the store has no such commit, or can't be written to.
    pub fn with_files(
        &self,
        below: Oid,
        subject: &str,
        files: &[(String, String)],
    ) -> Result<Oid, StoreError> {
        let made = || -> Result<Oid, git2::Error> {
            let parent = self.repo.find_commit(below)?;
            let mut update = TreeUpdateBuilder::new();
            for (path, text) in files {
                let blob = self.repo.blob(text.as_bytes())?;
                update.upsert(path.as_str(), blob, FileMode::Blob);
            }
            let tree = update.create_updated(&self.repo, &parent.tree()?)?;
            let tree = self.repo.find_tree(tree)?;
            let who = signature(parent.time().seconds())?;
            self.repo
                .commit(None, &who, &who, subject, &tree, &[&parent])
        };
        made().map_err(|e| self.failed(e))
    }

    /// What differs between two trees. libgit2's own diff reads every subtree,
    /// equal ones too.
    pub(crate) fn changes(&self, old: Oid, new: Oid) -> Result<Vec<Change>, git2::Error> {
        let mut changes = Vec::new();
        let (old, new) = (self.repo.find_tree(old)?, self.repo.find_tree(new)?);
        self.compare(Some(&old), Some(&new), b"", &mut changes)?;
        Ok(changes)
    }

    fn compare(
        &self,
        old: Option<&Tree<'_>>,
        new: Option<&Tree<'_>>,
        folder: &[u8],
        changes: &mut Vec<Change>,
    ) -> Result<(), git2::Error> {
        let mut pairs: BTreeMap<Vec<u8>, [Option<(Oid, i32)>; 2]> = BTreeMap::new();
        for (side, tree) in [old, new].into_iter().enumerate() {
            for entry in tree.into_iter().flatten() {
                let pair = pairs.entry(entry.name_bytes().to_vec()).or_default();
                pair[side] = Some((entry.id(), entry.filemode()));
            }
        }
        for (name, [old, new]) in pairs.into_iter().filter(|(_, [old, new])| old != new) {
            let path = [folder, &name].concat();
            let is_tree = |side: &Option<(Oid, i32)>| side.is_some_and(|(_, mode)| mode == FOLDER);
            let tree = |side: &Option<(Oid, i32)>| match side {
                Some((id, FOLDER)) => self.repo.find_tree(*id).map(Some),
                _ => Ok(None),
            };
            if is_tree(&old) || is_tree(&new) {
                let below = [&path[..], b"/"].concat();
                self.compare(tree(&old)?.as_ref(), tree(&new)?.as_ref(), &below, changes)?;
            }
            let file = |side: Option<(Oid, i32)>| side.filter(|(_, mode)| *mode != FOLDER);
            let (old, new) = (file(old), file(new));
            if old != new {
                changes.push(Change { path, old, new });
            }
        }
        Ok(())
    }

    pub(crate) fn repo(&self) -> &Repository {
        &self.repo
    }

    pub(crate) fn failed(&self, source: git2::Error) -> StoreError {
        StoreError::Git {
            path: self.root.clone(),
            source,
        }
    }

    fn makefile_version(&self, root: &Tree<'_>) -> Option<String> {
        let blob = self.repo.find_blob(root.get_name("Makefile")?.id()).ok()?;
        let text = String::from_utf8_lossy(blob.content()).into_owned();
        let field = |name: &str| {
            text.lines().take(20).find_map(|line| {
                let (key, value) = line.split_once('=')?;
                (key.trim() == name).then(|| value.trim().to_owned())
            })
        };
        let mut version = format!("{}.{}", field("VERSION")?, field("PATCHLEVEL")?);
        if let Some(sublevel) = field("SUBLEVEL").filter(|s| !s.is_empty()) {
            version = format!("{version}.{sublevel}");
        }
        version.push_str(&field("EXTRAVERSION").unwrap_or_default());
        let plain = |c: char| c.is_ascii_alphanumeric() || "._+~-".contains(c);
        version.chars().all(plain).then_some(version)
    }
}

/// Whoever commits here: no person, and at the author's own time, so that the
/// same input makes the same commit id on every machine.
pub(crate) fn signature(seconds: i64) -> Result<Signature<'static>, git2::Error> {
    Signature::new("reaperlab", "reaperlab@localhost", &Time::new(seconds, 0))
}

/// Makes the repository beside its place, so that it is there whole or not at
/// all, whoever else does the same.
fn init(cache: &Path, root: &Path) -> Result<(), StoreError> {
    fs_err::create_dir_all(cache)?;
    let fresh = tempfile::Builder::new()
        .prefix(".kernels.git-")
        .tempdir_in(cache)?;
    let mut options = RepositoryInitOptions::new();
    options
        .bare(true)
        .external_template(false)
        .initial_head("none");
    Repository::init_opts(fresh.path(), &options).map_err(|source| StoreError::Git {
        path: fresh.path().to_owned(),
        source,
    })?;
    fs_err::create_dir_all(fresh.path().join("reaperlab"))?;
    match std::fs::rename(fresh.path(), root) {
        Ok(()) => drop(fresh.keep()),
        // Somebody else was first; ours goes.
        Err(_) if root.exists() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Replaces what git does not allow in a reference's name by `_` and two hex
/// digits. Applying it twice changes nothing.
fn ref_name(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for part in id.split('/').filter(|p| !p.is_empty()) {
        if !name.is_empty() {
            name.push('/');
        }
        let mut before = b'.';
        let last = part.len() - 1;
        for (i, byte) in part.bytes().enumerate() {
            let plain = byte.is_ascii_alphanumeric()
                || b"+-_".contains(&byte)
                || (byte == b'.' && before != b'.' && i != last && &part[i..] != ".lock");
            if plain {
                name.push(char::from(byte));
            } else {
                name.push('_');
                name.push_str(&hex(&[byte]));
            }
            before = byte;
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_open_a_new_store_at_once() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let cache = folder.path().join("cache");
            std::thread::scope(|scope| {
                let opens = || Store::open(&cache).map(drop);
                let all: Vec<_> = (0..8).map(|_| scope.spawn(opens)).collect();
                for one in all {
                    one.join().unwrap().unwrap();
                }
            });
            let left = cache::children(&cache);
            let expected = ["kernels.git", "locks"].map(|name| cache.join(name));
            assert_eq!(left, expected, "what was begun is left behind");
        }
    }

    #[test]
    fn a_commit_with_another_text() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let root = || -> Result<Oid, git2::Error> {
            let repo = &store.repo;
            let empty = repo.find_tree(repo.treebuilder(None)?.write()?)?;
            let mut update = TreeUpdateBuilder::new();
            for path in ["mm/a.c", "Makefile"] {
                update.upsert(path, repo.blob(b"old\n")?, FileMode::Blob);
            }
            let tree = repo.find_tree(update.create_updated(repo, &empty)?)?;
            let who = signature(1)?;
            repo.commit(None, &who, &who, "root", &tree, &[])
        };
        let root = root().unwrap();
        let files = [("mm/a.c".to_owned(), "new\n".to_owned())];
        let made = store.with_files(root, "x", &files).unwrap();
        assert_eq!(store.with_files(root, "x", &files).unwrap(), made);
        assert_eq!(store.changed(root, made).unwrap(), ["mm/a.c"]);
        let text = |path| store.file(made, path).unwrap();
        assert_eq!(text("mm/a.c").as_deref(), Some(&b"new\n"[..]));
        assert_eq!(text("Makefile").as_deref(), Some(&b"old\n"[..]));
        for path in ["mm", "mm/b.c", "gone/a.c"] {
            assert_eq!(text(path), None, "{path}");
        }
    }

    #[test]
    fn a_reference_that_was_cut_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let empty = store.repo.treebuilder(None).unwrap().write().unwrap();
        let origin = |id: &str| Origin {
            id: id.into(),
            text: id.into(),
            immutable: true,
        };
        let kernels = ["debian/6.1", "debian/6.12"];
        let [cut, whole] = kernels.map(|id| store.record(&origin(id), empty, 1).unwrap());
        store.keep(cut.commit).unwrap();
        let arm = format!("refs/arms/{}", cut.commit);
        for (cut_to, name) in [("", &*arm), ("0123", "refs/kernels/debian/6.1")] {
            fs_err::write(store.root.join(name), cut_to).unwrap();
        }
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.kernels().unwrap(), std::slice::from_ref(&whole));
        assert_eq!(store.kernel("debian/6.1").unwrap(), None);
        store.keep(cut.commit).unwrap();
        assert_eq!(store.repo.refname_to_id(&arm).unwrap(), cut.commit);
        assert_eq!(store.record(&origin("debian/6.1"), empty, 1).unwrap(), cut);
        assert_eq!(store.kernels().unwrap(), [cut, whole]);
    }

    #[test]
    fn ids_become_valid_reference_names() {
        for (id, name) in [
            ("debian/6.12.117-1~deb12u1", "debian/6.12.117-1_7edeb12u1"),
            ("folder//a b/../c", "folder/a_20b/_2e_2e/c"),
            ("git/x.lock", "git/x_2elock"),
            ("a/.hidden/b.", "a/_2ehidden/b_2e"),
            ("ä:^", "_c3_a4_3a_5e"),
        ] {
            assert_eq!(ref_name(id), name);
            assert_eq!(ref_name(name), name);
            assert!(
                git2::Reference::is_valid_name(&format!("refs/kernels/{name}")),
                "{name}"
            );
        }
    }

    #[test]
    fn a_second_writer_waits_and_can_be_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let held = store.lock(&mut || false).unwrap();
        let other = Store::open(dir.path()).unwrap();
        assert!(matches!(other.lock(&mut || true), Err(IoError::Cancelled)));
        drop(held);
        other.lock(&mut || true).unwrap();
    }
}
