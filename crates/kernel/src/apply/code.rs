//! C as text: tokens, the names that a change brings, and lines by their meaning.

use std::collections::{BTreeSet, HashSet};

/// What a C file is made of, as far as names are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a [u8]),
    /// A string or character constant, or a number.
    Constant,
    /// `##`, which pastes its neighbours into one name.
    Paste,
    Mark(u8),
}

/// Tokens with their line, from 0; comments are dropped. A constant never runs
/// over the end of its line, so that an apostrophe in assembly or in `#error`
/// does not swallow the rest of the file.
struct Tokens<'a> {
    text: &'a [u8],
    /// Where the last token began.
    start: usize,
    at: usize,
    line: usize,
}

impl<'a> Tokens<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            start: 0,
            at: 0,
            line: 0,
        }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_comment(&mut self) {
        while self.at < self.text.len() && !(self.peek(0) == b'*' && self.peek(1) == b'/') {
            self.line += usize::from(self.peek(0) == b'\n');
            self.at += 1;
        }
        self.at = (self.at + 2).min(self.text.len());
    }

    fn skip_constant(&mut self, quote: u8) {
        while self.at < self.text.len() {
            match self.peek(0) {
                b'\n' => return,
                b'\\' if self.peek(1) == b'\n' => {
                    self.line += 1;
                    self.at += 1;
                }
                b'\\' => self.at += 1,
                byte if byte == quote => {
                    self.at += 1;
                    return;
                }
                _ => {}
            }
            self.at += 1;
        }
        self.at = self.text.len();
    }
}

pub(super) fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$'
}

impl<'a> Iterator for Tokens<'a> {
    type Item = (usize, Token<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let byte = *self.text.get(self.at)?;
            let line = self.line;
            self.start = self.at;
            self.at += 1;
            let token = match byte {
                b'\n' => {
                    self.line += 1;
                    continue;
                }
                b if b.is_ascii_whitespace() => continue,
                b'/' if self.peek(0) == b'*' => {
                    self.at += 1;
                    self.skip_comment();
                    continue;
                }
                b'/' if self.peek(0) == b'/' => {
                    while self.at < self.text.len() && self.peek(0) != b'\n' {
                        self.at += 1;
                    }
                    continue;
                }
                b'"' | b'\'' => {
                    self.skip_constant(byte);
                    Token::Constant
                }
                b'#' if self.peek(0) == b'#' => {
                    self.at += 1;
                    Token::Paste
                }
                b'\\' => continue,
                b if in_name(b) => {
                    while in_name(self.peek(0)) {
                        self.at += 1;
                    }
                    if b.is_ascii_digit() {
                        Token::Constant
                    } else {
                        Token::Name(self.text.get(self.start..self.at).unwrap_or_default())
                    }
                }
                b => Token::Mark(b),
            };
            return Some((line, token));
        }
    }
}

/// Every name a C text uses outside comments.
pub(super) fn names(text: &[u8]) -> HashSet<&[u8]> {
    Tokens::new(text)
        .filter_map(|(_, token)| match token {
            Token::Name(name) => Some(name),
            _ => None,
        })
        .collect()
}

/// Words that stand before a call without declaring what is called.
const STATEMENTS: [&[u8]; 5] = [b"return", b"else", b"do", b"case", b"goto"];

/// Words that look like calls.
const KEYWORDS: [&str; 8] = [
    "if", "for", "while", "switch", "return", "sizeof", "typeof", "defined",
];

/// The names of a file that it did not have before.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct NewNames {
    pub(super) all: BTreeSet<String>,
    /// Functions, macros and types that the file itself declares or defines.
    pub(super) declared: BTreeSet<String>,
    /// Those that are called, as functions or macros, and used in no other way.
    pub(super) called: BTreeSet<String>,
}

/// What `new` names, outside comments, and `old` does not.
pub(super) fn new_names(new: &[u8], old: &[u8]) -> NewNames {
    let before = names(old);
    let tokens: Vec<_> = Tokens::new(new).collect();
    let token = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map(|(_, token)| *token);
    let mut found = NewNames::default();
    for (i, (line, this)) in tokens.iter().enumerate() {
        let Token::Name(word) = *this else { continue };
        let Ok(name) = std::str::from_utf8(word) else {
            continue;
        };
        if before.contains(word) {
            continue;
        }
        let (last, next) = (token(i.checked_sub(1)), token(i.checked_add(1)));
        let called = next == Some(Token::Mark(b'('));
        let declared = match last {
            Some(Token::Name(b"define")) => true,
            Some(Token::Name(b"struct" | b"union" | b"enum")) => next == Some(Token::Mark(b'{')),
            Some(Token::Name(word)) => called && !STATEMENTS.contains(&word),
            // `struct page *find(…)` at the margin is a declaration, `a * f(…)`
            // inside a function a product.
            Some(Token::Mark(b'*')) => called && starts_line(new, *line),
            _ => false,
        };
        let member = last == Some(Token::Mark(b'.'))
            || (last == Some(Token::Mark(b'>'))
                && token(i.checked_sub(2)) == Some(Token::Mark(b'-')));
        if declared {
            found.declared.insert(name.to_owned());
        }
        let first = found.all.insert(name.to_owned());
        if !called || declared || member {
            found.called.remove(name);
        } else if first && !KEYWORDS.contains(&name) && !name.starts_with("__builtin_") {
            found.called.insert(name.to_owned());
        }
    }
    found
}

/// The fixed halves of the names that a C text's macros paste: `folio_test_` and
/// `_read` of `folio_test_##name` and `name##_read`.
pub(super) struct Halves<'a> {
    heads: BTreeSet<&'a [u8]>,
    tails: BTreeSet<&'a [u8]>,
}

impl<'a> Halves<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        let (mut heads, mut tails) = (BTreeSet::new(), BTreeSet::new());
        let mut last = None;
        for (_, token) in Tokens::new(text) {
            match (last, token) {
                (Some(Token::Name(name)), Token::Paste) => drop(heads.insert(name)),
                (Some(Token::Paste), Token::Name(name)) => drop(tails.insert(name)),
                _ => {}
            }
            last = Some(token);
        }
        // Shorter ones would explain nearly anything.
        for halves in [&mut heads, &mut tails] {
            halves.retain(|half| half.len() >= 3);
        }
        Self { heads, tails }
    }

    /// Whether a macro may paste this name.
    pub(super) fn explain(&self, name: &str) -> bool {
        let rest = |half: &&[u8]| half.len() < name.len();
        let (mut heads, mut tails) = (self.heads.iter(), self.tails.iter());
        heads.any(|half| rest(half) && name.as_bytes().starts_with(half))
            || tails.any(|half| rest(half) && name.as_bytes().ends_with(half))
    }
}

/// Whether a line has text in its first column.
fn starts_line(text: &[u8], line: usize) -> bool {
    text.split(|b| *b == b'\n')
        .nth(line)
        .and_then(<[u8]>::first)
        .is_some_and(|b| !b.is_ascii_whitespace())
}

/// Whether a line of code names anything.
pub(super) fn has_name(code: &[u8]) -> bool {
    let name = |(_, token)| matches!(token, Token::Name(name) if name.len() > 2);
    Tokens::new(code).any(name)
}

/// A line of C as its meaning goes: comments out, white space out. Lines of one
/// file in order; a line that held nothing else is empty.
pub(super) fn code_lines(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = vec![Vec::new(); text.split(|b| *b == b'\n').count()];
    let mut tokens = Tokens::new(text);
    loop {
        let Some((line, token)) = tokens.next() else {
            return lines;
        };
        let end = tokens.at;
        let Some(into) = lines.get_mut(line) else {
            continue;
        };
        match token {
            Token::Name(name) => {
                // `return x` and `returnx` differ.
                if into.last().is_some_and(|b| in_name(*b)) {
                    into.push(b' ');
                }
                into.extend_from_slice(name);
            }
            Token::Paste => into.extend_from_slice(b"##"),
            Token::Mark(byte) => into.push(byte),
            Token::Constant => {
                let start = tokens.start;
                if into.last().is_some_and(|b| in_name(*b)) {
                    into.push(b' ');
                }
                into.extend_from_slice(text.get(start..end).unwrap_or_default());
            }
        }
    }
}

/// What stands around the start of a line of C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Nothing: the line is at the top of the file.
    Top,
    /// The braces of an enum, a struct or an initialiser, `depth` of them; from
    /// the line, counted from 0, that opens the outermost.
    Data { head: usize, depth: usize },
    /// A function's body; from the line of its outermost brace.
    Body { head: usize },
}

/// The scope of each line. A brace at the margin ends whatever was open, since
/// `#ifdef` may leave two open that are one.
pub(super) fn scopes(text: &[u8]) -> Vec<Scope> {
    let raw: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
    let mut scopes = Vec::with_capacity(raw.len());
    let mut tokens = Tokens::new(text).peekable();
    let (mut depth, mut now) = (0_usize, Scope::Top);
    // What the statement at the top has had so far, and where it began.
    let (mut data, mut called, mut start) = (false, false, None);
    for (at, line) in raw.iter().enumerate() {
        if line.first() == Some(&b'}') {
            (depth, now) = (depth.min(1), if depth == 0 { Scope::Top } else { now });
        }
        scopes.push(match now {
            Scope::Data { head, .. } => Scope::Data { head, depth },
            other => other,
        });
        let directive = line.trim_ascii_start().first() == Some(&b'#');
        while let Some((_, token)) = tokens.next_if(|(line, _)| *line <= at) {
            if directive {
                continue;
            }
            if depth == 0 && start.is_none() {
                start = Some(at);
            }
            match token {
                Token::Mark(b'{') => {
                    depth += 1;
                    if depth == 1 {
                        let head = start.unwrap_or(at);
                        now = match data || !called {
                            true => Scope::Data { head, depth },
                            false => Scope::Body { head },
                        };
                    }
                }
                Token::Mark(b'}') => depth = depth.saturating_sub(1),
                Token::Mark(b'=') if depth == 0 => data = true,
                Token::Mark(b'(') if depth == 0 => called = true,
                _ => {}
            }
            if depth == 0 && matches!(token, Token::Mark(b';' | b'}')) {
                (data, called, start, now) = (false, false, None, Scope::Top);
            }
        }
    }
    scopes
}
