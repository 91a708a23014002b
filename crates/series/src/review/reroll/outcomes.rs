//! What can be seen of each request in the next version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use super::rangediff::{diff_text, pair};
use crate::patch::{Patch, known_spelling};
use crate::pattern::regex;
use crate::review::model::Point;
use crate::review::wordings::wordings;
use crate::series::Series;

/// What can be seen of a request in the next version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    pub by: String,
    pub quote: String,
    pub verdict: Verdict,
    pub seen: String,
}

/// Whether a request was met, as far as text can show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// What was asked for is there, word by word.
    Met,
    /// Something changed where the request pointed; a human decides.
    Changed,
    /// Nothing changed where it pointed.
    Unchanged,
    /// It points at nothing that could be looked at.
    Unclear,
}

impl Verdict {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Unclear => "unclear",
        }
    }
}

/// What the newer version shows of each request on the older one: of the
/// wordings that its answers propose, and of `points`.
pub fn outcomes(points: &[Point], old: &Series, new: &Series) -> Vec<Outcome> {
    let pairs = Pairs {
        partners: pair(&old.patches, &new.patches),
        old,
        new,
    };
    let mut texts: BTreeMap<u32, (Texts, Option<Texts>)> = BTreeMap::new();
    let mut outcomes = Vec::new();
    // A proposal may be the end of a request, and is judged once.
    let mut proposed = Vec::new();
    for reply in &old.replies {
        for wording in wordings(&reply.body) {
            proposed.push(words(&wording.text));
            let index = reply.to_patch;
            let (before, after) = texts.entry(index).or_insert_with(|| pairs.texts(index));
            let (verdict, seen) = of_wording(&wording.text, before, after.as_ref());
            outcomes.push(Outcome {
                by: reply.by.to_string(),
                quote: wording.text,
                verdict,
                seen,
            });
        }
    }
    for point in points.iter().filter(|point| point.version == old.version) {
        let quote = words(&point.quote);
        if proposed.iter().any(|one| quote.contains(one)) {
            continue;
        }
        let index = point.to_patch;
        let (before, after) = texts.entry(index).or_insert_with(|| pairs.texts(index));
        let (verdict, seen) = of_point(point, before, after.as_ref());
        outcomes.push(Outcome {
            by: point.by.to_string(),
            quote: point.quote.clone(),
            verdict,
            seen,
        });
    }
    outcomes
}

struct Pairs<'a> {
    partners: Vec<Option<usize>>,
    old: &'a Series,
    new: &'a Series,
}

/// What a patch, or a series, says.
struct Texts {
    changelog: String,
    diff: String,
    trailers: BTreeSet<String>,
}

impl Texts {
    fn new<'a>(patches: impl Iterator<Item = &'a Patch> + Clone) -> Self {
        let text = |patch: &Patch| format!("{}\n\n{}\n", patch.subject, patch.changelog());
        Self {
            changelog: patches.clone().map(text).collect(),
            diff: patches
                .clone()
                .map(|patch| diff_text(&patch.files))
                .collect(),
            trailers: patches
                .flat_map(|patch| &patch.trailers)
                .map(|one| {
                    known_spelling(&one.name).map_or_else(|| one.name.clone(), str::to_owned)
                })
                .collect(),
        }
    }
}

impl Pairs<'_> {
    /// A patch before and after; none after where it has no partner.
    fn texts(&self, index: u32) -> (Texts, Option<Texts>) {
        let at = self.old.patches.iter().position(|one| one.index == index);
        let Some(at) = at else {
            // The cover letter is about all of them.
            let all = Texts::new(self.new.patches.iter());
            return (Texts::new(self.old.patches.iter()), Some(all));
        };
        let mut partner = self.partners.iter().position(|one| *one == Some(at));
        if partner.is_none() {
            // Nothing is left of its diff; that it goes on shows by its name.
            let same = |one: &Patch| one.subject == self.old.patches[at].subject;
            let alone = |place: &usize| self.partners[*place].is_none();
            let places = self.new.patches.iter().zip(0..);
            partner = (places.filter(|(one, _)| same(one)))
                .map(|(_, place)| place)
                .find(alone);
        }
        let of = |patch: &Patch| Texts::new(std::iter::once(patch));
        let after = partner.map(|at| of(&self.new.patches[at]));
        (of(&self.old.patches[at]), after)
    }
}

/// A text without its line breaks.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn no_partner() -> (Verdict, String) {
    let seen = "the newer version has no patch that continues it";
    (Verdict::Unclear, seen.to_owned())
}

fn of_wording(text: &str, before: &Texts, after: Option<&Texts>) -> (Verdict, String) {
    let Some(after) = after else {
        return no_partner();
    };
    let (new, old) = (words(&after.changelog), words(&before.changelog));
    if new.contains(&words(text)) {
        let seen = "the changelog has the proposed wording";
        return (Verdict::Met, seen.to_owned());
    }
    static END: LazyLock<Regex> = LazyLock::new(|| regex(r"[.!?](?:\s+|$)"));
    let whole = words(text);
    let sentences: Vec<&str> = END.split(&whole).filter(|one| !one.is_empty()).collect();
    let kept = sentences.iter().filter(|one| new.contains(**one)).count();
    if kept > 0 {
        let seen = format!(
            "the changelog has {kept} of the {} sentences that were proposed",
            sentences.len()
        );
        (Verdict::Changed, seen)
    } else if new != old {
        let seen = "the changelog changed, but not to the proposed words";
        (Verdict::Changed, seen.to_owned())
    } else {
        (Verdict::Unchanged, "the changelog is unchanged".to_owned())
    }
}

fn of_point(point: &Point, before: &Texts, after: Option<&Texts>) -> (Verdict, String) {
    let Some(after) = after else {
        return no_partner();
    };
    if let Some(found) = of_trailers(&point.quote, before, after) {
        return found;
    }
    if let Some(found) = of_names(&point.quote, before, after) {
        return found;
    }
    if let Some(about) = &point.about
        && let Some(found) = of_line(about, before, after)
    {
        return found;
    }
    let changelog = before.changelog != after.changelog;
    match (changelog, before.diff != after.diff) {
        (false, false) => (Verdict::Unchanged, "the patch is unchanged".to_owned()),
        (changelog, diff) => {
            let what = match (changelog, diff) {
                (true, true) => "changelog and diff",
                (true, false) => "the changelog",
                _ => "the diff",
            };
            let seen = format!("{what} changed, but the request names nothing to look for");
            (Verdict::Unclear, seen)
        }
    }
}

/// A trailer that the request names and the newer version has got.
fn of_trailers(quote: &str, before: &Texts, after: &Texts) -> Option<(Verdict, String)> {
    let got = after.trailers.difference(&before.trailers);
    let got: Vec<&str> = got
        .map(String::as_str)
        .filter(|name| quote.contains(*name))
        .collect();
    (!got.is_empty()).then(|| {
        let seen = format!("the patch has {}: now", got.join(": and "));
        (Verdict::Met, seen)
    })
}

/// What the request has in quotes, or calls by a name of code, and what came
/// or went of it.
fn of_names(quote: &str, before: &Texts, after: &Texts) -> Option<(Verdict, String)> {
    static NAMED: LazyLock<Regex> = LazyLock::new(|| {
        regex(r#""([^"]{3,80})"|`([^`]{2,80})`|\b([A-Za-z]\w*_\w+|[A-Za-z_]\w+\(\))"#)
    });
    let has =
        |texts: &Texts, word: &str| texts.changelog.contains(word) || texts.diff.contains(word);
    for found in NAMED.captures_iter(quote) {
        let quoted = found.get(1).or_else(|| found.get(2));
        let Some(word) = quoted.or_else(|| found.get(3)) else {
            continue;
        };
        let word = word.as_str().trim_end_matches("()");
        match (has(before, word), has(after, word)) {
            (false, true) => {
                let place = match after.changelog.contains(word) {
                    true => "changelog",
                    false => "diff",
                };
                let verdict = if quoted.is_some() {
                    Verdict::Met
                } else {
                    Verdict::Changed
                };
                return Some((verdict, format!("{word:?} is in the {place} now")));
            }
            (true, false) => return Some((Verdict::Changed, format!("{word:?} is gone"))),
            _ => {}
        }
    }
    None
}

/// The line that the request stands under.
fn of_line(about: &str, before: &Texts, after: &Texts) -> Option<(Verdict, String)> {
    let about = about.trim();
    let code = about.strip_prefix(['+', '-']).unwrap_or(about).trim();
    if code.len() < 3 {
        return None;
    }
    let parts = [
        (&before.changelog, &after.changelog, "changelog"),
        (&before.diff, &after.diff, "diff"),
    ];
    let has = |text: &str| text.contains(code);
    let (old, new, what) = parts.into_iter().find(|(old, ..)| has(old))?;
    Some(if !has(new) {
        let seen = format!("the line of the {what} that it comments on is gone or changed");
        (Verdict::Changed, seen)
    } else if old == new {
        let seen = format!("nothing changed where it points: the {what} is unchanged");
        (Verdict::Unchanged, seen)
    } else {
        let seen =
            format!("the line that it comments on is still in the {what}, which changed elsewhere");
        (Verdict::Unclear, seen)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::Person;
    use crate::review::model::PointKind;

    /// A series of one patch, with an answer.
    fn version(number: u32, text: &str, line: &str, answer: &str) -> Series {
        let mail = format!(
            "From x Mon Sep 17 00:00:00 2001\nFrom: A U Thor <author@example.org>\n\
             Date: Fri, 29 Aug 2025 14:55:50 +0800\nMessage-ID: <1@example.org>\n\
             Subject: [PATCH v{number}] mm: x\n\n{text}\n---\n x | 2 +-\n\n\
             diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,7 +1,7 @@\n-a\n+{line}\n 2\n 3\n 4\n 5\n 6\n 7\n-- \n\n\
             From y Mon Sep 17 00:00:00 2001\nFrom: B <b@example.org>\n\
             In-Reply-To: <1@example.org>\nSubject: Re: [PATCH v{number}] mm: x\n\n{answer}\n"
        );
        let mail = mail
            .replace("From x", &format!("From {}", "0".repeat(40)))
            .replace("From y", &format!("From {}", "1".repeat(40)));
        crate::series::parse(mail.as_bytes()).unwrap()
    }

    fn point(quote: &str, about: Option<&str>) -> Point {
        Point {
            by: Person {
                name: "B".to_owned(),
                email: "b@example.org".to_owned(),
            },
            version: 1,
            to_patch: 1,
            kind: PointKind::Request,
            quote: quote.to_owned(),
            about: about.map(str::to_owned),
            answer: None,
        }
    }

    #[test]
    fn what_can_be_seen_of_requests() {
        let signed = "Signed-off-by: A U Thor <author@example.org>";
        let before = format!("It takes the lock.\n\n{signed}");
        let old = version(1, &before, "old_lock(b);", "");
        let after = format!(
            "It takes the \"page table lock\" late.\n\nFixes: 0123456789ab (\"mm: y\")\n{signed}"
        );
        let new = version(2, &after, "new_lock(b);", "");
        let table = [
            point("Please add a Fixes: tag.", None),
            point("Say \"page table lock\".", None),
            point("Can you use new_lock() here?", None),
            point("Why old_lock() at all?", None),
            point("Typo.", Some("It takes the lock.")),
            point("Why?", Some("+old_lock(b);")),
            point("Why?", Some("a")),
            point("Please explain.", None),
        ];
        let mut said = String::new();
        for (name, next) in [
            ("changed", &new),
            ("as it was", &version(2, &before, "old_lock(b);", "")),
        ] {
            said += &format!("{name}\n");
            for one in outcomes(&table, &old, next) {
                said += &format!("  {:?}: {:?}: {}\n", one.quote, one.verdict, one.seen);
            }
        }
        let gone = Series {
            patches: Vec::new(),
            ..new.clone()
        };
        let one = &outcomes(&table[..1], &old, &gone)[0];
        said += &format!("gone\n  {:?}: {}\n", one.verdict, one.seen);
        insta::assert_snapshot!(said, @r#"
        changed
          "Please add a Fixes: tag.": Met: the patch has Fixes: now
          "Say \"page table lock\".": Met: "page table lock" is in the changelog now
          "Can you use new_lock() here?": Changed: "new_lock" is in the diff now
          "Why old_lock() at all?": Changed: "old_lock" is gone
          "Typo.": Changed: the line of the changelog that it comments on is gone or changed
          "Why?": Changed: the line of the diff that it comments on is gone or changed
          "Why?": Unclear: changelog and diff changed, but the request names nothing to look for
          "Please explain.": Unclear: changelog and diff changed, but the request names nothing to look for
        as it was
          "Please add a Fixes: tag.": Unchanged: the patch is unchanged
          "Say \"page table lock\".": Unchanged: the patch is unchanged
          "Can you use new_lock() here?": Unchanged: the patch is unchanged
          "Why old_lock() at all?": Unchanged: the patch is unchanged
          "Typo.": Unchanged: nothing changed where it points: the changelog is unchanged
          "Why?": Unchanged: nothing changed where it points: the diff is unchanged
          "Why?": Unchanged: the patch is unchanged
          "Please explain.": Unchanged: the patch is unchanged
        gone
          Unclear: the newer version has no patch that continues it
        "#);
    }

    #[test]
    fn wordings_are_looked_for() {
        let answer = "My wording would be\n\"\nOne thing. Another\nthing.\n\"\n";
        let old = version(1, "Text.", "b", answer);
        let table = [
            "One thing. Another thing.",
            "One thing. Something else.",
            "Something else.",
            "Text.",
        ];
        let mut said = String::new();
        for text in table {
            for one in outcomes(&[], &old, &version(2, text, "b", "")) {
                said += &format!("{text:?}: {:?}: {}\n", one.verdict, one.seen);
            }
        }
        insta::assert_snapshot!(said, @r#"
        "One thing. Another thing.": Met: the changelog has the proposed wording
        "One thing. Something else.": Changed: the changelog has 1 of the 2 sentences that were proposed
        "Something else.": Changed: the changelog changed, but not to the proposed words
        "Text.": Unchanged: the changelog is unchanged
        "#);
    }
}
