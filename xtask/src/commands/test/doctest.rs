//! The lines of `cargo test --doc`: rustdoc compiles and runs examples itself, so
//! that all there is of them is what it writes.

use super::event::{Ended, Event, Outcome};

/// Reads the output of any number of test programs, one behind the other.
#[derive(Debug, Default)]
pub struct Reader {
    /// How many announced tests have not ended yet; none outside of a program.
    open: Option<usize>,
    failed: usize,
}

impl Reader {
    /// What a line tells.
    pub fn line(&mut self, line: &str) -> Vec<Event> {
        if let Some(count) = line.strip_prefix("running ").and_then(announced) {
            let unended = self.unended();
            self.open = Some(count);
            return [unended, vec![Event::Found(count)]].concat();
        }
        if line.starts_with("test result: ") {
            let lost = self.open.take().filter(|lost| *lost > 0);
            return lost.map(missing).into_iter().collect();
        }
        let Some((name, word)) = line
            .strip_prefix("test ")
            .and_then(|test| test.rsplit_once(" ... "))
        else {
            return Vec::new();
        };
        let outcome = match word.split(',').next().unwrap_or_default() {
            "ok" => Outcome::Passed,
            "ignored" => Outcome::Ignored,
            _ => Outcome::Failed("see the output above".into()),
        };
        self.failed += usize::from(matches!(outcome, Outcome::Failed(_)));
        self.open = self.open.map(|open| open.saturating_sub(1));
        vec![ended(name, outcome)]
    }

    /// No line will follow; `passed` is whether the whole ended well.
    pub fn end(mut self, passed: bool) -> Vec<Event> {
        let mut events = self.unended();
        if !passed && self.failed == 0 && events.is_empty() {
            events.push(missing(0));
        }
        events
    }

    /// A program that died has no closing line.
    fn unended(&mut self) -> Vec<Event> {
        self.open.take().map(missing).into_iter().collect()
    }
}

fn announced(rest: &str) -> Option<usize> {
    let (count, _) = rest.split_once(" test")?;
    count.parse().ok()
}

fn missing(tests: usize) -> Event {
    let why = match tests {
        0 => "rustdoc failed; see above".to_owned(),
        n => format!("{n} of them did not come to their end"),
    };
    ended("examples in the documentation", Outcome::Failed(why))
}

fn ended(name: &str, outcome: Outcome) -> Event {
    Event::Ended(Ended {
        name: name.to_owned(),
        outcome,
        took: None,
        output: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a text tells, in words.
    fn told(text: &str, passed: bool) -> Vec<String> {
        let mut reader = Reader::default();
        let mut events: Vec<Event> = text.lines().flat_map(|line| reader.line(line)).collect();
        events.extend(reader.end(passed));
        let told = events.into_iter().map(|event| match event {
            Event::Found(count) => format!("{count} found"),
            Event::Ended(ended) => match ended.outcome {
                Outcome::Failed(why) => format!("{}: {why}", ended.name),
                outcome => format!("{}: {outcome:?}", ended.name),
            },
            other => format!("{other:?}"),
        });
        told.collect()
    }

    #[test]
    fn programs_one_behind_the_other() {
        let text = "\nrunning 2 tests\n\
                    test src/a.rs - a::B (line 3) ... ok\n\
                    test src/a.rs - a::C (line 9) - compile fail ... ignored, not here\n\n\
                    test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\n\
                    running 1 test\n\
                    test src/b.rs - d (line 1) ... FAILED\n\n\
                    failures:\n\n---- src/b.rs - d (line 1) stdout ----\n\
                    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(
            told(text, false),
            [
                "2 found",
                "src/a.rs - a::B (line 3): Passed",
                "src/a.rs - a::C (line 9) - compile fail: Ignored",
                "1 found",
                "src/b.rs - d (line 1): see the output above",
            ]
        );
        assert_eq!(
            told("running 0 tests\n\ntest result: ok. 0 passed", true),
            ["0 found"]
        );
    }

    #[test]
    fn a_program_without_its_last_line_failed() {
        let lost = "examples in the documentation: 1 of them did not come to their end";
        let dead = "running 2 tests\ntest a ... ok\n";
        assert_eq!(told(dead, true), ["2 found", "a: Passed", lost]);
        let next = format!("{dead}running 0 tests\ntest result: ok.");
        assert_eq!(told(&next, true), ["2 found", "a: Passed", lost, "0 found"]);
        let died = "examples in the documentation: rustdoc failed; see above";
        assert_eq!(told("error: no such file", false), [died]);
    }
}
