//! What a kernel console says went wrong.
//!
//! One pass with bounded memory over text that may be cut, interleaved, from
//! another kernel or architecture, with or without timestamps, or no text at
//! all. A report's first line opens an event; the lines behind it may still
//! name the function it happened in. Numbers that change from run to run
//! (addresses, pids, CPUs, times) are left out of titles.

use std::io::{self, Read};

use regex::Regex;
use results::console::{Event, Kind};
use results::text::printable;
use serde::{Deserialize, Serialize};

use super::rules::{
    ACQUIRING, ANSI, BEGAN, BY_LOCK, CALLER, CAME_UP, COUNTER, FRAME, HELPER, Header, PREFIX,
    SUSPECT, SUSPECTED_LEAKS, TRACE, function, header, steady,
};
use crate::lines::Lines;

/// The longest console line that is looked at, in bytes.
const LINE: usize = 4096;

/// The longest title, in characters.
const TITLE: usize = 200;

/// How many lines a report's function may lie behind its first line.
const REACH: usize = 200;

/// How far apart the opening lines of one oops may be: arm64 describes the
/// abort in between.
const SAME_OOPS: usize = 30;

/// How many events of one kind are kept. A guest that kills or warns without
/// end must not push the panic out.
const KEPT: usize = 100;

/// What a whole console says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The worst kind among the events; an OOM kill counts as clean.
    pub verdict: Kind,
    /// In the order of their lines; at most 100 of each kind.
    pub events: Vec<Event>,
}

impl Report {
    /// The title of the first panic or oops, whichever came first: the one
    /// that names the cause where a panic follows an oops.
    pub fn crash(&self) -> Option<&str> {
        self.events
            .iter()
            .find(|event| event.kind.is_crash())
            .map(|event| event.title.as_str())
    }
}

/// Reads a console to its end.
///
/// # Errors
/// What reading answers; the content can't be wrong.
pub fn triage(mut console: impl Read) -> io::Result<Report> {
    let mut triage = Triage::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match console.read(&mut buffer) {
            Ok(0) => return Ok(triage.finish()),
            Ok(count) => triage.feed(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A console that is still being written.
#[derive(Debug)]
pub struct Triage {
    lines: Lines,
    state: State,
}

impl Default for Triage {
    fn default() -> Self {
        Self::new()
    }
}

impl Triage {
    pub fn new() -> Self {
        Self {
            lines: Lines::new(LINE),
            state: State::default(),
        }
    }

    /// Takes the next bytes, cut anywhere.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Self { lines, state } = self;
        lines.feed(bytes, &mut |line| state.line(line));
    }

    /// Whether the kernel has crashed so badly that no more results will come.
    pub fn crashed(&self) -> bool {
        self.state.crashed
    }

    /// Says what the console may not: user space did start.
    pub fn came_up(&mut self) {
        self.state.came_up = true;
    }

    /// The report, when nothing more will come.
    pub fn finish(mut self) -> Report {
        let Self { lines, state } = &mut self;
        lines.finish(&mut |line| state.line(line));
        self.state.finish()
    }
}

#[derive(Debug, Default)]
struct State {
    count: usize,
    events: Vec<Event>,
    open: Vec<Open>,
    crashed: bool,
    began: bool,
    came_up: bool,
    /// The last line with text.
    last: String,
}

/// An event whose function may still be named.
#[derive(Debug)]
struct Open {
    event: usize,
    kind: Kind,
    line: usize,
    /// `T12` or `C0` where the kernel prints who wrote a line.
    caller: Option<String>,
    /// The first plausible stack frame, for want of a program counter.
    frame: Option<String>,
    in_trace: bool,
    in_irq: bool,
    /// Whether a lock's line names the function before any frame does.
    by_lock: bool,
}

impl State {
    fn line(&mut self, line: &str) {
        self.count += 1;
        let plain = if line.contains('\u{1b}') {
            ANSI.replace_all(line, "")
        } else {
            line.into()
        };
        let line = plain.as_ref();
        if !line.trim().is_empty() {
            self.last.clear();
            self.last.push_str(line);
        }
        self.began = self.began || BEGAN.is_match(line);
        self.came_up = self.came_up || CAME_UP.is_match(line);
        let suspect = SUSPECT.is_match(line);
        if !suspect && self.open.is_empty() {
            return;
        }
        let caller = CALLER
            .captures(line)
            .and_then(|found| found.get(1))
            .map(|found| found.as_str());
        self.close_old();
        match suspect.then(|| header(line)).flatten() {
            Some(header) => self.header(header, caller),
            None => self.continuation(line, caller),
        }
    }

    fn header(&mut self, header: Header, caller: Option<&str>) {
        let Header {
            kind,
            title,
            function,
            opens,
        } = header;
        if kind == Kind::OomKill {
            self.came_up = true;
        }
        self.crashed = self.crashed || kind == Kind::Panic || (kind == Kind::Oops && opens);
        // A panic's closing line: news only where the opening one is missing.
        let closing = kind == Kind::Panic && !opens;
        if closing && self.events.iter().any(|event| event.kind == Kind::Panic) {
            return;
        }
        // "BUG: …", "Oops: …" and "Internal error: …" open one and the same oops.
        if kind == Kind::Oops
            && let Some(open) = self
                .open
                .iter_mut()
                .rev()
                .find(|open| same(&open.caller, caller))
            && open.kind == Kind::Oops
            && self.count - open.line <= SAME_OOPS
        {
            open.in_trace = false;
            if let Some(event) = self.events.get_mut(open.event)
                && event.title == "Oops"
            {
                event.title = cut(&title);
            }
            return;
        }
        // "BUG: memory leak" and "unreferenced object" open one report.
        if kind == Kind::MemoryLeak && self.open.iter().any(|open| open.line + 1 == self.count) {
            return;
        }
        // How many leaks there are says less than the leak that follows.
        if kind == Kind::MemoryLeak
            && opens
            && (self.events.last()).is_some_and(|event| event.title == SUSPECTED_LEAKS)
        {
            self.events.pop();
        }
        if opens {
            self.close(|open| same(&open.caller, caller));
        }
        let cause = self.cause(kind, &title);
        if self
            .events
            .iter()
            .filter(|event| event.kind == kind)
            .count()
            >= KEPT
        {
            return;
        }
        let function = function.or(cause);
        let wants = opens && function.is_none();
        let title = match function {
            Some(function) => within(&title, &function),
            None => cut(&title),
        };
        self.events.push(Event {
            kind,
            title,
            line: self.count,
        });
        if wants {
            self.open.push(Open {
                event: self.events.len() - 1,
                kind,
                line: self.count,
                caller: caller.map(str::to_owned),
                frame: None,
                in_trace: kind == Kind::MemoryLeak,
                in_irq: false,
                by_lock: BY_LOCK.is_match(&self.last),
            });
        }
    }

    /// The function of the oops that a panic follows from.
    fn cause(&self, kind: Kind, title: &str) -> Option<String> {
        if kind != Kind::Panic || !title.contains("Fatal exception") {
            return None;
        }
        let oops = self
            .events
            .iter()
            .rev()
            .find(|event| event.kind == Kind::Oops)?;
        oops.title
            .rsplit_once(" in ")
            .map(|(_, function)| function.to_owned())
    }

    fn continuation(&mut self, line: &str, caller: Option<&str>) {
        let Some(at) = self
            .open
            .iter()
            .rposition(|open| same(&open.caller, caller))
        else {
            return;
        };
        let Some(open) = self.open.get_mut(at) else {
            return;
        };
        let by_counter = matches!(
            open.kind,
            Kind::Oops | Kind::SoftLockup | Kind::HardLockup | Kind::RcuStall
        );
        let found = if by_counter {
            capture(&COUNTER, line)
        } else {
            None
        };
        let found = found.or_else(|| capture(&ACQUIRING, line).filter(|_| open.by_lock));
        let found = found.or_else(|| {
            let frame = open.frame(line)?;
            if by_counter {
                open.frame.get_or_insert(frame);
                None
            } else {
                Some(frame)
            }
        });
        if let Some(function) = found {
            let event = open.event;
            self.open.remove(at);
            self.name(event, &function);
        }
    }

    fn name(&mut self, event: usize, function: &str) {
        if let Some(event) = self.events.get_mut(event) {
            event.title = within(&event.title, function);
        }
    }

    fn close_old(&mut self) {
        let count = self.count;
        self.close(|open| count - open.line > REACH);
    }

    fn close(&mut self, which: impl Fn(&Open) -> bool) {
        for at in (0..self.open.len()).rev() {
            if self.open.get(at).is_some_and(&which) {
                let open = self.open.remove(at);
                if let Some(frame) = open.frame {
                    self.name(open.event, &frame);
                }
            }
        }
    }

    fn finish(mut self) -> Report {
        self.close(|_| true);
        let silent = self.last.is_empty();
        if !self.came_up && (silent || self.began) {
            let title = if silent {
                "not a byte on the console".to_owned()
            } else {
                cut(&format!(
                    "user space never started; last: {}",
                    steady(&PREFIX.replace(&self.last, ""))
                ))
            };
            self.events.push(Event {
                kind: Kind::BootFailed,
                title,
                line: self.count,
            });
        }
        let verdict = self
            .events
            .iter()
            .map(|event| event.kind)
            .min()
            .unwrap_or(Kind::Clean);
        Report {
            verdict: verdict.min(Kind::Clean),
            events: self.events,
        }
    }
}

impl Open {
    /// The function of a stack frame that is not part of the reporting itself.
    fn frame(&mut self, line: &str) -> Option<String> {
        if TRACE.is_match(line) {
            self.in_trace = true;
            self.in_irq = false;
            return None;
        }
        if line.contains("<IRQ>") || line.contains("<NMI>") {
            self.in_irq = true;
        } else if line.contains("</IRQ>") || line.contains("</NMI>") {
            self.in_irq = false;
        }
        // A panic or a report made in an interrupt has its cause there; a
        // stalled CPU has been interrupted to say where it is.
        if !self.in_trace || (self.in_irq && self.kind == Kind::RcuStall) {
            return None;
        }
        let name = capture(&FRAME, line)?;
        (!HELPER.is_match(&name)).then_some(name)
    }
}

/// Whether a line belongs to an event: only where both say who wrote them and
/// they differ is it known not to.
fn same(event: &Option<String>, line: Option<&str>) -> bool {
    match (event, line) {
        (Some(event), Some(line)) => event == line,
        _ => true,
    }
}

fn capture(pattern: &Regex, line: &str) -> Option<String> {
    let found = pattern.captures(line)?;
    Some(function(found.iter().skip(1).flatten().next()?.as_str()))
}

fn within(title: &str, function: &str) -> String {
    cut(&format!("{title} in {function}"))
}

fn cut(title: &str) -> String {
    printable(title).trim().chars().take(TITLE).collect()
}
