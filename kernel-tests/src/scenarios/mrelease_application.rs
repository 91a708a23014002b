//! 35: what a low-memory killer in user space does to an application: SIGKILL and at
//! once `process_mrelease`. The victim has what an application has: memory in swap and
//! outside, private file pages, threads, a group, and VMAs that their names keep
//! apart.

use nix::unistd::Pid;

use super::mrelease_exit_race::{race_once, say_late};
use crate::cgroup::Cgroup;
use crate::context::{Context, Repetition};
use crate::failure::{Failure, ensure};
use crate::needs::Need;
use crate::procfs;
use crate::race::{self, Observer, Releaser, Start, VICTIM_CPU, metrics};
use crate::scenario::Scenario;
use crate::sys::PAGE;
use crate::victim::{Area, Kind, Spec, Victim, bind};
use crate::zram::Zram;

/// Kinds of memory alternate, so that a walker has some of each everywhere.
const STRIPES: u32 = 40;

/// Threads beside the first. All must die before the victim's own exit walks.
const THREADS: u32 = 31;

/// Bytes of swap: more than the victim has there.
const SWAP: u64 = 64 << 20;

pub const SCENARIO: Scenario = Scenario {
    name: "mrelease-application",
    number: 35,
    summary: "process_mrelease at once after the kill of a victim like an application: swap, files, \
         threads, a memcg",
    needs: &[
        Need::ProcessMrelease,
        Need::TwoCpus,
        Need::KprobeEvents,
        Need::SpinlockSlowPath,
        Need::Memcg,
        Need::Zram,
        Need::VmaNames,
    ],
    deadline_s: 120,
    metrics: metrics::of_a_race![MRELEASE],
    takes_turns: true,
    run,
    ..Scenario::DEFAULT
};

fn run(context: &Context<'_>) -> Result<(), Failure> {
    bind(Pid::from_raw(0), VICTIM_CPU)?;
    let _zram = Zram::of(SWAP)?;
    let cgroup = Cgroup::new(SCENARIO.name)?;
    let spec = Spec {
        areas: areas(),
        cpu: Some(VICTIM_CPU),
        cgroup: Some(cgroup.path().to_owned()),
        threads: THREADS,
        ..Spec::default()
    };
    let observer = Observer::new(context)?;
    Releaser::run(|releaser| {
        let victim = || {
            let victim = Victim::spawn(&spec)?;
            let swapped = cgroup.number("memory.swap.current")?;
            ensure(swapped >= in_swap() / 2, || {
                format!("only {swapped} bytes of the victim are in swap")
            })?;
            let maps = procfs::read(format!("/proc/{}/maps", victim.pid()))?;
            let named = maps.lines().filter(|line| line.contains("[anon:")).count();
            ensure(named == 40 * STRIPES as usize, || {
                format!("{named} VMAs of the victim have names")
            })?;
            Ok(victim)
        };
        let mut late = 0;
        for repetition in race::repetitions(context.plan, u32::MAX) {
            // Nothing is varied: the victim's own exit starts when it gets there.
            let repetition = Repetition {
                at: None,
                ..repetition
            };
            context.take_turn(repetition, victim, |victim, _| {
                late += race_once(
                    context,
                    &observer,
                    releaser,
                    repetition,
                    &spec,
                    victim,
                    Start::AtOnce,
                )?;
                Ok(())
            })?;
        }
        say_late(context, late)?;
        observer.finish(context)
    })
}

/// What the victim maps.
fn areas() -> Vec<Area> {
    (0..STRIPES)
        .flat_map(|_| {
            [
                Area::new(Kind::Anon, 30, 8).named(),
                Area::new(Kind::Swapped, 10, 8).named(),
                Area::new(Kind::PrivateFile, 2, 8),
                Area::new(Kind::CowFile, 2, 8),
            ]
        })
        .collect()
}

/// Bytes of it that are to be in swap.
fn in_swap() -> u64 {
    let areas = areas().into_iter().filter(|a| a.kind == Kind::Swapped);
    areas.map(|a| u64::from(a.count) * a.pages * PAGE).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_swap_fits() {
        assert!(in_swap() < SWAP);
    }
}
