//! Folders copied whole, time stamps kept.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use fs_err::File;
use fs_err::os::unix::fs::{OpenOptionsExt, symlink};

/// What a folder holds, by paths relative to it.
#[derive(Default)]
pub(super) struct Listing {
    /// Each after the one it lies in.
    pub(super) folders: Vec<PathBuf>,
    pub(super) files: Vec<Found>,
}

pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) modified: SystemTime,
    pub(super) link: bool,
}

impl Listing {
    pub(super) fn of(root: &Path) -> io::Result<Self> {
        let mut listing = Self::default();
        listing.add(root, Path::new(""))?;
        Ok(listing)
    }

    fn add(&mut self, root: &Path, below: &Path) -> io::Result<()> {
        for entry in fs_err::read_dir(root.join(below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            let meta = entry.metadata()?;
            if meta.is_dir() {
                self.folders.push(path.clone());
                self.add(root, &path)?;
            } else {
                let (modified, link) = (meta.modified()?, meta.is_symlink());
                self.files.push(Found {
                    path,
                    modified,
                    link,
                });
            }
        }
        Ok(())
    }

    pub(super) fn newest(&self) -> SystemTime {
        self.files
            .iter()
            .map(|file| file.modified)
            .max()
            .unwrap_or(UNIX_EPOCH)
    }
}

/// Copies a folder that does not change meanwhile, time stamps and modes kept,
/// sharing blocks where the file system can. Returns the newest time stamp.
pub(super) fn copy_tree(from: &Path, to: &Path, threads: usize) -> io::Result<SystemTime> {
    let listing = Listing::of(from)?;
    fs_err::create_dir(to)?;
    // Empty ones as well: kbuild reaches its notes through paths such as
    // `arch/x86/entry/syscalls/../../../../arch/x86/include`.
    for folder in &listing.folders {
        fs_err::create_dir(to.join(folder))?;
    }
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(file) = listing.files.get(next.fetch_add(1, Ordering::Relaxed)) {
            copy_file(from, to, file)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (1..threads.clamp(1, 8))
            .map(|_| scope.spawn(work))
            .collect();
        let mine = work();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a thread died")))
            })
            .fold(mine, io::Result::and)
    })?;
    Ok(listing.newest())
}

fn copy_file(from: &Path, to: &Path, file: &Found) -> io::Result<()> {
    let (from, to) = (from.join(&file.path), to.join(&file.path));
    if file.link {
        return symlink(fs_err::read_link(from)?, to);
    }
    let source = File::open(from)?;
    let mode = source.metadata()?.permissions().mode();
    let mut copy = File::options()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(to)?;
    // Between files this is copy_file_range.
    io::copy(&mut source.into_file(), copy.file_mut())?;
    copy.set_modified(file.modified)
}

/// Whether each file of `source` lies in `copy` too, with the same content and
/// time stamp. Further files there don't matter.
pub(super) fn holds_all_of(copy: &Path, source: &Path) -> io::Result<bool> {
    for file in Listing::of(source)?.files {
        let there = copy.join(&file.path);
        let same = !file.link
            && there.symlink_metadata().is_ok_and(|meta| {
                meta.is_file() && meta.modified().is_ok_and(|at| at == file.modified)
            })
            && fs_err::read(&there)? == fs_err::read(source.join(&file.path))?;
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::time::Duration;

    pub fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    pub fn file(path: &Path, seconds: u64) {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, path.to_string_lossy().as_bytes()).unwrap();
        File::open(path).unwrap().set_modified(at(seconds)).unwrap();
    }

    #[test]
    fn a_copy_keeps_times_modes_and_links() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        for n in 0..50 {
            file(&from.join(format!("d{}/e/f{n}.o", n % 7)), n);
        }
        let tool = from.join("scripts/tool");
        file(&tool, 7);
        fs_err::set_permissions(&tool, PermissionsExt::from_mode(0o755)).unwrap();
        symlink("/nowhere", from.join("source")).unwrap();
        fs_err::create_dir_all(from.join("empty/below")).unwrap();
        let newest = copy_tree(&from, &to, 4).unwrap();
        assert!(newest >= at(49));
        assert!(to.join("empty/below").is_dir());
        let mut old = Listing::of(&from).unwrap().files;
        let new = Listing::of(&to).unwrap().files;
        old.retain(|found| !found.link);
        let key = |found: &Found| (found.path.clone(), found.modified);
        for found in &old {
            assert!(
                new.iter().any(|copy| key(copy) == key(found)),
                "{}",
                found.path.display()
            );
            let read = |root: &Path| fs_err::read(root.join(&found.path)).unwrap();
            assert_eq!(read(&from), read(&to));
        }
        assert_eq!(new.len(), old.len() + 1);
        assert_eq!(
            fs_err::read_link(to.join("source")).unwrap(),
            Path::new("/nowhere")
        );
        let mode = to
            .join("scripts/tool")
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755);
    }

    #[test]
    fn a_copy_is_known_by_content_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        file(&from.join("d/a.c"), 1);
        file(&from.join("Kbuild"), 2);
        assert!(!holds_all_of(&to, &from).unwrap(), "nothing is there");
        copy_tree(&from, &to, 1).unwrap();
        file(&to.join("a.o"), 3);
        assert!(holds_all_of(&to, &from).unwrap(), "what was made beside");
        let copy = to.join("d/a.c");
        let content = fs_err::read(&copy).unwrap();
        fs_err::write(&copy, &content).unwrap();
        assert!(!holds_all_of(&to, &from).unwrap(), "another time stamp");
        fs_err::write(&copy, vec![b'x'; content.len()]).unwrap();
        File::open(&copy).unwrap().set_modified(at(1)).unwrap();
        assert!(!holds_all_of(&to, &from).unwrap(), "another content");
        fs_err::remove_file(&copy).unwrap();
        assert!(!holds_all_of(&to, &from).unwrap(), "cut");
    }
}
