//! Mail written: headers folded and encoded, bodies in quoted-printable.

use std::fmt::Write as _;

use crate::person::Person;

/// Behind this column headers are folded.
const FOLD: usize = 76;

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

/// Bytes in quoted-printable (RFC 2045), `From ` at the start of a line too.
pub(crate) fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
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
