//! 42: a victim that shares its memory with the first process.

use nix::unistd::{Pid, getpid};

use crate::context::Context;
use crate::failure::{Failure, ResultExt, ensure};
use crate::guest;
use crate::kmsg::Log;
use crate::needs::Need;
use crate::oom::{self, OomVictim, Watch, wait_skipped};
use crate::procfs::{self, Setting};
use crate::scenario::Scenario;
use crate::smaps;
use crate::sys::spawn_sharer;
use crate::trace::Event;
use crate::victim::{self, Area, Kind, Spec, Victim};

pub const SCENARIO: Scenario = Scenario {
    name: "init-sharer",
    number: 42,
    summary: "the first process is not chosen; all others who share its memory with a victim are \
              killed, and what they share is not reaped",
    needs: &[Need::Sysrq, Need::Memcg, Need::OomEvents, Need::Smaps],
    deadline_s: 30,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    spared()?;
    let mut watch = Watch::new()?;
    let mut log = Log::end()?;
    let sharers = [Sharer::spawn()?, Sharer::spawn()?];
    // Either is chosen.
    let pids = [sharers[0].0, sharers[1].0];
    let [other, pid] = pids;
    victim::pin(pid)?;
    let before = procfs::oom_kills()?;
    oom::request()?;
    victim::wait_pinned(pid)?;
    // Nobody is to wait for what it will not give back. The killer gets there while the
    // victim stops.
    wait_skipped(pid)?;
    victim::release(pid)?;
    victim::wait_killed(pid)?;
    victim::wait_killed(other)?;
    // Nothing is left to end.
    std::mem::forget(sharers);
    oom::ensure_one_kill_since(before)?;
    let pinned = pids.map(|pid| format!("oom killer {pid} ("));
    let says = |text: &str| {
        let whose = pinned.iter().any(|start| text.starts_with(start));
        whose && text.contains(" has mm pinned by 1 (")
    };
    log.wait(says, || {
        format!("the log does not say that the memory of one of {pids:?} is pinned by 1")
    })?;

    // The reaper, who works, has had time to come.
    let mut oom = OomVictim::pinned(SCENARIO.name, vec![Area::new(Kind::Anon, 4, 64)], None)?;
    oom.kill()?;
    let events = watch.woken(oom.victim.pid())?;
    let about = |event: &&Event| {
        let about = event.number("pid");
        pids.iter().any(|pid| about == Some(pid.as_raw().into()))
    };
    let passed = events.iter().filter(about);
    let steps: Vec<&str> = passed.map(|event| &*event.name).collect();
    ensure(steps == ["mark_victim"], || {
        format!("of memory that the first process shares the reaper passed {steps:?}")
    })?;
    watch.reaped(oom.victim.pid(), events)?;
    smaps::ensure_reaped(&smaps::of(oom.victim.pid())?)?;
    oom.end()
}

/// The first process itself is not chosen, whatever its adj.
fn spared() -> Result<(), Failure> {
    let mut victim = Victim::spawn(&Spec {
        oom_score_adj: 500,
        ..Spec::default()
    })?;
    let _setting = Setting::new("/proc/1/oom_score_adj", "1000")?;
    oom::ensure_unseen(getpid())?;
    oom::request()?;
    victim.wait_killed()
}

/// A child of the first process that shares its memory. Dropped, it is killed.
struct Sharer(Pid);

impl Sharer {
    fn spawn() -> Result<Self, Failure> {
        guest::ensure_first_process()?;
        let pid = spawn_sharer().while_doing(|| "sharing memory".into())?;
        let sharer = Self(pid);
        procfs::write(format!("/proc/{pid}/oom_score_adj"), "1000")?;
        Ok(sharer)
    }
}

impl Drop for Sharer {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(self.0, nix::sys::signal::Signal::SIGKILL);
        // It may be held.
        let _ = victim::release(self.0);
        let _ = victim::wait_killed(self.0);
    }
}
