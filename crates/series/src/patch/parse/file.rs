//! What a diff says of each file.

use super::bytes::{ascii, chomp, header, show, split_once, too_large};
use super::hunk::hunk_header;
use super::names::{same_name, stripped_path, whole_path};
use super::reader::{Lines, Reader};
use crate::patch::error::Error;
use crate::patch::model::{FileDiff, FileKind, Unsupported};

const LINK: u32 = 0o120_000;
const SUBMODULE: u32 = 0o160_000;

/// The most files that one diff may change.
pub const MAX_FILES: usize = 10_000;

/// Reads every file's diff out of `text`, in order. Text around the diffs (a
/// diffstat, a mail's signature) is skipped; a text without any diff gives an
/// empty list.
///
/// Reads what git writes and plain unified diffs (`---`, `+++`, `@@`), and
/// strips one leading component (`a/`, `b/`) off the paths, as `git am` does.
///
/// # Errors
/// [`Error`] for everything that is not a plain change of files inside the
/// tree.
pub fn parse(text: &[u8]) -> Result<Vec<FileDiff>, Error> {
    let mut reader = Reader {
        lines: Lines {
            rest: text,
            number: 0,
            last: b"",
        },
        hunks: 0,
        hunk_lines: 0,
    };
    let mut files = Vec::new();
    while let Some(line) = reader.lines.peek() {
        let file = if let Some(names) = line.strip_prefix(b"diff --git ") {
            reader.git_file(names)?
        } else if reader.lines.at_plain_header() {
            reader.plain_file()?
        } else {
            let number = reader.lines.number + 1;
            if line.starts_with(b"diff --cc ") || line.starts_with(b"diff --combined ") {
                return Err(header(
                    number,
                    "a merge's combined diff can't be applied",
                    line,
                ));
            }
            if hunk_header(line).is_some() {
                return Err(header(number, "a hunk without a file before it", line));
            }
            match binary_notice(line) {
                Some(names) => reader.binary_file(names)?,
                None => {
                    reader.lines.next();
                    continue;
                }
            }
        };
        if files.len() == MAX_FILES {
            return Err(too_large(reader.lines.number, "files", MAX_FILES));
        }
        files.push(file);
    }
    Ok(files)
}

/// What the lines between `diff --git` and the hunks say.
#[derive(Default)]
struct Extended {
    old_mode: Option<u32>,
    new_mode: Option<u32>,
    created: bool,
    deleted: bool,
    blobs: Option<(String, String)>,
    similarity: Option<u8>,
    from: Option<String>,
    to: Option<String>,
    kind: Option<FileKind>,
    binary: Option<Vec<u8>>,
}

impl Extended {
    fn unsupported(&mut self) -> Option<Unsupported> {
        let is = |mode| [self.old_mode, self.new_mode].contains(&Some(mode));
        match self.binary.take() {
            Some(lines) => Some(Unsupported::Binary(lines)),
            None if is(LINK) => Some(Unsupported::SymbolicLink),
            None if is(SUBMODULE) => Some(Unsupported::Submodule),
            None => None,
        }
    }
}

impl<'a> Reader<'a> {
    fn git_file(&mut self, names: &'a [u8]) -> Result<FileDiff, Error> {
        let names = chomp(names);
        self.lines.next();
        let number = self.lines.number;
        let same = same_name(names, number)?;
        let shown = same.clone().unwrap_or_else(|| show(names));
        let mut head = self.extended(&shown)?;
        let unsupported = head.unsupported();

        let (from, to) = match (head.kind, same) {
            (Some(_), _) => match (head.from, head.to) {
                (Some(from), Some(to)) => (from, to),
                _ => {
                    return Err(header(
                        number,
                        "a rename or copy names only one side",
                        names,
                    ));
                }
            },
            (None, Some(name)) => (name.clone(), name),
            (None, None) if self.goes_on(names) => {
                return Err(Error::Wrapped {
                    line: number,
                    text: show(&[b"diff --git ", names].concat()),
                });
            }
            (None, None) => {
                return Err(header(
                    number,
                    "two names, but neither a rename nor a copy",
                    names,
                ));
            }
        };
        let either = head.created || head.deleted;
        if (head.created && head.deleted) || (either && head.kind.is_some()) {
            return Err(header(
                number,
                "a file that is new or deleted and something else",
                names,
            ));
        }
        if !either && head.old_mode.is_some() != head.new_mode.is_some() {
            return Err(header(number, "a mode on one side only", names));
        }
        let mut file = FileDiff {
            old_path: (!head.created).then_some(from),
            new_path: (!head.deleted).then_some(to),
            // There is no mode where there is no file.
            old_mode: head.old_mode.filter(|_| !head.created),
            new_mode: head.new_mode.filter(|_| !head.deleted),
            old_blob: head.blobs.as_ref().map(|blobs| blobs.0.clone()),
            new_blob: head.blobs.map(|blobs| blobs.1),
            kind: head.kind.unwrap_or(FileKind::Plain),
            similarity: head.similarity,
            hunks: Vec::new(),
            unsupported,
        };
        if matches!(file.unsupported, Some(Unsupported::Binary(_))) {
            return Ok(file);
        }
        if self.lines.at_plain_header() {
            let (old, new) = self.plain_names()?;
            if old != file.old_path || new != file.new_path {
                return Err(header(
                    number,
                    "the names in ---/+++ differ from these",
                    names,
                ));
            }
            file.hunks = self.hunks(&file)?;
        } else if self
            .lines
            .peek()
            .is_some_and(|line| hunk_header(line).is_some())
        {
            return Err(header(number, "hunks without ---/+++", names));
        } else if !needs_no_hunks(&file) {
            return Err(header(number, "a changed file without a hunk", names));
        }
        Ok(file)
    }

    fn extended(&mut self, shown: &str) -> Result<Extended, Error> {
        let mut head = Extended::default();
        while let Some(raw) = self.lines.peek() {
            let line = chomp(raw);
            let number = self.lines.number + 1;
            let after = |prefix: &str| line.strip_prefix(prefix.as_bytes());
            if let Some(value) = after("old mode ") {
                head.old_mode = Some(mode(value, shown, number)?);
            } else if let Some(value) = after("new mode ") {
                head.new_mode = Some(mode(value, shown, number)?);
            } else if let Some(value) = after("deleted file mode ") {
                head.old_mode = Some(mode(value, shown, number)?);
                head.deleted = true;
            } else if let Some(value) = after("new file mode ") {
                head.new_mode = Some(mode(value, shown, number)?);
                head.created = true;
            } else if let Some(value) = after("rename from ") {
                head.kind = Some(FileKind::Rename);
                head.from = Some(whole_path(value, number)?);
            } else if let Some(value) = after("rename to ") {
                head.kind = Some(FileKind::Rename);
                head.to = Some(whole_path(value, number)?);
            } else if let Some(value) = after("copy from ") {
                head.kind = Some(FileKind::Copy);
                head.from = Some(whole_path(value, number)?);
            } else if let Some(value) = after("copy to ") {
                head.kind = Some(FileKind::Copy);
                head.to = Some(whole_path(value, number)?);
            } else if let Some(value) = after("similarity index ") {
                let percent = ascii(value).and_then(|text| text.strip_suffix('%')?.parse().ok());
                head.similarity = percent.filter(|percent| *percent <= 100);
                if head.similarity.is_none() {
                    return Err(header(number, "not a percentage", line));
                }
            } else if after("dissimilarity index ").is_some() {
                // Says how the diff was made, nothing about the change.
            } else if let Some(value) = after("index ") {
                let (ids, both) = split_once(value, b' ');
                let blobs = index(ids);
                head.blobs =
                    Some(blobs.ok_or_else(|| header(number, "not a pair of blob ids", line))?);
                if let Some(value) = both {
                    let value = mode(value, shown, number)?;
                    head.old_mode = Some(value);
                    head.new_mode = Some(value);
                }
            } else if line == b"GIT binary patch" || binary_notice(line).is_some() {
                head.binary = Some(self.binary_lines());
                break;
            } else {
                break;
            }
            self.lines.next();
        }
        Ok(head)
    }

    /// Whether the line behind one with only the first of two names has the
    /// other.
    fn goes_on(&self, names: &[u8]) -> bool {
        let next = chomp(self.lines.peek().unwrap_or_default());
        let whole = [names.trim_ascii_end(), b" ", next.trim_ascii_start()].concat();
        next.starts_with(b"b/") || same_name(&whole, 0).is_ok_and(|name| name.is_some())
    }

    /// The lines of a binary change: up to the next file, or the signature.
    fn binary_lines(&mut self) -> Vec<u8> {
        let mut taken = Vec::new();
        while let Some(line) = self.lines.peek() {
            let ends = line.starts_with(b"diff --git ")
                || matches!(chomp(line), b"--" | b"-- ")
                || self.lines.at_plain_header();
            if ends {
                break;
            }
            taken.extend_from_slice(line);
            self.lines.next();
            if binary_notice(line).is_some() {
                break;
            }
        }
        taken
    }

    /// A file of which a diff without git's headers only says that it differs.
    fn binary_file(&mut self, names: &[u8]) -> Result<FileDiff, Error> {
        let number = self.lines.number + 1;
        let between = b" and ";
        let at = names.windows(between.len()).position(|w| w == between);
        let Some((old, new)) = at.map(|at| (&names[..at], &names[at + between.len()..])) else {
            return Err(Error::Binary {
                line: number,
                path: show(names),
            });
        };
        let (old_path, new_path) = (stripped_path(old, number)?, stripped_path(new, number)?);
        Ok(FileDiff {
            old_path,
            new_path,
            unsupported: Some(Unsupported::Binary(self.binary_lines())),
            ..FileDiff::default()
        })
    }

    fn plain_file(&mut self) -> Result<FileDiff, Error> {
        let number = self.lines.number + 1;
        let first = self.lines.peek().unwrap_or_default();
        let second = self.lines.rest[first.len()..].split(|b| *b == b'\n').next();
        let (was, is) = (is_epoch(first), is_epoch(second.unwrap_or_default()));
        let (old_path, new_path) = self.plain_names()?;
        // GNU diff's `-N` dates a side without a file to the epoch.
        let (old_path, new_path) = match (was, is) {
            (true, false) => (None, new_path),
            (false, true) => (old_path, None),
            _ => (old_path, new_path),
        };
        let (old_path, new_path) = match (old_path, new_path) {
            (None, None) => return Err(header(number, "names no file", first)),
            (Some(old), Some(new)) => match one_file(&old, &new) {
                Some(name) => (Some(name.to_owned()), Some(name.to_owned())),
                None => {
                    return Err(header(
                        number,
                        "two names, but neither a rename nor a copy",
                        first,
                    ));
                }
            },
            one_side => one_side,
        };
        // Git's guess where a file comes or goes and nothing tells.
        let (comes, goes) = (old_path.is_none(), new_path.is_none());
        let mut file = FileDiff {
            old_path,
            new_path,
            old_mode: goes.then_some(0o100_644),
            new_mode: comes.then_some(0o100_644),
            ..FileDiff::default()
        };
        file.hunks = self.hunks(&file)?;
        Ok(file)
    }

    /// The names in `---` and `+++`; none for `/dev/null`.
    fn plain_names(&mut self) -> Result<(Option<String>, Option<String>), Error> {
        let mut name = |prefix: &[u8]| {
            let line = self.lines.next().unwrap_or_default();
            let line = chomp(line.strip_prefix(prefix).unwrap_or(line));
            stripped_path(line, self.lines.number)
        };
        Ok((name(b"--- ")?, name(b"+++ ")?))
    }
}

/// The file that both names of a diff without git's headers mean. Where one only
/// has something more at its end (`x.c.orig`, `x.c~`), it is the shorter, as for
/// `git apply`.
fn one_file<'a>(old: &'a str, new: &'a str) -> Option<&'a str> {
    let (short, long) = if old.len() <= new.len() {
        (old, new)
    } else {
        (new, old)
    };
    let more = long.strip_prefix(short)?;
    (!more.contains('/')).then_some(short)
}

/// Whether what stands above the hunks is a change by itself, and the blob ids
/// don't tell of another one.
fn needs_no_hunks(file: &FileDiff) -> bool {
    // SHA-1 and SHA-256 of nothing.
    let is_empty = |id: &String| {
        [
            "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
            "473a0f4c3be8a93681a267e3b1e9a7dcda1185436",
        ]
        .iter()
        .any(|empty| empty.starts_with(id.as_str()) || id.starts_with(empty))
    };
    match (&file.old_path, &file.new_path) {
        (None, _) => file.new_blob.as_ref().is_none_or(is_empty),
        (_, None) => file.old_blob.as_ref().is_none_or(is_empty),
        _ => {
            (file.kind != FileKind::Plain || file.old_mode != file.new_mode)
                && file.old_blob == file.new_blob
        }
    }
}

/// Whether the time behind a name in `---` or `+++` is 1970-01-01 00:00 UTC, in
/// whatever zone.
fn is_epoch(line: &[u8]) -> bool {
    let time = ascii(chomp(line)).and_then(|line| line.split_once('\t'));
    let minutes = |text: &str| -> Option<i32> {
        let (hours, minutes) = (text.get(..2)?, text.get(text.len().checked_sub(2)?..)?);
        Some(hours.parse::<i32>().ok()? * 60 + minutes.parse::<i32>().ok()?)
    };
    let since = || {
        let mut parts = time?.1.split(' ');
        let day = match parts.next()? {
            "1970-01-01" => 0,
            "1969-12-31" => -24 * 60,
            _ => return None,
        };
        let clock = parts.next()?;
        let (clock, seconds) = (clock.get(..5)?, clock.get(5..)?);
        let zone = parts.next()?;
        let east = match zone.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let zero = seconds
            .bytes()
            .all(|byte| matches!(byte, b':' | b'.' | b'0'));
        zero.then_some(day + minutes(clock)? - east * minutes(zone.get(1..)?)?)
    };
    since() == Some(0)
}

/// The names in `Binary files X and Y differ`.
fn binary_notice(line: &[u8]) -> Option<&[u8]> {
    chomp(line)
        .strip_prefix(b"Binary files ")?
        .strip_suffix(b" differ")
}

fn mode(text: &[u8], path: &str, line: usize) -> Result<u32, Error> {
    let what = match text {
        b"100644" => return Ok(0o100_644),
        b"100755" => return Ok(0o100_755),
        b"120000" => return Ok(LINK),
        b"160000" => return Ok(SUBMODULE),
        b"040000" | b"40000" => "a folder",
        _ => "unknown",
    };
    Err(Error::Mode {
        line,
        path: path.to_owned(),
        mode: show(text),
        what,
    })
}

/// Reads `OLD..NEW`.
fn index(ids: &[u8]) -> Option<(String, String)> {
    let (old, new) = ascii(ids)?.split_once("..")?;
    let is_id =
        |id: &str| (4..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
    (is_id(old) && is_id(new)).then(|| (old.to_owned(), new.to_owned()))
}
