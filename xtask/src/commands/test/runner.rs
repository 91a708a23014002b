//! Runs tests, each in a process of its own: one that dies takes no other with
//! it, and what it wrote and how long it took are known to be its own.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use vm::process::{self, Cancel, Exit, Invocation, Stream};

use super::event::{Ended, Event, Outcome};

/// How often is looked whether a line is due.
const TICK: Duration = Duration::from_secs(1);
/// The lines kept of one test's output, the last ones.
const KEPT: usize = 5_000;

/// A test, and the process that runs it.
#[derive(Debug, Clone)]
pub struct Test {
    pub name: String,
    pub program: Invocation,
    /// It runs only where it is asked for.
    pub ignored: bool,
}

/// Runs a test to its end. All that it writes is kept: a line without an end too.
fn run(test: &Test, deadline: Duration, cancel: &Cancel) -> Event {
    let name = test.name.clone();
    if test.ignored {
        return Event::Ended(Ended {
            name,
            outcome: Outcome::Ignored,
            took: None,
            output: Vec::new(),
        });
    }
    let start = Instant::now();
    let mut output = VecDeque::new();
    let mut closed = false;
    let ended = process::run(
        &test.program,
        Some(deadline),
        cancel,
        &mut |stream, line| {
            closed |= stream == Stream::Out && line.contains(CLOSING);
            if output.len() == KEPT {
                output.pop_front();
            }
            output.push_back(line.to_owned());
        },
    );
    let outcome = match ended {
        Ok(Exit::Cancelled) => return Event::Stopped(name),
        Ok(exit) => judge(exit, closed, deadline),
        Err(error) => Outcome::Failed(format!("can't be run: {error}")),
    };
    Event::Ended(Ended {
        name,
        outcome,
        took: Some(start.elapsed()),
        output: output.into(),
    })
}

/// What the harness writes last for the one test of its process.
const CLOSING: &str = "test result: ok. 1 passed; 0 failed;";

/// A code of 0 alone does not pass: a test that ends its process has it too.
fn judge(exit: Exit, closed: bool, deadline: Duration) -> Outcome {
    Outcome::Failed(match exit {
        Exit::Code(0) if closed => return Outcome::Passed,
        Exit::Code(0) => "ended before the test did".into(),
        Exit::Code(code) => format!("ended with {code}"),
        Exit::Signal(signal) => format!("was killed by signal {signal}"),
        Exit::Deadline => format!("was stopped after {} s", deadline.as_secs()),
        Exit::Cancelled => "was interrupted".into(),
    })
}

/// Runs tests, so many at once, in their order. Whoever watches gets the events,
/// and nothing once a second. After a cancel no further test begins.
pub fn run_all(
    tests: Vec<Test>,
    at_once: usize,
    deadline: Duration,
    cancel: &Cancel,
    watch: &mut dyn FnMut(Option<Event>),
) {
    watch(Some(Event::Found(tests.len())));
    let queue = Mutex::new(VecDeque::from(tests));
    let work = |events: Sender<Event>| {
        while !cancel.cancelled() {
            let next = queue.lock().ok().and_then(|mut queue| queue.pop_front());
            let Some(test) = next else { break };
            let _ = events.send(Event::Began(test.name.clone()));
            let _ = events.send(run(&test, deadline, cancel));
        }
    };
    watched(at_once, &work, watch);
}

/// Runs something that says what it does line by line, as one step. `on_out`
/// gets its standard output, and makes events of it; its standard error is said.
pub fn run_step(
    name: &str,
    program: &Invocation,
    deadline: Duration,
    cancel: &Cancel,
    on_out: &mut (dyn FnMut(&str) -> Vec<Event> + Send),
    watch: &mut dyn FnMut(Option<Event>),
) -> bool {
    watch(Some(Event::Found(1)));
    watch(Some(Event::Began(name.to_owned())));
    let passed = Mutex::new(false);
    let on_out = Mutex::new(on_out);
    let work = |events: Sender<Event>| {
        let start = Instant::now();
        let ended = process::run(program, Some(deadline), cancel, &mut |stream, line| {
            let told = match (stream, on_out.lock()) {
                (Stream::Out, Ok(mut on_out)) => on_out(line),
                _ => vec![Event::Said(line.to_owned())],
            };
            for event in told {
                let _ = events.send(event);
            }
        });
        let outcome = match ended {
            Ok(Exit::Cancelled) => {
                let _ = events.send(Event::Stopped(name.to_owned()));
                return;
            }
            Ok(exit) => judge(exit, true, deadline),
            Err(error) => Outcome::Failed(format!("can't be run: {error}")),
        };
        if let Ok(mut passed) = passed.lock() {
            *passed = outcome == Outcome::Passed;
        }
        let _ = events.send(Event::Ended(Ended {
            name: name.to_owned(),
            outcome,
            took: Some(start.elapsed()),
            output: Vec::new(),
        }));
    };
    watched(1, &work, watch);
    passed.into_inner().unwrap_or(false)
}

/// Works in so many threads and hands on the events that they send.
fn watched(
    threads: usize,
    work: &(dyn Fn(Sender<Event>) + Sync),
    watch: &mut dyn FnMut(Option<Event>),
) {
    let (sender, events) = channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let sender = sender.clone();
            scope.spawn(move || work(sender));
        }
        drop(sender);
        loop {
            match events.recv_timeout(TICK) {
                Ok(event) => watch(Some(event)),
                Err(RecvTimeoutError::Timeout) => watch(None),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(name: &str, script: &str) -> Test {
        Test {
            name: name.into(),
            program: Invocation {
                program: "sh".into(),
                args: vec!["-c".into(), script.into()],
                ..Invocation::default()
            },
            ignored: false,
        }
    }

    fn outcomes(tests: Vec<Test>) -> Vec<String> {
        let cancel = Cancel::new().unwrap();
        let mut told = Vec::new();
        run_all(tests, 1, Duration::from_secs(60), &cancel, &mut |event| {
            if let Some(Event::Ended(ended)) = event {
                told.push(format!(
                    "{} {:?} {:?}",
                    ended.name, ended.outcome, ended.output
                ));
            }
        });
        told
    }

    #[test]
    fn only_a_closing_line_passes() {
        let mut ignored = shell("e", "exit 1");
        ignored.ignored = true;
        let tests = vec![
            shell(
                "a",
                "printf 'hanging'; echo ' line'; echo 'test result: ok. 1 passed; 0 failed; 0 ignored'",
            ),
            shell("b", "echo early"),
            shell("c", "echo why >&2; exit 101"),
            shell("d", "printf 'no newline'; kill -9 $$"),
            ignored,
        ];
        assert_eq!(
            outcomes(tests),
            [
                r#"a Passed ["hanging line", "test result: ok. 1 passed; 0 failed; 0 ignored"]"#,
                r#"b Failed("ended before the test did") ["early"]"#,
                r#"c Failed("ended with 101") ["why"]"#,
                r#"d Failed("was killed by signal 9") ["no newline"]"#,
                "e Ignored []",
            ]
        );
    }

    #[test]
    fn a_cancel_ends_what_runs_and_begins_nothing() {
        let cancel = Cancel::new().unwrap();
        let tests = vec![shell("a", "echo up; exec sleep 1000"), shell("b", "")];
        let mut told = Vec::new();
        run_all(tests, 1, Duration::from_secs(60), &cancel, &mut |event| {
            if let Some(Event::Began(_)) = event {
                cancel.cancel();
            }
            told.extend(event);
        });
        let [found, began, stopped] = [
            Event::Found(2),
            Event::Began("a".into()),
            Event::Stopped("a".into()),
        ];
        assert_eq!(told, [found, began, stopped]);
    }

    #[test]
    fn a_step_says_its_lines() {
        let cancel = Cancel::new().unwrap();
        let program = shell("", "echo one; echo two >&2; exit 3").program;
        let mut told = Vec::new();
        let passed = run_step(
            "step",
            &program,
            Duration::from_secs(60),
            &cancel,
            &mut |line| vec![Event::Found(line.len())],
            &mut |event| told.extend(event),
        );
        assert!(!passed);
        assert!(told.contains(&Event::Found(3)), "{told:?}");
        assert!(told.contains(&Event::Said("two".into())), "{told:?}");
        let Some(Event::Ended(ended)) = told.last() else {
            panic!("{told:?}");
        };
        assert_eq!(ended.outcome, Outcome::Failed("ended with 3".into()));
    }
}
