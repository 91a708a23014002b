//! What stands in a mail's body above its diff, and where that begins. Git's
//! rules, where git has some.

use mail_parser::MessageParser;

use crate::person::Person;
use crate::text::{one_line, plain_name};

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
pub(crate) struct InnerHeaders {
    pub(crate) from: Option<Person>,
    pub(crate) date: Option<String>,
    pub(crate) subject: Option<String>,
}

pub(crate) fn inner_headers(text: &str) -> (InnerHeaders, &str) {
    let mut inner = InnerHeaders::default();
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
                let email = from.address.as_deref().map(one_line).unwrap_or_default();
                let name = from
                    .name
                    .as_deref()
                    .map_or_else(|| email.clone(), plain_name);
                inner.from = Some(Person { name, email }).filter(|from| !from.email.is_empty());
            }
            if let Some(date) = mail.date().filter(|date| date.is_valid()) {
                inner.date = Some(date.to_rfc822());
            }
            if let Some(subject) = mail.subject() {
                inner.subject = Some(one_line(subject));
            }
        }
        any = true;
        rest = &rest[end..];
    }
    if any {
        (inner, rest)
    } else {
        (InnerHeaders::default(), text)
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
