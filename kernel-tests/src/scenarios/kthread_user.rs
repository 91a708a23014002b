//! 51: a thread of the kernel's that uses a victim's memory.

use nix::errno::Errno;
use nix::sys::signal::Signal;

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::helper::{Helper, User};
use crate::kmsg::Log;
use crate::mrelease::Mrelease;
use crate::needs::Need;
use crate::oom::{self, OomVictim, Watch, wait_for_reports};
use crate::procfs::{self, Setting};
use crate::scenario::Scenario;
use crate::smaps;
use crate::victim::{Area, Kind, Spec, Victim};

pub const SCENARIO: Scenario = Scenario {
    name: "kthread-user",
    number: 51,
    summary: "a thread of the kernel's uses a victim's memory: it is neither listed, chosen nor killed; the \
              reaper reaps all the same, and process_mrelease refuses",
    needs: &[
        Need::Helper,
        Need::Memcg,
        Need::OomEvents,
        Need::ProcessMrelease,
        Need::Sysrq,
        Need::Smaps,
    ],
    deadline_s: 60,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let helper = Helper::load()?;
    listed(&helper)?;
    reaped(&helper)
}

/// The list of tasks in the log has no thread of the kernel's.
fn listed(helper: &Helper) -> Result<(), Failure> {
    let _setting = Setting::new("/proc/sys/vm/oom_dump_tasks", "1")?;
    wait_for_reports()?;
    let mut log = Log::end()?;
    let mut victim = Victim::spawn(&Spec::default())?;
    // The larger one is the kernel thread's, whose own adj is 0.
    let mut lent = Victim::spawn(&Spec {
        areas: vec![Area::new(Kind::Anon, 4, 256)],
        oom_score_adj: 0,
        ..Spec::default()
    })?;
    let user = helper.use_memory(lent.pid())?;
    oom::request()?;
    victim.wait_killed()?;
    let row = format!("[{:>7}]", user.thread.as_raw());
    let lines = log.lines();
    ensure(
        lines.iter().any(|line| line.text.starts_with("[  pid  ]")),
        || "the log lists no tasks".into(),
    )?;
    ensure(
        !lines.iter().any(|line| line.text.starts_with(&row)),
        || "the log lists a thread of the kernel's".into(),
    )?;
    ensure_unharmed(&user)?;
    drop(user);
    lent.ping()
}

/// What it uses is reaped with the victim.
fn reaped(helper: &Helper) -> Result<(), Failure> {
    let mut watch = Watch::new()?;
    let areas = vec![Area::new(Kind::Anon, 8, 64)];
    let mut oom = OomVictim::pinned(SCENARIO.name, areas, None)?;
    let pid = oom.victim.pid();
    let user = helper.use_memory(pid)?;
    oom.kill()?;
    ensure_unharmed(&user)?;
    // It goes by who has been killed, and that one was not.
    let of = "memory that a thread of the kernel's uses";
    Mrelease::of(pid)?.expect(of, Err(Errno::EINVAL))?;
    smaps::ensure_resident(&smaps::of(pid)?, &oom.victim.ranges.concat())?;
    watch.reaped(pid, Vec::new())?;
    smaps::ensure_reaped(&smaps::of(pid)?)?;
    ensure_unharmed(&user)?;
    drop(user);
    oom.end()
}

/// Fails if somebody has sent it SIGKILL.
fn ensure_unharmed(user: &User<'_>) -> Result<(), Failure> {
    let status = procfs::read(format!("/proc/{}/status", user.thread))?;
    for key in ["SigPnd", "ShdPnd"] {
        let pending = procfs::field(&status, key).unwrap_or_default();
        let pending = u64::from_str_radix(pending, 16)
            .map_err(|_| Failure::unmet(format!("{key} is {pending:?}")))?;
        ensure(pending & 1 << (Signal::SIGKILL as u32 - 1) == 0, || {
            "the kernel's thread was sent SIGKILL".into()
        })?;
    }
    Ok(())
}
