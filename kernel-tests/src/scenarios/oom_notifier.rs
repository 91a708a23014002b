//! 54: somebody in the kernel gives memory back when it runs out.

use crate::context::Context;
use crate::failure::{Failure, ensure};
use crate::helper::Helper;
use crate::hugetlb::Pool;
use crate::needs::Need;
use crate::oom;
use crate::procfs;
use crate::scenario::Scenario;
use crate::victim::{Spec, Victim};

/// What is left to touch, page by page. The rest waits in the pool of huge pages.
const LEFT_KIB: u64 = 32 << 10;

/// Pages that are given back.
const SPARE: u64 = 4096;

/// Pages that are asked for at a time, fewer than are given back, and how often at most.
const STEP: u64 = 1024;
const STEPS: u32 = 64;

pub const SCENARIO: Scenario = Scenario {
    name: "oom-notifier",
    number: 54,
    summary: "where somebody in the kernel gives memory back nobody is killed, but on request",
    needs: &[Need::Helper, Need::Hugetlb, Need::Sysrq],
    deadline_s: 60,
    run,
    ..Scenario::DEFAULT
};

fn run(_: &Context<'_>) -> Result<(), Failure> {
    let helper = Helper::load()?;
    let mut victim = Victim::spawn(&Spec::default())?;
    let mut other = Victim::spawn(&Spec {
        oom_score_adj: 0,
        ..Spec::default()
    })?;
    let before = procfs::oom_kills()?;
    {
        let spare = helper.spare(SPARE)?;
        let pool = Pool::leaving(LEFT_KIB)?;
        let mut steps = 0;
        while spare.asked()? == 0 {
            ensure(steps < STEPS, || "the memory does not run out".into())?;
            other.grow(STEP)?;
            other.grown()?;
            steps += 1;
        }
        drop(pool);
        let kills = procfs::oom_kills()?.saturating_sub(before);
        ensure(kills == 0, || {
            format!("{kills} were killed though there was memory again")
        })?;
        victim.ping()?;
    }
    let spare = helper.spare(SPARE)?;
    oom::request()?;
    victim.wait_killed()?;
    other.ping()?;
    let asked = spare.asked()?;
    ensure(asked == 1, || {
        format!("who can give memory back was asked {asked} times instead of once")
    })?;
    oom::ensure_one_kill_since(before)
}
