//! The reader of answers.

use std::hash::{DefaultHasher, Hash, Hasher};

use results::text::printable;

use super::attribution::{attribution, attributions};
use super::model::{Answer, Paragraph, Stray};
use super::offers::{MAX_OFFER, MAX_OFFERS, offers};
use crate::patch::trailer;
use crate::person::Person;
use crate::text::one_line;

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

/// A line as it is found again in quotes, however they indent it.
pub(crate) fn line_hash(line: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    for word in line.split_whitespace() {
        word.hash(&mut hasher);
    }
    hasher.finish()
}

/// Splits a reply into its own words, by paragraphs (a quote ends one too),
/// and what it quotes.
pub(super) fn take_apart(text: &str) -> Answer {
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

/// A printable line that keeps its tabs.
fn visible(line: &str) -> String {
    let parts: Vec<String> = line.split('\t').map(printable).collect();
    parts.join("\t")
}

fn stray(strays: &mut Vec<Stray>, line: &str, signature: bool) {
    if strays.len() < MAX_OFFERS
        && line.len() <= MAX_OFFER
        && let Some((name, value)) = trailer(line)
        && name.len() > 3
        && name.as_bytes()[name.len() - 3..].eq_ignore_ascii_case(b"-by")
        && Person::parse(value).is_some()
    {
        strays.push(Stray {
            name: name.to_owned(),
            value: one_line(value),
            signature,
        });
    }
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
