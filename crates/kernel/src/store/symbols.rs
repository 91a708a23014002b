//! Does this tree know that symbol? An index of the identifiers in the headers
//! that any file could include, made while a tree is imported, and the answer
//! to which of a patch's calls a tree can't resolve.
//!
//! The index errs towards knowing: a symbol it misses will fail the build and
//! say so there, while one reported wrongly would stop a series that works.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid, Repository, TreeWalkMode, TreeWalkResult};

use crate::store::repository::{Store, StoreError};

/// Where the format changes, old files must not be read.
const MAGIC: &[u8; 8] = b"rlsyms1\n";

/// One identifier, hashed: FNV-1a, stable across versions and machines.
fn hash(parts: &[&[u8]]) -> u64 {
    let mut value = 0xcbf2_9ce4_8422_2325_u64;
    for byte in parts.iter().copied().flatten() {
        value = (value ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    }
    value
}

/// Keys are hashes already.
#[derive(Default)]
pub(crate) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(&[bytes]);
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

pub(crate) type Hashes = HashSet<u64, BuildHasherDefault<Identity>>;

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

fn in_name(byte: u8) -> bool {
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

/// Whether any file could include this header by `<…>`.
pub(crate) fn is_public_header(path: &[u8]) -> bool {
    if !path.ends_with(b".h") {
        return false;
    }
    if path.starts_with(b"include/") {
        return true;
    }
    let mut parts = path.split(|b| *b == b'/');
    parts.next() == Some(b"arch") && parts.next().is_some() && parts.next() == Some(b"include")
}

/// Adds a header's names to an index, and the fixed halves of names that its
/// macros paste: `folio_test_##name` makes `folio_test_` a known beginning.
pub(crate) fn collect(text: &[u8], into: &mut Hashes) {
    let mut before = None;
    let mut pasting = false;
    for (_, token) in Tokens::new(text) {
        match token {
            Token::Name(name) => {
                into.insert(hash(&[name]));
                if pasting {
                    into.insert(hash(&[b"##", name]));
                }
                before = Some(name);
                pasting = false;
            }
            Token::Paste => {
                if let Some(name) = before.take() {
                    into.insert(hash(&[name, b"##"]));
                }
                pasting = true;
            }
            _ => {
                before = None;
                pasting = false;
            }
        }
    }
}

/// The names that a tree's public headers use.
#[derive(Debug)]
pub struct Symbols {
    index: Option<(File, u64)>,
    added: Hashes,
}

impl Symbols {
    /// The index of a tree, read from where an import left it, else made now
    /// (a second or two) and kept.
    ///
    /// # Errors
    /// When the store can't be read or the index can't be written.
    pub fn of_tree(store: &Store, tree: Oid) -> Result<Self, StoreError> {
        let path = index_path(store, tree);
        let opened = match open_index(&path) {
            Ok(opened) => opened,
            Err(_) => {
                write(
                    store,
                    tree,
                    &scan(store.repo(), tree).map_err(|e| store.failed(e))?,
                )?;
                open_index(&path)?
            }
        };
        Ok(Self {
            index: Some(opened),
            added: Hashes::default(),
        })
    }

    /// The index that holds for a commit: that of the imported kernel it
    /// descends from, and the headers changed since.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn of_commit(store: &Store, commit: Oid) -> Result<Self, StoreError> {
        let fail = |e| store.failed(e);
        let repo = store.repo();
        let mut at = repo.find_commit(commit).map_err(fail)?;
        let mut added = Hashes::default();
        while at.parent_count() == 1 && !index_path(store, at.tree_id()).exists() {
            let parent = at.parent(0).map_err(fail)?;
            for change in store
                .changes(parent.tree_id(), at.tree_id())
                .map_err(fail)?
            {
                if is_public_header(&change.path)
                    && let Some((id, _)) = change.new
                    && let Ok(blob) = repo.find_blob(id)
                {
                    collect(blob.content(), &mut added);
                }
            }
            at = parent;
        }
        let mut symbols = Self::of_tree(store, at.tree_id())?;
        symbols.added = added;
        Ok(symbols)
    }

    /// Takes a header's names in.
    pub fn learn(&mut self, header: &[u8]) {
        collect(header, &mut self.added);
    }

    /// Whether a header uses this name, or a macro could paste it.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        let name = name.as_bytes();
        if self.contains(hash(&[name])) {
            return true;
        }
        // Beginnings and ends shorter than this would excuse nearly anything.
        (3..name.len().saturating_sub(1)).any(|at| {
            let (head, tail) = name.split_at(at);
            (self.contains(hash(&[head, b"##"])) && self.contains(hash(&[tail])))
                || (tail.len() >= 3
                    && self.contains(hash(&[b"##", tail]))
                    && self.contains(hash(&[head])))
        })
    }

    fn contains(&self, hash: u64) -> bool {
        if self.added.contains(&hash) {
            return true;
        }
        let Some((file, count)) = &self.index else {
            return false;
        };
        let (mut low, mut high) = (0, *count);
        while low < high {
            let middle = low + (high - low) / 2;
            let mut bytes = [0; 8];
            if file.read_exact_at(&mut bytes, 8 + middle * 8).is_err() {
                return false;
            }
            match u64::from_be_bytes(bytes).cmp(&hash) {
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        false
    }
}

fn index_path(store: &Store, tree: Oid) -> PathBuf {
    store
        .path()
        .join("reaperlab/symbols")
        .join(tree.to_string())
}

fn open_index(path: &Path) -> io::Result<(File, u64)> {
    let file = File::open(path)?;
    let mut magic = [0; 8];
    file.read_exact_at(&mut magic, 0)?;
    let size = file.metadata()?.len();
    if &magic != MAGIC || size % 8 != 0 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok((file, size / 8 - 1))
}

/// Keeps a tree's index beside the objects.
pub(crate) fn write(store: &Store, tree: Oid, hashes: &Hashes) -> io::Result<()> {
    let mut sorted: Vec<u64> = hashes.iter().copied().collect();
    sorted.sort_unstable();
    let path = index_path(store, tree);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend(sorted.iter().flat_map(|hash| hash.to_be_bytes()));
    file.write_all(&bytes)?;
    file.persist(path).map(drop).map_err(|e| e.error)
}

fn scan(repo: &Repository, tree: Oid) -> Result<Hashes, git2::Error> {
    let mut hashes = Hashes::default();
    repo.find_tree(tree)?
        .walk(TreeWalkMode::PreOrder, |folder, entry| {
            let path = [folder.as_bytes(), entry.name_bytes()].concat();
            match entry.kind() {
                Some(ObjectType::Tree) => {
                    let wanted = match path.split(|b| *b == b'/').collect::<Vec<_>>().as_slice() {
                        [first] => matches!(*first, b"include" | b"arch"),
                        [b"arch", _, third, ..] => *third == b"include",
                        _ => true,
                    };
                    if !wanted {
                        return TreeWalkResult::Skip;
                    }
                }
                Some(ObjectType::Blob) if is_public_header(&path) => {
                    if let Ok(blob) = repo.find_blob(entry.id()) {
                        collect(blob.content(), &mut hashes);
                    }
                }
                _ => {}
            }
            TreeWalkResult::Ok
        })?;
    Ok(hashes)
}

/// Words that look like calls and never need a header.
const BUILTIN: &[&[u8]] = &[
    b"if",
    b"for",
    b"while",
    b"switch",
    b"return",
    b"sizeof",
    b"typeof",
    b"__typeof__",
    b"typeof_unqual",
    b"_Alignof",
    b"__alignof__",
    b"_Generic",
    b"_Static_assert",
    b"defined",
    b"asm",
    b"__asm__",
    b"__attribute__",
    b"__has_attribute",
    b"__has_builtin",
    b"__has_include",
    b"else",
    b"do",
    b"case",
    b"goto",
    b"offsetof",
    b"__VA_OPT__",
];

/// What chosen lines of a C file bring.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct NewNames<'a> {
    /// Names called, as functions or macros, that the file did not have
    /// before; members and builtins aside.
    pub called: BTreeSet<&'a str>,
    /// Names defined, declared or at least used otherwise than by a call.
    pub defined: BTreeSet<&'a str>,
}

/// Reads the lines of `new` that `chosen` tells (by number, from 0); `old` is
/// the file before.
pub(crate) fn new_names<'a>(
    new: &'a [u8],
    chosen: impl Fn(usize) -> bool,
    old: &[u8],
) -> NewNames<'a> {
    let tokens: Vec<_> = Tokens::new(new).collect();
    let token = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map(|(_, token)| *token);
    let mut names = NewNames::default();
    for (i, (line, this)) in tokens.iter().enumerate() {
        let Token::Name(word) = *this else { continue };
        let Ok(name) = std::str::from_utf8(word) else {
            continue;
        };
        if !chosen(*line) {
            continue;
        }
        let called = token(Some(i + 1)) == Some(Token::Mark(b'('));
        let (before, second) = (token(i.checked_sub(1)), token(i.checked_sub(2)));
        let declared = match before {
            Some(Token::Name(word)) => !BUILTIN.contains(&word),
            // `struct page *find(…)` at the margin is a declaration, `a * f(…)`
            // inside a function a product.
            Some(Token::Mark(b'*')) => starts_line(new, *line),
            _ => false,
        };
        let member = before == Some(Token::Mark(b'.'))
            || (before == Some(Token::Mark(b'>')) && second == Some(Token::Mark(b'-')));
        if !called || declared {
            names.defined.insert(name);
        } else if !member && !BUILTIN.contains(&word) && !name.starts_with("__builtin_") {
            names.called.insert(name);
        }
    }
    names.called.retain(|name| !names.defined.contains(name));
    if !names.called.is_empty() {
        let known = self::names(old);
        names.called.retain(|name| !known.contains(name.as_bytes()));
    }
    names
}

/// Every name a C text uses outside comments.
pub(crate) fn names(text: &[u8]) -> HashSet<&[u8]> {
    Tokens::new(text)
        .filter_map(|(_, token)| match token {
            Token::Name(name) => Some(name),
            _ => None,
        })
        .collect()
}

/// Whether a line has text in its first column.
fn starts_line(text: &[u8], line: usize) -> bool {
    text.split(|b| *b == b'\n')
        .nth(line)
        .and_then(<[u8]>::first)
        .is_some_and(|b| !b.is_ascii_whitespace())
}

/// The files a C text includes by `"…"`.
pub(crate) fn quoted_includes(text: &[u8]) -> impl Iterator<Item = &str> {
    text.split(|b| *b == b'\n').filter_map(|line| {
        let line = std::str::from_utf8(line)
            .ok()?
            .trim()
            .strip_prefix('#')?
            .trim_start();
        let rest = line
            .strip_prefix("include")?
            .trim_start()
            .strip_prefix('"')?;
        rest.split_once('"').map(|(name, _)| name)
    })
}

/// A line of C as its meaning goes: comments out, white space out. Lines of one
/// file in order; a line that held nothing else is empty.
pub(crate) fn code_lines(text: &[u8]) -> Vec<Vec<u8>> {
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
