//! Whether a series in a repository is another one than it was.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use git2::Repository;

use super::named::{Named, find};
use crate::exit::{Advise, Classify, Kind, Result, fail};

/// Editors and git write several files: how long nothing may have changed.
const QUIET: Duration = Duration::from_millis(200);
/// How often is looked, at most.
const PERIOD: Duration = Duration::from_millis(400);
/// How many times longer is waited than a look takes.
const SHARE: u32 = 10;

/// A series that is looked at again and again.
///
/// What is looked at is what git knows: its references, its index, and the
/// time stamps of the files in it. So what make, an editor or this program
/// write beside them wakes nobody.
pub struct Watched {
    name: String,
    glance: u64,
    content: Option<u64>,
}

impl Watched {
    /// The series of this name, as it is now.
    pub fn new(name: &str) -> Result<Self> {
        let named = named(name)?;
        let mut watched = Self {
            name: name.to_owned(),
            glance: glance(&named)?,
            content: None,
        };
        watched.content = content(&named);
        Ok(watched)
    }

    /// Waits until the series is another one. False where `cancelled` said so.
    pub fn changed(&mut self, cancelled: &dyn Fn() -> bool) -> Result<bool> {
        let mut pause = PERIOD;
        loop {
            if wait(pause, cancelled) {
                return Ok(false);
            }
            let began = Instant::now();
            let look = || glance(&named(&self.name)?);
            // In the middle of git's own work there may be nothing to see.
            let Ok(mut glance) = look() else { continue };
            pause = PERIOD.max(began.elapsed() * SHARE);
            if glance == self.glance {
                continue;
            }
            loop {
                if wait(QUIET, cancelled) {
                    return Ok(false);
                }
                let Ok(again) = look() else { continue };
                if again == glance {
                    break;
                }
                glance = again;
            }
            self.glance = glance;
            let content = named(&self.name).ok().and_then(|it| content(&it));
            if content != self.content {
                self.content = content;
                return Ok(true);
            }
        }
    }
}

/// Sleeps; true where the work was cancelled.
fn wait(time: Duration, cancelled: &dyn Fn() -> bool) -> bool {
    const STEP: Duration = Duration::from_millis(50);
    let end = Instant::now() + time;
    while Instant::now() < end {
        if cancelled() {
            return true;
        }
        std::thread::sleep(STEP.min(end.saturating_duration_since(Instant::now())));
    }
    cancelled()
}

fn named(name: &str) -> Result<Named> {
    match find(name)? {
        Some(named) => Ok(named),
        None => fail(
            Kind::Usage,
            format!("--watch needs a series in a repository, and {name:?} is none"),
        )
        .hint("name a range, a branch, or . for what is not committed"),
    }
}

/// All that must change where the series does.
fn glance(named: &Named) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    named.pinned().hash(&mut hasher);
    if named.is_work_tree() {
        files(named, &mut hasher).kind(Kind::Usage)?;
    }
    Ok(hasher.finish())
}

/// The state of each file that git knows.
fn files(named: &Named, hasher: &mut DefaultHasher) -> anyhow::Result<()> {
    let root = named.path();
    let repository = Repository::open(&root)?;
    repository
        .head()?
        .target()
        .map(|id| id.to_string())
        .hash(hasher);
    anyhow::ensure!(
        !repository.path().join("index.lock").exists(),
        "git is at work"
    );
    for entry in repository.index()?.iter() {
        entry.id.as_bytes().hash(hasher);
        entry.mode.hash(hasher);
        let path = root.join(std::ffi::OsStr::from_bytes(&entry.path));
        if let Ok(meta) = std::fs::symlink_metadata(path) {
            let state = (meta.ino(), meta.size(), meta.mode());
            (state, meta.mtime(), meta.mtime_nsec()).hash(hasher);
        }
    }
    Ok(())
}

/// What it holds; none where that is nothing.
fn content(named: &Named) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    named.parent().ok()?.hash(&mut hasher);
    for patch in named.read().ok()?.series.patches {
        format!("{patch:?}").hash(&mut hasher);
    }
    Some(hasher.finish())
}
