//! Lines of a diff as bytes, and errors that show them.

use crate::patch::error::Error;

pub(super) fn split_once(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == at) {
        Some(found) => (&text[..found], Some(&text[found + 1..])),
        None => (text, None),
    }
}

pub(super) fn ascii(text: &[u8]) -> Option<&str> {
    text.is_ascii().then(|| str::from_utf8(text).ok()).flatten()
}

/// The line without its newline.
pub(super) fn chomp(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Bytes for a message: short, and UTF-8.
pub(super) fn show(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned()
}

pub(super) fn header(line: usize, why: &'static str, text: &[u8]) -> Error {
    Error::Header {
        line,
        why,
        text: show(chomp(text)),
    }
}

pub(super) fn too_large(line: usize, what: &'static str, limit: usize) -> Error {
    Error::TooLarge { line, what, limit }
}
