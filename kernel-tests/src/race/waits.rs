//! Waits for spinlocks, read from the events of a race.

use results::record::Walker;

use super::metrics::{CONTENDED, SLOW_PATH, WAIT};
use super::walkers::Walkers;
use crate::context::{Context, Repetition};
use crate::failure::Failure;
use crate::trace::{Event, Span};

/// One walker's waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waits {
    contended: u64,
    slow_path: u64,
    wait: u64,
}

impl Waits {
    pub fn report(
        self,
        context: &Context<'_>,
        repetition: Repetition,
        walker: Option<Walker>,
    ) -> Result<(), Failure> {
        for (metric, value) in [
            (CONTENDED, self.contended),
            (SLOW_PATH, self.slow_path),
            (WAIT, self.wait),
        ] {
            context.walker_sample(repetition, metric, value as f64, walker)?;
        }
        Ok(())
    }
}

impl std::ops::Add for Waits {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            contended: self.contended + other.contended,
            slow_path: self.slow_path + other.slow_path,
            wait: self.wait + other.wait,
        }
    }
}

/// What a repetition's events say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub reaper: Waits,
    pub exit: Waits,
    /// When the victim was in there.
    pub exit_mmap: Span,
    /// When it walked its address space there: what it waits for before that is
    /// the other walker's end, where the kernel has them take turns.
    pub walk: Span,
}

impl Seen {
    pub fn of(events: &[Event], walkers: &Walkers) -> Result<Self, Failure> {
        let mut seen = Self::default();
        for (walker, event, wait) in waits(events, walkers) {
            let waits = match walker {
                Walker::Reaper => &mut seen.reaper,
                Walker::Exit => &mut seen.exit,
            };
            waits.slow_path += 1;
            if waits_for_page_table(&event.stack) {
                waits.contended += 1;
                waits.wait += wait;
            }
        }
        // Before that, memory is given back by whoever unmaps some of it.
        let since = |name: &str, start: u64| {
            let of = |event: &&Event| walkers.who(event.tid) == Some(Walker::Exit);
            let mut named = events.iter().filter(|event| event.name == name);
            let found = named.find(|event| of(event) && event.time >= start);
            let unseen = || Failure::unmet("the victim was not seen in exit_mmap");
            found.map(|event| event.time).ok_or_else(unseen)
        };
        let span = |names: [&str; 2], start: u64| -> Result<Span, Failure> {
            let start = since(names[0], start)?;
            let end = since(names[1], start)?;
            Ok(Span { start, end })
        };
        seen.exit_mmap = span(["exit", "exit_end"], 0)?;
        seen.walk = span(["unmap", "unmap_end"], seen.exit_mmap.start)?;
        Ok(seen)
    }
}

/// Every wait of a walker for a spinlock, and how long it was in microseconds.
/// A thread waits for one lock at a time; what interrupts it meanwhile is too
/// short to matter.
pub fn waits<'a>(
    events: &'a [Event],
    walkers: &Walkers,
) -> impl Iterator<Item = (Walker, &'a Event, u64)> {
    events.iter().enumerate().filter_map(move |(index, event)| {
        let walker = walkers.who(event.tid)?;
        let end = events
            .iter()
            .skip(index)
            .find(|end| end.name == "slow_end" && end.tid == event.tid);
        let wait = end.map_or(0, |end| end.time.saturating_sub(event.time));
        (event.name == "slow").then_some((walker, event, wait))
    })
}

/// The functions that a stack shows behind the lock itself: whoever took it
/// first. Above the lock are the probe's own.
pub fn behind_lock(stack: &[String]) -> impl Iterator<Item = &str> {
    let is_lock = |symbol: &&String| symbol.contains("spin_lock");
    stack
        .iter()
        .skip_while(move |symbol| !is_lock(symbol))
        .skip_while(move |symbol| is_lock(symbol))
        .map(|symbol| symbol.split('.').next().unwrap_or_default())
}

/// Whether a stack shows a wait for a page-table lock: by what walks the
/// tables, and not for another lock by what frees the pages found there.
fn waits_for_page_table(stack: &[String]) -> bool {
    matches!(
        behind_lock(stack).next(),
        Some(
            "__pte_offset_map_lock"
                | "pte_offset_map_lock"
                | "pte_offset_map_rw_nolock"
                | "unmap_page_range"
                | "zap_pte_range"
                | "zap_pmd_range"
                | "zap_huge_pmd"
        )
    )
}

#[cfg(test)]
mod tests {
    use nix::unistd::Pid;

    use super::*;

    fn event(tid: i32, time: u64, name: &str, stack: &[&str]) -> Event {
        Event::new(tid, time, name, "", stack)
    }

    #[test]
    fn waits_are_told_apart_by_walker_and_stack() {
        let walkers = Walkers {
            reaper: Pid::from_raw(5),
            exit: vec![Pid::from_raw(8), Pid::from_raw(9)],
            ranges: Vec::new(),
        };
        let walk = [
            "queued_spin_lock_slowpath",
            "__pte_offset_map_lock",
            "unmap_page_range",
        ];
        let free = [
            "queued_spin_lock_slowpath",
            "_raw_spin_lock",
            "free_pcppages_bulk",
            "unmap_page_range",
        ];
        let events = [
            event(9, 7, "unmap", &[]),
            event(9, 8, "unmap_end", &[]),
            event(9, 10, "exit", &[]),
            event(9, 11, "unmap", &[]),
            event(9, 11, "slow", &walk),
            event(5, 12, "slow", &free),
            event(7, 12, "slow", &walk),
            event(5, 13, "slow_end", &[]),
            event(9, 16, "slow_end", &[]),
            event(5, 17, "slow", &walk),
            event(9, 25, "unmap_end", &[]),
            event(9, 30, "exit_end", &[]),
        ];
        assert_eq!(
            Seen::of(&events, &walkers).unwrap(),
            Seen {
                reaper: Waits {
                    contended: 1,
                    slow_path: 2,
                    wait: 0
                },
                exit: Waits {
                    contended: 1,
                    slow_path: 1,
                    wait: 5
                },
                exit_mmap: Span { start: 10, end: 30 },
                walk: Span { start: 11, end: 25 },
            }
        );
        assert!(Seen::of(&events[3..], &walkers).is_err());
        assert!(Seen::of(&events[..5], &walkers).is_err());
    }
}
