//! Who walks the address space in a race, and on which CPU.

use nix::unistd::Pid;
use results::record::{Step, Walker};

use crate::smaps::Range;
use crate::victim::Victim;

/// The CPU of the victim, and of the thread that holds it.
pub const VICTIM_CPU: usize = 0;
/// The CPU of the other walker.
pub const REAPER_CPU: usize = 1;

#[derive(Debug, Clone)]
pub struct Walkers {
    pub reaper: Pid,
    /// The threads of the victim: the last one to end walks.
    pub exit: Vec<Pid>,
    /// What the victim maps, all of it private: a reaper that has come walks it all,
    /// since nothing is unmapped while it holds the lock.
    pub ranges: Vec<Range>,
}

impl Walkers {
    /// A reaper, and all threads of a victim.
    pub fn new(reaper: Pid, victim: &Victim) -> Self {
        let first = std::iter::once(victim.pid());
        let exit = first.chain(victim.threads.iter().copied()).collect();
        Self {
            reaper,
            exit,
            ranges: victim.ranges.concat(),
        }
    }

    /// Which walker a thread is; none for all others.
    pub fn who(&self, tid: i32) -> Option<Walker> {
        let tid = Pid::from_raw(tid);
        if tid == self.reaper {
            Some(Walker::Reaper)
        } else {
            self.exit.contains(&tid).then_some(Walker::Exit)
        }
    }

    /// The mappings of the victim that the reaper did not enter.
    pub fn passed_over(&self, steps: &[Step]) -> Vec<Range> {
        let mut entered: Vec<Range> = steps
            .iter()
            .filter(|Step(walker, ..)| *walker == Walker::Reaper)
            .map(|&Step(_, _, start, end)| (start, end))
            .collect();
        entered.sort_unstable();
        let is_entered = |&(start, end): &Range| {
            let not_behind = entered.partition_point(|other| other.0 <= start);
            let nearest = entered.get(..not_behind).and_then(<[Range]>::last);
            nearest.is_some_and(|nearest| end <= nearest.1)
        };
        let ranges = self.ranges.iter().copied();
        ranges.filter(|range| !is_entered(range)).collect()
    }
}

/// Whether each walker entered a mapping after the other one had begun.
pub fn both_at_work(steps: &[Step]) -> bool {
    let times = |of| {
        let own = steps.iter().filter(move |Step(walker, ..)| *walker == of);
        own.map(|Step(_, time, ..)| *time)
    };
    let first = |walker| times(walker).fold(f64::INFINITY, f64::min);
    let last = |walker| times(walker).fold(f64::NEG_INFINITY, f64::max);
    first(Walker::Reaper) < last(Walker::Exit) && first(Walker::Exit) < last(Walker::Reaper)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(steps: &[(char, u32, u64)]) -> Vec<Step> {
        let step = |&(walker, time, start): &(char, u32, u64)| {
            let walker = match walker {
                'r' => Walker::Reaper,
                _ => Walker::Exit,
            };
            Step(walker, time.into(), start, start + 2)
        };
        steps.iter().map(step).collect()
    }

    #[test]
    fn walkers_that_took_turns_were_not_at_work_at_once() {
        for (steps, at_once) in [
            (&[('r', 0, 1), ('e', 1, 9), ('r', 2, 3)][..], true),
            (&[('e', 0, 9), ('r', 1, 1), ('e', 2, 7)], true),
            (&[('r', 0, 1), ('e', 1, 9), ('e', 2, 7)], false),
            (&[('r', 0, 1), ('r', 1, 3), ('e', 2, 9)], false),
            (&[('e', 0, 9), ('e', 1, 7), ('r', 2, 1)], false),
            (&[('r', 0, 1)], false),
            (&[], false),
        ] {
            assert_eq!(both_at_work(&walk(steps)), at_once, "{steps:?}");
        }
    }

    #[test]
    fn what_a_reaper_passes_over() {
        let walkers = Walkers {
            reaper: Pid::from_raw(5),
            exit: vec![Pid::from_raw(8)],
            ranges: vec![(1, 3), (5, 7), (9, 10)],
        };
        let passed = |steps: &[_]| walkers.passed_over(&walk(steps));
        assert_eq!(passed(&[('r', 0, 9), ('r', 1, 5), ('r', 2, 1)]), []);
        // The other walker's steps are not the reaper's.
        let half = [('r', 0, 1), ('e', 1, 5), ('r', 2, 9)];
        assert_eq!(passed(&half), [(5, 7)]);
        assert_eq!(passed(&[('r', 0, 0)]), walkers.ranges);
        assert_eq!(passed(&[]), walkers.ranges);
    }
}
