//! What a mail says above its diff: headers inside the body, the changelog,
//! its trailers, the diffstat. Git's rules, where git has some.

use std::sync::LazyLock;

use mail_parser::MessageParser;
use regex::Regex;

use crate::patch::{self, Person, Trailer};
use crate::regex;
use crate::thread::{clean, clean_name};

/// Where the changelog ends: at `---`, or where a diff begins.
pub(crate) fn changelog_end(body: &[u8]) -> usize {
    let mut at = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let ends = match line.strip_prefix(b"---") {
            Some([b' ', next, ..]) if !next.is_ascii_whitespace() => true,
            Some(rest) => rest.trim_ascii().is_empty(),
            None => line.starts_with(b"diff -") || line.starts_with(b"Index: "),
        };
        if ends {
            return at;
        }
        at += line.len();
    }
    at
}

pub(crate) fn has_diff(text: &[u8]) -> bool {
    let mut before: &[u8] = b"";
    text.split(|byte| *byte == b'\n').any(|line| {
        let found = line.starts_with(b"diff --git ")
            || (line.starts_with(b"+++ ") && before.starts_with(b"--- "));
        before = line;
        found
    })
}

/// Headers at the top of a body go before the mail's own: a patch is sent on
/// for its author.
#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) from: Option<Person>,
    pub(crate) date: Option<String>,
    pub(crate) subject: Option<String>,
}

pub(crate) fn inner_headers(text: &str) -> (Inner, &str) {
    let mut inner = Inner::default();
    let mut rest = text.trim_start_matches(['\n', '\r', ' ', '\t']);
    let is_inner = |line: &str| {
        ["from:", "date:", "subject:"].iter().any(|name| {
            line.get(..name.len())
                .is_some_and(|s| s.eq_ignore_ascii_case(name))
        })
    };
    let mut any = false;
    while let Some(line) = rest
        .split_inclusive('\n')
        .next()
        .filter(|line| is_inner(line))
    {
        let mut end = line.len();
        for more in rest[end..]
            .split_inclusive('\n')
            .take_while(|l| l.starts_with([' ', '\t']))
        {
            end += more.len();
        }
        let header = rest[..end].trim_end();
        if let Some(mail) = MessageParser::new().parse_headers(&format!("{header}\n\n")) {
            if let Some(from) = mail.from().and_then(|from| from.first()) {
                let email = from.address.as_deref().map(clean).unwrap_or_default();
                let name = from
                    .name
                    .as_deref()
                    .map_or_else(|| email.clone(), clean_name);
                inner.from = Some(Person { name, email }).filter(|from| !from.email.is_empty());
            }
            if let Some(date) = mail.date().filter(|date| date.is_valid()) {
                inner.date = Some(date.to_rfc822());
            }
            if let Some(subject) = mail.subject() {
                inner.subject = Some(clean(subject));
            }
        }
        any = true;
        rest = &rest[end..];
    }
    if any {
        (inner, rest)
    } else {
        (Inner::default(), text)
    }
}

/// What git does to a commit message: blanks off the ends of lines, blank
/// lines never twice, none at either end. Without the last newline.
pub(crate) fn stripspace(text: &str) -> String {
    let mut out = String::new();
    let mut blank = false;
    for line in text.split('\n') {
        let line = line.trim_end_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
        if line.is_empty() {
            blank = true;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if blank { "\n\n" } else { "\n" });
        }
        blank = false;
        out.push_str(line);
    }
    out
}

/// The summary line under a diffstat.
#[derive(PartialEq, Eq)]
pub(crate) struct Diffstat {
    pub(crate) files: usize,
    added: usize,
    removed: usize,
}

impl Diffstat {
    pub(crate) fn find(rest: &[u8]) -> Option<Self> {
        static SUMMARY: LazyLock<Regex> = LazyLock::new(|| {
            regex(
                r"^ (\d{1,6}) files? changed(?:, (\d{1,9}) insertions?\(\+\))?(?:, (\d{1,9}) deletions?\(-\))?$",
            )
        });
        rest.split(|byte| *byte == b'\n')
            .take_while(|line| !line.starts_with(b"diff --git "))
            .filter_map(|line| str::from_utf8(line).ok())
            .find_map(|line| {
                let found = SUMMARY.captures(line)?;
                let count = |at| {
                    found
                        .get(at)
                        .map_or(Some(0), |digits| digits.as_str().parse().ok())
                };
                Some(Self {
                    files: count(1)?,
                    added: count(2)?,
                    removed: count(3)?,
                })
            })
    }

    pub(crate) fn count(files: &[patch::FileDiff]) -> Self {
        let lines = |kind| {
            let lines = files
                .iter()
                .flat_map(|file| &file.hunks)
                .flat_map(|hunk| &hunk.lines);
            lines.filter(|line| line.kind == kind).count()
        };
        Self {
            files: files.len(),
            added: lines(patch::LineKind::Added),
            removed: lines(patch::LineKind::Removed),
        }
    }
}

/// A line `Name: value`.
pub(crate) fn trailer(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim_end_matches([' ', '\t']);
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_name.then(|| (name, value.trim()))
}

/// Names that nobody writes as prose.
fn is_known_trailer(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("-by")
        || matches!(
            name.as_str(),
            "cc" | "fixes"
                | "link"
                | "closes"
                | "change-id"
                | "message-id"
                | "base-commit"
                | "depends-on"
                | "references"
                | "stable-dep-of"
                | "bugzilla"
        )
}

/// Splits a changelog into the text above its trailers, the trailers, and the
/// lines of those that git does not see, because a blank line stands between
/// them and the last block.
pub(crate) fn split_trailers(text: &str) -> (String, Vec<Trailer>, Vec<String>) {
    let paragraphs: Vec<&str> = text.split("\n\n").collect();
    let mut first = paragraphs.len();
    while let Some(paragraph) = first.checked_sub(1).and_then(|at| paragraphs.get(at)) {
        let is_block = if first == paragraphs.len() {
            is_last_block(paragraph)
        } else {
            all_lines(paragraph, |line| {
                trailer(line).is_some_and(|(name, _)| is_known_trailer(name))
            })
        };
        if !is_block {
            break;
        }
        first -= 1;
    }
    let (above, blocks) = paragraphs.split_at(first);
    let mut trailers: Vec<Trailer> = Vec::new();
    let mut lost = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        let start = trailers.len();
        for line in block.lines() {
            if line.starts_with([' ', '\t']) {
                if let Some(last) = trailers[start..].last_mut() {
                    last.value.push(' ');
                    last.value.push_str(line.trim());
                }
            } else if let Some((name, value)) = trailer(line) {
                trailers.push(Trailer {
                    name: name.to_owned(),
                    value: value.to_owned(),
                });
            }
        }
        if at + 1 < blocks.len() {
            lost.extend(
                trailers[start..]
                    .iter()
                    .map(|t| format!("{}: {}", t.name, t.value)),
            );
        }
    }
    (above.join("\n\n"), trailers, lost)
}

/// Whether every line is as wanted, or goes on the one before.
fn all_lines(paragraph: &str, wanted: impl Fn(&str) -> bool) -> bool {
    let mut any = false;
    paragraph.lines().all(|line| {
        let goes_on = any && line.starts_with([' ', '\t']);
        any = true;
        goes_on || wanted(line)
    })
}

/// Git's rule for the block of trailers: nothing else in it, or a sign-off
/// and at least a quarter trailers.
pub(crate) fn is_last_block(paragraph: &str) -> bool {
    if all_lines(paragraph, |line| trailer(line).is_some()) {
        return true;
    }
    let (mut yes, mut no, mut signed) = (0, 0, false);
    for line in paragraph
        .lines()
        .filter(|line| !line.starts_with([' ', '\t']))
    {
        let by_git =
            line.starts_with("Signed-off-by: ") || line.starts_with("(cherry picked from commit ");
        signed |= by_git;
        if by_git || trailer(line).is_some() {
            yes += 1
        } else {
            no += 1
        }
    }
    signed && yes * 3 >= no
}

/// `Name <address>`, with or without something behind it.
pub(crate) fn person(text: &str) -> Option<Person> {
    static PERSON: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"^\s*"?([^<>"]*?)"?\s*<([^<>\s]+@[^<>\s]+)>"#));
    let found = PERSON.captures(text)?;
    let email = clean(&found[2]);
    let name = clean(&found[1]);
    Some(Person {
        name: if name.is_empty() { email.clone() } else { name },
        email,
    })
}
