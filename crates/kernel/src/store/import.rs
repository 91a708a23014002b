//! From a tar stream, a folder or a git revision to one tree in the store.
//!
//! One thread reads names and content, the others hash and compress; every
//! object goes into one pack, unless the store has it already, so that a second
//! version costs only what differs. No file is unpacked on the way.

use std::collections::HashSet;
use std::io::{self, Read};
use std::ops::{ControlFlow, Range};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use git2::{ObjectType, OdbLookupFlags, Oid, Repository, TreeWalkMode, TreeWalkResult};

use crate::error::IoError;
use crate::store::pack::{Id, Kind, PackFile, Packer, id};
use crate::store::repository::{Kernel, Origin, Store, StoreError};

/// How far an import has come.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Progress {
    pub files: u64,
    /// Their content, in bytes.
    pub bytes: u64,
    /// The part done, from 0 to 1, where the whole is known.
    pub share: Option<f64>,
}

/// Asked between steps; [`ControlFlow::Break`] stops the work, and nothing of
/// it stays.
pub type Watch<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

pub enum Input<'a> {
    /// A tar stream, uncompressed. A folder that holds everything is stripped.
    Tar {
        reader: Box<dyn Read + 'a>,
        /// The part of it that has been read, from 0 to 1.
        share: Box<dyn Fn() -> f64 + 'a>,
    },
    /// Every file below a folder, whatever its `.gitignore` says; only `.git`
    /// stays out.
    Folder(&'a Path),
    /// A commit's tree in another repository.
    Git(&'a Repository, Oid),
}

/// More than any kernel has, so that a hostile archive ends.
const MAX_FILES: usize = 2_000_000;
const MAX_FILE: u64 = 1 << 30;
const MAX_BYTES: u64 = 32 << 30;
const MAX_PATH: usize = 4096;
/// Content handed over at once: a channel operation for every small file
/// would cost as much as hashing it.
const BATCH: u64 = 256 << 10;

const FILE: u32 = 0o100_644;
const EXECUTABLE: u32 = 0o100_755;
const LINK: u32 = 0o120_000;
const FOLDER: u32 = 0o040_000;

/// Imports a tree and names it.
///
/// # Errors
/// See [`StoreError`].
pub fn import(
    store: &Store,
    input: Input<'_>,
    origin: &Origin,
    watch: &mut Watch<'_>,
) -> Result<Kernel, StoreError> {
    let _lock = store.lock(&mut || watch(Progress::default()).is_break())?;
    // Another process may have imported it while this one waited.
    if origin.immutable
        && let Some(kernel) = store.kernel(&origin.id)?
    {
        return Ok(kernel);
    }
    let packs = store.path().join("objects/pack");
    sweep(&packs)?;
    let shared = Shared {
        store: store.path(),
        source: match &input {
            Input::Git(repo, _) => Some(repo.path()),
            _ => None,
        },
        seen: Mutex::default(),
        pack: Mutex::new(PackFile::new(&packs)?),
    };
    let archived = matches!(input, Input::Tar { .. });
    let (sender, receiver) = sync_channel(8);
    let receiver = Arc::new(Mutex::new(receiver));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);

    let (listed, parts) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let (shared, receiver) = (&shared, Arc::clone(&receiver));
                scope.spawn(move || work(shared, &receiver))
            })
            .collect();
        // With the last worker goes the receiver, and the reader stops: a full
        // disk ends them all.
        drop(receiver);
        let mut feed = Feed::new(sender, watch);
        let read = match input {
            Input::Tar { reader, share } => read_tar(reader, share.as_ref(), &mut feed),
            Input::Folder(path) => read_folder(path, &mut feed),
            Input::Git(repo, commit) => read_git(store.path(), repo, commit, &mut feed),
        };
        let listed = read.and_then(|seconds| Ok((feed.close()?, seconds)));
        let parts: Vec<_> = workers
            .into_iter()
            .map(|w| {
                w.join()
                    .unwrap_or_else(|_| Err(io::Error::other("a thread died").into()))
            })
            .collect();
        (listed, parts)
    });
    // A worker that failed explains why the reader could not go on.
    let parts = parts.into_iter().collect::<Result<Vec<_>, _>>()?;
    let (mut entries, seconds) = listed?;
    for (index, id) in parts.into_iter().flatten() {
        if let Some(entry) = entries.get_mut(index) {
            entry.content = Content::Id(id);
        }
    }
    if archived {
        strip(&mut entries);
    }
    let tree = write_trees(&shared, resolve(entries)?)?;
    let pack = shared
        .pack
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    pack.finish()?;
    let tree = Oid::from_bytes(&tree).map_err(|e| store.failed(e))?;
    store.record(origin, tree, seconds)
}

/// Deletes what an import that was killed left behind. The lock is held: no
/// other writes packs.
fn sweep(packs: &Path) -> io::Result<()> {
    for entry in fs_err::read_dir(packs)? {
        let entry = entry?;
        if entry.file_name().as_bytes().starts_with(b"tmp_") {
            fs_err::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// One file or link of the tree to be.
struct Entry {
    path: Vec<u8>,
    mode: u32,
    content: Content,
}

#[derive(Clone, PartialEq)]
enum Content {
    /// With a worker.
    Pending,
    Id(Id),
    /// The same as another entry's: a hard link.
    SameAs(Vec<u8>),
}

/// Where a worker finds an entry's content.
enum Data {
    Inline(Range<usize>),
    File(PathBuf),
    Blob(Oid),
}

#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    jobs: Vec<Job>,
}

struct Job {
    index: usize,
    data: Data,
}

/// The reader's side: checks entries and hands their content to the workers.
struct Feed<'a, 'w> {
    sender: SyncSender<Batch>,
    watch: &'a mut Watch<'w>,
    batch: Batch,
    batched: u64,
    entries: Vec<Entry>,
    progress: Progress,
}

impl<'a, 'w> Feed<'a, 'w> {
    fn new(sender: SyncSender<Batch>, watch: &'a mut Watch<'w>) -> Self {
        let (batch, entries) = (Batch::default(), Vec::new());
        Self {
            sender,
            watch,
            batch,
            batched: 0,
            entries,
            progress: Progress::default(),
        }
    }

    fn add(&mut self, path: Vec<u8>, mode: u32, size: u64, data: Data) -> Result<(), StoreError> {
        let index = self.entry(path, mode, Content::Pending)?;
        self.progress.files += 1;
        self.progress.bytes += size;
        if self.progress.bytes > MAX_BYTES {
            return Err(StoreError::refused(b"", "more content than any kernel has"));
        }
        self.batched += size + 64;
        self.batch.jobs.push(Job { index, data });
        if self.batched >= BATCH {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Adds what the store has: a file, a link, or a folder with all below it,
    /// whose path ends with a slash.
    fn kept(&mut self, path: Vec<u8>, mode: u32, id: Oid) -> Result<(), StoreError> {
        let id = Id::try_from(id.as_bytes())
            .map_err(|_| StoreError::refused(&path, "its id is none of git's"))?;
        self.entry(path, mode, Content::Id(id)).map(drop)
    }

    /// Copies content into the batch at hand.
    fn inline(&mut self, mut reader: impl Read) -> io::Result<Data> {
        let start = self.batch.bytes.len();
        reader.read_to_end(&mut self.batch.bytes)?;
        Ok(Data::Inline(start..self.batch.bytes.len()))
    }

    fn entry(&mut self, path: Vec<u8>, mode: u32, content: Content) -> Result<usize, StoreError> {
        if self.entries.len() == MAX_FILES {
            return Err(StoreError::refused(&path, "more files than any kernel has"));
        }
        self.entries.push(Entry {
            path,
            mode,
            content,
        });
        Ok(self.entries.len() - 1)
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.batched = 0;
        let batch = std::mem::take(&mut self.batch);
        // All workers gone: one of them knows why.
        self.sender.send(batch).map_err(|_| IoError::Cancelled)?;
        self.ask()
    }

    fn ask(&mut self) -> Result<(), StoreError> {
        match (self.watch)(self.progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(IoError::Cancelled.into()),
        }
    }

    fn close(mut self) -> Result<Vec<Entry>, StoreError> {
        self.flush()?;
        Ok(self.entries)
    }
}

/// A relative path of plain names; `./` is dropped. Empty for the root.
fn clean(path: &[u8]) -> Result<Vec<u8>, StoreError> {
    if path.starts_with(b"/") {
        return Err(StoreError::refused(path, "the path is absolute"));
    }
    if path.len() > MAX_PATH {
        return Err(StoreError::refused(path, "the path is too long"));
    }
    let mut out = Vec::with_capacity(path.len());
    for part in path
        .split(|b| *b == b'/')
        .filter(|p| !p.is_empty() && *p != b".")
    {
        check_name(part).map_err(|why| StoreError::refused(path, why))?;
        if !out.is_empty() {
            out.push(b'/');
        }
        out.extend_from_slice(part);
    }
    Ok(out)
}

/// Whether a name may stand in a tree.
pub(crate) fn check_name(name: &[u8]) -> Result<(), &'static str> {
    if name.is_empty() || name == b"." || name == b".." {
        return Err("the path leaves the tree");
    }
    if name.eq_ignore_ascii_case(b".git") {
        return Err("it would be a repository's own folder");
    }
    if name.contains(&0) || name.contains(&b'/') {
        return Err("the name holds a byte that no file name has");
    }
    Ok(())
}

/// Returns the newest time in it, in seconds since 1970.
fn read_tar(
    reader: Box<dyn Read + '_>,
    share: &dyn Fn() -> f64,
    feed: &mut Feed<'_, '_>,
) -> Result<i64, StoreError> {
    let fail = StoreError::Archive;
    let mut archive = tar::Archive::new(reader);
    let mut newest = 0;
    for entry in archive.entries().map_err(fail)? {
        let mut entry = entry.map_err(fail)?;
        let path = entry.path_bytes().into_owned();
        let header = entry.header();
        let kind = header.entry_type();
        if kind == tar::EntryType::XGlobalHeader {
            continue;
        }
        newest = newest.max(i64::try_from(header.mtime().unwrap_or(0)).unwrap_or(0));
        let mode = header.mode().map_err(fail)?;
        let clean = clean(&path)?;
        feed.progress.share = Some(share());
        match kind {
            tar::EntryType::Directory => continue,
            _ if clean.is_empty() => return Err(StoreError::refused(&path, "it has no name")),
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                let size = entry.size();
                if size > MAX_FILE {
                    return Err(StoreError::refused(
                        &path,
                        "it is larger than any source file",
                    ));
                }
                let data = feed.inline(&mut entry).map_err(fail)?;
                if !matches!(&data, Data::Inline(range) if range.len() as u64 == size) {
                    return Err(fail(io::ErrorKind::UnexpectedEof.into()));
                }
                feed.add(
                    clean,
                    if mode & 0o100 == 0 { FILE } else { EXECUTABLE },
                    size,
                    data,
                )?;
            }
            tar::EntryType::Symlink | tar::EntryType::Link => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                if kind == tar::EntryType::Symlink {
                    let data = feed.inline(target.as_slice()).map_err(fail)?;
                    feed.add(clean, LINK, target.len() as u64, data)?;
                } else {
                    let target = self::clean(&target)?;
                    feed.entry(clean, FILE, Content::SameAs(target))?;
                }
            }
            _ => {
                return Err(StoreError::refused(
                    &path,
                    "it is neither file, folder nor link",
                ));
            }
        }
    }
    // The rest of the stream carries the checksums of what was read.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(fail)?;
    Ok(newest)
}

fn read_folder(root: &Path, feed: &mut Feed<'_, '_>) -> Result<i64, StoreError> {
    let mut folders = vec![(root.to_owned(), Vec::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs_err::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == ".git" {
                continue;
            }
            let mut path: Vec<u8> = prefix.clone();
            path.extend_from_slice(name.as_bytes());
            check_name(name.as_bytes()).map_err(|why| StoreError::refused(&path, why))?;
            let kind = entry.file_type()?;
            let place = entry.path();
            if kind.is_dir() {
                path.push(b'/');
                folders.push((place, path));
            } else if kind.is_symlink() {
                let target = fs_err::read_link(&place)?;
                let bytes = target.as_os_str().as_bytes();
                let data = feed.inline(bytes)?;
                feed.add(path, LINK, bytes.len() as u64, data)?;
            } else if kind.is_file() {
                let meta = entry.metadata()?;
                if meta.len() > MAX_FILE {
                    return Err(StoreError::refused(
                        &path,
                        "it is larger than any source file",
                    ));
                }
                let mode = if meta.mode() & 0o100 == 0 {
                    FILE
                } else {
                    EXECUTABLE
                };
                feed.add(path, mode, meta.len(), Data::File(place))?;
            } else {
                return Err(StoreError::refused(
                    &path,
                    "it is neither file, folder nor link",
                ));
            }
        }
    }
    Ok(0)
}

/// What the store has already is not read: in every other commit of a history
/// that is nearly all of it.
fn read_git(
    store: &Path,
    repo: &Repository,
    commit: Oid,
    feed: &mut Feed<'_, '_>,
) -> Result<i64, StoreError> {
    let kept = open(store)?;
    let kept = kept.odb().map_err(|source| StoreError::Git {
        path: store.to_owned(),
        source,
    })?;
    let is_kept = |id| kept.exists_ext(id, OdbLookupFlags::NO_REFRESH);
    let fail = |source| StoreError::Foreign {
        path: repo.path().to_owned(),
        source,
    };
    let commit = repo.find_commit(commit).map_err(fail)?;
    let tree = commit.tree().map_err(fail)?;
    let odb = repo.odb().map_err(fail)?;
    let mut stop = None;
    let walked = tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
        let mut path = [folder.as_bytes(), entry.name_bytes()].concat();
        let added = (|| {
            check_name(entry.name_bytes()).map_err(|why| StoreError::refused(&path, why))?;
            let mode = match u32::from_ne_bytes(entry.filemode_raw().to_ne_bytes()) {
                FOLDER if is_kept(entry.id()) => {
                    path.push(b'/');
                    feed.kept(path.clone(), FOLDER, entry.id())?;
                    return Ok(TreeWalkResult::Skip);
                }
                FOLDER => return Ok(TreeWalkResult::Ok),
                LINK => LINK,
                mode if entry.kind() == Some(ObjectType::Blob) => {
                    if mode & 0o100 == 0 {
                        FILE
                    } else {
                        EXECUTABLE
                    }
                }
                _ => return Err(StoreError::refused(&path, "it is a submodule")),
            };
            if is_kept(entry.id()) {
                feed.kept(path.clone(), mode, entry.id())?;
                return Ok(TreeWalkResult::Ok);
            }
            let (size, _) = odb.read_header(entry.id()).map_err(fail)?;
            feed.add(path.clone(), mode, size as u64, Data::Blob(entry.id()))?;
            Ok(TreeWalkResult::Ok)
        })();
        match added {
            Ok(next) => next,
            Err(e) => {
                stop = Some(e);
                TreeWalkResult::Abort
            }
        }
    });
    match stop {
        Some(e) => Err(e),
        None => walked.map_err(fail).map(|()| commit.time().seconds()),
    }
}

struct Shared<'a> {
    store: &'a Path,
    source: Option<&'a Path>,
    /// Objects that are in the pack, or will be.
    seen: Mutex<HashSet<Id>>,
    pack: Mutex<PackFile>,
}

/// Puts objects into the pack that neither it nor the store has.
struct Writer<'a, 'r> {
    shared: &'a Shared<'a>,
    odb: git2::Odb<'r>,
    packer: Packer,
}

impl<'a, 'r> Writer<'a, 'r> {
    fn new(shared: &'a Shared<'a>, store: &'r Repository) -> Result<Self, git2::Error> {
        Ok(Self {
            shared,
            odb: store.odb()?,
            packer: Packer::new(),
        })
    }

    fn put(&mut self, kind: Kind, data: &[u8]) -> io::Result<Id> {
        let id = id(kind, data);
        let oid = Oid::from_bytes(&id).map_err(io::Error::other)?;
        let fresh = lock(&self.shared.seen).insert(id)
            && !self.odb.exists_ext(oid, OdbLookupFlags::NO_REFRESH);
        if fresh {
            let packed = self.packer.pack(kind, id, data)?;
            lock(&self.shared.pack).add(&packed)?;
        }
        Ok(id)
    }
}

/// A worker that panicked is reported when it is joined.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(path: &Path) -> Result<Repository, StoreError> {
    Repository::open(path).map_err(|source| StoreError::Git {
        path: path.to_owned(),
        source,
    })
}

/// The ids of what one worker was given, by entry.
fn work(
    shared: &Shared<'_>,
    batches: &Mutex<Receiver<Batch>>,
) -> Result<Vec<(usize, Id)>, StoreError> {
    let store = open(shared.store)?;
    let source = shared.source.map(open).transpose()?;
    let mut writer = Writer::new(shared, &store).map_err(|source| StoreError::Git {
        path: shared.store.to_owned(),
        source,
    })?;
    let mut ids = Vec::new();
    loop {
        let batch = lock(batches).recv();
        let Ok(batch) = batch else { return Ok(ids) };
        for job in batch.jobs {
            let owned;
            let blob;
            let data = match job.data {
                Data::Inline(range) => batch.bytes.get(range).unwrap_or_default(),
                Data::File(path) => {
                    owned = fs_err::read(path)?;
                    &owned
                }
                Data::Blob(oid) => {
                    let Some(source) = &source else { continue };
                    blob = source.find_blob(oid).map_err(|e| StoreError::Foreign {
                        path: source.path().to_owned(),
                        source: e,
                    })?;
                    blob.content()
                }
            };
            let id = writer.put(Kind::Blob, data)?;
            ids.push((job.index, id));
        }
    }
}

/// Strips the folder that holds everything, as archives have one.
fn strip(entries: &mut [Entry]) {
    let Some(slash) = entries
        .first()
        .and_then(|e| e.path.iter().position(|b| *b == b'/'))
    else {
        return;
    };
    let prefix: Vec<u8> = entries
        .first()
        .map_or(Vec::new(), |e| e.path[..=slash].to_vec());
    if !entries.iter().all(|e| e.path.starts_with(&prefix)) {
        return;
    }
    for entry in entries {
        entry.path.drain(..=slash);
        if let Content::SameAs(target) = &mut entry.content
            && target.starts_with(&prefix)
        {
            target.drain(..=slash);
        }
    }
}

/// Sorts as git does, lets the last of equal paths win, and gives hard links
/// the content they share.
fn resolve(mut entries: Vec<Entry>) -> Result<Vec<Entry>, StoreError> {
    if entries.is_empty() {
        return Err(StoreError::Empty);
    }
    // Stable: of equal paths the last one read comes last.
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries.dedup_by(|later, kept| {
        let same = later.path == kept.path;
        if same {
            std::mem::swap(later, kept);
        }
        same
    });
    for i in 0..entries.len() {
        let Content::SameAs(target) = entries[i].content.clone() else {
            continue;
        };
        let at = entries.binary_search_by(|e| e.path.cmp(&target)).ok();
        match at.and_then(|at| entries.get(at)) {
            Some(Entry {
                mode,
                content: content @ Content::Id(_),
                ..
            }) if *mode != LINK => {
                let (mode, content) = (*mode, content.clone());
                entries[i].mode = mode;
                entries[i].content = content;
            }
            _ => {
                return Err(StoreError::refused(
                    &entries[i].path,
                    "a hard link to nothing in the archive",
                ));
            }
        }
    }
    Ok(entries)
}

/// Builds the trees bottom-up from sorted entries and returns the root's id.
fn write_trees(shared: &Shared<'_>, entries: Vec<Entry>) -> Result<Id, StoreError> {
    let store = open(shared.store)?;
    let mut writer = Writer::new(shared, &store).map_err(|source| StoreError::Git {
        path: shared.store.to_owned(),
        source,
    })?;
    write_tree(&mut writer, &entries, 0)
}

fn write_tree(
    writer: &mut Writer<'_, '_>,
    entries: &[Entry],
    depth: usize,
) -> Result<Id, StoreError> {
    let mut tree = Vec::new();
    let mut rest = entries;
    while let Some(first) = rest.first() {
        let tail = first.path.get(depth..).unwrap_or_default();
        let (name, mode, id, used) = match tail.iter().position(|b| *b == b'/') {
            Some(slash) => {
                let below = depth + slash + 1;
                let prefix = first.path.get(..below).unwrap_or_default();
                let count = rest.partition_point(|e| e.path.starts_with(prefix));
                let plain = first.path.get(..below - 1).unwrap_or_default();
                if entries
                    .binary_search_by(|e| e.path.as_slice().cmp(plain))
                    .is_ok()
                {
                    return Err(StoreError::refused(plain, "it is both a file and a folder"));
                }
                let id = match first.content {
                    Content::Id(id) if first.path.len() == below => id,
                    _ => write_tree(writer, rest.get(..count).unwrap_or_default(), below)?,
                };
                (tail.get(..slash).unwrap_or_default(), FOLDER, id, count)
            }
            None => match first.content {
                Content::Id(id) => (tail, first.mode, id, 1),
                // Its worker failed, which was reported before.
                _ => return Err(IoError::Cancelled.into()),
            },
        };
        tree.extend(format!("{mode:o} ").bytes());
        tree.extend_from_slice(name);
        tree.push(0);
        tree.extend_from_slice(&id);
        rest = rest.get(used.max(1)..).unwrap_or_default();
    }
    Ok(writer.put(Kind::Tree, &tree)?)
}
