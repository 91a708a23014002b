//! Patches written out again: as a diff, as the file that `git format-patch`
//! would write, as the mail that `git am` takes, and as the folder that
//! `patches/` keeps of a series.

use std::fmt::Write as _;

use crate::changelog::is_last_block;
use crate::manifest::{self, Manifest};
use crate::patch::{FileDiff, FileKind, Line, LineKind, Patch, Person, Trailer};
use crate::review::Source;
use crate::series::Series;
use crate::thread::clean;

/// The longest stem of a patch file's name, as git has it.
const STEM: usize = 57;
/// Behind this column headers are folded.
const FOLD: usize = 76;

/// Writes diffs as `git diff` does, byte for byte what [`crate::patch::parse`]
/// read, if git wrote that with its default settings and the text behind the
/// second `@@` is UTF-8.
pub fn diff(files: &[FileDiff]) -> Vec<u8> {
    let mut out = Vec::new();
    for file in files {
        write_file(&mut out, file);
    }
    out
}

/// Writes a patch as the file that `git format-patch` would, for `git am`.
pub fn patch(patch: &Patch) -> Vec<u8> {
    let mut rest = format!("---\n{}\n", diffstat(&patch.files)).into_bytes();
    rest.extend(diff(&patch.files));
    rest.extend_from_slice(b"-- \nreaperlab\n\n");
    mail(patch, None, changelog(patch), &rest)
}

/// A patch's message without its subject.
fn changelog(patch: &Patch) -> &str {
    patch
        .message
        .split_once("\n\n")
        .map_or("", |(_, text)| text.trim_end_matches('\n'))
}

/// Writes a patch as a mail of an mbox that `git am` takes, with these trailers
/// behind its own, and with what its mail had below the changelog byte for byte.
pub fn am(patch: &Patch, source: &Source, trailers: &[Trailer]) -> Vec<u8> {
    let text = with_trailers(changelog(patch), trailers);
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
        .map(|one| format!("{}: {}", one.name, clean(&one.value)))
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

/// Bytes in quoted-printable (RFC 2045), `From ` at the start of a line too.
fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() * 2);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let (content, end) = match line.strip_suffix(b"\n") {
            Some(content) => (content, &b"\n"[..]),
            None => (line, &b""[..]),
        };
        let mut column = 0;
        for (at, byte) in content.iter().enumerate() {
            let last = at + 1 == content.len();
            if column > 72 {
                out.extend_from_slice(b"=\n");
                column = 0;
            }
            let plain = match byte {
                b'=' => false,
                b' ' | b'\t' => !last,
                // A line begins behind each soft break as well.
                b'F' if content[at..].starts_with(b"From ") => column > 0,
                _ => byte.is_ascii_graphic(),
            };
            if plain {
                out.push(*byte);
                column += 1;
            } else {
                out.extend_from_slice(format!("={byte:02X}").as_bytes());
                column += 3;
            }
        }
        out.extend_from_slice(end);
    }
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

/// The files of a series' folder, by name: its patches, and a manifest to
/// start from.
///
/// # Errors
/// Where the series has a value that no manifest can hold.
pub fn pack(series: &Series) -> Result<Vec<(String, Vec<u8>)>, manifest::Error> {
    let mut files: Vec<_> = series
        .patches
        .iter()
        .map(|one| (file_name(one), patch(one)))
        .collect();
    let manifest = Manifest {
        name: series.name.clone(),
        title: series.title.clone(),
        version: series.version,
        patches: files.iter().map(|file| file.0.clone()).collect(),
        kernels: Vec::new(),
        missing: series.missing.clone(),
        missing_note: None,
        source: None,
        expect: manifest::Expect::default(),
        measure: None,
        prerequisites: Vec::new(),
        inverses: Vec::new(),
        variants: Vec::new(),
        probes: Vec::new(),
    };
    files.push((manifest::FILE.to_owned(), manifest.to_toml()?.into_bytes()));
    Ok(files)
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

fn write_file(out: &mut Vec<u8>, file: &FileDiff) {
    let (old, new) = match (&file.old_path, &file.new_path) {
        (Some(old), Some(new)) => (old, new),
        (Some(one), None) | (None, Some(one)) => (one, one),
        (None, None) => return,
    };
    let mut head = format!("diff --git {} {}\n", quoted("a/", old), quoted("b/", new));
    let changed_mode = file.old_mode != file.new_mode;
    match (file.old_mode, file.new_mode) {
        (_, Some(mode)) if file.old_path.is_none() => {
            let _ = writeln!(head, "new file mode {mode:06o}");
        }
        (Some(mode), _) if file.new_path.is_none() => {
            let _ = writeln!(head, "deleted file mode {mode:06o}");
        }
        (Some(before), Some(after)) if changed_mode => {
            let _ = writeln!(head, "old mode {before:06o}\nnew mode {after:06o}");
        }
        _ => {}
    }
    if let Some(similarity) = file.similarity {
        let _ = writeln!(head, "similarity index {similarity}%");
    }
    let verb = match file.kind {
        FileKind::Plain => None,
        FileKind::Rename => Some("rename"),
        FileKind::Copy => Some("copy"),
    };
    if let Some(verb) = verb {
        let _ = writeln!(
            head,
            "{verb} from {}\n{verb} to {}",
            quoted("", old),
            quoted("", new)
        );
    }
    if let (Some(before), Some(after)) = (&file.old_blob, &file.new_blob) {
        let _ = write!(head, "index {before}..{after}");
        match file.old_mode {
            Some(mode) if !changed_mode => {
                let _ = writeln!(head, " {mode:06o}");
            }
            _ => head.push('\n'),
        }
    }
    if !file.hunks.is_empty() {
        let name = |mark: &str, prefix: &str, path: &Option<String>| match path {
            // A tab ends a name that has blanks.
            Some(path) => {
                let tab = if path.contains(' ') { "\t" } else { "" };
                format!("{mark} {}{tab}\n", quoted(prefix, path))
            }
            None => format!("{mark} /dev/null\n"),
        };
        head += &name("---", "a/", &file.old_path);
        head += &name("+++", "b/", &file.new_path);
    }
    out.extend_from_slice(head.as_bytes());
    for hunk in &file.hunks {
        let range = |start: u32, lines: u32| match lines {
            1 => start.to_string(),
            _ => format!("{start},{lines}"),
        };
        let (old, new) = (
            range(hunk.old_start, hunk.old_lines),
            range(hunk.new_start, hunk.new_lines),
        );
        let gap = if hunk.section.is_empty() { "" } else { " " };
        out.extend_from_slice(format!("@@ -{old} +{new} @@{gap}{}\n", hunk.section).as_bytes());
        for line in &hunk.lines {
            write_line(out, line);
        }
    }
}

fn write_line(out: &mut Vec<u8>, line: &Line) {
    out.push(match line.kind {
        LineKind::Context => b' ',
        LineKind::Removed => b'-',
        LineKind::Added => b'+',
    });
    out.extend_from_slice(&line.text);
    if !line.text.ends_with(b"\n") {
        out.extend_from_slice(b"\n\\ No newline at end of file\n");
    }
}

/// A path, in C quotes where git would put them.
fn quoted(prefix: &str, path: &str) -> String {
    if !path
        .bytes()
        .any(|byte| byte >= 0x80 || matches!(byte, b'"' | b'\\') || byte < b' ')
    {
        return format!("{prefix}{path}");
    }
    let mut out = format!("\"{prefix}");
    for byte in path.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
    out.push('"');
    out
}

/// Git's diffstat, 72 columns wide.
fn diffstat(files: &[FileDiff]) -> String {
    let rows: Vec<(String, usize, usize)> = files
        .iter()
        .map(|file| {
            let lines = || file.hunks.iter().flat_map(|hunk| &hunk.lines);
            let count = |kind| lines().filter(|line| line.kind == kind).count();
            let name = match (&file.old_path, &file.new_path) {
                (Some(old), Some(new)) if old != new => format!("{old} => {new}"),
                _ => file.path().to_owned(),
            };
            (name, count(LineKind::Added), count(LineKind::Removed))
        })
        .collect();
    let most = rows.iter().map(|row| row.1 + row.2).max().unwrap_or(0);
    let digits = most.to_string().len();
    let longest = rows
        .iter()
        .map(|row| row.0.chars().count())
        .max()
        .unwrap_or(0);
    let room = 72_usize.saturating_sub(digits + 6);
    let (mut names, mut bars) = (longest, most);
    if names + bars > room {
        // The bars give way to three eighths of the width, then the names.
        bars = bars.min((72_usize * 3 / 8).saturating_sub(digits + 6).max(6));
        names = names.min(room.saturating_sub(bars));
        bars = most.min(room - names);
    }
    // Never rounded to nothing.
    let scale = |count: usize| match count {
        0 => 0,
        _ if most <= bars => count,
        _ => count * (bars - 1) / most + 1,
    };
    let mut out = String::new();
    for (name, added, removed) in &rows {
        let extra = name.chars().count().saturating_sub(names.saturating_sub(3));
        let name = match name.chars().count() > names {
            true => {
                let end: String = name.chars().skip(extra).collect();
                format!(
                    "...{}",
                    end.find('/').map_or(end.as_str(), |slash| &end[slash..])
                )
            }
            false => name.clone(),
        };
        let both = usize::from(*added > 0 && *removed > 0);
        let bar = scale(added + removed).max(2 * both);
        let (plus, minus) = match added < removed {
            true => (scale(*added), bar - scale(*added)),
            false => (bar - scale(*removed), scale(*removed)),
        };
        let (plus, minus) = ("+".repeat(plus), "-".repeat(minus));
        let line = format!(
            " {name:<names$} | {:>digits$} {plus}{minus}",
            added + removed
        );
        out += line.trim_end();
        out.push('\n');
    }
    let (added, removed) = rows
        .iter()
        .fold((0, 0), |sum, row| (sum.0 + row.1, sum.1 + row.2));
    let s = |count: usize| if count == 1 { "" } else { "s" };
    let _ = write!(out, " {} file{} changed", rows.len(), s(rows.len()));
    if added > 0 || removed == 0 {
        let _ = write!(out, ", {added} insertion{}(+)", s(added));
    }
    if removed > 0 || added == 0 {
        let _ = write!(out, ", {removed} deletion{}(-)", s(removed));
    }
    out.push('\n');
    out
}

/// Writes `Name: value`, folded at blanks.
pub(crate) fn header(out: &mut String, name: &str, value: &str) {
    let mut column = name.len() + 1;
    let _ = write!(out, "{name}:");
    for (at, word) in value.split(' ').enumerate() {
        if at > 0 && column + 1 + word.len() > FOLD {
            out.push('\n');
            column = 0;
        }
        let _ = write!(out, " {word}");
        column += 1 + word.len();
    }
    out.push('\n');
}

pub(crate) fn address(person: &Person) -> String {
    let name = &person.name;
    let plain = |c: char| c.is_ascii_alphanumeric() || " !#$%&'*+-/=?^_`{|}~".contains(c);
    let name = if !name.is_ascii() {
        encoded(name)
    } else if name.chars().all(plain) {
        name.clone()
    } else {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    };
    format!("{name} <{}>", person.email)
}

/// Text for a header: as it is, or where it is not ASCII in RFC 2047's words.
pub(crate) fn encoded(text: &str) -> String {
    if text.is_ascii() && !text.contains("=?") {
        return text.to_owned();
    }
    let mut words = vec![String::new()];
    for c in text.chars() {
        let mut piece = String::new();
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            if byte.is_ascii_alphanumeric() {
                piece.push(char::from(byte));
            } else {
                let _ = write!(piece, "={byte:02X}");
            }
        }
        // A word has 75 characters at most, and no character is cut in two.
        match words.last_mut() {
            Some(word) if word.len() + piece.len() <= 60 => word.push_str(&piece),
            _ => words.push(piece),
        }
    }
    words
        .iter()
        .map(|word| format!("=?UTF-8?q?{word}?="))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_quoted_body_begins_with_from() {
        for before in 0..160 {
            let body = format!("From {}From here\n", "x".repeat(before));
            let quoted = quoted_printable(body.as_bytes());
            let quoted = String::from_utf8_lossy(&quoted).into_owned();
            let begins = quoted.lines().any(|line| line.starts_with("From "));
            assert!(!begins, "{quoted}");
        }
    }
}
