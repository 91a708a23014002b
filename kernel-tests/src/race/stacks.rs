//! Waits for spinlocks, by who waits and on behalf of what.

use std::collections::BTreeMap;

use results::record::{StackWaits, Walker};

use super::waits::{behind_lock, waits};
use super::walkers::Walkers;
use crate::trace::Event;

/// How many functions of a stack tell what was being done.
const MAX_FRAMES: usize = 5;
/// Stacks at most in a record: those with the most waits.
const MAX_STACKS: usize = 24;

/// The waits of a boot's counted repetitions.
#[derive(Debug, Default)]
pub struct Stacks {
    repetitions: u32,
    waits: BTreeMap<(Walker, Vec<String>), (u64, u64)>,
}

impl Stacks {
    /// Adds those of one repetition.
    pub fn add(&mut self, events: &[Event], walkers: &Walkers) {
        self.repetitions += 1;
        for (walker, event, wait) in waits(events, walkers) {
            let frames = behind_lock(&event.stack)
                .take(MAX_FRAMES)
                .map(str::to_owned);
            let (entries, micros) = self.waits.entry((walker, frames.collect())).or_default();
            *entries += 1;
            *micros += wait;
        }
    }

    /// What the host is told, the most frequent first.
    pub fn into_record(self, scenario: String) -> results::record::Stacks {
        let mut stacks: Vec<StackWaits> = self
            .waits
            .into_iter()
            .map(|((walker, frames), (entries, wait_us))| StackWaits {
                walker,
                frames,
                entries,
                wait_us,
            })
            .collect();
        stacks.sort_by_key(|stack| std::cmp::Reverse(stack.entries));
        stacks.truncate(MAX_STACKS);
        results::record::Stacks {
            scenario,
            repetitions: self.repetitions,
            stacks,
        }
    }
}

#[cfg(test)]
mod tests {
    use nix::unistd::Pid;

    use super::*;

    #[test]
    fn waits_of_one_stack_add_up() {
        let walkers = Walkers {
            reaper: Pid::from_raw(5),
            exit: vec![Pid::from_raw(9)],
            ranges: Vec::new(),
        };
        let zone = [
            "queued_spin_lock_slowpath",
            "_raw_spin_lock",
            "free_pcppages_bulk.constprop.0",
            "free_unref_folios",
        ];
        let event = |tid, time, name, stack: &[&str]| Event::new(tid, time, name, "", stack);
        let events = [
            event(5, 10, "slow", &zone),
            event(5, 14, "slow_end", &[]),
            event(5, 20, "slow", &zone),
            event(7, 20, "slow", &zone),
            event(9, 21, "slow", &["queued_spin_lock_slowpath"]),
            event(5, 23, "slow_end", &[]),
        ];
        let mut stacks = Stacks::default();
        stacks.add(&events, &walkers);
        stacks.add(&events[..2], &walkers);
        let record = stacks.into_record("race".into());
        let found: Vec<_> = record
            .stacks
            .iter()
            .map(|s| (s.walker, s.frames.join(" < "), s.entries, s.wait_us))
            .collect();
        let zone = "free_pcppages_bulk < free_unref_folios".to_owned();
        assert_eq!(
            found,
            [
                (Walker::Reaper, zone, 3, 11),
                (Walker::Exit, String::new(), 1, 0)
            ]
        );
        assert_eq!(record.repetitions, 2);
    }
}
