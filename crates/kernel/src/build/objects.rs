//! The objects of one build, as the next one's start.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fs_err::File;
use git2::Oid;
use serde::{Deserialize, Serialize};

use crate::build::builder::{Builder, Event};
use crate::build::copy::{Found, Listing, copy_tree};
use crate::build::error::{BuildError, Result};
use crate::build::recipe::Recipe;
use crate::build::target::{Source, Target};
use crate::cache::{Cache, Lock, Mode, children, read_json};

/// How far an interrupted build is taken back.
const REWIND: Duration = Duration::from_secs(60);

/// Files compiled anew whenever a kernel is linked: its version and symbols.
const RELINKED: u32 = 9;

/// Files compiled for each option that is `y`, where nothing better is known.
const OBJECTS_PER_OPTION: u32 = 2;

/// What an object folder holds; beside it, as `NAME.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Objects {
    /// The kernel's key.
    kernel: String,
    tree: String,
    /// What it began with; none where all of it was compiled from nothing.
    copied: Option<Copied>,
    /// Whether the next build may go on in `live`, whose make ended well.
    #[serde(default)]
    finished: bool,
}

/// What of it is read to start from it.
#[derive(Debug, Deserialize)]
struct Kept {
    tree: String,
    #[serde(default)]
    finished: bool,
}

/// The objects that a build began with.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Copied {
    tree: String,
    /// The newest time stamp among them.
    newest: SystemTime,
}

impl Objects {
    /// The files that differ from those that its first objects were compiled
    /// from; none where their tree is gone from the store.
    fn changed(&self, source: &mut dyn Source, target: &Target) -> Option<Vec<PathBuf>> {
        match &self.copied {
            Some(copied) => differ(source, &copied.tree, target),
            None => Some(Vec::new()),
        }
    }
}

/// The paths in which a tree differs from a target's; none where it is gone.
fn differ(source: &mut dyn Source, tree: &str, target: &Target) -> Option<Vec<PathBuf>> {
    source.changed(Oid::from_str(tree).ok()?, target.tree).ok()
}

/// An object folder to start from.
struct Nearest {
    folder: PathBuf,
    tree: String,
    /// The files in which its tree differs.
    changed: Vec<PathBuf>,
    /// Whether its configuration is another.
    configured: bool,
}

/// The linked kernel of this key with its symbols, as long as the objects that it was
/// made of are kept.
pub(super) fn vmlinux(cache: &Cache, key: &str) -> Option<PathBuf> {
    let folders = children(&cache.root().join("objects"))
        .into_iter()
        .flat_map(|family| children(&family));
    let is_it = |folder: &PathBuf| {
        let objects = read_json::<Objects>(&folder.with_extension("json"));
        objects.is_some_and(|objects| objects.kernel == key && objects.finished)
    };
    let mut linked = folders.filter(is_it).map(|folder| folder.join("vmlinux"));
    linked.find(|vmlinux| vmlinux.is_file())
}

pub(super) enum Start {
    Nothing,
    /// A copy of other objects, of which so many must be compiled again.
    Copy {
        affected: Option<u32>,
    },
    /// What an interrupted build of the same kernel left.
    Interrupted {
        objects: u32,
    },
}

/// The folder that a kernel is compiled in, laid out. Its lock is held.
pub(super) struct Live {
    pub(super) dir: PathBuf,
    pub(super) start: Start,
    family: PathBuf,
    objects: Objects,
    _lock: Lock,
}

impl Builder<'_> {
    /// Makes the object folder and the source folder ready for make. The caller
    /// holds the source folder's lock.
    pub(super) fn lay_out(
        &self,
        source: &mut dyn Source,
        recipe: &Recipe<'_>,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Live> {
        let objects = self.cache.root().join("objects");
        let family = objects.join(recipe.family(source.dir()));
        fs_err::create_dir_all(&family)?;
        let lock = self.lock(&family, Mode::Exclusive, on_event)?;
        on_event(Event::Preparing);
        let dir = family.join("live");
        let (copied, start) = self.start(source, recipe, &dir)?;
        let (dot_config, config) = (dir.join(".config"), &recipe.resolved.config);
        if fs_err::read(&dot_config).ok().as_deref() != Some(config.as_bytes()) {
            fs_err::write(&dot_config, config)?;
        }
        let objects = Objects {
            kernel: recipe.key.clone(),
            tree: recipe.target.tree.to_string(),
            copied,
            finished: false,
        };
        self.cache
            .write_json(&dir.with_extension("json"), &objects)?;
        Ok(Live {
            dir,
            start,
            family,
            objects,
            _lock: lock,
        })
    }

    /// Fills `live`, and the source folder with files that are newer than its
    /// objects where they differ from what those were compiled from.
    fn start(
        &self,
        source: &mut dyn Source,
        recipe: &Recipe<'_>,
        live: &Path,
    ) -> Result<(Option<Copied>, Start)> {
        let target = recipe.target;
        let state = live.with_extension("json");
        if let Some(objects) = read_json::<Objects>(&state)
            && objects.kernel == recipe.key
            && live.is_dir()
            && let Some(changed) = objects.changed(source, target)
        {
            let left = rewind(live)?;
            source.switch(target)?;
            date(source.dir(), &changed, objects.copied.as_ref())?;
            return Ok((objects.copied, Start::Interrupted { objects: left }));
        }
        let from = nearest(source, target, &recipe.resolved.config, live);
        // Without it, what is in `live` is never gone on with.
        self.cache.remove(&state)?;
        if from.as_ref().is_none_or(|from| from.folder != live) {
            self.cache.remove(live)?;
        }
        let Some(from) = from else {
            fs_err::create_dir_all(live)?;
            source.switch(target)?;
            date(source.dir(), &[], None)?;
            return Ok((None, Start::Nothing));
        };
        let newest = match from.folder == live {
            true => Listing::of(live)?.newest(),
            false => copy_tree(&from.folder, live, self.toolchain.jobs)?,
        };
        if self.runner.cancelled() {
            return Err(BuildError::cancelled());
        }
        let tree = from.tree;
        let copied = Some(Copied { tree, newest });
        source.switch(target)?;
        date(source.dir(), &from.changed, copied.as_ref())?;
        let affected = if from.configured {
            affected(live, source.dir(), &from.changed)
        } else {
            None
        };
        Ok((copied, Start::Copy { affected }))
    }

    /// How many files make will compile, as far as that is known.
    pub(super) fn expected(&self, live: &Live, config: &str) -> Option<u32> {
        let whole = || {
            let remembered = self.cache.remembered(&self.requests_hash());
            remembered.unwrap_or_else(|| {
                let options = config.lines().filter(|row| row.ends_with("=y")).count();
                OBJECTS_PER_OPTION.saturating_mul(count(options))
            })
        };
        match &live.start {
            Start::Nothing => Some(whole()),
            Start::Interrupted { objects } if live.objects.copied.is_none() => {
                Some(whole().saturating_sub(*objects))
            }
            Start::Interrupted { .. } => None,
            Start::Copy { affected } => *affected,
        }
    }

    /// Keeps the objects of a finished build to start others from, or leaves
    /// them to the next build alone.
    pub(super) fn keep(&self, live: &Live) -> Result<()> {
        let state = live.dir.with_extension("json");
        if self.keep_objects {
            let kept = live.family.join(&live.objects.kernel);
            self.cache.remove(&kept)?;
            fs_err::rename(&live.dir, &kept)?;
            self.cache
                .write_json(&kept.with_extension("json"), &live.objects)?;
            self.cache.remove(&state)?;
        } else {
            let finished = Objects {
                finished: true,
                ..live.objects.clone()
            };
            self.cache.write_json(&state, &finished)?;
        }
        Ok(())
    }
}

/// The object folder that costs least to start from: one beside `live`, or
/// `live` itself where the last build was not kept.
fn nearest(source: &mut dyn Source, target: &Target, config: &str, live: &Path) -> Option<Nearest> {
    /// What a header costs, or an option: many objects depend on it.
    const MANY: usize = 1000;
    let mut best: Option<(usize, Nearest)> = None;
    for folder in live.parent().map(children).unwrap_or_default() {
        let Some(Kept { tree, finished }) = read_json(&folder.with_extension("json")) else {
            continue;
        };
        // It is there already, if its make ended well.
        let at_hand = folder == live;
        if at_hand && !finished {
            continue;
        }
        let Some(changed) = differ(source, &tree, target) else {
            continue;
        };
        let Ok(other) = fs_err::read_to_string(folder.join(".config")) else {
            continue;
        };
        let weight = |path: &PathBuf| match path.extension().and_then(|e| e.to_str()) {
            Some("c" | "S") => 1,
            Some("rst" | "txt") => 0,
            _ => MANY,
        };
        let options = options_that_differ(&other, config);
        let cost = changed.iter().map(weight).sum::<usize>() + options.saturating_mul(MANY);
        if (best.as_ref()).is_none_or(|(least, _)| cost < *least || (at_hand && cost == *least)) {
            let nearest = Nearest {
                folder,
                tree,
                changed,
                configured: options == 0,
            };
            best = Some((cost, nearest));
        }
    }
    best.map(|(_, nearest)| nearest)
}

/// How many lines one configuration has that the other has not.
fn options_that_differ(one: &str, other: &str) -> usize {
    let [one, other] = [one, other].map(|config| config.lines().collect::<BTreeSet<_>>());
    one.symmetric_difference(&other).count()
}

/// Dates the files of a source folder: those that differ from what the copied
/// objects were compiled from are newer than any of these, all others older.
/// So it does not matter what the folder held in between.
fn date(source: &Path, changed: &[PathBuf], copied: Option<&Copied>) -> io::Result<()> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let old = UNIX_EPOCH + DAY;
    let new = copied.map_or(old, |copied| copied.newest + Duration::from_millis(1));
    let changed: BTreeSet<&Path> = changed.iter().map(PathBuf::as_path).collect();
    let files = Listing::of(source)?.files;
    for file in files.iter().filter(|file| !file.link) {
        let date = match changed.contains(file.path.as_path()) {
            true => new,
            false => old,
        };
        if file.modified != date {
            File::open(source.join(&file.path))?.set_modified(date)?;
        }
    }
    // make looks at what a link leads to.
    for link in files.iter().filter(|file| file.link) {
        let path = source.join(&link.path);
        if changed.contains(link.path.as_path()) && path.is_file() {
            File::open(path)?.set_modified(new)?;
        }
    }
    Ok(())
}

/// How many objects kbuild noted to depend on one of these files; none for
/// a change too large to be worth looking.
fn affected(objects: &Path, source: &Path, changed: &[PathBuf]) -> Option<u32> {
    if changed.len() > 32 {
        return None;
    }
    let changed: Vec<_> = changed
        .iter()
        .map(|path| source.join(path).to_string_lossy().into_owned())
        .collect();
    let listing = Listing::of(objects).ok()?;
    let depends = |file: &&Found| {
        file.path.to_string_lossy().ends_with(".o.cmd")
            && fs_err::read_to_string(objects.join(&file.path))
                .is_ok_and(|text| changed.iter().any(|path| text.contains(path.as_str())))
    };
    Some(RELINKED.saturating_add(count(listing.files.iter().filter(depends).count())))
}

/// Takes an interrupted build back by a minute: whatever a killed program left
/// half written is among the last files. Returns how many objects are left.
fn rewind(objects: &Path) -> io::Result<u32> {
    let listing = Listing::of(objects)?;
    let keep = listing.newest().checked_sub(REWIND).unwrap_or(UNIX_EPOCH);
    let mut left = 0;
    for file in listing.files {
        if file.modified > keep {
            fs_err::remove_file(objects.join(&file.path))?;
        } else if file.path.extension().is_some_and(|e| e == "o") {
            left += 1;
        }
    }
    Ok(left)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::copy::tests::{at, file};

    #[test]
    fn what_differs_is_newer_than_any_object_and_the_rest_older() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let files = ["older", "same", "newer", "below/a", "below/b", "linked"];
        for (name, seconds) in files.into_iter().zip([1, 5, 9, 1, 9, 1]) {
            file(&path(name), seconds);
        }
        fs_err::os::unix::fs::symlink("linked", path("link")).unwrap();
        fs_err::os::unix::fs::symlink("nowhere", path("lost")).unwrap();
        let changed = ["older", "same", "below/b", "deleted", "link", "lost"].map(PathBuf::from);
        let copied = Copied {
            tree: String::new(),
            newest: at(5),
        };
        for _ in 0..2 {
            date(folder.path(), &changed, Some(&copied)).unwrap();
            let is_newer = |name: &str| path(name).metadata().unwrap().modified().unwrap() > at(5);
            let found = files.map(is_newer);
            assert_eq!(found, [true, true, false, false, true, true]);
        }
        date(folder.path(), &[], None).unwrap();
        let time = |name: &str| path(name).metadata().unwrap().modified().unwrap();
        assert!(files.iter().all(|name| time(name) < at(0)));
    }

    #[test]
    fn an_interrupted_build_loses_its_last_minute() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, seconds) in [
            ("mm/a.o", 0),
            ("mm/.a.o.cmd", 40),
            ("b.o", 41),
            ("c.o", 100),
        ] {
            file(&path(name), seconds);
        }
        assert_eq!(rewind(folder.path()).unwrap(), 1);
        let left = ["mm/a.o", "mm/.a.o.cmd", "b.o", "c.o"].map(|name| path(name).exists());
        assert_eq!(left, [true, true, false, false]);
    }

    #[test]
    fn counts_the_objects_that_depend_on_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let note = |name: &str, text: &str| {
            fs_err::create_dir_all(folder.path().join("mm")).unwrap();
            fs_err::write(folder.path().join("mm").join(name), text).unwrap();
        };
        note(
            ".oom_kill.o.cmd",
            "deps := /src/mm/oom_kill.c /src/include/linux/mm.h",
        );
        note(
            ".mmap.o.cmd",
            "deps := /src/mm/mmap.c /src/include/linux/mm.h",
        );
        note("oom_kill.c", "/src/mm/oom_kill.c");
        let objects = |paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(PathBuf::from).collect();
            affected(folder.path(), Path::new("/src"), &paths)
        };
        assert_eq!(objects(&["mm/oom_kill.c"]), Some(1 + RELINKED));
        assert_eq!(
            objects(&["include/linux/mm.h", "mm/mmap.c"]),
            Some(2 + RELINKED)
        );
        assert_eq!(objects(&["x"; 33]), None);
    }
}
