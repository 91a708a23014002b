//! The objects of one build, as the next one's start.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::build::builder::Builder;
use crate::build::copy::{Found, Listing, copy_tree};
use crate::build::error::{BuildError, Result};
use crate::build::target::{Arm, Source};
use crate::cache::{children, failed, read_json};

/// How far an interrupted build is taken back.
const REWIND: Duration = Duration::from_secs(60);

/// Files compiled anew whenever a kernel is linked: its version and symbols.
const RELINKED: u32 = 9;

/// What an object folder holds; beside it, as `NAME.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Objects {
    pub(super) key: String,
    pub(super) tree: String,
    /// Whether all of it was compiled from nothing.
    pub(super) fresh: bool,
}

/// An object folder to start from.
struct Nearest {
    folder: PathBuf,
    /// The files in which its tree differs.
    changed: Vec<PathBuf>,
    /// Whether its configuration is another.
    configured: bool,
}

/// What a build starts with.
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

impl Builder<'_> {
    /// Makes `live` and the source folder ready for make. Returns whether all
    /// of `live` stems from this tree, and what it starts with.
    pub(super) fn lay_out(
        &self,
        source: &mut dyn Source,
        arm: &Arm,
        key: &str,
        config: &str,
        live: &Path,
    ) -> Result<(bool, Start)> {
        let state = live.with_extension("json");
        if let Some(objects) = read_json::<Objects>(&state)
            && objects.key == key
            && live.is_dir()
        {
            let left = rewind(live).map_err(failed("read", live))?;
            self.switch(source, arm)?;
            return Ok((objects.fresh, Start::Interrupted { objects: left }));
        }
        self.cache.remove(&state)?;
        self.cache.remove(live)?;
        let Some(from) = nearest(source, arm, config, live) else {
            fs_err::create_dir_all(live).map_err(failed("make", live))?;
            self.switch(source, arm)?;
            return Ok((true, Start::Nothing));
        };
        let newest =
            copy_tree(&from.folder, live, self.toolchain.jobs).map_err(failed("copy to", live))?;
        if self.runner.cancelled() {
            return Err(BuildError::Cancelled);
        }
        self.switch(source, arm)?;
        let dir = source.dir();
        freshen(dir, &from.changed, newest).map_err(failed("touch files in", dir))?;
        let affected = if from.configured {
            affected(live, dir, &from.changed)
        } else {
            None
        };
        Ok((false, Start::Copy { affected }))
    }

    /// Keeps the objects of a finished build to start others from.
    pub(super) fn keep(
        &self,
        family: &Path,
        key: &str,
        live: &Path,
        objects: &Objects,
    ) -> Result<()> {
        if self.keep_objects {
            let kept = family.join(key);
            self.cache.remove(&kept)?;
            fs_err::rename(live, &kept).map_err(failed("keep", &kept))?;
            self.cache
                .write_json(&kept.with_extension("json"), objects)?;
            self.cache.remove(&live.with_extension("json"))?;
        }
        Ok(())
    }
}

/// The object folder beside `live` that costs least to start from.
fn nearest(source: &mut dyn Source, arm: &Arm, config: &str, live: &Path) -> Option<Nearest> {
    /// What a header costs, or an option: many objects depend on it.
    const MANY: usize = 1000;
    let mut best: Option<(usize, Nearest)> = None;
    for folder in live.parent().map(children).unwrap_or_default() {
        let Some(objects) = read_json::<Objects>(&folder.with_extension("json")) else {
            continue;
        };
        // A tree that the store no longer has can't be compared.
        let Ok(changed) = source.changed(&objects.tree, &arm.tree) else {
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
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            let nearest = Nearest {
                folder,
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

/// Makes every changed file newer than `newest`.
fn freshen(source: &Path, changed: &[PathBuf], newest: SystemTime) -> io::Result<()> {
    for path in changed.iter().map(|path| source.join(path)) {
        match path.symlink_metadata() {
            Ok(meta) if meta.is_file() && meta.modified()? <= newest => {
                File::open(&path)?.set_modified(newest + Duration::from_millis(1))?;
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
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

pub(super) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::copy::tests::{at, file};

    #[test]
    fn changed_files_become_newer_than_any_object() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, seconds) in [("older", 1), ("same", 5), ("newer", 9), ("unchanged", 1)] {
            file(&path(name), seconds);
        }
        let changed = ["older", "same", "newer", "deleted"].map(PathBuf::from);
        freshen(folder.path(), &changed, at(5)).unwrap();
        let time = |name: &str| path(name).metadata().unwrap().modified().unwrap();
        assert!(time("older") > at(5) && time("same") > at(5));
        assert_eq!((time("newer"), time("unchanged")), (at(9), at(1)));
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
