//! Mail as bytes, line by line.

use std::sync::LazyLock;

use regex::bytes::Regex as BytesRegex;

use crate::pattern::bytes_regex;

static SEPARATOR: LazyLock<BytesRegex> =
    LazyLock::new(|| bytes_regex(r"\AFrom .*\d:\d\d:\d\d .*\d{4}\s*\z"));
static HEADER: LazyLock<BytesRegex> = LazyLock::new(|| bytes_regex(r"\A>?[A-Za-z][A-Za-z0-9-]*:"));

pub(crate) fn is_separator(line: &[u8]) -> bool {
    line.len() < 1000 && SEPARATOR.is_match(line)
}

pub(crate) fn is_header(line: &[u8]) -> bool {
    HEADER.is_match(line)
}

/// Lines with their newline.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

/// Mail travels with CR LF. Where every line has one it is the transport's;
/// a CR on some lines only (a diff's headers never have one of their own) is
/// the file's.
pub(crate) fn without_transport_cr(body: Vec<u8>) -> Vec<u8> {
    let all_have = lines(&body).all(|line| !line.ends_with(b"\n") || line.ends_with(b"\r\n"));
    if !all_have {
        return body;
    }
    let mut kept = Vec::with_capacity(body.len());
    for line in lines(&body) {
        match line.strip_suffix(b"\r\n") {
            Some(line) => kept.extend([line, b"\n"].into_iter().flatten()),
            None => kept.extend_from_slice(line),
        }
    }
    kept
}
