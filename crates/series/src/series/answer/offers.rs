//! The trailers that an answer gives, and on which condition.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::model::Paragraph;
use crate::patch::trailer;
use crate::pattern::regex;
use crate::person::Person;
use crate::series::model::Offer;

/// The most trailers that are taken from one answer.
pub(super) const MAX_OFFERS: usize = 500;
/// The longest trailer, in bytes.
pub(super) const MAX_OFFER: usize = 1000;

/// The trailers among a reply's own words: what a tag names must be there, so
/// that `Fixes: ?` stays a question.
pub(super) fn offers(paragraphs: &[Paragraph]) -> Vec<Offer> {
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
        _ => name.ends_with("-by") && Person::parse(value).is_some(),
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
