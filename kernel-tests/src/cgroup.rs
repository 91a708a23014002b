//! Memory control groups (version 2) for victims.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::failure::{Failure, ResultExt, ensure};
use crate::procfs;
use crate::timeout_scale::scaled;

/// The hierarchy's mount point.
pub const ROOT: &str = "/sys/fs/cgroup";

/// Under which all groups of this program lie, so that leftovers are found.
const PARENT: &str = "/sys/fs/cgroup/reaperlab";

/// A group of its own, removed with all that is in it when dropped.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// Makes a group whose memory has no limit yet.
    pub fn new(name: &str) -> Result<Self, Failure> {
        fs::create_dir_all(PARENT).while_doing(|| format!("making the cgroup {PARENT}"))?;
        for above in [ROOT, PARENT] {
            procfs::write(format!("{above}/cgroup.subtree_control"), "+memory")?;
        }
        let path = Path::new(PARENT).join(name);
        fs::create_dir(&path).while_doing(|| format!("making the cgroup {}", path.display()))?;
        Ok(Self { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes this process a member of it until what it returns is dropped.
    pub fn join(&self) -> Result<Stay, Failure> {
        self.set("cgroup.procs", "0")?;
        Ok(Stay(()))
    }

    /// Writes one of its files.
    pub fn set(&self, file: &str, value: &str) -> Result<(), Failure> {
        procfs::write(self.path.join(file), value)
    }

    /// Leaves its members only `slack` more bytes than they have.
    pub fn limit_to_current(&self, slack: u64) -> Result<(), Failure> {
        let current = self.number("memory.current")?;
        self.set("memory.max", &(current + slack).to_string())
    }

    /// What a file that holds one number says.
    pub fn number(&self, file: &str) -> Result<u64, Failure> {
        let text = procfs::read(self.path.join(file))?;
        text.trim()
            .parse()
            .map_err(|_| Failure::unmet(format!("{file} is no number: {text:?}")))
    }

    /// A counter of memory.events.
    pub fn event(&self, name: &str) -> Result<u64, Failure> {
        let events = procfs::read(self.path.join("memory.events"))?;
        procfs::value(&events, name)
            .ok_or_else(|| Failure::unmet(format!("memory.events has no {name}")))
    }

    /// Fails unless one of its members was killed for want of memory.
    pub fn ensure_one_kill(&self) -> Result<(), Failure> {
        let kills = self.event("oom_kill")?;
        ensure(kills == 1, || {
            format!("memory.events counts {kills} OOM kills instead of 1")
        })
    }
}

/// This process as a member of a group; dropped, it is back in the first one.
#[derive(Debug)]
pub struct Stay(());

impl Drop for Stay {
    fn drop(&mut self) {
        // A group that can't be left can't be removed, which is found.
        let _ = procfs::write(Path::new(ROOT).join("cgroup.procs"), "0");
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removed groups that something still holds.
pub fn dying() -> u64 {
    let stat = procfs::read(Path::new(ROOT).join("cgroup.stat")).unwrap_or_default();
    procfs::value(&stat, "nr_dying_descendants").unwrap_or(0)
}

/// The groups that scenarios left behind; removes them on the way. Those of the
/// kernel's own tests lie beside ours.
pub fn leftovers() -> Vec<String> {
    let groups = children(Path::new(PARENT)).into_iter();
    groups
        .chain(
            children(Path::new(ROOT))
                .into_iter()
                .filter(|path| path != Path::new(PARENT)),
        )
        .map(|path| {
            remove_all(&path);
            path.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

/// The groups in a group.
fn children(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

/// Removes a group and all below it.
fn remove_all(path: &Path) {
    children(path).iter().for_each(|child| remove_all(child));
    remove(path);
}

/// Removes a group. Its last members may still be on their way out.
fn remove(path: &Path) {
    let deadline = Instant::now() + scaled(Duration::from_secs(5));
    while fs::remove_dir(path).is_err() && path.exists() && Instant::now() < deadline {
        // Absent on old kernels, where the members end on their own or are
        // found as leftovers.
        let _ = procfs::write(path.join("cgroup.kill"), "1");
        std::thread::sleep(Duration::from_millis(5));
    }
}
