//! What is shown of events: a line for each end, a line now and then while all
//! is quiet, and the counts. Pure: times come in, text goes out.

use std::time::Duration;

use super::event::{Ended, Event, Outcome};
use crate::progress::seconds;

/// Nobody is left longer than this without a line. Shorter than ten seconds by
/// what it takes to notice.
const QUIET: Duration = Duration::from_secs(8);
/// How many of those that run are named.
const NAMED: usize = 3;

/// What was shown, and what is known.
#[derive(Debug, Default)]
pub struct Display {
    known: usize,
    passed: usize,
    ignored: usize,
    stopped: usize,
    /// Each with its reason.
    failed: Vec<(String, String)>,
    /// Since when each runs, in the order in which they began.
    running: Vec<(String, Duration)>,
    /// When a line was shown last.
    shown: Duration,
}

impl Display {
    /// The lines that an event is worth. `now` counts from the beginning.
    pub fn on(&mut self, event: Event, now: Duration) -> Vec<String> {
        let lines = match event {
            Event::Found(tests) => {
                self.known += tests;
                Vec::new()
            }
            Event::Began(name) => {
                self.running.push((name, now));
                Vec::new()
            }
            Event::Said(line) => vec![format!("         {line}")],
            Event::Ended(ended) => self.ended(ended),
            Event::Stopped(name) => {
                self.running.retain(|(running, _)| *running != name);
                self.stopped += 1;
                vec![format!(" stopped            {name}")]
            }
        };
        if !lines.is_empty() {
            self.shown = now;
        }
        lines
    }

    fn ended(&mut self, ended: Ended) -> Vec<String> {
        self.running.retain(|(running, _)| *running != ended.name);
        let (word, why) = match ended.outcome {
            Outcome::Passed => {
                self.passed += 1;
                ("passed", None)
            }
            Outcome::Ignored => {
                self.ignored += 1;
                ("ignored", None)
            }
            Outcome::Failed(why) => {
                self.failed.push((ended.name.clone(), why.clone()));
                ("FAILED", Some(why))
            }
        };
        let took = ended.took.map(seconds).unwrap_or_default();
        let mut lines = vec![format!("{word:>8} {took:>10} {}", ended.name)];
        if let Some(why) = why {
            lines.extend(ended.output.iter().map(|line| format!("         | {line}")));
            lines.push(format!("         {why}"));
        }
        lines
    }

    /// A line where nothing was shown for long: what runs, and since when.
    pub fn quiet(&mut self, now: Duration) -> Option<String> {
        if self.running.is_empty() || now.saturating_sub(self.shown) < QUIET {
            return None;
        }
        self.shown = now;
        Some(format!("     ... {}", self.status(now)))
    }

    /// What goes on, in one line.
    pub fn status(&self, now: Duration) -> String {
        let mut parts = Vec::new();
        if self.known > 0 {
            parts.push(format!("{} of {}", self.over(), self.known));
        }
        if !self.failed.is_empty() {
            parts.push(format!("{} failed", self.failed.len()));
        }
        let running = self.running.iter().take(NAMED);
        parts.extend(running.map(|(name, since)| {
            format!("{name} {:.0} s", now.saturating_sub(*since).as_secs_f64())
        }));
        if let Some(more) = self.running.len().checked_sub(NAMED).filter(|n| *n > 0) {
            parts.push(format!("{more} more"));
        }
        parts.join(", ")
    }

    /// Whether all held.
    pub fn all_passed(&self) -> bool {
        self.failed.is_empty() && self.left() == 0
    }

    fn over(&self) -> usize {
        self.passed + self.failed.len() + self.ignored
    }

    /// Those that were to run and did not come to their end.
    fn left(&self) -> usize {
        self.known.saturating_sub(self.over())
    }

    /// The last lines; the counts stand alone on the very last.
    pub fn end(&self, now: Duration) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.failed.is_empty() {
            lines.push("Failed:".to_owned());
            let failed = self.failed.iter();
            lines.extend(failed.map(|(name, why)| format!("  {name}: {why}")));
        }
        if self.left() > 0 {
            lines.push(format!("{} did not run to their end", self.left()));
        }
        lines.push(format!("Took {}", seconds(now)));
        let ignored = match self.ignored {
            0 => String::new(),
            n => format!(", {n} ignored"),
        };
        lines.push(format!(
            "{} passed, {} failed{ignored}",
            self.passed,
            self.failed.len()
        ));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows events, each at its second, and what is said in the seconds
    /// between and after them; the last is the end.
    fn shown(events: Vec<(u64, Event)>, until: u64) -> String {
        let mut display = Display::default();
        let mut events = events.into_iter().peekable();
        let mut lines = Vec::new();
        for now in 0..=until {
            let at = Duration::from_secs(now);
            while let Some((_, event)) = events.next_if(|(second, _)| *second == now) {
                let told = display.on(event, at);
                lines.extend(told.into_iter().map(|line| format!("{now:>3} {line}")));
            }
            lines.extend(display.quiet(at).map(|line| format!("{now:>3} {line}")));
        }
        lines.extend(display.end(Duration::from_secs(until)));
        lines.join("\n")
    }

    fn began(name: &str) -> Event {
        Event::Began(name.into())
    }

    fn ended(name: &str, outcome: Outcome, seconds: u64, output: &[&str]) -> Event {
        Event::Ended(Ended {
            name: name.into(),
            outcome,
            took: Some(Duration::from_secs(seconds)),
            output: output.iter().map(|line| (*line).to_owned()).collect(),
        })
    }

    #[test]
    fn each_end_is_a_line_and_failures_show_their_output() {
        let failed = Outcome::Failed("ended with 101".into());
        insta::assert_snapshot!(
            shown(
                vec![
                    (0, Event::Found(3)),
                    (0, began("vm::guest a")),
                    (0, began("vm::guest b")),
                    (1, ended("vm::guest b", failed, 1, &["thread 'b' panicked", "", "left: 1"])),
                    (1, began("vm::guest c")),
                    (2, ended("vm::guest a", Outcome::Passed, 2, &["noise"])),
                    (2, ended("vm::guest c", Outcome::Ignored, 0, &[])),
                ],
                2
            ),
            @r"
          1   FAILED      1.0 s vm::guest b
          1          | thread 'b' panicked
          1          | 
          1          | left: 1
          1          ended with 101
          2   passed      2.0 s vm::guest a
          2  ignored      0.0 s vm::guest c
        Failed:
          vm::guest b: ended with 101
        Took 2.0 s
        1 passed, 1 failed, 1 ignored
        "
        );
    }

    #[test]
    fn nothing_is_silent_for_ten_seconds() {
        let mut events = vec![(0, Event::Found(6))];
        events.extend(["a", "b", "c", "d", "e"].map(|name| (0, began(name))));
        events.push((10, ended("a", Outcome::Passed, 10, &[])));
        events.push((20, Event::Said("Compiling serde".into())));
        insta::assert_snapshot!(shown(events, 30), @r"
          8      ... 0 of 6, a 8 s, b 8 s, c 8 s, 2 more
         10   passed       10 s a
         18      ... 1 of 6, b 18 s, c 18 s, d 18 s, 1 more
         20          Compiling serde
         28      ... 1 of 6, b 28 s, c 28 s, d 28 s, 1 more
        5 did not run to their end
        Took 30 s
        1 passed, 0 failed
        ");
    }

    #[test]
    fn what_was_stopped_did_not_pass() {
        let mut display = Display::default();
        let now = Duration::from_secs(1);
        for event in [Event::Found(1), began("a"), Event::Stopped("a".into())] {
            display.on(event, now);
        }
        assert!(!display.all_passed());
        assert_eq!(display.quiet(Duration::from_secs(60)), None);
        assert_eq!(
            display.end(now),
            [
                "1 did not run to their end",
                "Took 1.0 s",
                "0 passed, 0 failed"
            ]
        );
    }
}
