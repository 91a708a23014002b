//! What a kernel console says went wrong.
//!
//! One pass with bounded memory over text that may be cut, interleaved, from
//! another kernel or architecture, with or without timestamps, or no text at
//! all. A report's first line opens an event; the lines behind it may still
//! name the function it happened in. Numbers that change from run to run
//! (addresses, pids, CPUs, times) are left out of titles.

use std::fmt;
use std::io::{self, Read};
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};

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

/// What kind of thing happened, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The kernel gave up.
    Panic,
    /// A fault or failed assertion in the kernel, or corruption that it found.
    Oops,
    /// A memory error found by KASAN, KMSAN or KFENCE.
    Kasan,
    /// A data race found by KCSAN.
    Kcsan,
    /// Undefined behaviour found by UBSAN.
    Ubsan,
    /// A broken rule of locking, RCU or atomic context.
    Lockdep,
    /// A CPU or workqueue that doesn't schedule.
    SoftLockup,
    /// A CPU that doesn't take interrupts.
    HardLockup,
    /// An RCU grace period that doesn't end.
    RcuStall,
    /// A task that sleeps uninterruptibly for too long.
    HungTask,
    /// A `WARN`.
    Warning,
    /// Memory that nothing refers to.
    MemoryLeak,
    /// A process that ended with pages still on its account.
    BadRss,
    /// The kernel never started user space.
    BootFailed,
    /// Nothing; only ever a verdict.
    Clean,
    /// The OOM killer did its work; only ever an event of a clean log.
    OomKill,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panic => "panic",
            Self::Oops => "oops",
            Self::Kasan => "kasan",
            Self::Kcsan => "kcsan",
            Self::Ubsan => "ubsan",
            Self::Lockdep => "lockdep",
            Self::SoftLockup => "soft-lockup",
            Self::HardLockup => "hard-lockup",
            Self::RcuStall => "rcu-stall",
            Self::HungTask => "hung-task",
            Self::Warning => "warning",
            Self::MemoryLeak => "memory-leak",
            Self::BadRss => "bad-rss",
            Self::BootFailed => "boot-failed",
            Self::Clean => "clean",
            Self::OomKill => "oom-kill",
        })
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its kind.
    pub kind: Kind,
    /// What, and in which function where the console says so; the same from
    /// run to run.
    pub title: String,
    /// The line it begins on, counted from 1.
    pub line: usize,
}

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
            .find(|event| matches!(event.kind, Kind::Panic | Kind::Oops))
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
    /// Nothing read yet.
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

/// The first line of a report.
struct Header {
    kind: Kind,
    title: String,
    /// The function, where that line names it.
    function: Option<String>,
    /// Whether the lines behind it may name the function.
    opens: bool,
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
        let text = PREFIX.replace(line, "");
        if !text.trim().is_empty() {
            self.last = text.trim().to_owned();
        }
        self.began = self.began || BEGAN.is_match(line);
        self.came_up = self.came_up || CAME_UP.is_match(line);
        let caller = if self.open.is_empty() && !SUSPECT.is_match(line) {
            return;
        } else {
            CALLER
                .captures(line)
                .and_then(|found| found.get(1))
                .map(|found| found.as_str())
        };
        self.close_old();
        match SUSPECT.is_match(line).then(|| header(line)).flatten() {
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
        if kind == Kind::Panic && title.is_empty() {
            // Its closing line: news only where the opening one is missing.
            if self.events.iter().any(|event| event.kind == Kind::Panic) {
                return;
            }
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
                event.title = title;
            }
            return;
        }
        // "BUG: memory leak" and "unreferenced object" open one report.
        if kind == Kind::MemoryLeak && self.open.iter().any(|open| open.line + 1 == self.count) {
            return;
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
                    steady(&self.last)
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

/// A symbol without what the compiler added to its name.
fn function(symbol: &str) -> String {
    let symbol = symbol.trim_start_matches('.');
    let end = symbol.find(['.', '+']).unwrap_or(symbol.len());
    symbol.get(..end).unwrap_or(symbol).to_owned()
}

fn within(title: &str, function: &str) -> String {
    cut(&format!("{title} in {function}"))
}

fn cut(title: &str) -> String {
    title.trim().chars().take(TITLE).collect()
}

/// A message without what changes from run to run.
fn steady(message: &str) -> String {
    let mut steady = message.to_owned();
    for (changing, instead) in CHANGING.iter() {
        steady = changing.replace_all(&steady, *instead).into_owned();
    }
    steady.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How one kind of report begins, and what its title is made of.
struct Rule {
    kind: Kind,
    pattern: Regex,
    title: fn(&Captures<'_>) -> (String, Option<String>),
    opens: bool,
}

fn header(line: &str) -> Option<Header> {
    if line.contains("---[ end Kernel panic") {
        return Some(Header {
            kind: Kind::Panic,
            title: String::new(),
            function: None,
            opens: false,
        });
    }
    if FROM_USER_SPACE.is_match(line) {
        return None;
    }
    RULES.iter().find_map(|rule| {
        let (title, function) = (rule.title)(&rule.pattern.captures(line)?);
        Some(Header {
            kind: rule.kind,
            title,
            function,
            opens: rule.opens,
        })
    })
}

fn group(found: &Captures<'_>, at: usize) -> String {
    found
        .get(at)
        .map_or_else(String::new, |part| part.as_str().trim().to_owned())
}

fn symbol(found: &Captures<'_>, at: usize) -> Option<String> {
    found
        .get(at)
        .map(|part| function(part.as_str()))
        .filter(|name| !HELPER.is_match(name))
}

/// In this order: the first that matches a line wins.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rule = |kind, text, opens, title| Rule {
        kind,
        pattern: pattern(text),
        title,
        opens,
    };
    vec![
        rule(
            Kind::Panic,
            r"Kernel panic(?: - not syncing(?:: ?(.*))?|: (.*)|\s*$)",
            true,
            |found| {
                let why = steady(&format!("{}{}", group(found, 1), group(found, 2)));
                let colon = if why.is_empty() { "" } else { ": " };
                (format!("Kernel panic - not syncing{colon}{why}"), None)
            },
        ),
        rule(
            Kind::Kasan,
            r"BUG: (KASAN|KMSAN|KFENCE): (.+?)(?: in ([A-Za-z_][\w.$]*)(?:[+ ].*)?)?$",
            true,
            |found| {
                (
                    format!("{}: {}", group(found, 1), steady(&group(found, 2))),
                    symbol(found, 3),
                )
            },
        ),
        rule(
            Kind::Kcsan,
            r"BUG: KCSAN: (\S+)(?: race)? in ([\w.$]+)(?:\+\S+)?(?: \[\w+\])?(?: / ([\w.$]+))?",
            true,
            |found| {
                // Who came first is a matter of chance.
                let mut both = [function(&group(found, 2)), function(&group(found, 3))];
                both.sort();
                let both = both.join(" / ");
                (
                    format!("KCSAN: {}", group(found, 1)),
                    Some(both.trim_start_matches(" / ").into()),
                )
            },
        ),
        rule(Kind::Kcsan, r"BUG: KCSAN: (.+)", true, |found| {
            (format!("KCSAN: {}", steady(&group(found, 1))), None)
        }),
        rule(
            Kind::BadRss,
            r"BUG: (Bad rss-counter state|non-zero pgtables_bytes).*?(?:type:(\w+)|idx:(\d+)|$)",
            false,
            |found| {
                (
                    format!("{} {}{}", group(found, 1), group(found, 2), group(found, 3)),
                    None,
                )
            },
        ),
        rule(
            Kind::MemoryLeak,
            r"BUG: memory leak|unreferenced object 0x[0-9a-f]+",
            true,
            |_| ("memory leak".into(), None),
        ),
        rule(
            Kind::MemoryLeak,
            r"kmemleak: \d+ new suspected memory leaks",
            false,
            |_| ("suspected memory leaks".into(), None),
        ),
        rule(
            Kind::SoftLockup,
            r"BUG: soft lockup|BUG: (workqueue lockup)",
            true,
            |found| {
                let what = group(found, 1);
                (
                    if what.is_empty() {
                        "soft lockup".into()
                    } else {
                        what
                    },
                    None,
                )
            },
        ),
        rule(
            Kind::HardLockup,
            r"(?i)\bhard lockup(?:.*? @ ([\w.$]+)\+0x)?",
            true,
            |found| ("hard lockup".into(), symbol(found, 1)),
        ),
        rule(
            Kind::RcuStall,
            r"INFO: (rcu\w*) (?:self-)?detected (?:expedited )?stalls?",
            true,
            |found| (format!("{} stall", group(found, 1)), None),
        ),
        rule(
            Kind::HungTask,
            r"INFO: task .+:\d+ blocked (?:for|in I/O wait for) more than",
            true,
            |_| ("hung task".into(), None),
        ),
        rule(
            Kind::Lockdep,
            r"(?:WARNING|INFO|BUG): (possible .+? detected|(?i:inconsistent lock state|suspicious RCU usage|invalid wait context|nested lock was not taken)|\S+-safe -> \S+-unsafe lock order detected|bad \w+(?: \w+)? detected|held lock freed|lock held (?:when returning to user space|at task exit time)|sleeping function called from invalid context|scheduling while atomic|using \w+\(\) in preemptible|trying to register non-static key|(?:spin|rw)lock \w+ \w+|MAX_\w+ too low|.+ still has locks held)",
            true,
            |found| (steady(&group(found, 1)), None),
        ),
        rule(
            Kind::Warning,
            r"WARNING: (?:CPU: \d+ PID: \d+ )?at (?:\S+:\d+ )?([A-Za-z_][\w.$]*)\+0x",
            true,
            |found| ("WARNING".into(), symbol(found, 1)),
        ),
        rule(
            Kind::Warning,
            r"WARNING: (?:\[.*\] )?\S+:\d+ at ([A-Za-z_][\w.$]*)\+0x",
            true,
            |found| ("WARNING".into(), symbol(found, 1)),
        ),
        rule(
            Kind::Warning,
            r"WARNING: (?:CPU: \d+ PID: \d+ )?at (\S+?):\d+",
            true,
            |found| (format!("WARNING at {}", group(found, 1)), None),
        ),
        rule(
            Kind::Oops,
            r"kernel BUG at (\S+?)(?::\d+)?!",
            true,
            |found| (format!("kernel BUG at {}", group(found, 1)), None),
        ),
        rule(
            Kind::Oops,
            r"(?i)(?:unable to handle|BUG: kernel) .*NULL pointer",
            true,
            |_| ("NULL pointer dereference".into(), None),
        ),
        rule(
            Kind::Oops,
            r"(?i)unable to handle (?:kernel|page fault)\b",
            true,
            |_| ("unable to handle page fault".into(), None),
        ),
        rule(
            Kind::Oops,
            r"\bgeneral protection fault(?:,|:| |$)",
            true,
            |_| ("general protection fault".into(), None),
        ),
        rule(
            Kind::Oops,
            r"((?:[A-Za-z][\w', -]*: )*[A-Za-z][\w', -]*?)(?:: [0-9a-f]+)? ?\[#\d+\]",
            true,
            |found| (die(&group(found, 1)), None),
        ),
        rule(Kind::Oops, r"\bInternal error: (.+)", true, |found| {
            (die(&steady(&group(found, 1))), None)
        }),
        rule(
            Kind::Ubsan,
            r"UBSAN: (.+?)(?: in (\S+?)(?::\d+)*)?$",
            true,
            |found| (format!("UBSAN: {}", steady(&group(found, 1))), None),
        ),
        // Corruption that the kernel reports and lives on with.
        rule(Kind::Oops, r"\bBUG: (.+)", false, |found| {
            (steady(&group(found, 1)), None)
        }),
        rule(Kind::Oops, r"\bBUG ([\w-]+) \(.*\): (.+)", false, |found| {
            (
                format!("{}: {}", group(found, 1), steady(&group(found, 2))),
                None,
            )
        }),
        rule(
            Kind::OomKill,
            r"(Memory cgroup out of memory: |Out of memory.*: )?Killed process \d+,?(?: UID \d+,)? \((.*?)\)",
            false,
            |found| {
                let memcg = group(found, 1).starts_with("Memory cgroup");
                let whose = if memcg {
                    "a memory cgroup"
                } else {
                    "the machine"
                };
                (
                    format!("{} killed: {whose} was out of memory", group(found, 2)),
                    None,
                )
            },
        ),
        rule(
            Kind::BootFailed,
            r"(Dropping to a shell|[Ee]ntering emergency mode|No bootable device|Give root password for maintenance)",
            false,
            |found| (group(found, 1), None),
        ),
    ]
});

/// What `die()` was called with.
fn die(message: &str) -> String {
    let mut known = message;
    for lead in ["kernel: ", "Internal error: ", "Oops: ", "Oops - "] {
        known = known.rsplit_once(lead).map_or(known, |(_, rest)| rest);
    }
    let known = known.trim_end_matches(", sig");
    let bare = known.ends_with("Oops") || known.chars().all(|c| c.is_ascii_hexdigit());
    if bare { "Oops".into() } else { steady(known) }
}

/// One of these is in every first line of a report: the rules need not look at
/// the other lines.
static SUSPECT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"BUG|WARNING: |INFO: |Kernel panic|Oops|\[#\d|Internal error|UBSAN|(?i:unable to handle|hard lockup)|general protection|Killed process|unreferenced object|kmemleak: |Dropping to|mergency mode|bootable device|root password",
    )
});

/// A fault of a program, which the kernel merely notes.
static FROM_USER_SPACE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\btraps: |\bip:[0-9a-f]+ sp:[0-9a-f]+"));

static ANSI: LazyLock<Regex> = LazyLock::new(|| pattern(r"\x1b\[[0-9;?]*[A-Za-z]"));

/// Syslog's level, the time and the writer, in front of a message.
static PREFIX: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^\s*(?:<\d+>)?\s*(?:\[[^\]]*\d\.\d+\]\s*)?(?:\[\s*[TC]\d+\]\s*)?"));

static CALLER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\[\s*\d+\.\d+\]\s*\[\s*([TC]\d+)(?:@\w+)?\]"));

/// The program counter in a register dump, kernel mode only.
static COUNTER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:RIP: 00[01][08]:|EIP: (?:is at )?(?:00\d\d:)?|EIP is at |PC is at |\bpc : |\bepc\s*: |\bNIP |Krnl PSW : |\bERA: |\bTPC: <)(?:[\[<(]*[0-9a-f]{8,16}[>\])]*[\s(]*)*([A-Za-z_.][\w.$]*)\+0x[0-9a-f]+",
    )
});

/// Lockdep's line on the lock that was the last straw.
static ACQUIRING: LazyLock<Regex> = LazyLock::new(|| pattern(r"\}, at: ([A-Za-z_][\w.$]*)\+0x"));

/// The reports that are about that lock; others merely list the locks held.
static BY_LOCK: LazyLock<Regex> =
    LazyLock::new(|| pattern(r": possible |inconsistent lock state|lock order detected"));

static TRACE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(?:call trace|backtrace)\b.*:"));

/// A frame that the unwinder is sure of.
static FRAME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[^?+]*[\s\])])?(?:\(?([A-Za-z_.][\w.$]*)\)? from |([A-Za-z_.][\w.$]*)\+0x[0-9a-f]+/0x[0-9a-f]+)",
    )
});

/// Frames that report, lock, wait or allocate on behalf of the one that counts.
static HELPER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"^(?:_*(?:dump_(?:stack|backtrace)|show_(?:stack|regs|trace)|unwind_backtrace|v?panic|nmi_panic|print_|check_panic)\w*",
        r"|_*(?:kasan|asan|kmsan|kcsan|kfence|ubsan|hwasan)_\w+|check_region_inline|check_memory_region|end_report",
        r"|_*warn|report_bug|warn_slowpath\w*|refcount_warn_saturate|_*list_(?:add|del)_\w*valid\w*",
        r"|lockdep_\w+|_*lock_acquire|_*lock_release|mark_(?:lock|usage)\w*|check_(?:noncircular|prev\w*|deadlock|wait_context)|validate_chain|valid_state|register_lock_class|debug_\w+",
        r"|_*might_(?:resched|sleep|fault)|_*schedule\w*|io_schedule\w*|preempt_schedule\w*|context_switch",
        r"|_*(?:raw_)?(?:spin|read|write)_(?:un)?lock\w*|do_raw_\w+|\w*queued_\w+_slowpath",
        r"|_*mutex_lock\w*|_*rwsem_\w+|_*(?:down|up)_(?:read|write)\w*|_*down\w*|wait_for_\w*compl\w*|_*wait_for_common\w*|do_wait_for_common|bit_wait\w*|out_of_line_wait\w*|_*wait_on_bit\w*",
        r"|_*(?:kmalloc|kzalloc|kmem_cache_alloc|kvmalloc|vmalloc)\w*|_*do_kmalloc\w*|slab_(?:post_)?alloc\w*|_*slab_alloc\w*|kmemleak_\w+",
        r"|_*(?:text|__switch_to|ret_from_fork|asm_\w+|exc_\w+|sysvec_\w+))$",
    ))
});

/// What differs between two runs of the same thing, and what stands for it.
static CHANGING: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    vec![
        (pattern(r"\+0x[0-9a-f]+(?:/0x[0-9a-f]+)?"), ""),
        // An exit code has eight digits and stays.
        (pattern(r"(?i)\b(?:0x[0-9a-f]{9,}|[0-9a-f]{12,})\b"), "N"),
        (
            pattern(r"(?i)\b(cpu|pid|task)([#: ]{1,2})\d+\b"),
            "${1}${2}N",
        ),
        (pattern(r"\b(pfn:) ?[0-9a-f]+\b"), "${1}N"),
        (
            pattern(r"\b\d+(?:\.\d+)?( ?(?:s|ms|secs?|seconds))\b"),
            "N${1}",
        ),
        (pattern(r"/\d+(?:/0x[0-9a-f]+)?\b"), "/N"),
    ]
});

static BEGAN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"Linux version \d|Booting Linux on|Decompressing Linux|SeaBIOS|Booting from |EFI stub:|OpenSBI|U-Boot|iPXE",
    )
});

static CAME_UP: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"Run \S+ as init process|Freeing unused kernel|Freeing init memory|systemd\[1\]|TAP version|reboot: |[a-z] login:",
    )
});

#[expect(
    clippy::expect_used,
    reason = "constant patterns; the tests compile each"
)]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}
