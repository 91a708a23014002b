//! The plain text that a web archive renders of a thread.

use std::sync::LazyLock;

use regex::bytes::Regex as BytesRegex;

use super::error::{Error, MAX_MESSAGES};
use super::lines::{is_header, lines, without_transport_cr};
use super::message::{Layout, Message, Thread};
use crate::pattern::bytes_regex;
use crate::person::Person;
use crate::text::{lossy, one_line, plain_name};

static ANNOUNCED: LazyLock<BytesRegex> =
    LazyLock::new(|| bytes_regex(r"\A.+ posted (\d{1,4}) patch(?:es)?\s"));

static POSTED: LazyLock<BytesRegex> = LazyLock::new(|| {
    // The time is relative ("1 month ago", with hard blanks), so it is of no
    // use; it only shows where the name ends.
    bytes_regex(r"\APosted by (.+?)(?: (?:\d+[\s\x{a0}][^<>]* ago|just now|on \S.*))?\s*\z")
});

/// Reads an archive's plain text: a title, `NAME posted N patches WHEN`, and
/// for each message its subject, `Posted by NAME WHEN`, and the body. None
/// where the input is not such a text.
pub(crate) fn archive(input: &[u8]) -> Result<Option<Thread>, Error> {
    let announced = lines(input).take(6).find_map(|line| {
        let digits = ANNOUNCED.captures(line)?.get(1)?;
        str::from_utf8(digits.as_bytes()).ok()?.parse().ok()
    });
    // Where the subject, the "Posted by" and the body begin.
    let mut starts: Vec<(usize, Vec<u8>, String)> = Vec::new();
    let mut bodies = Vec::new();
    let (mut at, mut before): (usize, &[u8]) = (0, b"");
    for line in lines(input) {
        let is_subject = before.starts_with(b"[") || before.starts_with(b"Re: ");
        if is_subject
            && line.len() < 1000
            && let Some(name) = POSTED.captures(line).and_then(|found| found.get(1))
        {
            if starts.len() == MAX_MESSAGES {
                return Err(Error::TooLarge {
                    what: "messages",
                    limit: MAX_MESSAGES,
                });
            }
            starts.push((at - before.len(), before.to_vec(), lossy(name.as_bytes())));
            bodies.push(at + line.len());
        } else if starts.is_empty() && at > 0 && is_header(line) && announced.is_none() {
            // A mail that quotes such a text somewhere.
            return Ok(None);
        }
        before = line;
        at += line.len();
    }
    if starts.is_empty() {
        return Ok(None);
    }
    let ends: Vec<_> = starts
        .iter()
        .skip(1)
        .map(|start| start.0)
        .chain([input.len()])
        .collect();
    let messages = starts
        .into_iter()
        .zip(bodies)
        .zip(ends)
        .map(|(((_, subject, name), body), end)| Message {
            subject: one_line(&lossy(&subject)),
            from: Some(Person {
                name: plain_name(&name),
                email: String::new(),
            }),
            date: None,
            id: None,
            answers: Vec::new(),
            to: Vec::new(),
            body: without_transport_cr(input[body..end].to_vec()),
            charset: None,
            layout: Layout::Fixed,
        })
        .collect();
    Ok(Some(Thread {
        messages,
        announced,
    }))
}
