//! What an answer says: its own words, whom it quotes and since when, the
//! trailers that it offers, and those that only stand in it.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use jiff::civil;
use jiff::fmt::{rfc2822, strtime};
use regex::Regex;

use crate::changelog::{person, trailer};
use crate::patch::Person;
use crate::regex;
use crate::series::Offer;
use crate::thread::clean;

pub(crate) fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// The most trailers that are taken from one answer.
const MAX_OFFERS: usize = 500;
/// The longest trailer, in bytes.
const MAX_OFFER: usize = 1000;

/// An answer, taken apart.
#[derive(Default)]
pub(crate) struct Answer {
    /// Its own words.
    pub(crate) said: Vec<Paragraph>,
    /// Whom it quotes.
    pub(crate) told: Vec<Attribution>,
    /// The trailers that it offers.
    pub(crate) offers: Vec<Offer>,
    /// The trailers that it does not.
    pub(crate) strays: Vec<Stray>,
    /// The lines that it quotes and says something about, by their hashes.
    pub(crate) quoted: Vec<u64>,
}

impl Answer {
    pub(crate) fn read(text: &str) -> Self {
        let mut answer = Self {
            told: attributions(text),
            ..take_apart(text)
        };
        answer.offers = offers(&answer.said);
        answer.shrink();
        answer
    }

    /// Of a long thread all answers are held at once.
    fn shrink(&mut self) {
        self.said.shrink_to_fit();
        for paragraph in &mut self.said {
            paragraph.lines.shrink_to_fit();
            paragraph.lines.iter_mut().for_each(String::shrink_to_fit);
        }
        self.told.shrink_to_fit();
        self.offers.shrink_to_fit();
        self.strays.shrink_to_fit();
        self.quoted.shrink_to_fit();
    }
}

/// Lines of an answer's own words between blank lines or quotes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Paragraph {
    pub(crate) lines: Vec<String>,
    /// The quoted line right above it.
    pub(crate) about: Option<String>,
}

/// A trailer in an answer that its author does not give.
pub(crate) struct Stray {
    pub(crate) name: String,
    pub(crate) value: String,
    /// In the signature, else in a quote.
    pub(crate) signature: bool,
}

/// A line as it is found again in quotes, however they indent it.
pub(crate) fn line_hash(line: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    for word in line.split_whitespace() {
        word.hash(&mut hasher);
    }
    hasher.finish()
}

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
fn attributions(text: &str) -> Vec<Attribution> {
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

fn attribution(line: &str) -> Option<Attribution> {
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
    let text = |found: &regex::Captures, at| found.get(at).map(|part| clean(part.as_str()));
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

/// Splits a reply into its own words, by paragraphs (a quote ends one too),
/// and what it quotes.
fn take_apart(text: &str) -> Answer {
    let mut answer = Answer::default();
    let mut paragraph = Paragraph::default();
    let mut run: Vec<&str> = Vec::new();
    let mut about: Option<&str> = None;
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut end = lines.len();
    for (at, line) in lines.iter().enumerate() {
        let next = lines.get(at + 1).copied().unwrap_or_default();
        if *line == "--"
            || line.starts_with("-----Original Message-----")
            || line.starts_with("diff --git ")
        {
            end = at;
            break;
        }
        let wrapped = line.starts_with("On ") && next.ends_with("wrote:");
        let introduces = line.starts_with("On ") && line.ends_with("wrote:")
            || wrapped
            || *line == "wrote:"
            || attribution(line).is_some();
        let quote = line.trim_start().strip_prefix('>');
        if line.is_empty() || quote.is_some() || introduces {
            if !paragraph.lines.is_empty() {
                answer.said.push(std::mem::take(&mut paragraph));
            }
            if let Some(quote) = quote {
                let quote = quote.strip_prefix(' ').unwrap_or(quote);
                let innermost = quote.trim_start_matches(['>', ' ']);
                stray(&mut answer.strays, innermost, false);
                if !quote.starts_with('>') && !quote.is_empty() {
                    run.push(quote);
                    about = Some(quote);
                }
            }
        } else {
            if paragraph.lines.is_empty() {
                paragraph.about = about.take().map(visible);
                answer.quoted.extend(run.drain(..).map(line_hash));
            }
            paragraph.lines.push(visible(line));
        }
    }
    if !paragraph.lines.is_empty() {
        answer.said.push(paragraph);
    }
    if lines.get(end) == Some(&"--") {
        for line in &lines[end + 1..] {
            stray(&mut answer.strays, line.trim_start(), true);
        }
    }
    answer
}

/// Without what would move a terminal's cursor.
fn visible(line: &str) -> String {
    line.chars()
        .filter(|c| !c.is_control() || *c == '\t')
        .collect()
}

fn stray(strays: &mut Vec<Stray>, line: &str, signature: bool) {
    if strays.len() < MAX_OFFERS
        && line.len() <= MAX_OFFER
        && let Some((name, value)) = trailer(line)
        && name.len() > 3
        && name.as_bytes()[name.len() - 3..].eq_ignore_ascii_case(b"-by")
        && person(value).is_some()
    {
        strays.push(Stray {
            name: name.to_owned(),
            value: clean(value),
            signature,
        });
    }
}

/// The trailers among a reply's own words: what a tag names must be there, so
/// that `Fixes: ?` stays a question.
fn offers(paragraphs: &[Paragraph]) -> Vec<Offer> {
    let mut offers = Vec::new();
    for (at, paragraph) in paragraphs.iter().enumerate() {
        let mut said: Vec<&str> = Vec::new();
        for line in &unwrapped(&paragraph.lines) {
            if offers.len() == MAX_OFFERS {
                return offers;
            }
            let Some((name, value)) =
                trailer(line.trim_start()).filter(|tag| line.len() <= MAX_OFFER && is_offer(*tag))
            else {
                said.push(line);
                continue;
            };
            // What stands right above counts, else the paragraph before.
            let said = match at.checked_sub(1).and_then(|at| paragraphs.get(at)) {
                Some(above) if said.is_empty() => {
                    let said = above.lines.iter().map(String::as_str);
                    last_lines(said.filter(|line| offer(line).is_none()))
                }
                _ => last_lines(said.iter().copied()),
            };
            let (value, aside) = match value.rsplit_once("> ") {
                Some((address, aside)) => (format!("{address}>"), aside),
                None => (value.to_owned(), ""),
            };
            let condition = condition(aside).or_else(|| condition(last_sentence(&said)));
            offers.push(Offer {
                name: name.to_owned(),
                value,
                condition,
            });
        }
    }
    offers
}

/// Mailers wrap a trailer before the address.
fn unwrapped(lines: &[String]) -> Vec<Cow<'_, str>> {
    let mut whole: Vec<Cow<'_, str>> = Vec::with_capacity(lines.len());
    for line in lines {
        let is_address = line.starts_with('<') && line.ends_with('>');
        match whole.last_mut() {
            Some(last) if is_address && !last.contains('<') && trailer(last).is_some() => {
                *last = Cow::Owned(format!("{last} {line}"));
            }
            _ => whole.push(Cow::Borrowed(line)),
        }
    }
    whole
}

/// A sentence is not longer than this; joining all of a paragraph for each of
/// its trailers would take for ever.
fn last_lines<'a>(lines: impl DoubleEndedIterator<Item = &'a str>) -> String {
    let mut last: Vec<&str> = lines.rev().take(8).collect();
    last.reverse();
    last.join(" ")
}

/// The trailer that a line is, if it is one that people give.
pub(crate) fn offer(line: &str) -> Option<(&str, &str)> {
    (line.len() <= MAX_OFFER)
        .then(|| trailer(line).filter(|tag| is_offer(*tag)))
        .flatten()
}

fn is_offer((name, value): (&str, &str)) -> bool {
    static COMMIT: LazyLock<Regex> = LazyLock::new(|| regex(r#"^[0-9a-f]{8,40} \("#));
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "fixes" => COMMIT.is_match(value),
        "closes" | "link" => value.starts_with("https://") || value.starts_with("http://"),
        _ => name.ends_with("-by") && person(value).is_some(),
    }
}

fn last_sentence(text: &str) -> &str {
    static END: LazyLock<Regex> = LazyLock::new(|| regex(r"[.!?]\s+"));
    END.find_iter(text)
        .last()
        .map_or(text, |end| &text[end.end()..])
}

/// The sentence, if it sets a condition.
fn condition(sentence: &str) -> Option<String> {
    static CONDITION: LazyLock<Regex> = LazyLock::new(|| {
        let mend = r"(?:fix|address|clarif|chang|updat|correct|resolv|remov|add|improv|drop|fold|reword|rewrit|renam|adjust|amend|split|squash|tweak|nit|done)\w*";
        regex(&format!(
            r"(?i)\b(?:if|once|provided|assuming|modulo|unless|as long as|subject to|on condition|conditional)\b|\b(?:with|after|when)\b.*\b{mend}"
        ))
    });
    static EITHER: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?i)\bwith or without\b|\beither way\b|\bregardless\b"));
    let sentence = sentence.trim();
    let is_condition = CONDITION.is_match(sentence) && !EITHER.is_match(sentence);
    is_condition.then(|| sentence.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributions_and_their_times() {
        let table = [
            "On Fri, Aug 29, 2025 at 02:55:50PM +0800, zhongjinji wrote:",
            "On Fri, 29 Aug 2025 14:55:50 +0800, zhongjinji <z@h.com> wrote:",
            "On Fri, 29 Aug 2025 14:55:50 +0800 zhongjinji <z@h.com> wrote:",
            "On Fri 29-08-25 14:55:50, zhongjinji wrote:",
            "* zhongjinji <z@h.com> [250829 02:56]:",
            "On Fri, Aug 29, 2025 at 2:56\u{202f}PM zhongjinji <z@h.com> wrote:",
            "On 8/29/25 08:55, \"Jin Ji\" wrote:",
            "On the other hand, 2 people wrote:",
            "On Mon, Aug 29, 2025 at 02:55:50PM +0800, wrong weekday wrote:",
            "On it.",
        ];
        let read: Vec<String> = table
            .iter()
            .map(|line| match attribution(line) {
                Some(told) => {
                    let when = told
                        .when
                        .map(|when| format!("{} ({})", when.text, when.doubt));
                    format!("{} {:?} {when:?}", told.name, told.email)
                }
                None => "none".to_owned(),
            })
            .collect();
        insta::assert_snapshot!(read.join("\n"), @r#"
    zhongjinji None Some("Fri, 29 Aug 2025 14:55:50 +0800 (0)")
    zhongjinji Some("z@h.com") Some("Fri, 29 Aug 2025 14:55:50 +0800 (0)")
    zhongjinji Some("z@h.com") Some("Fri, 29 Aug 2025 14:55:50 +0800 (0)")
    zhongjinji None Some("Fri, 29 Aug 2025 14:55:50 -0000 (1)")
    zhongjinji Some("z@h.com") Some("Fri, 29 Aug 2025 02:56:00 -0000 (2)")
    zhongjinji Some("z@h.com") None
    Jin Ji None None
    none
    wrong weekday None None
    none
    "#);
        let wrapped = "On Fri, Aug 29, 2025 at 2:56 PM zhongjinji <z@h.com>\nwrote:\n\n> Hello\n";
        let found = attributions(wrapped);
        assert_eq!(
            (found[0].name.as_str(), found[0].quoted.as_str()),
            ("zhongjinji", "Hello")
        );
        assert!(attributions("> On Fri 29-08-25 14:55:50, a wrote:\n> > b\n").is_empty());
        assert_eq!(take_apart(wrapped).said, []);
    }

    #[test]
    fn offers_and_their_conditions() {
        let table = [
            "Reviewed-by: A <a@b.c>",
            "LGTM.\n\n  Acked-by: A <a@b.c>",
            "Acked-by: A Very Long Name\n<a@b.c>",
            "> Acked-by: A <a@b.c>",
            "-- \nAcked-by: A <a@b.c>",
            "Fixes: ?",
            "Fixes: 0123456789ab (\"mm: x\")",
            "Link: see below",
            "Link: https://example.org/",
            "Reviewed-by: me",
            "Cc: A <a@b.c>",
            "Anyway, with a changelog clarified.\nAcked-by: A <a@b.c>",
            "With that fixed,\n\nReviewed-by: A <a@b.c>",
            "With the\nnits addressed feel free to add:\nReviewed-by: A <a@b.c>\nTested-by: A <a@b.c>",
            "If you resend, please say why. I tested it.\nTested-by: A <a@b.c>",
            "Either way:\nAcked-by: A <a@b.c>",
            "With or without that fixed\nAcked-by: A <a@b.c>",
            "I ran it with 6.12 on arm64.\nTested-by: A <a@b.c>",
            "Once the typo is gone:\n> quoted\nAcked-by: A <a@b.c>",
            "Acked-by: A <a@b.c> # with the typo fixed",
            "Tested-by: A <a@b.c> # arm64",
            "it LGTM\nnow you've addressed the feedback.\n\nSo:\n\nReviewed-by: A <a@b.c>",
        ];
        let read: Vec<String> = table
            .iter()
            .map(|text| {
                let offers: Vec<String> = offers(&take_apart(text).said)
                    .into_iter()
                    .map(|offer| match offer.condition {
                        Some(condition) => format!("{} if {condition:?}", offer.name),
                        None => format!("{}: {}", offer.name, offer.value),
                    })
                    .collect();
                format!("{text:?}: {}", offers.join(", "))
            })
            .collect();
        insta::assert_snapshot!(read.join("\n"), @r##"
    "Reviewed-by: A <a@b.c>": Reviewed-by: A <a@b.c>
    "LGTM.\n\n  Acked-by: A <a@b.c>": Acked-by: A <a@b.c>
    "Acked-by: A Very Long Name\n<a@b.c>": Acked-by: A Very Long Name <a@b.c>
    "> Acked-by: A <a@b.c>": 
    "-- \nAcked-by: A <a@b.c>": 
    "Fixes: ?": 
    "Fixes: 0123456789ab (\"mm: x\")": Fixes: 0123456789ab ("mm: x")
    "Link: see below": 
    "Link: https://example.org/": Link: https://example.org/
    "Reviewed-by: me": 
    "Cc: A <a@b.c>": 
    "Anyway, with a changelog clarified.\nAcked-by: A <a@b.c>": Acked-by if "Anyway, with a changelog clarified."
    "With that fixed,\n\nReviewed-by: A <a@b.c>": Reviewed-by if "With that fixed,"
    "With the\nnits addressed feel free to add:\nReviewed-by: A <a@b.c>\nTested-by: A <a@b.c>": Reviewed-by if "With the nits addressed feel free to add:", Tested-by if "With the nits addressed feel free to add:"
    "If you resend, please say why. I tested it.\nTested-by: A <a@b.c>": Tested-by: A <a@b.c>
    "Either way:\nAcked-by: A <a@b.c>": Acked-by: A <a@b.c>
    "With or without that fixed\nAcked-by: A <a@b.c>": Acked-by: A <a@b.c>
    "I ran it with 6.12 on arm64.\nTested-by: A <a@b.c>": Tested-by: A <a@b.c>
    "Once the typo is gone:\n> quoted\nAcked-by: A <a@b.c>": Acked-by if "Once the typo is gone:"
    "Acked-by: A <a@b.c> # with the typo fixed": Acked-by if "# with the typo fixed"
    "Tested-by: A <a@b.c> # arm64": Tested-by: A <a@b.c>
    "it LGTM\nnow you've addressed the feedback.\n\nSo:\n\nReviewed-by: A <a@b.c>": Reviewed-by: A <a@b.c>
    "##);
    }
}
