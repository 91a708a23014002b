//! The names of files, as the headers of a diff have them.

use super::bytes::{header, show};
use crate::patch::error::Error;
use crate::patch::path::{MAX_PATH, check_path};

/// The name in `a/NAME b/NAME`, or none where the two differ. A blank is no
/// sure separator, since names may have blanks.
pub(super) fn same_name(names: &[u8], line: usize) -> Result<Option<String>, Error> {
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
pub(super) fn stripped_path(text: &[u8], line: usize) -> Result<Option<String>, Error> {
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
pub(super) fn whole_path(text: &[u8], line: usize) -> Result<String, Error> {
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

fn bad_quotes(text: &[u8], line: usize) -> Error {
    Error::Path {
        line,
        path: show(text),
        why: "has broken quotes",
    }
}
