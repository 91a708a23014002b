//! Patches written out again: as the file that `git format-patch` would
//! write, and as the mail that `git am` takes.

use std::fmt::Write as _;

use super::diffstat::diffstat;
use super::model::{Patch, Trailer};
use super::trailers::is_last_block;
use super::write::diff;
use crate::mail::{address, encoded, header, quoted_printable};
use crate::person::Person;
use crate::text::one_line;

/// The longest stem of a patch file's name, as git has it.
const STEM: usize = 57;

/// What a patch itself does not hold of its mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// The message id, without angle brackets.
    pub id: Option<String>,
    /// The subject as it was sent, with its tags.
    pub subject: String,
    /// Who sent it, who need not be the patch's author.
    pub from: Option<Person>,
    /// To whom it was sent, copies too.
    pub to: Vec<Person>,
    /// The body from the line that ends the changelog, byte for byte but for
    /// the transfer encoding.
    pub tail: Vec<u8>,
}

/// Writes a patch as the file that `git format-patch` would, for `git am`.
pub fn patch(patch: &Patch) -> Vec<u8> {
    let mut rest = format!("---\n{}\n", diffstat(&patch.files)).into_bytes();
    rest.extend(diff(&patch.files));
    rest.extend_from_slice(b"-- \nreaperlab\n\n");
    mail(patch, None, patch.changelog(), &rest)
}

/// Writes a patch as a mail of an mbox that `git am` takes, with these trailers
/// behind its own, and with what its mail had below the changelog byte for byte.
pub fn am(patch: &Patch, source: &Source, trailers: &[Trailer]) -> Vec<u8> {
    let text = with_trailers(patch.changelog(), trailers);
    let mut rest = source.tail.clone();
    if !rest.ends_with(b"\n") {
        rest.push(b'\n');
    }
    rest.push(b'\n');
    mail(patch, source.id.as_deref(), &text, &rest)
}

/// Puts trailers behind those that a changelog ends with, where git looks for
/// them.
fn with_trailers(text: &str, trailers: &[Trailer]) -> String {
    let mut out = text.to_owned();
    if !trailers.is_empty() && !text.is_empty() {
        let last = text.rsplit("\n\n").next().unwrap_or_default();
        out.push_str(if is_last_block(last) { "\n" } else { "\n\n" });
    }
    let lines: Vec<String> = trailers
        .iter()
        .map(|one| format!("{}: {}", one.name, one_line(&one.value)))
        .collect();
    out + &lines.join("\n")
}

/// A mail with its separator: the headers of a patch, a changelog, and the rest.
fn mail(patch: &Patch, id: Option<&str>, text: &str, rest: &[u8]) -> Vec<u8> {
    let mut head = format!("From {} Mon Sep 17 00:00:00 2001\n", "0".repeat(40));
    header(&mut head, "From", &address(&patch.author));
    if let Some(date) = &patch.date {
        header(&mut head, "Date", date);
    }
    header(
        &mut head,
        "Subject",
        &format!("{} {}", tag(patch), encoded(&patch.subject)),
    );
    if let Some(id) = id {
        let _ = writeln!(head, "Message-ID: <{id}>");
    }
    let first = text.lines().next().unwrap_or_default().to_ascii_lowercase();
    let mut body = String::new();
    if ["from:", "date:", "subject:"]
        .iter()
        .any(|name| first.starts_with(name))
    {
        // Else git would take the changelog's first line for a header.
        let _ = writeln!(body, "From: {}\n", address(&patch.author));
    }
    if !text.is_empty() {
        body.push_str(text);
        body.push('\n');
    }
    let mut body = body.into_bytes();
    body.extend_from_slice(rest);
    // What git would take for the next mail, or for the transport's.
    let quote = body.contains(&b'\r')
        || body
            .split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b"From "));
    if !text.is_ascii() || quote {
        let encoding = if quote { "quoted-printable" } else { "8bit" };
        head.push_str("MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n");
        let _ = writeln!(head, "Content-Transfer-Encoding: {encoding}");
    }
    head.push('\n');
    let mut out = head.into_bytes();
    out.extend(if quote { quoted_printable(&body) } else { body });
    out
}

/// What stands before a patch's subject: `[PATCH v6 2/2]`.
pub(crate) fn tag(patch: &Patch) -> String {
    let number = if patch.total > 1 {
        let width = patch.total.to_string().len();
        format!(" {:0width$}/{}", patch.index, patch.total)
    } else {
        String::new()
    };
    let reroll = if patch.version > 1 {
        format!(" v{}", patch.version)
    } else {
        String::new()
    };
    format!("[PATCH{reroll}{number}]")
}

/// The name that `git format-patch` gives a patch: `0002-mm-subject.patch`.
pub fn file_name(patch: &Patch) -> String {
    let mut stem = format!("{:04}-", patch.index);
    let start = stem.len();
    let mut gap = false;
    for c in patch.subject.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
            if gap && stem.len() > start {
                stem.push('-');
            }
            gap = false;
            if !(c == '.' && stem.ends_with('.')) {
                stem.push(c);
            }
        } else {
            gap = true;
        }
    }
    let end = stem.trim_end_matches(['.', '-']).len().max(start - 1);
    stem.truncate(end.min(STEM));
    stem + ".patch"
}
