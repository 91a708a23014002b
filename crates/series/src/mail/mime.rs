//! One mail: its headers, and the texts in its parts.

use std::borrow::Cow;

use mail_parser::decoders::{
    base64::base64_decode, html::html_to_text, quoted_printable::quoted_printable_decode,
};
use mail_parser::{Addr, HeaderValue, MessageParser, MimeHeaders};

use super::body::has_diff;
use super::lines::{is_header, is_separator, lines, without_transport_cr};
use super::message::{Layout, Message};
use crate::person::Person;
use crate::text::one_line;

/// The most that a mail's or a part's headers have, in bytes.
const MAX_HEADERS: usize = 256 << 10;
/// The most MIME parts of one message, and how deep they may lie.
const MAX_PARTS: usize = 256;
const MAX_DEPTH: usize = 8;
/// The most recipients of a mail that are kept.
const MAX_RECIPIENTS: usize = 100;

/// Reads one mail and what files of `git format-patch` are attached to it;
/// nothing where it is no mail.
pub(super) fn read(raw: &[u8]) -> Vec<Message> {
    let Some(mut message) = head(raw) else {
        return Vec::new();
    };
    message.to = recipients(raw);
    let mut texts = Texts::default();
    texts.collect(raw, 0);
    let html = String::from_utf8_lossy(&texts.html);
    message.body = without_transport_cr(if texts.plain.is_empty() && !html.is_empty() {
        html_to_text(&html).into_bytes()
    } else {
        texts.plain
    });
    message.charset = texts.charset;
    message.layout = texts.layout;
    let mut attached: Vec<Message> = texts.files.iter().filter_map(|file| file.read()).collect();
    if let [one] = attached.as_mut_slice()
        && !has_diff(&message.body)
    {
        // The mail only carries it: what is answered is the mail.
        one.id = message.id;
        one.to = message.to;
        one.answers = message.answers;
        one.from = one.from.take().or(message.from);
        one.date = one.date.take().or(message.date);
        return attached;
    }
    for one in &mut attached {
        one.answers = message.id.iter().chain(&message.answers).cloned().collect();
        one.from = one.from.take().or_else(|| message.from.clone());
        one.date = one.date.take().or_else(|| message.date.clone());
    }
    attached.insert(0, message);
    attached
}

/// Reads what a mail's headers say; none where it has neither sender nor
/// subject, or more headers than any mail.
pub(super) fn head(raw: &[u8]) -> Option<Message> {
    if !lines(raw).next().is_some_and(is_header) {
        return None;
    }
    let (headers, _) = split_headers(raw);
    if headers.len() > MAX_HEADERS {
        return None;
    }
    let headers = only(
        headers,
        &[
            "from",
            "date",
            "subject",
            "message-id",
            "in-reply-to",
            "references",
        ],
    );
    let mail = MessageParser::new().parse_headers(&headers)?;
    if mail.subject().is_none() && mail.from().is_none() {
        return None;
    }
    let ids = |value: &HeaderValue| -> Vec<String> {
        match value {
            HeaderValue::Text(id) => vec![one_line(id)],
            HeaderValue::TextList(ids) => ids.iter().rev().map(|id| one_line(id)).collect(),
            _ => Vec::new(),
        }
    };
    let from = mail.from().and_then(|from| from.first()).and_then(person);
    let mut answers = ids(mail.in_reply_to());
    answers.extend(ids(mail.references()));
    Some(Message {
        subject: one_line(mail.subject().unwrap_or_default()),
        from,
        date: mail
            .date()
            .filter(|date| date.is_valid())
            .map(mail_parser::DateTime::to_rfc822),
        id: mail.message_id().map(one_line),
        answers,
        to: Vec::new(),
        body: Vec::new(),
        charset: None,
        layout: Layout::Fixed,
    })
}

fn person(address: &Addr) -> Option<Person> {
    let email = address.address.as_deref().map(one_line).unwrap_or_default();
    let name = address.name.as_deref().map(one_line);
    let name = name
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| email.clone());
    (!name.is_empty()).then_some(Person { name, email })
}

fn recipients(raw: &[u8]) -> Vec<Person> {
    let (headers, _) = split_headers(raw);
    let headers = only(headers, &["to", "cc"]);
    let Some(mail) = MessageParser::new().parse_headers(&headers) else {
        return Vec::new();
    };
    let all = [mail.to(), mail.cc()].into_iter().flatten();
    all.flat_map(mail_parser::Address::iter)
        .filter_map(person)
        .filter(|person| !person.email.is_empty())
        .take(MAX_RECIPIENTS)
        .collect()
}

/// These headers alone, with the blank line behind them. A mail from a list has
/// ten times as many.
fn only(headers: &[u8], names: &[&str]) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut keep = false;
    for line in lines(headers) {
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            let name = name.trim_ascii_end();
            keep = names
                .iter()
                .any(|wanted| name.eq_ignore_ascii_case(wanted.as_bytes()));
        }
        if keep {
            kept.extend_from_slice(line);
        }
    }
    kept.push(b'\n');
    kept
}

/// Whether a mail that is not called one may still carry a patch.
pub(super) fn may_have_diff(raw: &[u8]) -> bool {
    let (headers, body) = split_headers(raw);
    let lower = headers.to_ascii_lowercase();
    let encoded = [&b"base64"[..], b"multipart/"]
        .iter()
        .any(|word| memchr::memmem::find(&lower, word).is_some());
    if encoded {
        return read(raw).iter().any(|message| has_diff(&message.body));
    }
    has_diff(body)
}

/// A file of `git format-patch`, attached.
struct File {
    bytes: Vec<u8>,
    charset: Option<String>,
}

impl File {
    fn read(&self) -> Option<Message> {
        let raw = match lines(&self.bytes).next() {
            Some(first) if is_separator(first) => &self.bytes[first.len()..],
            _ => &self.bytes,
        };
        let mut message = head(raw)?;
        let mut texts = Texts::default();
        texts.collect(raw, MAX_DEPTH);
        message.body = without_transport_cr(texts.plain);
        message.charset = texts.charset.or_else(|| self.charset.clone());
        Some(message)
    }
}

/// The texts of a mail, decoded but for their charset. The library's own walk
/// over MIME parts turns them into UTF-8, which a diff must not be.
#[derive(Default)]
struct Texts {
    plain: Vec<u8>,
    html: Vec<u8>,
    charset: Option<String>,
    layout: Layout,
    files: Vec<File>,
    parts: usize,
}

impl Texts {
    fn collect(&mut self, raw: &[u8], depth: usize) {
        self.parts += 1;
        if depth > MAX_DEPTH || self.parts > MAX_PARTS {
            return;
        }
        // A part may have no headers: its body begins with a blank line.
        let (headers, body) = split_headers(raw);
        if headers.len() > MAX_HEADERS {
            return;
        }
        let of_content = [
            "content-type",
            "content-transfer-encoding",
            "content-disposition",
        ];
        let headers = only(headers, &of_content);
        let mail = MessageParser::new().parse_headers(&headers);
        let part = mail.as_ref().map(mail_parser::Message::root_part);
        let kind = part.and_then(|part| part.content_type());
        let (main, sub) = kind.map_or(("text", "plain"), |kind| {
            (kind.ctype(), kind.subtype().unwrap_or(""))
        });
        if main.eq_ignore_ascii_case("multipart") {
            if let Some(boundary) = kind.and_then(|kind| kind.attribute("boundary")) {
                self.split(body, boundary, depth);
            }
            return;
        }
        let name = part
            .and_then(|part| part.attachment_name())
            .unwrap_or_default()
            .to_ascii_lowercase();
        let is_text = main.eq_ignore_ascii_case("text");
        let is_file = [".patch", ".diff", ".txt"]
            .iter()
            .any(|suffix| name.ends_with(suffix))
            || (is_text
                && ["x-patch", "x-diff"]
                    .iter()
                    .any(|s| sub.eq_ignore_ascii_case(s)));
        if !is_text && !is_file {
            return;
        }
        let encoding = part
            .and_then(|part| part.content_transfer_encoding())
            .unwrap_or_default();
        // What can't be decoded is taken as it is, and fails as a patch.
        let decoded = if encoding.eq_ignore_ascii_case("base64") {
            base64_decode(body)
        } else if encoding.eq_ignore_ascii_case("quoted-printable") {
            quoted_printable_decode(body)
        } else {
            None
        };
        let decoded = decoded.map_or(Cow::Borrowed(body), Cow::Owned);
        if sub.eq_ignore_ascii_case("html") {
            self.html.extend_from_slice(&decoded);
            return;
        }
        let attribute = |name| kind.and_then(|kind| kind.attribute(name));
        let charset = attribute("charset")
            .map(one_line)
            .filter(|name| !name.is_empty());
        if is_file && is_mail(&decoded) {
            self.files.push(File {
                bytes: decoded.into_owned(),
                charset,
            });
            return;
        }
        if self.plain.is_empty() {
            let is = |name, value| {
                attribute(name).is_some_and(|found: &str| found.eq_ignore_ascii_case(value))
            };
            if is("format", "flowed") {
                self.layout = Layout::Flowed {
                    delsp: is("delsp", "yes"),
                };
            }
        }
        self.charset = self.charset.take().or(charset);
        if !self.plain.is_empty() && !self.plain.ends_with(b"\n") {
            self.plain.push(b'\n');
        }
        self.plain.extend_from_slice(&decoded);
    }

    fn split(&mut self, body: &[u8], boundary: &str, depth: usize) {
        let (mut at, mut start) = (0, None);
        for line in lines(body) {
            if let Some(rest) = line.strip_prefix(b"--")
                && let Some(rest) = rest.strip_prefix(boundary.as_bytes())
                && matches!(rest.trim_ascii_end(), b"" | b"--")
            {
                if let Some(start) = start {
                    // The newline before a boundary belongs to it.
                    let part = &body[start..at];
                    let part = part.strip_suffix(b"\n").unwrap_or(part);
                    self.collect(part.strip_suffix(b"\r").unwrap_or(part), depth + 1);
                }
                start = (rest.trim_ascii_end().is_empty()).then_some(at + line.len());
            }
            at += line.len();
        }
        // A cut mail lacks the last boundary.
        if let Some(start) = start {
            self.collect(&body[start..], depth + 1);
        }
    }
}

/// A mail's headers with the blank line behind them, and its body.
fn split_headers(raw: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    for line in lines(raw) {
        at += line.len();
        if matches!(line, b"\n" | b"\r\n") {
            break;
        }
    }
    raw.split_at(at)
}

/// Whether an attached file is a mail with a patch.
fn is_mail(file: &[u8]) -> bool {
    let Some(first) = lines(file).next() else {
        return false;
    };
    let starts = is_separator(first)
        || [&b"From: "[..], b"Subject: ", b"Date: "]
            .iter()
            .any(|name| first.starts_with(name));
    starts && has_diff(file)
}
