//! 17: a victim frozen by the freezer controller of version 1.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount, umount};

use crate::context::{Context, Metric, Repetition};
use crate::failure::{Failure, ResultExt, ensure};
use crate::needs::Need;
use crate::oom::{self, Watch};
use crate::procfs;
use crate::scenario::Scenario;
use crate::smaps;
use crate::timeout_scale::scaled;
use crate::victim::{Area, Kind, Spec, Victim};

const KILL_TO_GONE: Metric = Metric::us("kill-to-gone");

/// Where the hierarchy is mounted meanwhile.
const MOUNT: &str = "/tmp/reaperlab-freezer";

/// What a kernel that promises to thaw all of a victim's threads does it with.
/// Others thaw the first thread alone, but may do better.
const THAWS_ALL: &str = "thaw_process";

/// Within this time a victim that was thawed as a whole has ended; the reaper comes
/// later.
const BY_ITSELF: Duration = Duration::from_secs(1);

pub const SCENARIO: Scenario = Scenario {
    name: "freezer-v1",
    number: 17,
    summary: "a victim of 4 threads frozen by cgroup v1 ends, or lingers and is reaped, as this \
         kernel promises",
    needs: &[Need::Sysrq, Need::OomEvents, Need::FreezerV1, Need::Smaps],
    deadline_s: 30,
    metrics: &[KILL_TO_GONE],
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let freezer = Freezer::new()?;
    let mut victim = Victim::spawn(&Spec {
        areas: vec![Area::new(Kind::Anon, 16, 64)],
        threads: 3,
        ..Spec::default()
    })?;
    let frozen = *victim
        .threads
        .first()
        .ok_or_else(|| Failure::unmet("the victim has one thread only"))?;
    freezer.freeze(&victim)?;
    let killed = Instant::now();
    oom::request()?;

    let promises = procfs::has_symbol(THAWS_ALL);
    if promises || ends_by_itself(&victim)? {
        let why = match promises {
            true => format!("this kernel has {THAWS_ALL}: a frozen victim ends"),
            false => format!("this kernel has no {THAWS_ALL}, but a frozen victim ends"),
        };
        context.note(why)?;
        victim.wait_killed()?;
        return context.sample(
            Repetition::ONLY,
            KILL_TO_GONE,
            killed.elapsed().as_micros() as f64,
        );
    }
    context.note(format!(
        "this kernel has no {THAWS_ALL}: a frozen victim lingers and is reaped"
    ))?;
    watch.reaped(victim.pid(), Vec::new())?;
    smaps::ensure_reaped(&smaps::of(frozen)?)?;
    let ended: Vec<_> = procfs::threads(victim.pid())?
        .into_iter()
        .filter(|thread| thread.state == 'Z')
        .map(|thread| thread.pid)
        .collect();
    ensure(ended == [victim.pid()], || {
        format!("of the frozen victim {ended:?} have ended instead of its first thread")
    })?;
    freezer.thaw()?;
    victim.wait_killed()
}

/// Whether a frozen victim ends before the reaper comes.
fn ends_by_itself(victim: &Victim) -> Result<bool, Failure> {
    let deadline = Instant::now() + scaled(BY_ITSELF);
    while Instant::now() < deadline {
        if victim.ended()? {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(false)
}

/// A hierarchy with one group. Dropped, it is gone, thawed before.
struct Freezer;

impl Freezer {
    fn new() -> Result<Self, Failure> {
        fs::create_dir_all(MOUNT).while_doing(|| format!("making {MOUNT}"))?;
        mount(
            Some("reaperlab"),
            MOUNT,
            Some("cgroup"),
            MsFlags::empty(),
            Some("freezer"),
        )
        .while_doing(|| format!("mounting the freezer on {MOUNT}"))?;
        let freezer = Self;
        fs::create_dir(Self::group()).while_doing(|| "making a group of the freezer's".into())?;
        Ok(freezer)
    }

    fn group() -> std::path::PathBuf {
        Path::new(MOUNT).join("victim")
    }

    fn freeze(&self, victim: &Victim) -> Result<(), Failure> {
        let group = Self::group();
        procfs::write(group.join("cgroup.procs"), &victim.pid().to_string())?;
        procfs::write(group.join("freezer.state"), "FROZEN")?;
        let deadline = Instant::now() + scaled(Duration::from_secs(5));
        while procfs::read(group.join("freezer.state"))?.trim() != "FROZEN" {
            ensure(Instant::now() < deadline, || {
                "the victim can't be frozen".into()
            })?;
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn thaw(&self) -> Result<(), Failure> {
        procfs::write(Self::group().join("freezer.state"), "THAWED")
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        let _ = self.thaw();
        // What stays mounted is found after the scenario.
        let deadline = Instant::now() + scaled(Duration::from_secs(3));
        while fs::remove_dir(Self::group()).is_err() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = umount(MOUNT);
        let _ = fs::remove_dir(MOUNT);
    }
}
