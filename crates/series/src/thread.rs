//! Mail in the forms that people have it in, read into a [`Thread`].
//!
//! Three forms are told apart by their first lines, gzipped or not: the plain
//! text that a web archive renders of a thread, an mbox (`git format-patch`
//! writes one too), and a lone message. Bodies stay bytes, because a patch may touch
//! files in any encoding; only the transfer encoding is undone.

use std::sync::LazyLock;

use mail_parser::decoders::charsets::map::charset_decoder;
use regex::bytes::Regex as BytesRegex;

use crate::mailbox::{self, Mails};
use crate::patch::Person;

/// The largest input, in bytes.
pub const MAX_BYTES: usize = 64 << 20;
/// The most messages of one thread.
pub const MAX_MESSAGES: usize = 100_000;

/// Messages, in the order of the input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thread {
    /// The messages.
    pub messages: Vec<Message>,
    /// How many patches the archive says were posted, where it says so.
    pub announced: Option<u32>,
}

/// One mail. Header texts are decoded, on one line, and without control
/// characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The subject with its `Re:` and `[PATCH …]`.
    pub subject: String,
    /// The sender; the address is empty where an archive does not show it.
    pub from: Option<Person>,
    /// When it was sent, as RFC 2822.
    pub date: Option<String>,
    /// Its message id, without angle brackets.
    pub id: Option<String>,
    /// The ids that it answers, the nearest first.
    pub answers: Vec<String>,
    /// To whom it was sent, copies too.
    pub to: Vec<Person>,
    /// The text parts one after another, transfer encoding undone.
    pub body: Vec<u8>,
    /// The charset of the text, where the mail names one.
    pub charset: Option<String>,
    /// How its lines are meant.
    pub layout: Layout,
}

/// How the lines of a text are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Layout {
    /// As they are.
    #[default]
    Fixed,
    /// `format=flowed` (RFC 3676): a line that ends in a blank goes on.
    Flowed {
        /// The blank at the end belongs to the mark, not to the text.
        delsp: bool,
    },
}

/// Why an input is no thread.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing there.
    #[error("the input is empty; give a mail thread, an mbox or files of `git format-patch`")]
    Empty,
    /// More bytes or messages than a thread has.
    #[error("the input has more than {limit} {what}; save only the thread of the series")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A gzip that is cut, damaged, or grows beyond all measure.
    #[error("the gzipped input {0}")]
    Gzip(String),
    /// The place that it comes from fails.
    #[error("the input can't be read: {0}")]
    Read(String),
    /// A diff alone.
    #[error(
        "the input is a bare diff, without author, date and changelog; commit it and give the file that `git format-patch` writes"
    )]
    BareDiff,
    /// None of the known forms.
    #[error(
        "the input begins with {0:?} and is no mail; give an archive's plain text of the thread, an mbox or files of `git format-patch`"
    )]
    Unrecognised(String),
    /// One file of several.
    #[error("{name}: {error}")]
    File {
        /// The file.
        name: String,
        /// What is wrong with it.
        error: Box<Error>,
    },
}

impl Error {
    /// Whether the input is something else than mail.
    pub fn is_no_mail(&self) -> bool {
        matches!(self, Self::Empty | Self::BareDiff | Self::Unrecognised(_))
    }
}

/// Reads a thread in whichever of the known forms it is.
///
/// # Errors
/// [`Error`] where it is in none of them, empty, or larger than
/// [`MAX_BYTES`].
pub fn parse(input: &[u8]) -> Result<Thread, Error> {
    if input.len() > MAX_BYTES {
        return Err(Error::TooLarge {
            what: "bytes",
            limit: MAX_BYTES,
        });
    }
    let mut mails = Mails::new(input)?;
    let mut thread = Thread::default();
    while let Some(mail) = mails.next()? {
        if mail.is_cut() {
            return Err(Error::TooLarge {
                what: "bytes in one mail",
                limit: mailbox::MAX_MAIL,
            });
        }
        thread.messages.extend(mail.read());
        if thread.messages.len() > MAX_MESSAGES {
            return Err(Error::TooLarge {
                what: "messages",
                limit: MAX_MESSAGES,
            });
        }
    }
    thread.announced = mails.announced();
    if thread.messages.is_empty() {
        return Err(Error::Unrecognised(
            "From …, but no mail behind it".to_owned(),
        ));
    }
    Ok(thread)
}

/// Reads files that belong together, as a folder of `git format-patch` has
/// them: in the order of their names, each in any form that [`parse`] reads.
///
/// # Errors
/// [`Error::File`] for the first file that can't be read, [`Error::Empty`]
/// where there is none.
pub fn parse_files(files: &[(String, Vec<u8>)]) -> Result<Thread, Error> {
    let mut files: Vec<_> = files.iter().collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    if files.iter().map(|file| file.1.len()).sum::<usize>() > MAX_BYTES {
        return Err(Error::TooLarge {
            what: "bytes",
            limit: MAX_BYTES,
        });
    }
    let mut all = Thread::default();
    for (name, bytes) in files {
        let thread = parse(bytes).map_err(|error| Error::File {
            name: clean(name),
            error: Box::new(error),
        })?;
        all.messages.extend(thread.messages);
        all.announced = all.announced.or(thread.announced);
    }
    if all.messages.is_empty() {
        return Err(Error::Empty);
    }
    Ok(all)
}

impl Message {
    /// Decodes bytes of this message's body: by its charset, else as UTF-8,
    /// else as Latin-1, which is how git guesses.
    pub fn decode(&self, bytes: &[u8]) -> String {
        let decoder = self
            .charset
            .as_deref()
            .filter(|name| !name.eq_ignore_ascii_case("us-ascii"))
            .and_then(|name| charset_decoder(name.as_bytes()));
        match (decoder, str::from_utf8(bytes)) {
            (Some(decode), _) => decode(bytes),
            (None, Ok(text)) => text.to_owned(),
            (None, Err(_)) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        }
    }
}

static SEPARATOR: LazyLock<BytesRegex> =
    LazyLock::new(|| bytes_regex(r"\AFrom .*\d:\d\d:\d\d .*\d{4}\s*\z"));
static HEADER: LazyLock<BytesRegex> = LazyLock::new(|| bytes_regex(r"\A>?[A-Za-z][A-Za-z0-9-]*:"));
static ANNOUNCED: LazyLock<BytesRegex> =
    LazyLock::new(|| bytes_regex(r"\A.+ posted (\d{1,4}) patch(?:es)?\s"));
static POSTED: LazyLock<BytesRegex> = LazyLock::new(|| {
    // The time is relative ("1 month ago", with hard blanks), so it is of no
    // use; it only shows where the name ends.
    bytes_regex(r"\APosted by (.+?)(?: (?:\d+[\s\x{a0}][^<>]* ago|just now|on \S.*))?\s*\z")
});

pub(crate) fn bytes_regex(pattern: &str) -> BytesRegex {
    #[allow(
        clippy::expect_used,
        reason = "constant patterns; every test would fail"
    )]
    BytesRegex::new(pattern).expect("a valid pattern")
}

pub(crate) fn is_separator(line: &[u8]) -> bool {
    line.len() < 1000 && SEPARATOR.is_match(line)
}

pub(crate) fn is_header(line: &[u8]) -> bool {
    HEADER.is_match(line)
}

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
            starts.push((at - before.len(), before.to_vec(), text_of(name.as_bytes())));
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
            subject: clean(&text_of(&subject)),
            from: Some(Person {
                name: clean_name(&name),
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

/// Text on one line, blanks collapsed, controls dropped: a terminal shows it
/// as it is.
pub(crate) fn clean(text: &str) -> String {
    let text = text.replace(char::is_whitespace, " ");
    let visible: String = text.chars().filter(|c| !c.is_control()).collect();
    visible
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The same, and without what an address would be told by.
pub(crate) fn clean_name(name: &str) -> String {
    clean(&name.replace(['<', '>'], ""))
}

pub(crate) fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(input: &str) -> Vec<String> {
        let thread = parse(input.as_bytes()).unwrap();
        thread
            .messages
            .iter()
            .map(|one| format!("{}|{}", one.subject, one.decode(&one.body)))
            .collect()
    }

    const FROM: &str = "From a@b Fri Aug 29 14:55:50 2025\nFrom: A <a@b.c>\n";
    const GIT: &str =
        "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: A <a@b.c>\n";

    #[test]
    fn an_mbox_is_split_and_unquoted() {
        let prose = "From here on, at 12:30:45 of 2024\nit is prose.\n";
        let mbox = format!(
            "{FROM}Subject: one\n\n>From x\n>>From y\n{prose}\n{GIT}Subject: two\n\n>From z\n"
        );
        assert_eq!(
            bodies(&mbox),
            [
                format!("one|From x\n>From y\n{prose}\n"),
                "two|>From z\n".to_owned()
            ]
        );
        assert_eq!(bodies(&mbox.replace('\n', "\r\n")), bodies(&mbox));
    }

    #[test]
    fn a_carriage_return_of_the_file_stays() {
        let mail = "From: a@b\nSubject: x\n\nText\n+a\r\n";
        assert_eq!(bodies(mail), ["x|Text\n+a\r\n"]);
        let encoded = "From: a@b\nSubject: x\nContent-Transfer-Encoding: base64\n\nYQ0KYg0K\n";
        assert_eq!(bodies(encoded), ["x|a\nb\n"]);
    }

    #[test]
    fn mime_parts_become_one_text() {
        let mail = "From: =?utf-8?q?J=C3=B6rg?= <j@e.org>\nSubject: =?iso-8859-1?q?gr=FCn?=\n and\t folded\nMessage-ID: <1@x>\nReferences: <a@x> <b@x>\nIn-Reply-To: <c@x>\nContent-Type: multipart/mixed; boundary=\"o\"\n\nignored\n--o\nContent-Type: multipart/alternative; boundary=\"i\"\n\n--i\n\nplain=20\n--i\nContent-Type: text/html\n\n<b>html</b>\n--i--\n--o\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nW=F6rter=\n!\n--o\nContent-Type: application/octet-stream; name=a.patch\nContent-Transfer-Encoding: base64\n\nK3gK\n--o\nContent-Type: image/png\n\nno\n--o--\n";
        let thread = parse(mail.as_bytes()).unwrap();
        let [one] = &thread.messages[..] else {
            panic!("{thread:?}")
        };
        assert_eq!(one.subject, "gr\u{fc}n and folded");
        assert_eq!(one.from.as_ref().unwrap().name, "J\u{f6}rg");
        assert_eq!(one.id.as_deref(), Some("1@x"));
        assert_eq!(one.answers, ["c@x", "b@x", "a@x"]);
        assert_eq!(one.decode(&one.body), "plain=20\nW\u{f6}rter!\n+x\n");
        let html = "From: a@b\nSubject: x\nContent-Type: text/html\n\n<p>only <b>html</b></p>\n";
        assert_eq!(bodies(html)[0].trim(), "x|only html");
    }

    #[test]
    fn an_archives_text_is_split() {
        let text = "[PATCH] x\n\nA posted 3 patches 1\u{a0}month ago\n[PATCH] x\nPosted by A, B 2\u{a0}weeks, 1\u{a0}day ago\nbody\nPosted by nobody\nRe: [PATCH] x\nPosted by C D just now\nreply\n";
        let thread = parse(text.replace('\n', "\r\n").as_bytes()).unwrap();
        assert_eq!(thread.announced, Some(3));
        let read: Vec<String> = (thread.messages.iter())
            .map(|m| {
                format!(
                    "{}|{}|{}",
                    m.subject,
                    m.from.as_ref().unwrap().name,
                    m.decode(&m.body)
                )
            })
            .collect();
        assert_eq!(
            read,
            [
                "[PATCH] x|A, B|body\nPosted by nobody\n",
                "Re: [PATCH] x|C D|reply\n"
            ]
        );
    }

    #[test]
    fn files_are_read_in_the_order_of_their_names() {
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        let mail = |subject: &str| format!("From: a@b\nSubject: {subject}\n\nx\n");
        let thread = parse_files(&[file("2", &mail("two")), file("1", &mail("one"))]).unwrap();
        assert_eq!(thread.messages[0].subject, "one");
        let error =
            parse_files(&[file("1", &mail("one")), file("README\u{1b}", "Hello")]).unwrap_err();
        insta::assert_snapshot!(error, @r#"
    README: the input begins with "Hello" and is no mail; give an archive's plain text of the thread, an mbox or files of `git format-patch`
    "#);
        assert_eq!(parse_files(&[]), Err(Error::Empty));
    }
}
