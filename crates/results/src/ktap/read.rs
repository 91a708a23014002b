//! The reader: one pass, one line at a time, in bounded memory.
//!
//! Levels are told apart as `kunit_parser.py` does it, by headers, plans and
//! names; indentation decides only where it is unambiguous and those would
//! misread. What kselftest's runner nests behind `# ` becomes subtests of the
//! result that follows, which alone is counted.

use std::io::{self, BufRead};

use memchr::{memchr, memchr_iter, memchr2};

use super::model::{Counts, Report, Status, Test};
use crate::record::PREFIX;
use crate::text;

/// Longer lines are cut: no KTAP line is nearly as long.
const MAX_LINE: usize = 64 * 1024;
/// Longer names are cut.
const MAX_NAME: usize = 256;
/// Tests beyond these bytes are counted but not listed. All else that is kept
/// is small, so this bounds the memory that a log can take.
const MAX_LISTED: usize = 16 << 20;
/// Missing tests beyond these are counted but not listed, at each level.
const MAX_MISSING: u64 = 100;
/// Problems beyond these are counted but not listed.
const MAX_PROBLEMS: usize = 200;
/// Headers nested deeper are ignored.
const MAX_DEPTH: usize = 32;
/// `# ` nested deeper is a diagnostic.
const MAX_COMMENT_DEPTH: u8 = 4;
/// Diagnostic lines kept to explain a failure.
const MAX_DIAGNOSTICS: usize = 4;

/// Reads a log: KTAP or TAP, bare or inside a kernel console, whole or cut.
///
/// It never fails on what a log says: what is wrong with it is in
/// [`Report::problems`], and what is missing has crashed.
///
/// # Errors
/// When `log` can't be read.
pub fn read(mut log: impl BufRead) -> io::Result<Report> {
    let mut parser = Parser::default();
    let mut number = 0;
    let mut partial: Vec<u8> = Vec::new();
    loop {
        let buffer = match log.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            break;
        }
        let size = buffer.len();
        let mut rest = buffer;
        while let Some(end) = memchr(b'\n', rest) {
            let (line, behind) = (&rest[..end], &rest[end + 1..]);
            number += 1;
            if partial.is_empty() {
                parser.physical_line(number, &line[..end.min(MAX_LINE)]);
            } else {
                append(&mut partial, line);
                parser.physical_line(number, &partial);
                partial.clear();
            }
            rest = behind;
        }
        append(&mut partial, rest);
        log.consume(size);
    }
    if !partial.is_empty() {
        parser.physical_line(number + 1, &partial);
    }
    Ok(parser.finish())
}

/// Whether a diagnostic with this text would be read as more than one.
pub(super) fn is_ktap(text: &str) -> bool {
    let line = format!("# {text}");
    !matches!(classify(line.as_bytes()).1, Token::Diagnostic(_))
}

fn append(partial: &mut Vec<u8>, more: &[u8]) {
    let room = MAX_LINE.saturating_sub(partial.len());
    partial.extend_from_slice(&more[..more.len().min(room)]);
}

/// What a line says, once it is free of timestamps and the like.
#[derive(Debug, PartialEq)]
enum Token<'a> {
    Version {
        kind: &'static str,
        number: u64,
    },
    Subtest(&'a [u8]),
    Plan {
        planned: u64,
        skip: Option<&'a [u8]>,
    },
    Result(TestLine<'a>),
    BailOut(&'a [u8]),
    /// The kernel has nothing more to run.
    End,
    /// Behind `# `: another program's KTAP.
    Commented(&'a [u8]),
    Diagnostic(&'a [u8]),
    Noise,
}

#[derive(Debug, PartialEq)]
struct TestLine<'a> {
    number: u64,
    name: &'a [u8],
    status: Status,
    why: Option<&'a [u8]>,
}

/// The column and the meaning of a line.
fn classify(line: &[u8]) -> (usize, Token<'_>) {
    let (indent, text) = unindent(line);
    let token = match text.first() {
        Some(b'K' | b'T') => version(text),
        Some(b'#') => Some(comment(text)),
        Some(b'1') => plan(text),
        Some(b'o' | b'n') => result(text).map(Token::Result),
        Some(b'B') => text.strip_prefix(b"Bail out!").map(Token::BailOut),
        Some(b'L') => text
            .starts_with(b"List of all partitions:")
            .then_some(Token::End),
        Some(b'r') => text
            .starts_with(b"reboot: System halted")
            .then_some(Token::End),
        _ => None,
    };
    let token = token.or_else(|| {
        text.starts_with(b"Kernel panic - not syncing: VFS:")
            .then_some(Token::End)
    });
    (indent, token.unwrap_or(Token::Noise))
}

fn unindent(line: &[u8]) -> (usize, &[u8]) {
    let mut column = 0;
    let mut rest = line;
    while let [first, behind @ ..] = rest {
        match first {
            b' ' => column += 1,
            b'\t' => column = (column / 8 + 1) * 8,
            0 => {}
            _ => break,
        }
        rest = behind;
    }
    (column, rest)
}

fn version(text: &[u8]) -> Option<Token<'static>> {
    let (kind, rest) = if let Some(rest) = text.strip_prefix(b"KTAP version ") {
        ("KTAP", rest)
    } else {
        ("TAP", text.strip_prefix(b"TAP version ")?)
    };
    let (number, rest) = number(rest)?;
    ends(rest).then_some(Token::Version { kind, number })
}

fn plan(text: &[u8]) -> Option<Token<'_>> {
    let (planned, rest) = number(text.strip_prefix(b"1..")?)?;
    let skip = directive(rest, b"SKIP");
    (ends(rest) || rest.first() == Some(&b' ')).then_some(Token::Plan { planned, skip })
}

fn comment(text: &[u8]) -> Token<'_> {
    if let Some(name) = text.strip_prefix(b"# Subtest: ") {
        return Token::Subtest(unglue(name).trim_ascii());
    }
    let Some(inner) = text.strip_prefix(b"# ") else {
        return Token::Diagnostic(text);
    };
    // Records are by far the longest diagnostics, and never more than that.
    if text.starts_with(PREFIX.as_bytes()) {
        return Token::Noise;
    }
    match inner.trim_ascii_start().first() {
        Some(b'K' | b'T' | b'1' | b'o' | b'n' | b'B' | b'#')
            if !matches!(classify(inner).1, Token::Noise | Token::Diagnostic(_)) =>
        {
            Token::Commented(inner)
        }
        _ => Token::Diagnostic(inner),
    }
}

fn result(text: &[u8]) -> Option<TestLine<'_>> {
    let (ok, rest) = match text.strip_prefix(b"ok ") {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix(b"not ok ")?),
    };
    let (number, rest) = number(rest.trim_ascii_start())?;
    if !ends(rest) && rest.first() != Some(&b' ') {
        return None;
    }
    let rest = unglue(rest).trim_ascii();
    let rest = match rest.strip_prefix(b"- ") {
        Some(rest) => rest.trim_ascii_start(),
        None => rest
            .strip_prefix(b"-")
            .filter(|rest| rest.is_empty())
            .unwrap_or(rest),
    };
    let hash = memchr_iter(b'#', rest).find(|&at| {
        let before = at.checked_sub(1).and_then(|at| rest.get(at));
        before.is_none_or(u8::is_ascii_whitespace) && rest.get(at + 1) == Some(&b' ')
    });
    let (name, tail) = match hash {
        Some(at) => rest.split_at(at),
        None => (rest, &rest[rest.len()..]),
    };
    let mut line = TestLine {
        number,
        name: name.trim_ascii(),
        status: if ok { Status::Passed } else { Status::Failed },
        why: None,
    };
    if let Some(why) = directive(tail, b"SKIP") {
        line.status = Status::Skipped;
        // kselftest's programs write `ok 3 # SKIP name`.
        if line.name.is_empty() {
            line.name = why;
        } else if !why.is_empty() {
            line.why = Some(why);
        }
    } else if !tail.is_empty() {
        line.why = Some(tail.trim_ascii());
    }
    Some(line)
}

/// What stands behind the directive `word` in `# word …`.
fn directive<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let at = memchr(b'#', text)?;
    let text = text.get(at + 1..)?.trim_ascii_start();
    let (head, rest) = text.split_at_checked(word.len())?;
    head.eq_ignore_ascii_case(word).then(|| rest.trim_ascii())
}

fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let rest = digits(text)?;
    let digits = &text[..text.len() - rest.len()];
    let value = digits.iter().fold(0u64, |value, digit| {
        value
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    Some((value, rest))
}

/// What follows digits.
fn digits(text: &[u8]) -> Option<&[u8]> {
    let count = text.iter().take_while(|b| b.is_ascii_digit()).count();
    (count > 0).then(|| &text[count..])
}

/// Whether nothing follows, or only what printk glued on.
fn ends(rest: &[u8]) -> bool {
    unglue(rest).trim_ascii().is_empty()
}

/// The text before a printk that landed behind it on the same line.
fn unglue(text: &[u8]) -> &[u8] {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| memchr(b'[', rest)) {
        if timestamp(&text[from + at..]).is_some() {
            return &text[..from + at];
        }
        from += at + 1;
    }
    text
}

/// What follows a printk timestamp such as `[   12.345678]`.
fn timestamp(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b"[")?.trim_ascii_start();
    let text = digits(text)?.strip_prefix(b".")?;
    digits(text)?.strip_prefix(b"]")
}

/// What follows a printk caller such as `[    T1]`.
fn caller(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b"[")?.trim_ascii_start();
    let text = text
        .strip_prefix(b"T")
        .or_else(|| text.strip_prefix(b"C"))?;
    digits(text)?.strip_prefix(b"]")
}

/// The line behind printk's level, timestamp and caller.
fn strip_printk(line: &[u8]) -> &[u8] {
    let mut rest = line;
    if let Some(level) = rest.strip_prefix(b"<")
        && let Some(behind) = digits(level)
        && let Some(behind) = behind.strip_prefix(b">")
    {
        rest = behind;
    }
    let Some(mut rest) = timestamp(rest) else {
        return line;
    };
    if let Some(behind) = caller(rest) {
        rest = behind;
    }
    rest.strip_prefix(b" ").unwrap_or(rest)
}

/// The line without terminal escapes.
fn strip_escapes(line: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(line.len());
    let mut bytes = line.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != 0x1b {
            clean.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'[') => while bytes.next().is_some_and(|b| !(0x40..0x7f).contains(&b)) {},
            Some(b']') => while bytes.next().is_some_and(|b| b != 0x07 && b != 0x1b) {},
            _ => {}
        }
    }
    clean
}

fn clip(text: &[u8]) -> &[u8] {
    &text[..text.len().min(MAX_NAME)]
}

fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(clip(text));
    if text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return text.into_owned();
    }
    text::printable(&text)
}

/// A test that has subtests, open.
#[derive(Debug, Default)]
struct Level {
    indent: usize,
    header_line: u64,
    name: Vec<u8>,
    planned: Option<u64>,
    seen: u64,
    skip_all: Option<String>,
    counts: Counts,
    tests: Vec<Test>,
    /// Something is missing that no count shows.
    broken: bool,
}

impl Level {
    fn complete(&self) -> bool {
        self.planned.is_some_and(|planned| self.seen >= planned)
    }

    fn untouched(&self) -> bool {
        self.planned.is_none() && self.seen == 0
    }
}

#[derive(Debug, Default)]
struct Parser {
    /// The main level and those open inside it; empty before the log begins.
    levels: Vec<Level>,
    /// What stands before each line, where that is not printk's.
    prefix: Vec<u8>,
    /// The kernel said that it is done; only a new header goes on.
    ended: bool,
    /// The log began without a version line.
    headless: bool,
    empty_document: bool,
    problems: Vec<String>,
    errors: u64,
    /// The bytes of the tests so far.
    listed: usize,
    /// The last lines of diagnostics, and how many they are.
    diagnostics: Vec<u8>,
    diagnosed: usize,
    /// A log behind `# `, which belongs to the next result.
    nested: Option<Box<Self>>,
    comment_depth: u8,
    line: u64,
}

impl Parser {
    fn physical_line(&mut self, number: u64, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if memchr2(0x1b, b'\r', line).is_none() {
            return self.line(number, line);
        }
        strip_escapes(line)
            .split(|b| *b == b'\r')
            .for_each(|part| self.line(number, part));
    }

    fn line(&mut self, number: u64, line: &[u8]) {
        self.line = number;
        let mut line = strip_printk(line);
        if self.levels.is_empty() {
            if self.comment_depth == 0 {
                line = self.find_prefix(line);
            }
        } else if !self.prefix.is_empty() {
            line = self.strip_prefix(line);
        }
        let (indent, token) = classify(line);
        if self.levels.is_empty() || self.ended {
            self.outside(indent, token);
        } else {
            self.inside(indent, token);
        }
    }

    /// The first version line shows what stands before every line.
    fn find_prefix<'a>(&mut self, line: &'a [u8]) -> &'a [u8] {
        if !line.contains(&b'V') && !line.contains(&b'v') {
            return line;
        }
        let needle = b"TAP version ";
        let Some(at) = line
            .windows(needle.len())
            .position(|window| window == needle)
        else {
            return line;
        };
        let at = if at > 0 && line[at - 1] == b'K' {
            at - 1
        } else {
            at
        };
        let (before, rest) = line.split_at(at);
        if !before.trim_ascii().is_empty() && version(rest).is_some() {
            self.prefix = before.to_vec();
            return rest;
        }
        line
    }

    fn strip_prefix<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        if let Some(rest) = line.strip_prefix(self.prefix.as_slice()) {
            return rest;
        }
        match classify(line).1 {
            // A prefix that varies, such as the time, keeps its length.
            Token::Noise => line.get(self.prefix.len()..).unwrap_or(line),
            _ => line,
        }
    }

    fn outside(&mut self, indent: usize, token: Token<'_>) {
        match token {
            Token::Version { kind, number } if self.levels.is_empty() => {
                self.levels.push(Level {
                    indent,
                    header_line: self.line,
                    ..Level::default()
                });
                self.check_version(kind, number);
            }
            Token::Version { kind, number } => {
                self.ended = false;
                self.close_children();
                self.new_document(indent);
                self.check_version(kind, number);
            }
            Token::Plan { .. } | Token::Result(_) if !self.ended => {
                // Behind `# ` that is how many programs write.
                let headless = self.comment_depth == 0;
                if headless {
                    self.error("the log begins without a version line");
                }
                let broken = headless && matches!(token, Token::Result(_));
                self.headless = headless;
                self.levels.push(Level {
                    indent,
                    broken,
                    ..Level::default()
                });
                self.inside(indent, token);
            }
            _ => {}
        }
    }

    fn inside(&mut self, indent: usize, token: Token<'_>) {
        match token {
            Token::Version { kind, number } => {
                self.version(indent);
                self.check_version(kind, number);
            }
            Token::Subtest(name) => self.subtest(indent, clip(name)),
            Token::Plan { planned, skip } => self.plan(indent, planned, skip),
            Token::Result(line) => self.result(indent, line),
            Token::BailOut(why) => {
                self.error(&format!("bailed out: {}", printable(why.trim_ascii())));
                if let Some(level) = self.levels.last_mut() {
                    level.broken = true;
                }
            }
            Token::End => self.ended = true,
            Token::Commented(inner) => self.commented(inner),
            Token::Diagnostic(text) => self.diagnostic(text),
            Token::Noise => {}
        }
    }

    fn commented(&mut self, inner: &[u8]) {
        if self.comment_depth >= MAX_COMMENT_DEPTH {
            return;
        }
        let comment_depth = self.comment_depth + 1;
        let number = self.line;
        self.nested
            .get_or_insert_with(|| {
                Box::new(Self {
                    comment_depth,
                    listed: self.listed,
                    ..Self::default()
                })
            })
            .line(number, inner);
    }

    fn diagnostic(&mut self, text: &[u8]) {
        if let Some(nested) = &mut self.nested {
            nested.diagnostic(text);
        }
        if self.diagnosed == MAX_DIAGNOSTICS {
            let first = memchr(b'\n', &self.diagnostics).map_or(0, |end| end + 1);
            self.diagnostics.drain(..first);
        } else {
            self.diagnosed += 1;
        }
        self.diagnostics.extend_from_slice(clip(text));
        self.diagnostics.push(b'\n');
    }

    fn forget_diagnostics(&mut self) {
        self.diagnostics.clear();
        self.diagnosed = 0;
    }

    /// Where the level that is open began, its parent's column, and whether
    /// the two differ, so that indentation tells.
    fn columns(&self) -> Option<(usize, usize)> {
        match self.levels.as_slice() {
            [.., parent, level] => Some((parent.indent, level.indent)),
            _ => None,
        }
    }

    /// Closes what can't hold a header or a plan in this column.
    fn settle(&mut self, indent: usize) {
        while let Some((outer, inner)) = self.columns() {
            let outside = inner > outer && indent <= outer;
            if !outside && !self.levels.last().is_some_and(Level::complete) {
                break;
            }
            self.close(None);
        }
    }

    fn open(&mut self, indent: usize, name: &[u8]) {
        self.forget_diagnostics();
        if self.levels.len() >= MAX_DEPTH {
            self.error("nested too deeply");
            return;
        }
        self.levels.push(Level {
            indent,
            name: name.to_vec(),
            header_line: self.line,
            ..Level::default()
        });
    }

    fn version(&mut self, indent: usize) {
        self.settle(indent);
        if let [main] = self.levels.as_mut_slice() {
            if self.headless && main.seen == 0 {
                // A plan in the noise before the log.
                *main = Level {
                    indent,
                    header_line: self.line,
                    ..Level::default()
                };
                self.headless = false;
                return;
            }
            let over = main.complete() || (main.planned.is_none() && main.seen > 0);
            if indent <= main.indent && over {
                self.new_document(indent);
                return;
            }
        } else if let Some(level) = self.levels.last()
            && level.untouched()
            && level.indent == indent
            && level.header_line + 1 == self.line
            && !level.name.is_empty()
        {
            return; // `# Subtest` stood before its version line.
        }
        self.open(indent, b"");
    }

    fn subtest(&mut self, indent: usize, name: &[u8]) {
        self.settle(indent);
        let (depth, line) = (self.levels.len(), self.line);
        if let Some(level) = self.levels.last_mut()
            && depth > 1
            && level.untouched()
            && level.name.is_empty()
            && (level.indent == indent || level.header_line + 1 == line)
        {
            level.name = name.to_vec();
            return;
        }
        self.open(indent, name);
    }

    fn plan(&mut self, indent: usize, planned: u64, skip: Option<&[u8]>) {
        if let Some((outer, inner)) = self.columns()
            && inner > outer
            && indent <= outer
        {
            self.close(None);
            return self.plan(indent, planned, skip);
        }
        let Some(level) = self.levels.last_mut() else {
            return;
        };
        if level.planned.is_some() {
            self.error("a second plan");
            return;
        }
        level.planned = Some(planned);
        level.skip_all = skip.map(printable);
        let seen = level.seen;
        if seen > planned {
            self.error(&format!("{seen} results, but a plan of {planned}"));
        }
    }

    fn result(&mut self, indent: usize, line: TestLine<'_>) {
        while let Some((outer, inner)) = self.columns() {
            let [.., parent, level] = self.levels.as_slice() else {
                break;
            };
            let own = !level.name.is_empty() && level.name == clip(line.name);
            let closes = if inner > outer && indent >= inner {
                // A subtest may be named as its parent: then numbers tell.
                let numbered = line.number == parent.seen + 1 && line.number != level.seen + 1;
                own && (level.complete() || numbered)
            } else if inner > outer && indent <= outer {
                if !own && !level.name.is_empty() {
                    self.close(None);
                    continue;
                }
                true
            } else if own {
                true
            } else if level.complete() {
                if !level.name.is_empty() {
                    self.close(None);
                    continue;
                }
                true
            } else {
                false
            };
            if closes {
                self.close(Some(line));
                return;
            }
            break;
        }
        self.leaf(line);
    }

    /// A result without a header of its own.
    fn leaf(&mut self, line: TestLine<'_>) {
        let Some(level) = self.levels.last() else {
            return;
        };
        if let (true, Some(planned)) = (level.complete(), level.planned) {
            self.error(&format!(
                "test {} is beyond the plan of {planned}",
                line.number
            ));
        }
        let mut counts = Counts::default();
        let (mut test, number) = self.test(line);
        self.attach_nested(&mut test);
        counts.add(test.status);
        self.push(test, counts, Some(number));
    }

    fn test(&mut self, line: TestLine<'_>) -> (Test, u64) {
        let mut why = line.why.map(printable);
        if line.status == Status::Failed && !self.diagnostics.is_empty() {
            let mut said = String::from_utf8_lossy(&self.diagnostics).into_owned();
            match why {
                Some(why) => said.push_str(&why),
                None => drop(said.pop()),
            }
            why = Some(said);
        }
        self.forget_diagnostics();
        let test = Test {
            name: printable(line.name),
            status: line.status,
            why,
            ..Test::default()
        };
        (test, line.number)
    }

    /// What stood behind `# ` becomes part of the test; it can make it worse.
    fn attach_nested(&mut self, test: &mut Test) {
        let Some(nested) = self.nested.take() else {
            return;
        };
        let report = nested.finish();
        self.book(report.tests.iter().map(bytes).sum());
        if test.status.is_ok() && matches!(report.status, Status::Failed | Status::Crashed) {
            test.status = report.status;
            let first = report.problems.into_iter().next();
            let name = &test.name;
            let said = first.unwrap_or_else(|| "a subtest failed".into());
            let text = format!("{name} says it passed, but behind its `# ` lines: {said}");
            self.error(&text);
        }
        test.subtests.extend(report.tests);
    }

    /// Whether there is room to list so many bytes more.
    fn book(&mut self, bytes: usize) -> bool {
        let had_room = self.listed <= MAX_LISTED;
        self.listed = self.listed.saturating_add(bytes);
        let has_room = self.listed <= MAX_LISTED;
        if had_room && !has_room {
            let limit = MAX_LISTED >> 20;
            self.problem(&format!(
                "the list of tests has grown to {limit} MiB; tests from here on are only counted"
            ));
        }
        has_room
    }

    fn push(&mut self, test: Test, counts: Counts, number: Option<u64>) {
        // Nothing hangs in the air: who has listed subtests is listed too.
        let listed = self.book(own_bytes(&test)) || !test.subtests.is_empty();
        let Some(level) = self.levels.last_mut() else {
            return;
        };
        level.seen += 1;
        level.counts.merge(&counts);
        let expected = level.seen;
        if listed {
            level.tests.push(test);
        }
        if let Some(number) = number
            && number != expected
        {
            self.error(&format!("expected test number {expected}, found {number}"));
        }
    }

    /// Books the tests that the open level's plan announced and that never
    /// came.
    fn book_missing(&mut self) {
        let Some(level) = self.levels.last_mut() else {
            return;
        };
        let missing = level.planned.unwrap_or(0).saturating_sub(level.seen);
        if missing == 0 {
            return;
        }
        let (first, name) = (level.seen + 1, printable(&level.name));
        level.seen = level.seen.saturating_add(missing);
        level.counts.crashed = level.counts.crashed.saturating_add(missing);
        for at in 0..missing.min(MAX_MISSING) {
            let test = Test {
                name: format!("(test {} is missing)", first.saturating_add(at)),
                missing: true,
                ..Test::default()
            };
            if self.book(own_bytes(&test))
                && let Some(level) = self.levels.last_mut()
            {
                level.tests.push(test);
            }
        }
        let whole = if name.is_empty() {
            "the log".into()
        } else {
            name
        };
        self.error(&format!(
            "{whole}: {missing} of the tests it announced are missing"
        ));
        self.errors = self.errors.saturating_add(missing - 1);
    }

    /// Closes the open level with its own result, or without.
    fn close(&mut self, line: Option<TestLine<'_>>) {
        self.book_missing();
        let Some(level) = self.levels.pop() else {
            return;
        };
        let mut counts = level.counts;
        let mut broken = level.broken;
        let (mut test, number) = match line {
            Some(line) => {
                let (test, number) = self.test(line);
                (test, Some(number))
            }
            None => {
                broken = true;
                let name = printable(&level.name);
                self.error(&format!("{}: its result is missing", name_of(&name)));
                (
                    Test {
                        name,
                        ..Test::default()
                    },
                    None,
                )
            }
        };
        self.attach_nested(&mut test);
        if level.seen == 0 {
            if level.skip_all.is_some() && test.status == Status::Passed {
                test.status = Status::Skipped;
                test.why = level.skip_all;
            } else if test.status == Status::Passed {
                test.status = Status::NoTests;
                self.error(&format!("{}: 0 tests run", name_of(&test.name)));
            }
        }
        if counts.total() == 0 {
            counts.add(test.status);
        } else {
            let below = counts.status();
            if below == Status::Crashed || broken {
                test.status = Status::Crashed;
            } else if below == Status::Failed {
                test.status = Status::Failed;
            } else if matches!(test.status, Status::Failed | Status::Crashed) {
                counts.add(test.status);
            }
        }
        test.subtests.splice(0..0, level.tests);
        self.push(test, counts, number);
        if broken && let Some(parent) = self.levels.last_mut() {
            parent.broken = true;
        }
    }

    fn close_children(&mut self) {
        while self.levels.len() > 1 {
            self.close(None);
        }
    }

    fn end_document(&mut self) {
        self.book_missing();
        let Some(main) = self.levels.first_mut() else {
            return;
        };
        if main.seen > 0 {
            return;
        }
        if let Some(why) = main.skip_all.take() {
            main.counts.skipped += 1;
            self.problem(&format!("all skipped: {why}"));
        } else {
            self.empty_document |= main.planned.is_none();
            self.error("0 tests run");
        }
    }

    /// Another log follows in the same file.
    fn new_document(&mut self, indent: usize) {
        self.end_document();
        if let Some(main) = self.levels.first_mut() {
            main.indent = indent;
            main.header_line = self.line;
            main.planned = None;
            main.seen = 0;
        }
    }

    fn finish(mut self) -> Report {
        if self.levels.is_empty() {
            self.error("no KTAP output was found");
        }
        self.close_children();
        if !self.levels.is_empty() {
            self.end_document();
        }
        let main = self.levels.pop().unwrap_or_default();
        let mut counts = main.counts;
        if counts.total() == 0 && main.seen > 0 {
            counts.crashed = 1;
        }
        counts.errors = self.errors;
        let mut status = counts.status();
        if main.broken || (self.empty_document && status != Status::NoTests) {
            status = Status::Crashed;
        }
        Report {
            status,
            counts,
            tests: main.tests,
            problems: self.problems,
        }
    }

    fn check_version(&mut self, kind: &str, number: u64) {
        let known = if kind == "KTAP" {
            number == 1
        } else {
            (13..=14).contains(&number)
        };
        if !known {
            self.error(&format!(
                "{kind} version {number} is not known; read as KTAP version 1"
            ));
        }
    }

    fn error(&mut self, text: &str) {
        self.errors = self.errors.saturating_add(1);
        self.problem(text);
    }

    fn problem(&mut self, text: &str) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(format!("line {}: {text}", self.line));
        }
    }
}

fn name_of(name: &str) -> &str {
    if name.is_empty() { "a test" } else { name }
}

/// What a test takes, but for its subtests.
fn own_bytes(test: &Test) -> usize {
    size_of::<Test>() + test.name.len() + test.why.as_ref().map_or(0, String::len)
}

fn bytes(test: &Test) -> usize {
    own_bytes(test) + test.subtests.iter().map(bytes).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The report in a few short lines.
    fn show(log: &str) -> String {
        fn tree(tests: &[Test], depth: usize, out: &mut String) {
            for test in tests {
                let why = test
                    .why
                    .as_ref()
                    .map(|why| format!(" ({why})"))
                    .unwrap_or_default();
                let indent = "  ".repeat(depth);
                out.push_str(&format!(
                    "{indent}{} {}{why}\n",
                    test.status.as_str(),
                    test.name
                ));
                tree(&test.subtests, depth + 1, out);
            }
        }
        let report = read(log.as_bytes()).unwrap();
        let c = report.counts;
        let mut out = format!(
            "{}: {} passed, {} failed, {} skipped, {} crashed, {} errors\n",
            report.status.as_str(),
            c.passed,
            c.failed,
            c.skipped,
            c.crashed,
            c.errors
        );
        tree(&report.tests, 1, &mut out);
        for problem in report.problems {
            out.push_str(&format!("! {problem}\n"));
        }
        out
    }

    #[test]
    fn what_is_missing_has_crashed() {
        let cases = [
            (
                "",
                "no-tests: 0 passed, 0 failed, 0 skipped, 0 crashed, 1 errors\n! line 0: no KTAP output was found\n",
            ),
            (
                "KTAP version 1\n",
                "no-tests: 0 passed, 0 failed, 0 skipped, 0 crashed, 1 errors\n! line 1: 0 tests run\n",
            ),
            (
                "KTAP version 1\n1..3\nok 1 a\nok 2 b\n",
                "crashed: 2 passed, 0 failed, 0 skipped, 1 crashed, 1 errors\n  passed a\n  passed b\n  crashed (test 3 is missing)\n! line 4: the log: 1 of the tests it announced are missing\n",
            ),
            // A plan at the end is a plan.
            (
                "KTAP version 1\nok 1 a\n1..2\n",
                "crashed: 1 passed, 0 failed, 0 skipped, 1 crashed, 1 errors\n  passed a\n  crashed (test 2 is missing)\n! line 3: the log: 1 of the tests it announced are missing\n",
            ),
            (
                "KTAP version 1\n1..1\n  KTAP version 1\n  # Subtest: s\n  1..1\n  ok 1 a\n",
                "crashed: 1 passed, 0 failed, 0 skipped, 0 crashed, 1 errors\n  crashed s\n    passed a\n! line 6: s: its result is missing\n",
            ),
            // The head is cut off.
            (
                "ok 3 c\nok 4 d\n",
                "crashed: 2 passed, 0 failed, 0 skipped, 0 crashed, 3 errors\n  passed c\n  passed d\n! line 1: the log begins without a version line\n! line 1: expected test number 1, found 3\n! line 2: expected test number 2, found 4\n",
            ),
            (
                "KTAP version 1\n1..2\nok 1 a\nBail out! no memory\n",
                "crashed: 1 passed, 0 failed, 0 skipped, 1 crashed, 2 errors\n  passed a\n  crashed (test 2 is missing)\n! line 4: bailed out: no memory\n! line 4: the log: 1 of the tests it announced are missing\n",
            ),
        ];
        for (log, expected) in cases {
            assert_eq!(show(log), expected, "{log:?}");
        }
    }

    #[test]
    fn every_ornament_reads_as_the_bare_log() {
        let bare = "KTAP version 1\n1..2\n  KTAP version 1\n  # Subtest: s\n  1..2\n  ok 1 a\n  ok 2 b # SKIP no swap\nok 1 s\nok 2 c\n";
        let expected = show(bare);
        insta::assert_snapshot!(expected, @r"
        passed: 2 passed, 0 failed, 1 skipped, 0 crashed, 0 errors
          passed s
            passed a
            skipped b (no swap)
          passed c
        ");
        let lines = |f: &dyn Fn(usize, &str) -> String| -> String {
            bare.lines()
                .enumerate()
                .map(|(at, line)| f(at, line))
                .collect()
        };
        let dressed = [
            ("CRLF", bare.replace('\n', "\r\n")),
            ("CR before", lines(&|_, line| format!("\r{line}\n"))),
            (
                "time",
                lines(&|at, line| format!("[{:5}.000000] {line}\n", 9_998 + at)),
            ),
            (
                "caller",
                lines(&|at, line| {
                    format!("<6>[    1.000000][{:>6}] {line}\n", format!("T{}", 8 * at))
                }),
            ),
            (
                "colour",
                lines(&|_, line| format!("\x1b[0;32m{line}\x1b[0m\n")),
            ),
            ("title", lines(&|_, line| format!("\x1b]0;x\x07{line}\n"))),
            (
                "syslog",
                lines(&|at, line| format!("Mar 01 10:00:{at:02} vm kernel: {line}\n")),
            ),
            (
                "glued",
                lines(&|_, line| format!("{line}[    1.234567] random: crng init done\n")),
            ),
            ("tabs", bare.replace("  ", "\t")),
            ("margin", lines(&|_, line| format!("   {line}\n"))),
            (
                "noise",
                lines(&|_, line| format!("systemd[1]: x.\n{line}\n#\n\n# ok\n")),
            ),
            (
                "dashes",
                bare.replace("ok 1 ", "ok 1 - ").replace("ok 2 ", "ok 2 - "),
            ),
            ("TAP", bare.replacen("KTAP version 1", "TAP version 13", 1)),
            ("a header only", bare.replace("  KTAP version 1\n", "")),
            ("no plan below", bare.replace("  1..2\n", "")),
            ("no plan", bare.replacen("1..2\n", "", 1)),
            ("no final newline", bare.trim_end().to_owned()),
            ("NUL", format!("\0\0{bare}")),
            (
                "boot before",
                format!("Linux version 6.12\nok then\n{bare}"),
            ),
            (
                "halt behind",
                format!("{bare}[    2.000000] reboot: System halted\nnot ok 1 x\n"),
            ),
        ];
        for (name, log) in dressed {
            assert_eq!(show(&log), expected, "{name}:\n{log}");
        }
    }

    #[test]
    fn kselftest_nests_behind_comments() {
        let log = "TAP version 13\n1..4\n\
            # selftests: mm: mrelease_test\n# TAP version 13\n# 1..2\n# ok 1 a\n# ok 2 # SKIP b\n\
            ok 1 selftests: mm: mrelease_test\n\
            # selftests: mm: x\n# TAP version 13\n# 1..2\n# ok 1 a\n\
            ok 2 selftests: mm: x\n\
            # selftests: mm: y\n# TAP version 13\n# 1..1\n# # ok 1 deeper\n# not ok 1 a\n\
            not ok 3 selftests: mm: y # exit=1\n\
            # selftests: mm: z\n# 1..0 # SKIP no userfaultfd\n\
            ok 4 selftests: mm: z # SKIP\n";
        insta::assert_snapshot!(show(log), @"
        crashed: 1 passed, 1 failed, 1 skipped, 1 crashed, 1 errors
          passed selftests: mm: mrelease_test
            passed a
            skipped b
          crashed selftests: mm: x
            passed a
            crashed (test 2 is missing)
          failed selftests: mm: y (selftests: mm: y
        # exit=1)
            failed a
              passed deeper
          skipped selftests: mm: z
        ! line 13: selftests: mm: x says it passed, but behind its `# ` lines: line 12: the log: 1 of the tests it announced are missing
        ");
    }

    #[test]
    fn statuses_of_parents() {
        let suite = |children: &str, own: &str| {
            show(&format!(
                "KTAP version 1\n1..1\n  KTAP version 1\n  # Subtest: s\n{children}{own}\n"
            ))
        };
        insta::assert_snapshot!(suite("  1..2\n  ok 1 a\n  not ok 2 b\n", "ok 1 s"), @"
        failed: 1 passed, 1 failed, 0 skipped, 0 crashed, 0 errors
          failed s
            passed a
            failed b
        ");
        insta::assert_snapshot!(suite("  1..1\n  ok 1 a\n", "not ok 1 s"), @"
        failed: 1 passed, 1 failed, 0 skipped, 0 crashed, 0 errors
          failed s
            passed a
        ");
        insta::assert_snapshot!(suite("  1..3\n  ok 1 a\n", "ok 1 s"), @"
        crashed: 1 passed, 0 failed, 0 skipped, 2 crashed, 2 errors
          crashed s
            passed a
            crashed (test 2 is missing)
            crashed (test 3 is missing)
        ! line 7: s: 2 of the tests it announced are missing
        ");
        insta::assert_snapshot!(suite("  1..0\n", "ok 1 s"), @"
        crashed: 0 passed, 0 failed, 0 skipped, 1 crashed, 1 errors
          no-tests s
        ! line 6: s: 0 tests run
        ");
        insta::assert_snapshot!(suite("  1..0 # SKIP no swap\n", "ok 1 s"), @"
        skipped: 0 passed, 0 failed, 1 skipped, 0 crashed, 0 errors
          skipped s (no swap)
        ");
        // A case named as its suite is not the suite's own result.
        insta::assert_snapshot!(suite("  ok 1 s\n  not ok 2 t\n", "not ok 1 s"), @"
        failed: 1 passed, 1 failed, 0 skipped, 0 crashed, 0 errors
          failed s
            passed s
            failed t
        ");
        // A suite passed, but not the log behind its `# `.
        let cut = "TAP version 13\n1..1\n  # Subtest: s\n  1..1\n  ok 1 a\n# TAP version 13\n# 1..2\n# ok 1 b\nok 1 s\n";
        let report = read(cut.as_bytes()).unwrap();
        assert_eq!((report.status, report.counts.crashed), (Status::Crashed, 1));
        // Without a header's name, indentation tells where it ends.
        insta::assert_snapshot!(
            show("KTAP version 1\n1..2\n  KTAP version 1\n  ok 1 a\n  ok 2 b\nok 1 s\nok 2 t\n"), @"
            passed: 3 passed, 0 failed, 0 skipped, 0 crashed, 0 errors
              passed s
                passed a
                passed b
              passed t
            ");
    }

    #[test]
    fn odd_logs() {
        // Results beyond the plan are not dropped.
        insta::assert_snapshot!(show("KTAP version 1\n1..1\nok 1 a\nnot ok 2 b\n"), @"
        failed: 1 passed, 1 failed, 0 skipped, 0 crashed, 1 errors
          passed a
          failed b
        ! line 4: test 2 is beyond the plan of 1
        ");
        // Two logs in one file.
        insta::assert_snapshot!(show("TAP version 13\n1..1\nok 1 a\nTAP version 13\n1..2\nok 1 b\n"), @"
        crashed: 2 passed, 0 failed, 0 skipped, 1 crashed, 1 errors
          passed a
          passed b
          crashed (test 2 is missing)
        ! line 6: the log: 1 of the tests it announced are missing
        ");
        // A suite that the next one cuts off.
        insta::assert_snapshot!(
            show("KTAP version 1\n1..2\n    # Subtest: s\n    1..2\n    ok 1 a\nok 2 t\n"), @"
            crashed: 2 passed, 0 failed, 0 skipped, 1 crashed, 2 errors
              crashed s
                passed a
                crashed (test 2 is missing)
              passed t
            ! line 6: s: 1 of the tests it announced are missing
            ! line 6: s: its result is missing
            ");
        insta::assert_snapshot!(show("KTAP version 9\n1..1\n1..2\nok 7 a#b # TODO later\n"), @"
        passed: 1 passed, 0 failed, 0 skipped, 0 crashed, 3 errors
          passed a#b (# TODO later)
        ! line 1: KTAP version 9 is not known; read as KTAP version 1
        ! line 3: a second plan
        ! line 4: expected test number 1, found 7
        ");
        insta::assert_snapshot!(
            show("KTAP version 1\n1..1\n# a: EXPECTATION FAILED\n# reaperlab: {}\n# a: 1 != 2\nnot ok 1 a\n"), @"
            failed: 0 passed, 1 failed, 0 skipped, 0 crashed, 0 errors
              failed a (a: EXPECTATION FAILED
            a: 1 != 2)
            ");
    }

    #[test]
    fn hostile_logs_stay_small() {
        let deep: String = (0..100_000).map(|n| format!("# Subtest: {n}\n")).collect();
        let report = read(format!("KTAP version 1\n{deep}ok 1 a\n").as_bytes()).unwrap();
        assert_eq!(report.status, Status::Crashed);
        assert!(report.problems.len() <= MAX_PROBLEMS);

        let huge = "KTAP version 1\n1..18446744073709551615\nok 1 a\n";
        let report = read(huge.as_bytes()).unwrap();
        assert_eq!(report.status, Status::Crashed);
        assert_eq!(report.counts.crashed, u64::MAX - 1);
        assert!(report.tests.len() <= 101);

        // The bare, the nested behind `# `, and the explained.
        let name = "n".repeat(MAX_NAME);
        let said = format!("# {}\n", "d".repeat(MAX_NAME)).repeat(MAX_DIAGNOSTICS);
        for form in [
            "ok {n} a\n".to_owned(),
            format!("# ok {{n}} {name}\n"),
            format!("{said}not ok {{n}} {name}\n"),
        ] {
            let many: String = (1..=250_000)
                .map(|n| form.replace("{n}", &n.to_string()))
                .collect();
            let log = format!("KTAP version 1\n{many}ok 1 a\n");
            let report = read(log.as_bytes()).unwrap();
            let counts = report.counts;
            assert!(counts.passed + counts.failed > 0);
            let listed: usize = report.tests.iter().map(bytes).sum();
            assert!(listed.abs_diff(MAX_LISTED) < 2048, "{listed}");
            let cut = |problem: &&String| problem.contains("only counted");
            assert_eq!(report.problems.iter().filter(cut).count(), 1);
        }

        let long = format!(
            "KTAP version 1\nok 1 {}\n# {}\nok 2 b\n",
            "x".repeat(1 << 20),
            "y".repeat(1 << 20)
        );
        let report = read(io::BufReader::with_capacity(7, long.as_bytes())).unwrap();
        assert_eq!(report.counts.passed, 2);
        assert!(report.tests.iter().all(|test| test.name.len() <= MAX_NAME));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(log in r"(( |\t|# |\x1b\[|\[ 1\.2\] |1\.\.|ok |not ok |[0-3]|KTAP version 1|# Subtest: |a|# SKIP|\r|Bail out!|[^a])*\n)*") {
            read(log.as_bytes()).unwrap();
        }
    }
}
