//! What a patch is.

use std::fmt;

use crate::person::Person;

/// One line `Name: value` of the block that ends a changelog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trailer {
    /// `Signed-off-by`, as spelled.
    pub name: String,
    /// What stands behind the colon.
    pub value: String,
}

impl Trailer {
    /// Whether it has that name, in whatever case.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether it is `Reported-by`, or `Reported-and-tested-by`.
    pub(crate) fn is_report(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        name.starts_with("reported-") && name.ends_with("-by")
    }
}

impl fmt::Display for Trailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
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
    pub files: Vec<FileDiff>,
}

/// What a patch does to one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    pub similarity: Option<u8>,
    /// The changes, by place.
    pub hunks: Vec<Hunk>,
    /// What no text can change, where it is that.
    pub unsupported: Option<Unsupported>,
}

/// A change of something that is no text file. It is read, so that the rest of
/// a series can be judged, and never made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsupported {
    SymbolicLink,
    Submodule,
    /// With the lines that say how it changes.
    Binary(Vec<u8>),
}

impl Unsupported {
    /// The word for messages.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::SymbolicLink => "symbolic link",
            Self::Submodule => "submodule",
            Self::Binary(_) => "binary file",
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FileKind {
    /// Changed in place, created or deleted.
    #[default]
    Plain,
    Rename,
    /// Copied from its old path, which stays.
    Copy,
}

/// One `@@` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// First line before, from 1 (0 where there are none).
    pub old_start: u32,
    pub old_lines: u32,
    pub new_start: u32,
    pub new_lines: u32,
    /// What stands behind the second `@@`; invalid UTF-8 replaced, since it is
    /// only for the reader.
    pub section: String,
    pub lines: Vec<Line>,
}

/// A line of a hunk. Bytes, since kernel files are not all UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub kind: LineKind,
    /// The line with its newline, unless it is the file's last and has none.
    pub text: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    Context,
    Removed,
    Added,
}

impl Patch {
    /// The changelog below the subject, trailers included.
    pub(crate) fn changelog(&self) -> &str {
        let parts = self.message.split_once("\n\n");
        parts.map_or("", |(_, text)| text.trim_end_matches('\n'))
    }
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
