//! The lines that introduce quotes: who wrote what follows, and when.

use std::sync::LazyLock;

use jiff::civil;
use jiff::fmt::{rfc2822, strtime};
use regex::Regex;

use crate::pattern::regex;
use crate::person::Person;
use crate::text::{one_line, same};

/// The line that introduces a quote: who wrote what follows, and when.
pub(crate) struct Attribution {
    pub(crate) name: String,
    pub(crate) email: Option<String>,
    pub(crate) when: Option<When>,
    /// The first line of the quote, without its mark.
    pub(crate) quoted: String,
}

/// A time out of a reply's words.
pub(crate) struct When {
    /// 0: to the second with its zone. 1: no zone. 2: of the reader's clock.
    pub(crate) doubt: u8,
    /// As RFC 2822.
    pub(crate) text: String,
}

impl Attribution {
    pub(crate) fn is_of(&self, person: &Person) -> bool {
        same(&self.name, &person.name)
            || (self.email.is_some() && self.email.as_ref() == Some(&person.email))
    }
}

/// The attributions of a reply's own quotes, not of quotes in quotes.
pub(super) fn attributions(text: &str) -> Vec<Attribution> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let next = lines.get(at + 1).copied().unwrap_or_default();
        let (told, quote) = match attribution(line) {
            Some(told) => (told, at + 1),
            // Mailers wrap it.
            None if line.starts_with("On ") && next.ends_with("wrote:") => {
                match attribution(&format!("{line} {next}")) {
                    Some(told) => (told, at + 2),
                    None => continue,
                }
            }
            None => continue,
        };
        let quote = lines[quote..].iter().find(|line| !line.is_empty());
        let Some(quoted) = quote.and_then(|line| line.strip_prefix('>')) else {
            continue;
        };
        let quoted = quoted.strip_prefix(' ').unwrap_or(quoted).to_owned();
        found.push(Attribution { quoted, ..told });
    }
    found
}

pub(super) fn attribution(line: &str) -> Option<Attribution> {
    static WROTE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"^On (.{0,60}?\d:\d\d(?::\d\d)?(?:\s?[AP]M)?(?: [+-]\d{4})?),? "?([^"<>]+?)"?,?(?: <([^<>\s]+)>)? wrote:$"#,
        )
    });
    static STARRED: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^\* ([^<>]+?) <([^<>\s]+)> \[(\d{6} \d\d:\d\d)\]:$"));
    if line.len() > 500 || !(line.starts_with("On ") || line.starts_with("* ")) {
        return None;
    }
    let text = |found: &regex::Captures, at| found.get(at).map(|part| one_line(part.as_str()));
    if let Some(found) = STARRED.captures(line) {
        let when = civil("%y%m%d %H:%M", &found[3]);
        let when = when.map(|text| When { doubt: 2, text });
        return Some(Attribution {
            name: text(&found, 1)?,
            email: text(&found, 2),
            when,
            quoted: String::new(),
        });
    }
    let found = WROTE.captures(line)?;
    let time = &found[1];
    let exact = ["%a, %b %d, %Y at %I:%M:%S%p %z", "%a, %d %b %Y %H:%M:%S %z"];
    let when = exact
        .iter()
        .find_map(|format| {
            let time = strtime::parse(format, time).ok()?.to_zoned().ok()?;
            Some(When {
                doubt: 0,
                text: rfc2822::to_string(&time).ok()?,
            })
        })
        .or_else(|| civil("%a %d-%m-%y %H:%M:%S", time).map(|text| When { doubt: 1, text }));
    Some(Attribution {
        name: text(&found, 2)?,
        email: text(&found, 3),
        when,
        quoted: String::new(),
    })
}

/// A time without its zone, which RFC 2822 writes `-0000`.
fn civil(format: &str, text: &str) -> Option<String> {
    let time: civil::DateTime = strtime::parse(format, text).ok()?.to_datetime().ok()?;
    Some(time.strftime("%a, %d %b %Y %H:%M:%S -0000").to_string())
}
