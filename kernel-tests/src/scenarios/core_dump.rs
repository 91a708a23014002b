//! 45: a victim in the middle of a core dump.

use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cgroup::Cgroup;
use crate::context::Context;
use crate::core_reader;
use crate::failure::{Failure, ResultExt, ensure};
use crate::mrelease::Mrelease;
use crate::needs::Need;
use crate::procfs::{self, Setting};
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{Area, Kind, Spec, Victim};
use crate::wait;

/// How long a dump may take to begin.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Pages that another one asks for.
const PAGES: u64 = 512;

pub const SCENARIO: Scenario = Scenario {
    name: "core-dump",
    number: 45,
    summary: "a process that dumps its core is not dying: process_mrelease refuses it and leaves its \
              memory, and the OOM killer kills it like any other",
    needs: &[
        Need::CoreDump,
        Need::Memcg,
        Need::ProcessMrelease,
        Need::Smaps,
    ],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    // A pipe that nobody reads keeps the dump going.
    let pattern = core_reader::pattern()?;
    let _pattern = Setting::new("/proc/sys/kernel/core_pattern", &pattern)?;
    let cgroup = Cgroup::new(SCENARIO.name)?;
    let spawn = |oom_score_adj, areas| {
        Victim::spawn(&Spec {
            areas,
            oom_score_adj,
            cgroup: Some(cgroup.path().to_owned()),
            ..Spec::default()
        })
    };
    let mut victim = spawn(1000, vec![Area::new(Kind::Anon, 8, 128)])?;
    // Memory is back only some time after a victim may be passed over.
    let mut other = spawn(-1000, Vec::new())?;
    let pid = victim.pid();
    let mrelease = Mrelease::of(pid)?;
    kill(pid, Signal::SIGQUIT).while_doing(|| format!("having {pid} dump its core"))?;
    wait_dumping(pid)?;

    mrelease.expect("a process that dumps its core", Err(Errno::EINVAL))?;
    smaps::ensure_resident(&smaps::of(pid)?, &victim.ranges.concat())?;

    cgroup.limit_to_current(1 << 20)?;
    other.grow(PAGES)?;
    other.grown()?;
    let ended = victim.wait_ended()?;
    ensure(matches!(ended, Signal::SIGQUIT | Signal::SIGKILL), || {
        format!("the victim ended by {ended}")
    })?;
    cgroup.ensure_one_kill()?;
    other.ping()
}

fn wait_dumping(pid: Pid) -> Result<(), Failure> {
    let path = format!("/proc/{pid}/status");
    wait::until(
        TIMEOUT,
        || Ok(procfs::field(&procfs::read(&path)?, "CoreDumping") == Some("1")),
        || format!("{pid} does not dump its core"),
    )
}
