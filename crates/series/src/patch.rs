//! One patch, as its author sent it, and the reader of its diff.
//!
//! Diffs come from mail, so all of it is hostile until proved otherwise:
//! paths that would leave the tree, hunks that are longer or shorter than
//! they say, links, binary data and sheer size are refused here, and nothing
//! behind this module looks at them again.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The most files that one diff may change.
pub const MAX_FILES: usize = 10_000;
/// The most hunks of one diff, over all its files.
pub const MAX_HUNKS: usize = 50_000;
/// The most lines in the hunks of one diff, over all its files.
pub const MAX_LINES: usize = 1_000_000;
/// The longest line of a diff, in bytes.
pub const MAX_LINE: usize = 1 << 20;
/// The longest path, in bytes.
const MAX_PATH: usize = 4095;

/// A name and an address, as mail writes them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Person {
    /// The name, or the address where there is none.
    pub name: String,
    /// The address, without angle brackets.
    pub email: String,
}

impl Person {
    /// What tells one from another: the address, or the name where there is
    /// none.
    pub(crate) fn key(&self) -> String {
        match self.email.as_str() {
            "" => self.name.to_lowercase(),
            email => email.to_lowercase(),
        }
    }

    /// Whether both are one: by the address, or by the name in whatever order
    /// and with whatever initials.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let words = |name: &str| -> BTreeSet<String> {
            name.split(|c: char| !c.is_alphanumeric())
                .filter(|word| word.chars().count() > 1)
                .map(str::to_lowercase)
                .collect()
        };
        let (mine, theirs) = (words(&self.name), words(&other.name));
        (!self.email.is_empty() && self.email.eq_ignore_ascii_case(&other.email))
            || self.name.to_lowercase() == other.name.to_lowercase()
            || (!mine.is_empty() && mine == theirs)
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.email.is_empty() || self.email == self.name {
            return f.write_str(&self.name);
        }
        write!(f, "{} <{}>", self.name, self.email)
    }
}

/// One line `Name: value` of the block that ends a changelog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trailer {
    /// `Signed-off-by`, as spelled.
    pub name: String,
    /// What stands behind the colon.
    pub value: String,
}

/// A patch of a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Place in the series, from 1.
    pub index: u32,
    /// How many the series says it has.
    pub total: u32,
    /// The reroll, from 1.
    pub version: u32,
    /// Who wrote it (an in-body `From:` goes before the mail's).
    pub author: Person,
    /// When, as RFC 2822; none where the source does not tell.
    pub date: Option<String>,
    /// The subject without its `[PATCH …]`.
    pub subject: String,
    /// The changelog's text above the trailers, as sent.
    pub body: String,
    /// Every trailer, those above a stray blank line included.
    pub trailers: Vec<Trailer>,
    /// The commit message as `git am` would write it: subject, blank line, the
    /// changelog with its trailers untouched.
    pub message: String,
    /// The files it changes.
    pub files: Vec<FileDiff>,
}

/// What a patch does to one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDiff {
    /// The path before; none for a new file. Relative, safe, without `a/`.
    pub old_path: Option<String>,
    /// The path after; none for a deleted file.
    pub new_path: Option<String>,
    /// The mode before, where the patch names it (octal, 0o100644).
    pub old_mode: Option<u32>,
    /// The mode after, where the patch names it.
    pub new_mode: Option<u32>,
    /// The (abbreviated) blob id before, from the `index` line.
    pub old_blob: Option<String>,
    /// The (abbreviated) blob id after.
    pub new_blob: Option<String>,
    /// Whether it is a rename or a copy.
    pub kind: FileKind,
    /// How much a rename or copy kept, in percent, where the patch tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub similarity: Option<u8>,
    /// The changes, by place.
    pub hunks: Vec<Hunk>,
}

/// How a file came to its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// Changed in place, created or deleted.
    Plain,
    /// Moved from its old path.
    Rename,
    /// Copied from its old path, which stays.
    Copy,
}

/// One `@@` block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hunk {
    /// First line before, from 1 (0 where there are none).
    pub old_start: u32,
    /// Lines before.
    pub old_lines: u32,
    /// First line after.
    pub new_start: u32,
    /// Lines after.
    pub new_lines: u32,
    /// What stands behind the second `@@`; invalid UTF-8 replaced, since it is
    /// only for the reader.
    pub section: String,
    /// The lines.
    pub lines: Vec<Line>,
}

/// A line of a hunk. Bytes, since kernel files are not all UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// On which side it stands.
    pub kind: LineKind,
    /// The line with its newline, unless it is the file's last and has none.
    pub text: Vec<u8>,
}

/// On which side a line of a hunk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineKind {
    /// On both.
    Context,
    /// On the old side only.
    Removed,
    /// On the new side only.
    Added,
}

impl FileDiff {
    /// The path to show: the one after, or of a deleted file the one before.
    pub fn path(&self) -> &str {
        self.new_path
            .as_deref()
            .or(self.old_path.as_deref())
            .unwrap_or_default()
    }
}

/// Why a diff was refused. `line` counts from 1 in the text that was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A path that could leave the tree, hide, or not be written.
    #[error(
        "line {line}: the path {path:?} {why}; such a patch is not applied, look at where it came from"
    )]
    Path {
        /// Where it stands.
        line: usize,
        /// The path as read.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Binary content.
    #[error(
        "line {line}: {path:?} is changed as a binary file; only text patches can be tested, ask for the patch without it"
    )]
    Binary {
        /// Where it says so.
        line: usize,
        /// The file.
        path: String,
    },
    /// Neither a plain nor an executable file.
    #[error(
        "line {line}: {path:?} has mode {mode}, which is {what}; only regular files can be changed"
    )]
    Mode {
        /// Where it stands.
        line: usize,
        /// The file.
        path: String,
        /// The mode as read.
        mode: String,
        /// What such a mode means.
        what: &'static str,
    },
    /// Fewer lines than the hunk's header promises.
    #[error(
        "{path:?}, hunk {hunk} (line {line}): its header promises {missing} more line(s); the patch is cut off or damaged, fetch it again"
    )]
    Truncated {
        /// Where the hunk begins.
        line: usize,
        /// The file.
        path: String,
        /// Which hunk of the file, from 1.
        hunk: usize,
        /// How many lines are missing, old and new side added.
        missing: u64,
    },
    /// More lines than the hunk's header promises, or lines out of place.
    #[error(
        "{path:?}, hunk {hunk} (line {line}): {why}; the patch is cut off, damaged or edited by hand, fetch it again"
    )]
    Hunk {
        /// Where the fault is.
        line: usize,
        /// The file.
        path: String,
        /// Which hunk of the file, from 1.
        hunk: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Headers that contradict each other or that can't be read.
    #[error(
        "line {line}: {why} ({text:?}); the patch is cut off, damaged or edited by hand, fetch it again"
    )]
    Header {
        /// Where the fault is.
        line: usize,
        /// What is wrong.
        why: &'static str,
        /// The line, shortened.
        text: String,
    },
    /// Larger than any patch that people review.
    #[error("line {line}: more than {limit} {what}; this is no patch for review, split it")]
    TooLarge {
        /// Where the limit was passed.
        line: usize,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

/// Reads every file's diff out of `text`, in order. Text around the diffs (a
/// diffstat, a mail's signature) is skipped; a text without any diff gives an
/// empty list.
///
/// Reads what git writes and plain unified diffs (`---`, `+++`, `@@`), and
/// strips one leading component (`a/`, `b/`) off the paths, as `git am` does.
///
/// # Errors
/// [`Error`] for everything that is not a plain change of text files inside
/// the tree.
pub fn parse(text: &[u8]) -> Result<Vec<FileDiff>, Error> {
    let mut reader = Reader {
        lines: Lines {
            rest: text,
            number: 0,
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
            if let Some(names) = binary_notice(line) {
                return Err(Error::Binary {
                    line: number,
                    path: show(names),
                });
            }
            reader.lines.next();
            continue;
        };
        if files.len() == MAX_FILES {
            return Err(too_large(reader.lines.number, "files", MAX_FILES));
        }
        files.push(file);
    }
    Ok(files)
}

/// Whether a path may be written below a tree.
///
/// # Errors
/// What is wrong with it, as the end of a sentence that begins with the path.
pub fn check_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("is empty");
    }
    if path.len() > MAX_PATH {
        return Err("is longer than any file system allows");
    }
    if path.starts_with('/') {
        return Err("is absolute");
    }
    if path.contains('\\') {
        return Err("has a backslash, which some systems take for a separator");
    }
    if path.chars().any(is_unprintable) {
        return Err("has control or invisible characters");
    }
    for part in path.split('/') {
        match part {
            "" => return Err("has an empty component"),
            "." => return Err("has a component `.`"),
            ".." => return Err("leaves the tree by `..`"),
            _ if part.len() > 255 => return Err("has a component longer than 255 bytes"),
            _ => {}
        }
        // Case-insensitive file systems, and those that drop trailing dots and
        // spaces or know short names, would find the repository's own folder.
        let folded = part.trim_end_matches(['.', ' ']).to_ascii_lowercase();
        let folded = folded.split(':').next().unwrap_or_default();
        if folded == ".git" || folded == "git~1" {
            return Err("reaches into a repository's own `.git`");
        }
    }
    Ok(())
}

/// Controls, and what text renderers hide or use to reorder what is shown.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Lines with their newline, and how many have been taken.
struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Lines<'a> {
    fn peek(&self) -> Option<&'a [u8]> {
        let end = self
            .rest
            .iter()
            .position(|&b| b == b'\n')
            .map_or(self.rest.len(), |at| at + 1);
        (end > 0).then(|| &self.rest[..end])
    }

    fn next(&mut self) -> Option<&'a [u8]> {
        let line = self.peek()?;
        self.rest = &self.rest[line.len()..];
        self.number += 1;
        Some(line)
    }

    /// Whether `--- a/x` and `+++ b/x` come next. A lone `--- ` is prose.
    fn at_plain_header(&self) -> bool {
        let Some(first) = self.peek() else {
            return false;
        };
        first.starts_with(b"--- ") && self.rest[first.len()..].starts_with(b"+++ ")
    }
}

struct Reader<'a> {
    lines: Lines<'a>,
    hunks: usize,
    hunk_lines: usize,
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
}

impl<'a> Reader<'a> {
    fn git_file(&mut self, names: &'a [u8]) -> Result<FileDiff, Error> {
        let names = chomp(names);
        self.lines.next();
        let number = self.lines.number;
        let same = same_name(names, number)?;
        let shown = same.clone().unwrap_or_else(|| show(names));
        let head = self.extended(&shown)?;

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
        };
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
                return Err(Error::Binary {
                    line: number,
                    path: shown.to_owned(),
                });
            } else {
                break;
            }
            self.lines.next();
        }
        Ok(head)
    }

    fn plain_file(&mut self) -> Result<FileDiff, Error> {
        let number = self.lines.number + 1;
        let first = self.lines.peek().unwrap_or_default();
        let (old_path, new_path) = self.plain_names()?;
        match (&old_path, &new_path) {
            (None, None) => return Err(header(number, "names no file", first)),
            (Some(old), Some(new)) if old != new => {
                return Err(header(
                    number,
                    "two names, but neither a rename nor a copy",
                    first,
                ));
            }
            _ => {}
        }
        // Git's guess where a file comes or goes and nothing tells.
        let (comes, goes) = (old_path.is_none(), new_path.is_none());
        let mut file = FileDiff {
            old_path,
            new_path,
            old_mode: goes.then_some(0o100_644),
            new_mode: comes.then_some(0o100_644),
            old_blob: None,
            new_blob: None,
            kind: FileKind::Plain,
            similarity: None,
            hunks: Vec::new(),
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

    fn hunks(&mut self, file: &FileDiff) -> Result<Vec<Hunk>, Error> {
        let mut hunks: Vec<Hunk> = Vec::new();
        // The last old line that a hunk has dealt with.
        let mut done = 0;
        while let Some(line) = self.lines.peek() {
            let number = self.lines.number + 1;
            let fault = |why| Error::Hunk {
                line: number,
                path: file.path().to_owned(),
                hunk: hunks.len() + 1,
                why,
            };
            let Some(hunk) = hunk_header(line) else {
                if line.starts_with(b"@@") {
                    return Err(fault("its header can't be read"));
                }
                break;
            };
            self.lines.next();
            self.hunks += 1;
            if self.hunks > MAX_HUNKS {
                return Err(too_large(number, "hunks", MAX_HUNKS));
            }
            let first = hunk
                .old_start
                .saturating_add(u32::from(hunk.old_lines == 0));
            let last = hunk.old_start.checked_add(hunk.old_lines.saturating_sub(1));
            let (Some(last), Some(_)) = (last, hunk.new_start.checked_add(hunk.new_lines)) else {
                return Err(fault("its line numbers are out of range"));
            };
            if (hunk.old_lines > 0 && hunk.old_start == 0)
                || (hunk.new_lines > 0 && hunk.new_start == 0)
            {
                return Err(fault("it has lines, but starts at line 0"));
            }
            if (file.old_path.is_none() && hunk.old_lines > 0)
                || (file.new_path.is_none() && hunk.new_lines > 0)
            {
                return Err(fault("it has lines on a side where there is no file"));
            }
            if !hunks.is_empty() && first <= done {
                return Err(fault("it overlaps the hunk before it, or comes before it"));
            }
            done = last;
            let hunk = self.hunk_body(hunk, file, hunks.len() + 1)?;
            hunks.push(hunk);
        }
        if hunks.is_empty() {
            return Err(Error::Hunk {
                line: self.lines.number,
                path: file.path().to_owned(),
                hunk: 1,
                why: "---/+++ without a hunk behind them",
            });
        }
        Ok(hunks)
    }

    fn hunk_body(&mut self, mut hunk: Hunk, file: &FileDiff, nth: usize) -> Result<Hunk, Error> {
        let start = self.lines.number;
        let (mut old, mut new) = (hunk.old_lines, hunk.new_lines);
        // Sides that have had their file's last line, which lacks a newline.
        let (mut old_ended, mut new_ended) = (false, false);
        loop {
            let line = self.lines.peek();
            let number = self.lines.number + 1;
            let fault = |why| Error::Hunk {
                line: number,
                path: file.path().to_owned(),
                hunk: nth,
                why,
            };
            if let Some(line) = line
                && line.starts_with(b"\\ ")
                && let Some(last) = hunk.lines.last_mut()
                && last.text.pop_if(|byte| *byte == b'\n').is_some()
            {
                old_ended |= last.kind != LineKind::Added;
                new_ended |= last.kind != LineKind::Removed;
                self.lines.next();
                continue;
            }
            if old == 0 && new == 0 {
                // The signature of a mail begins with two dashes; a next plain
                // diff with three. All else is a line that no header counted.
                return match line {
                    Some([b'+' | b' ', ..]) => Err(fault("it is longer than its header says")),
                    Some([b'-', rest @ ..])
                        if !self.lines.at_plain_header()
                            && !matches!(chomp(rest), b"-" | b"- " | b"--") =>
                    {
                        Err(fault("it is longer than its header says"))
                    }
                    _ => Ok(hunk),
                };
            }
            let truncated = Error::Truncated {
                line: start,
                path: file.path().to_owned(),
                hunk: nth,
                missing: u64::from(old) + u64::from(new),
            };
            let Some(line) = line else {
                return Err(truncated);
            };
            let (kind, text) = match line {
                [b' ', text @ ..] => (LineKind::Context, text),
                [b'-', text @ ..] => (LineKind::Removed, text),
                [b'+', text @ ..] => (LineKind::Added, text),
                // Mailers drop the blank of an empty context line.
                b"\n" | b"\r\n" => (LineKind::Context, line),
                _ => return Err(truncated),
            };
            if !line.ends_with(b"\n") {
                return Err(truncated);
            }
            let (takes_old, takes_new) = (kind != LineKind::Added, kind != LineKind::Removed);
            if (takes_old && old_ended) || (takes_new && new_ended) {
                return Err(fault("a line follows the one without a newline"));
            }
            if (takes_old && old == 0) || (takes_new && new == 0) {
                return Err(fault("its lines don't add up to what its header says"));
            }
            old -= u32::from(takes_old);
            new -= u32::from(takes_new);
            self.hunk_lines += 1;
            if self.hunk_lines > MAX_LINES {
                return Err(too_large(number, "lines", MAX_LINES));
            }
            if text.len() > MAX_LINE {
                return Err(too_large(number, "bytes in one line", MAX_LINE));
            }
            hunk.lines.push(Line {
                kind,
                text: text.to_vec(),
            });
            self.lines.next();
        }
    }
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

/// Reads `@@ -1,2 +3,4 @@ section`.
fn hunk_header(line: &[u8]) -> Option<Hunk> {
    fn range(text: &[u8]) -> Option<(u32, u32)> {
        let text = ascii(text)?;
        let digits = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| text.parse().ok())
                .flatten()
        };
        match text.split_once(',') {
            Some((start, count)) => Some((digits(start)?, digits(count)?)),
            None => Some((digits(text)?, 1)),
        }
    }
    let rest = chomp(line).strip_prefix(b"@@ -")?;
    let end = rest
        .windows(3)
        .take(64)
        .position(|window| window == b" @@")?;
    let (ranges, section) = (&rest[..end], &rest[end + 3..]);
    let plus = ranges.windows(2).position(|window| window == b" +")?;
    let (old_start, old_lines) = range(&ranges[..plus])?;
    let (new_start, new_lines) = range(&ranges[plus + 2..])?;
    if old_lines == 0 && new_lines == 0 {
        return None;
    }
    let section = section.strip_prefix(b" ").unwrap_or(section);
    let section = String::from_utf8_lossy(section).into_owned();
    Some(Hunk {
        old_start,
        old_lines,
        new_start,
        new_lines,
        section,
        lines: Vec::new(),
    })
}

/// The names in `Binary files X and Y differ`.
fn binary_notice(line: &[u8]) -> Option<&[u8]> {
    chomp(line)
        .strip_prefix(b"Binary files ")?
        .strip_suffix(b" differ")
}

/// The name in `a/NAME b/NAME`, or none where the two differ. A blank is no
/// sure separator, since names may have blanks.
fn same_name(names: &[u8], line: usize) -> Result<Option<String>, Error> {
    if names.len() > 10 * MAX_PATH {
        return Err(header(
            line,
            "names longer than any file system allows",
            names,
        ));
    }
    let mut same = None;
    if names.first() == Some(&b'"') {
        let (old, rest) = unquote(names).ok_or_else(|| bad_quotes(names, line))?;
        let new = rest.strip_prefix(b" ").unwrap_or(rest);
        let new = match new.first() {
            Some(b'"') => unquote(new).ok_or_else(|| bad_quotes(names, line))?.0,
            _ => new.to_vec(),
        };
        if strip(&old).is_some() && strip(&old) == strip(&new) {
            same = strip(&old).map(<[u8]>::to_vec);
        }
    } else {
        // Both halves are as long as each other where only the prefixes `a/`
        // and `b/` differ; other prefixes are rare, but git knows them.
        same = names
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b' ')
            .take(256)
            .find_map(|(at, _)| {
                let (old, new) = (strip(&names[..at])?, strip(&names[at + 1..])?);
                (old == new).then(|| old.to_vec())
            });
    }
    same.map(|name| checked(name, line)).transpose()
}

/// A path behind `---` or `+++`: without its first component, and none for
/// `/dev/null`.
fn stripped_path(text: &[u8], line: usize) -> Result<Option<String>, Error> {
    let path = match text.first() {
        Some(b'"') => unquote(text).ok_or_else(|| bad_quotes(text, line))?.0,
        // A tab ends the name: a time follows, or nothing.
        _ => text
            .split(|byte| *byte == b'\t')
            .next()
            .unwrap_or_default()
            .to_vec(),
    };
    if path == b"/dev/null" {
        return Ok(None);
    }
    match strip(&path) {
        Some(stripped) if path.first() != Some(&b'/') => checked(stripped.to_vec(), line).map(Some),
        Some(_) => Err(Error::Path {
            line,
            path: show(&path),
            why: "is absolute",
        }),
        None => Err(Error::Path {
            line,
            path: show(&path),
            why: "has no leading `a/` or `b/` to strip",
        }),
    }
}

/// A path behind `rename from` and the like, which has no prefix.
fn whole_path(text: &[u8], line: usize) -> Result<String, Error> {
    let path = match text.first() {
        Some(b'"') => unquote(text).ok_or_else(|| bad_quotes(text, line))?.0,
        _ => text.to_vec(),
    };
    checked(path, line)
}

fn checked(path: Vec<u8>, line: usize) -> Result<String, Error> {
    let path = String::from_utf8(path).map_err(|error| Error::Path {
        line,
        path: show(error.as_bytes()),
        why: "is not UTF-8",
    })?;
    match check_path(&path) {
        Ok(()) => Ok(path),
        Err(why) => Err(Error::Path {
            line,
            path: show(path.as_bytes()),
            why,
        }),
    }
}

/// What follows the first component.
fn strip(path: &[u8]) -> Option<&[u8]> {
    path.iter()
        .position(|byte| *byte == b'/')
        .map(|at| &path[at + 1..])
}

/// Decodes a path in C quotes, as git writes one with odd bytes, and gives
/// what follows the closing quote.
fn unquote(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = text.strip_prefix(b"\"")?;
    let mut out = Vec::new();
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'"' => return Some((out, rest)),
            b'\\' => {
                let (&escape, after) = rest.split_first()?;
                rest = after;
                out.push(match escape {
                    b'a' => 7,
                    b'b' => 8,
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'v' => 11,
                    b'f' => 12,
                    b'r' => b'\r',
                    b'"' | b'\\' => escape,
                    b'0'..=b'3' => {
                        let [second @ b'0'..=b'7', third @ b'0'..=b'7', after @ ..] = rest else {
                            return None;
                        };
                        rest = after;
                        (escape - b'0') * 64 + (second - b'0') * 8 + (third - b'0')
                    }
                    _ => return None,
                });
            }
            _ => out.push(byte),
        }
    }
}

fn mode(text: &[u8], path: &str, line: usize) -> Result<u32, Error> {
    let what = match text {
        b"100644" => return Ok(0o100_644),
        b"100755" => return Ok(0o100_755),
        b"120000" => "a symbolic link",
        b"160000" => "a submodule",
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

fn split_once(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == at) {
        Some(found) => (&text[..found], Some(&text[found + 1..])),
        None => (text, None),
    }
}

fn ascii(text: &[u8]) -> Option<&str> {
    text.is_ascii().then(|| str::from_utf8(text).ok()).flatten()
}

/// The line without its newline.
fn chomp(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Bytes for a message: short, and UTF-8.
fn show(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned()
}

fn header(line: usize, why: &'static str, text: &[u8]) -> Error {
    Error::Header {
        line,
        why,
        text: show(chomp(text)),
    }
}

fn bad_quotes(text: &[u8], line: usize) -> Error {
    Error::Path {
        line,
        path: show(text),
        why: "has broken quotes",
    }
}

fn too_large(line: usize, what: &'static str, limit: usize) -> Error {
    Error::TooLarge { line, what, limit }
}
