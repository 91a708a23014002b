//! The rules.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::finding::{Finding, History, Lookup, Severity};
use super::prose::{has_figure, is_prose, tells_symptom};
use super::source;
use crate::patch::{Patch, Trailer, changelog, is, is_report, meant, sorted, split_trailers};
use crate::pattern::regex;
use crate::person::{Person, person};
use crate::series::{Reply, Series};
use crate::text::same;

/// Behind this column a changelog is wrapped.
pub const COLUMNS: usize = 75;
/// The longest subject, in characters.
pub const SUBJECT: usize = 75;
/// The fewest digits of a commit's id.
const ABBREV: usize = 12;
/// The most findings of one patch.
const MAX_FINDINGS: usize = 200;

/// Checks every patch of a series, and the patches against each other. What
/// reviewers asked for in their answers weighs on what is found.
pub fn series(series: &Series, history: Option<History>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut titles: HashMap<&str, u32> = HashMap::new();
    for patch in &series.patches {
        let asked = series.replies.iter().find_map(|reply| {
            let to_it = reply.to_patch == patch.index || reply.to_patch == 0;
            to_it.then(|| asks_for_problem(reply)).flatten()
        });
        let mut check = Check::new(patch);
        check.all(history, asked.as_ref());
        let first = *titles.entry(&patch.subject).or_insert(patch.index);
        if first != patch.index {
            let text = format!("is that of patch {first} too; each patch needs its own");
            check.add(
                "subject",
                Severity::Warning,
                "subject",
                text,
                source::SUBJECT,
            );
        }
        found.append(&mut check.found);
    }
    found
}

/// Checks one patch by itself.
pub fn patch(patch: &Patch, history: Option<History>) -> Vec<Finding> {
    let mut check = Check::new(patch);
    check.all(history, None);
    check.found
}

/// A reviewer's request, and who made it.
struct Asked {
    by: String,
    words: String,
}

struct Check<'a> {
    patch: &'a Patch,
    /// The changelog below the subject, trailers included.
    text: &'a str,
    found: Vec<Finding>,
}

impl<'a> Check<'a> {
    fn new(patch: &'a Patch) -> Self {
        Self {
            patch,
            text: changelog(patch),
            found: Vec::new(),
        }
    }

    fn all(&mut self, history: Option<History>, asked: Option<&Asked>) {
        self.subject();
        self.problem(asked);
        self.percentages();
        self.mood();
        self.long_lines();
        self.split();
        self.reported();
        self.fixes(history);
        self.signed_off();
        self.co_developed();
        self.form();
        self.order();
    }

    fn add(
        &mut self,
        rule: &str,
        severity: Severity,
        place: &str,
        text: String,
        source: &'static str,
    ) {
        if self.found.len() < MAX_FINDINGS {
            self.found.push(Finding {
                rule: rule.to_owned(),
                severity,
                place: format!("{}/{}, {place}", self.patch.index, self.patch.total),
                text,
                source: source.to_owned(),
            });
        }
    }

    fn subject(&mut self) {
        static PREFIX: LazyLock<Regex> = LazyLock::new(|| regex(r"^\S[^:]{0,60}: \S"));
        static FILE: LazyLock<Regex> = LazyLock::new(|| regex(r"^[^: ]*\.[chS]: "));
        let subject = self.patch.subject.as_str();
        let mut say = |severity, text: String, source| {
            self.add("subject", severity, "subject", text, source);
        };
        if !PREFIX.is_match(subject) {
            let text = "names no subsystem before its summary, as in `mm/oom_kill: …`";
            say(Severity::Warning, text.to_owned(), source::SUBJECT);
        } else if FILE.is_match(subject) {
            let text =
                "begins with a file's name; the subsystem is wanted, see `git log` of the file";
            say(Severity::Hint, text.to_owned(), source::TIP_SUBJECT);
        }
        let long = subject.chars().count();
        if long > SUBJECT {
            let text =
                format!("has {long} characters; {SUBJECT} are the most that lists of commits show");
            say(Severity::Warning, text, source::SUBJECT);
        }
        if subject.ends_with('.') && !subject.ends_with("..") {
            let text = "ends with a full stop; it is a title";
            say(Severity::Hint, text.to_owned(), source::SUBJECT);
        }
    }

    fn problem(&mut self, asked: Option<&Asked>) {
        let body = self.patch.body.trim();
        let rule = "problem-statement";
        let by_reviewer = |asked: &Asked| format!("{} asks for it: {:?}", asked.by, asked.words);
        if body.is_empty() {
            let text = "there is no changelog; say which problem the patch solves and how";
            return self.add(
                rule,
                Severity::Error,
                "changelog",
                text.to_owned(),
                source::DESCRIBE,
            );
        }
        let reported = self.patch.trailers.iter().any(is_report);
        let unseen = reported && !tells_symptom(body);
        let text = match (unseen, asked) {
            (true, Some(asked)) => format!(
                "somebody reported it, yet no word or figure says what was observed; {}",
                by_reviewer(asked)
            ),
            (true, None) => "somebody reported it, yet no word or figure says what was observed; \
                             describe the behaviour that users saw"
                .to_owned(),
            (false, Some(asked)) => {
                format!(
                    "a reviewer misses what was observed; {}",
                    by_reviewer(asked)
                )
            }
            (false, None) => return,
        };
        let severity = match asked {
            Some(_) => Severity::Warning,
            None => Severity::Hint,
        };
        self.add(rule, severity, "changelog", text, source::DESCRIBE);
    }

    fn percentages(&mut self) {
        static PERCENT: LazyLock<Regex> =
            LazyLock::new(|| regex(r"(?:^|[^\w.])[-+~]?(\d{1,6}(?:\.\d{1,6})?) ?(?:%|percent\b)"));
        // What has a base: "20 % of the time", an interval's level, all of it.
        static FINE: LazyLock<Regex> = LazyLock::new(|| {
            regex(
                r"(?i)^ ?(?:%|percent)(?:-?ile)? (?:of|CI|confidence|interval|reproducible|CPU|full|busy|idle)\b",
            )
        });
        let paragraphs: Vec<&str> = self.patch.body.split("\n\n").collect();
        let mut bare = Vec::new();
        for (at, paragraph) in paragraphs.iter().enumerate() {
            // A table may stand below the sentence that it belongs to, or above.
            let near = paragraphs[at.saturating_sub(1)..paragraphs.len().min(at + 2)].iter();
            if near.into_iter().any(|text| has_figure(text)) {
                continue;
            }
            bare.extend(
                PERCENT
                    .captures_iter(paragraph)
                    .filter_map(|found| found.get(1))
                    .filter(|number| {
                        let rest = &paragraph[number.end()..];
                        number.as_str() != "100" && !FINE.is_match(rest)
                    })
                    .map(|number| format!("{} %", number.as_str())),
            );
        }
        if let Some(first) = bare.first() {
            let more = match bare.len() {
                1 => String::new(),
                n => format!(" and {} more", n - 1),
            };
            let text = format!(
                "{first}{more} without a base: no figure with a unit stands beside it; give both \
                 figures, and of what"
            );
            let rule = "percentage-without-base";
            self.add(rule, Severity::Hint, "changelog", text, source::DESCRIBE);
        }
    }

    fn mood(&mut self) {
        static THIS: LazyLock<Regex> =
            LazyLock::new(|| regex(r"(?i)\bthis (?:patch|commit|patchset|series)\b"));
        if let Some((number, line)) = (self.text.lines().zip(1..))
            .map(|(line, number)| (number, line))
            .find(|(_, line)| is_prose(line) && THIS.is_match(line))
        {
            let text = format!(
                "{:?} speaks of the patch; tell the code what to do, in imperative mood",
                shown(line)
            );
            let place = format!("changelog line {number}");
            let rule = "imperative-mood";
            self.add(rule, Severity::Hint, &place, text, source::DESCRIBE);
        }
    }

    fn long_lines(&mut self) {
        let mut long = (self.text.lines().zip(1..))
            .filter(|(line, _)| line.chars().nth(COLUMNS).is_some() && is_prose(line));
        let Some((line, number)) = long.next() else {
            return;
        };
        let more = match long.count() {
            0 => String::new(),
            n => format!(", and so are {n} below it"),
        };
        let text = format!(
            "is {} columns wide{more}; prose is wrapped at {COLUMNS}",
            line.chars().count()
        );
        let place = format!("changelog line {number}");
        self.add("long-line", Severity::Warning, &place, text, source::FORMAT);
    }

    fn split(&mut self) {
        let (_, _, lost) = split_trailers(self.text);
        if lost.is_empty() {
            return;
        }
        let lost: Vec<String> = lost.iter().map(|line| shown(line)).collect();
        let text = format!(
            "a blank line stands inside the block: git's tools read only what is below it and lose \
             {}; take the blank line out",
            lost.join(", ")
        );
        let rule = "split-trailers";
        self.add(rule, Severity::Error, "trailers", text, source::FORMAT);
    }

    fn reported(&mut self) {
        let mut linked = false;
        let mut bare = Vec::new();
        // Several people may have made one report: the link stands behind them.
        for one in self.patch.trailers.iter().rev() {
            if !is_report(one) {
                linked = is(one, "closes") || is(one, "link");
            } else if !linked {
                bare.push(one);
            }
        }
        for one in bare.iter().rev() {
            let text = format!(
                "{} has no Closes: (or Link:, for a part of it) behind it; point to the report, \
                 unless it is not on the web",
                shown_trailer(one)
            );
            let rule = "reported-by-without-link";
            self.add(rule, Severity::Warning, "trailers", text, source::REPORTED);
        }
    }

    fn fixes(&mut self, history: Option<History>) {
        for one in self.patch.trailers.iter().filter(|one| is(one, "fixes")) {
            for (severity, text) in wrong_fixes(&one.value, history) {
                let text = format!("{}: {text}", shown_trailer(one));
                self.add("fixes", severity, "trailers", text, source::DESCRIBE);
            }
        }
    }

    fn signed_off(&mut self) {
        let author = &self.patch.author;
        let signers: Vec<Person> = (self.patch.trailers.iter())
            .filter(|one| is(one, "signed-off-by"))
            .filter_map(|one| person(&one.value))
            .collect();
        let by_email = |one: &&Person| same(&one.email, &author.email);
        let by_name = |one: &&Person| same(&one.name, &author.name);
        let rule = "sign-off";
        if signers.is_empty() {
            let text = format!("no Signed-off-by; {author} must sign");
            self.add(rule, Severity::Error, "trailers", text, source::SIGN);
        } else if let Some(signer) = signers.iter().find(by_email) {
            if !same(&signer.name, &author.name) {
                let text = format!("From: says {author}, Signed-off-by: {signer}");
                self.add(rule, Severity::Hint, "trailers", text, source::SIGN);
            }
        } else if let Some(signer) = signers.iter().find(by_name) {
            // An archive may show no address.
            if !author.email.is_empty() {
                let text = format!("From: says {author}, Signed-off-by: {signer}; use one address");
                self.add(rule, Severity::Warning, "trailers", text, source::SIGN);
            }
        } else {
            let text =
                format!("the author, {author}, has not signed; the first to sign is the author");
            self.add(rule, Severity::Error, "trailers", text, source::SIGN);
        }
    }

    fn co_developed(&mut self) {
        let trailers = &self.patch.trailers;
        for (at, one) in trailers.iter().enumerate() {
            if !is(one, "co-developed-by") {
                continue;
            }
            let signed = trailers.get(at + 1).is_some_and(|next| {
                let (one, next_by) = (person(&one.value), person(&next.value));
                is(next, "signed-off-by")
                    && one.is_some_and(|one| next_by.is_some_and(|by| same(&by.email, &one.email)))
            });
            if !signed {
                let text = format!(
                    "{} is not followed at once by the same person's Signed-off-by",
                    shown_trailer(one)
                );
                let rule = "sign-off";
                self.add(
                    rule,
                    Severity::Error,
                    "trailers",
                    text,
                    source::CO_DEVELOPED,
                );
            }
        }
    }

    fn form(&mut self) {
        for one in &self.patch.trailers {
            let place = "trailers";
            let rule = "trailer-spelling";
            if let Some(meant) = meant(&one.name) {
                let text = format!("`{}:` is spelled `{meant}:`", shown(&one.name));
                self.add(rule, Severity::Warning, place, text, source::TAGS);
            }
            let names = one.name.to_ascii_lowercase().ends_with("-by");
            if names && person(&one.value).is_none() {
                let text = format!("{} has no `Name <address>`", shown_trailer(one));
                self.add(rule, Severity::Warning, place, text, source::TAGS);
            }
        }
    }

    fn order(&mut self) {
        let sorted = sorted(&self.patch.trailers);
        let moved = self.patch.trailers.iter().zip(&sorted);
        if let Some((one, _)) = moved.into_iter().find(|(one, other)| one != other) {
            let text = format!(
                "{} is out of the tip tree's order (which no other tree asks for): {}",
                shown_trailer(one),
                names(&sorted).join(", ")
            );
            let rule = "trailer-order";
            self.add(rule, Severity::Hint, "trailers", text, source::TIP_ORDER);
        }
    }
}

/// What is wrong with the value of a `Fixes:`.
fn wrong_fixes(value: &str, history: Option<History>) -> Vec<(Severity, String)> {
    static FORM: LazyLock<Regex> = LazyLock::new(|| regex(r#"^([0-9a-fA-F]{5,64}) \("(.+)"\)$"#));
    let Some(form) = FORM.captures(value) else {
        let text = match value.contains("://") {
            true => "a report is named by Closes:, a commit by Fixes:".to_owned(),
            false => format!(
                "is not of the form `Fixes: ID (\"subject\")` with {ABBREV} digits of the id"
            ),
        };
        return vec![(Severity::Error, text)];
    };
    let (id, title) = (&form[1], &form[2]);
    let mut wrong = Vec::new();
    if id.len() < ABBREV {
        let text = format!("gives {} digits of the id, {ABBREV} are wanted", id.len());
        wrong.push((Severity::Warning, text));
    }
    let text = match history.map(|lookup| lookup(&id.to_ascii_lowercase())) {
        Some(Lookup::None) => "the tree at hand has no such commit".to_owned(),
        Some(Lookup::Several) => "the tree at hand has several commits that begin so".to_owned(),
        Some(Lookup::One(real)) if real != title => {
            format!("that commit is called {:?}", shown(&real))
        }
        Some(Lookup::One(_)) | None => return wrong,
    };
    wrong.push((Severity::Error, text));
    wrong
}

/// Text out of a mail, fit for a line of a report.
fn shown(text: &str) -> String {
    const LONGEST: usize = 240;
    let mut out: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST)
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}

fn shown_trailer(one: &Trailer) -> String {
    shown(&format!("{}: {}", one.name, one.value))
}

/// Names of trailers, each once in a row.
fn names(trailers: &[Trailer]) -> Vec<&str> {
    let mut names: Vec<&str> = trailers.iter().map(|one| one.name.as_str()).collect();
    names.dedup();
    names
}

/// The sentence of an answer that misses a problem statement.
fn asks_for_problem(reply: &Reply) -> Option<Asked> {
    static WANTS: LazyLock<Regex> = LazyLock::new(|| {
        regex(concat!(
            r"(?i)\bproblem statement\b|\bwhat (?:is|was|were|are) the (?:actual |real |observed )*",
            r"(?:behaviou?rs?|problems?|issues?|symptoms?|impacts?)\b|\bwhat problem\b|",
            r"\bwhich problem\b|\buser[- ]visible (?:impact|effect|behaviou?r)\b|",
            r"\bwhy (?:is|do) (?:this|we|you) need(?:ed)?\b"
        ))
    });
    reply.body.split("\n\n").find_map(|paragraph| {
        let text = paragraph.replace('\n', " ");
        let found = WANTS.find(&text)?;
        let start = text[..found.start()]
            .rfind(['.', '?', '!'])
            .map_or(0, |at| at + 1);
        let end = text[found.end()..]
            .find(['.', '?', '!'])
            .map_or(text.len(), |at| found.end() + at + 1);
        let words = text[start..end].trim();
        Some(Asked {
            by: shown(&reply.by.name),
            words: shown(words),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::trailer;

    fn mail(subject: &str, text: &str) -> Patch {
        let mail = format!(
            "From: A U Thor <author@example.org>\nDate: Fri, 29 Aug 2025 14:55:50 +0800\n\
             Subject: [PATCH] {subject}\n\n{text}\n---\n x | 2 +-\n\n\
             diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
        );
        let mut series = crate::series::parse(mail.as_bytes()).unwrap();
        series.patches.remove(0)
    }

    fn listed(found: &[Finding]) -> String {
        found
            .iter()
            .map(|one| {
                let (rule, severity) = (&one.rule, one.severity.as_str());
                format!("{severity}: {rule}: {}: {}\n", one.place, one.text)
            })
            .collect()
    }

    /// What one rule says of each text, or of each text that is signed.
    fn table(rule: &str, texts: &[&str]) -> String {
        let signed = "Signed-off-by: A U Thor <author@example.org>";
        let mut out = String::new();
        for text in texts {
            let whole = match text.contains("Signed-off-by") || rule == "sign-off" {
                true => (*text).to_owned(),
                false if trailer(text.lines().last().unwrap_or_default()).is_some() => {
                    format!("{text}\n{signed}")
                }
                false => format!("{text}\n\n{signed}"),
            };
            let found = patch(&mail("mm: x", &whole), None);
            let mut found = found.iter().filter(|one| one.rule == rule);
            let first = found.next().map_or("-", |one| one.text.as_str());
            let more = found.count();
            let more = if more > 0 {
                format!(" (+{more})")
            } else {
                String::new()
            };
            out += &format!("{text:?}: {first}{more}\n");
        }
        out
    }

    #[test]
    fn the_thread_of_the_series() {
        let thread = include_bytes!("../../../../../patches/oom-reaper-reverse/thread.txt");
        let series = crate::series::parse(thread).unwrap();
        let found = super::series(&series, None);
        insta::assert_snapshot!(listed(&found));
        let json = serde_json::to_value(&found[0]).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["rule", "severity", "source", "text", "where"]);
    }

    #[test]
    fn split_trailers_are_lost() {
        let texts = [
            "Text.\n\nCloses: https://example.org/1",
            "Text.\n\nCc: B <b@example.org>\n\nFixes: 0123456789ab (\"x\")",
            "Text.\n\nSigned-off-by: B <b@example.org>\n\nSome note: it is prose.",
        ];
        insta::assert_snapshot!(table("split-trailers", &texts), @r#"
        "Text.\n\nCloses: https://example.org/1": -
        "Text.\n\nCc: B <b@example.org>\n\nFixes: 0123456789ab (\"x\")": a blank line stands inside the block: git's tools read only what is below it and lose Cc: B <b@example.org>; take the blank line out
        "Text.\n\nSigned-off-by: B <b@example.org>\n\nSome note: it is prose.": -
        "#);
    }

    #[test]
    fn reports_have_links() {
        let texts = [
            "Text.\n\nReported-by: B <b@example.org>",
            "Text.\n\nReported-by: B <b@example.org>\nCloses: https://example.org/1",
            "Text.\n\nReported-by: B <b@example.org>\nReported-by: C <c@example.org>\nLink: https://example.org/1",
            "Text.\n\nReported-and-tested-by: B <b@example.org>\nCc: C <c@example.org>\nLink: https://example.org/1",
            "Text.\n\nCc: C <c@example.org>",
        ];
        insta::assert_snapshot!(table("reported-by-without-link", &texts), @r#"
        "Text.\n\nReported-by: B <b@example.org>": Reported-by: B <b@example.org> has no Closes: (or Link:, for a part of it) behind it; point to the report, unless it is not on the web
        "Text.\n\nReported-by: B <b@example.org>\nCloses: https://example.org/1": -
        "Text.\n\nReported-by: B <b@example.org>\nReported-by: C <c@example.org>\nLink: https://example.org/1": -
        "Text.\n\nReported-and-tested-by: B <b@example.org>\nCc: C <c@example.org>\nLink: https://example.org/1": Reported-and-tested-by: B <b@example.org> has no Closes: (or Link:, for a part of it) behind it; point to the report, unless it is not on the web
        "Text.\n\nCc: C <c@example.org>": -
        "#);
    }

    #[test]
    fn problems_are_told() {
        let report = "\n\nReported-by: B <b@example.org>";
        let texts = [
            "The walkers may take the same path and compete for the lock.",
            "The walkers compete for the lock, which was observed with ftrace.",
            "The walkers wait 33.1 ms for the lock.",
            "[   12.345678] BUG: Bad rss-counter state",
            "A task hung for ever.",
        ]
        .map(|text| format!("{text}{report}"));
        let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        texts.push("Rename it.");
        texts.push("Signed-off-by: A U Thor <author@example.org>");
        insta::assert_snapshot!(table("problem-statement", &texts), @r#"
        "The walkers may take the same path and compete for the lock.\n\nReported-by: B <b@example.org>": somebody reported it, yet no word or figure says what was observed; describe the behaviour that users saw
        "The walkers compete for the lock, which was observed with ftrace.\n\nReported-by: B <b@example.org>": -
        "The walkers wait 33.1 ms for the lock.\n\nReported-by: B <b@example.org>": -
        "[   12.345678] BUG: Bad rss-counter state\n\nReported-by: B <b@example.org>": -
        "A task hung for ever.\n\nReported-by: B <b@example.org>": -
        "Rename it.": -
        "Signed-off-by: A U Thor <author@example.org>": there is no changelog; say which problem the patch solves and how
        "#);
    }

    #[test]
    fn percentages_have_a_base() {
        let texts = [
            "The time drops by 20%.",
            "The time drops by 20 % and the wait by 97.5%, up to 50 percent.",
            "The time drops from 167 ms to 132 ms (-20.6%).",
            "The time drops by 20%:\n\n  before  after\n  167.1   132.6",
            "|                  | patched | not |\n\n| total | 132.6 | 167.1 (-20.6%) |",
            "Happens 20% of the time, 100% reproducible, 95 % CI.",
            "It takes 3 of 4 calls, 75% less.",
            "Set %d and 100% of it.",
            "Requests per second: 100 -> 120 (+20%)",
        ];
        insta::assert_snapshot!(table("percentage-without-base", &texts), @r#"
        "The time drops by 20%.": 20 % without a base: no figure with a unit stands beside it; give both figures, and of what
        "The time drops by 20 % and the wait by 97.5%, up to 50 percent.": 20 % and 2 more without a base: no figure with a unit stands beside it; give both figures, and of what
        "The time drops from 167 ms to 132 ms (-20.6%).": -
        "The time drops by 20%:\n\n  before  after\n  167.1   132.6": -
        "|                  | patched | not |\n\n| total | 132.6 | 167.1 (-20.6%) |": -
        "Happens 20% of the time, 100% reproducible, 95 % CI.": -
        "It takes 3 of 4 calls, 75% less.": -
        "Set %d and 100% of it.": -
        "Requests per second: 100 -> 120 (+20%)": -
        "#);
    }

    #[test]
    fn subjects_have_their_form() {
        let long = format!("mm: {}", "long ".repeat(15));
        let subjects = [
            "mm/oom_kill: The OOM reaper traverses the VMA maple tree in reverse order",
            "Reap in reverse order",
            "mm: reap in reverse order.",
            "mm: and so on...",
            "oom_kill.c: reap in reverse order",
            "arm64: dts: qcom: x",
            "Revert \"mm: x\"",
            &long,
        ];
        let signed = "Text.\n\nSigned-off-by: A U Thor <author@example.org>";
        let said: String = subjects
            .iter()
            .map(|subject| {
                format!(
                    "{subject}\n{}",
                    listed(&patch(&mail(subject, signed), None))
                )
            })
            .collect();
        insta::assert_snapshot!(said, @r#"
        mm/oom_kill: The OOM reaper traverses the VMA maple tree in reverse order
        Reap in reverse order
        warning: subject: 1/1, subject: names no subsystem before its summary, as in `mm/oom_kill: …`
        mm: reap in reverse order.
        hint: subject: 1/1, subject: ends with a full stop; it is a title
        mm: and so on...
        oom_kill.c: reap in reverse order
        hint: subject: 1/1, subject: begins with a file's name; the subsystem is wanted, see `git log` of the file
        arm64: dts: qcom: x
        Revert "mm: x"
        mm: long long long long long long long long long long long long long long long 
        warning: subject: 1/1, subject: has 78 characters; 75 are the most that lists of commits show
        "#);
    }

    #[test]
    fn subjects_differ() {
        let mut one = mail(
            "mm: x",
            "Text.\n\nSigned-off-by: A U Thor <author@example.org>",
        );
        let mut series = Series {
            name: String::new(),
            title: String::new(),
            version: 1,
            total: 2,
            patches: vec![one.clone()],
            missing: Vec::new(),
            replies: Vec::new(),
            warnings: Vec::new(),
        };
        one.index = 2;
        series.patches.push(one);
        let found = super::series(&series, None);
        insta::assert_snapshot!(listed(&found), @"warning: subject: 2/1, subject: is that of patch 1 too; each patch needs its own");
    }

    #[test]
    fn fixes_name_a_commit() {
        let texts = [
            "0123456789ab (\"mm: x\")",
            "0123456 (\"mm: x\")",
            "0123456789ab mm: x",
            "0123456789ab (mm: x)",
            "commit 0123456789ab (\"mm: x\")",
            "https://example.org/1",
            "?",
        ]
        .map(|value| format!("Text.\n\nFixes: {value}"));
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        insta::assert_snapshot!(table("fixes", &texts), @r#"
        "Text.\n\nFixes: 0123456789ab (\"mm: x\")": -
        "Text.\n\nFixes: 0123456 (\"mm: x\")": Fixes: 0123456 ("mm: x"): gives 7 digits of the id, 12 are wanted
        "Text.\n\nFixes: 0123456789ab mm: x": Fixes: 0123456789ab mm: x: is not of the form `Fixes: ID ("subject")` with 12 digits of the id
        "Text.\n\nFixes: 0123456789ab (mm: x)": Fixes: 0123456789ab (mm: x): is not of the form `Fixes: ID ("subject")` with 12 digits of the id
        "Text.\n\nFixes: commit 0123456789ab (\"mm: x\")": Fixes: commit 0123456789ab ("mm: x"): is not of the form `Fixes: ID ("subject")` with 12 digits of the id
        "Text.\n\nFixes: https://example.org/1": Fixes: https://example.org/1: a report is named by Closes:, a commit by Fixes:
        "Text.\n\nFixes: ?": Fixes: ?: is not of the form `Fixes: ID ("subject")` with 12 digits of the id
        "#);

        let one = mail("mm: x", "Text.\n\nFixes: 0123456789ab (\"mm: x\")");
        let said: Vec<Option<String>> = [
            Lookup::None,
            Lookup::Several,
            Lookup::One("mm: y".to_owned()),
            Lookup::One("mm: x".to_owned()),
        ]
        .iter()
        .map(|answer| {
            let found = patch(&one, Some(&|_: &str| answer.clone()));
            found
                .into_iter()
                .find(|one| one.rule == "fixes")
                .map(|one| one.text)
        })
        .collect();
        insta::assert_debug_snapshot!(said, @r#"
        [
            Some(
                "Fixes: 0123456789ab (\"mm: x\"): the tree at hand has no such commit",
            ),
            Some(
                "Fixes: 0123456789ab (\"mm: x\"): the tree at hand has several commits that begin so",
            ),
            Some(
                "Fixes: 0123456789ab (\"mm: x\"): that commit is called \"mm: y\"",
            ),
            None,
        ]
        "#);
    }

    #[test]
    fn authors_sign() {
        let texts = [
            "Text.",
            "Text.\n\nSigned-off-by: A U Thor <author@example.org>",
            "Text.\n\nSigned-off-by: A U Thor <author@example.com>",
            "Text.\n\nSigned-off-by: Another <AUTHOR@example.org>",
            "Text.\n\nSigned-off-by: B <b@example.org>",
            "Text.\n\nCo-developed-by: B <b@example.org>\nSigned-off-by: A U Thor <author@example.org>",
            "Text.\n\nCo-developed-by: B <b@example.org>\nSigned-off-by: B <b@example.org>\nSigned-off-by: A U Thor <author@example.org>",
        ];
        insta::assert_snapshot!(table("sign-off", &texts), @r#"
        "Text.": no Signed-off-by; A U Thor <author@example.org> must sign
        "Text.\n\nSigned-off-by: A U Thor <author@example.org>": -
        "Text.\n\nSigned-off-by: A U Thor <author@example.com>": From: says A U Thor <author@example.org>, Signed-off-by: A U Thor <author@example.com>; use one address
        "Text.\n\nSigned-off-by: Another <AUTHOR@example.org>": From: says A U Thor <author@example.org>, Signed-off-by: Another <AUTHOR@example.org>
        "Text.\n\nSigned-off-by: B <b@example.org>": the author, A U Thor <author@example.org>, has not signed; the first to sign is the author
        "Text.\n\nCo-developed-by: B <b@example.org>\nSigned-off-by: A U Thor <author@example.org>": Co-developed-by: B <b@example.org> is not followed at once by the same person's Signed-off-by
        "Text.\n\nCo-developed-by: B <b@example.org>\nSigned-off-by: B <b@example.org>\nSigned-off-by: A U Thor <author@example.org>": -
        "#);
    }

    #[test]
    fn prose_is_wrapped() {
        let wide = "wide ".repeat(16);
        let texts = [
            format!("{wide}end."),
            format!("Short.\n{wide}\nshort\n{wide}end"),
            format!("  {wide}"),
            format!("> {wide}"),
            format!("[   12.345678] {wide}"),
            format!("{wide}https://example.org/"),
            format!("commit 0123456789ab (\"{wide}\")"),
            format!("a | {wide}"),
            format!("name   12   34  {wide}"),
            "x".repeat(90),
            format!("Text.\n\nFixes: 0123456789ab (\"{wide}\")"),
            format!("{}end", "ü".repeat(72)),
        ];
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        insta::assert_snapshot!(table("long-line", &texts), @r#"
        "wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide end.": is 84 columns wide; prose is wrapped at 75
        "Short.\nwide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide \nshort\nwide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide end": is 79 columns wide, and so are 1 below it; prose is wrapped at 75
        "  wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide ": -
        "> wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide ": -
        "[   12.345678] wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide ": -
        "wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide https://example.org/": -
        "commit 0123456789ab (\"wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide \")": -
        "a | wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide ": -
        "name   12   34  wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide ": -
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": -
        "Text.\n\nFixes: 0123456789ab (\"wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide \")": -
        "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüend": -
        "#);
    }

    #[test]
    fn trailers_are_spelled() {
        let b = "B <b@example.org>";
        let texts = [
            format!("Reviewd-by: {b}"),
            format!("Acked-By: {b}"),
            format!("acked-by: {b}"),
            format!("Singed-off-by: {b}"),
            format!("CC: {b}"),
            format!("Inspired-by: {b}"),
            format!("Requested-by: {b}"),
            "Reviewed-by: me".to_owned(),
            "Link: https://example.org/".to_owned(),
        ]
        .map(|line| format!("Text.\n\n{line}"));
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        insta::assert_snapshot!(table("trailer-spelling", &texts), @r#"
        "Text.\n\nReviewd-by: B <b@example.org>": `Reviewd-by:` is spelled `Reviewed-by:`
        "Text.\n\nAcked-By: B <b@example.org>": `Acked-By:` is spelled `Acked-by:`
        "Text.\n\nacked-by: B <b@example.org>": `acked-by:` is spelled `Acked-by:`
        "Text.\n\nSinged-off-by: B <b@example.org>": `Singed-off-by:` is spelled `Signed-off-by:`
        "Text.\n\nCC: B <b@example.org>": `CC:` is spelled `Cc:`
        "Text.\n\nInspired-by: B <b@example.org>": -
        "Text.\n\nRequested-by: B <b@example.org>": -
        "Text.\n\nReviewed-by: me": Reviewed-by: me has no `Name <address>`
        "Text.\n\nLink: https://example.org/": -
        "#);
    }

    #[test]
    fn trailers_have_an_order() {
        let a = "Signed-off-by: A U Thor <author@example.org>";
        let b = "B <b@example.org>";
        let texts = [
            format!("Text.\n\nReported-by: {b}\nCloses: https://example.org/\n{a}"),
            format!("Text.\n\n{a}\nReported-by: {b}\nCloses: https://example.org/"),
            format!("Text.\n\nReviewed-by: {b}\n{a}\nCc: {b}"),
            format!(
                "Text.\n\nCo-developed-by: {b}\nSigned-off-by: {b}\n{a}\nX-note: x\nReviewed-by: {b}"
            ),
            format!(
                "Text.\n\nSigned-off-by: {b}\nCo-developed-by: A U Thor <author@example.org>\n{a}"
            ),
            format!(
                "Text.\n\n{a}\nReported-by: {b}\nLink: https://example.org/\nFixes: 0123456789ab (\"x\")"
            ),
        ];
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        insta::assert_snapshot!(table("trailer-order", &texts), @r#"
        "Text.\n\nReported-by: B <b@example.org>\nCloses: https://example.org/\nSigned-off-by: A U Thor <author@example.org>": -
        "Text.\n\nSigned-off-by: A U Thor <author@example.org>\nReported-by: B <b@example.org>\nCloses: https://example.org/": Signed-off-by: A U Thor <author@example.org> is out of the tip tree's order (which no other tree asks for): Reported-by, Closes, Signed-off-by
        "Text.\n\nReviewed-by: B <b@example.org>\nSigned-off-by: A U Thor <author@example.org>\nCc: B <b@example.org>": Reviewed-by: B <b@example.org> is out of the tip tree's order (which no other tree asks for): Signed-off-by, Reviewed-by, Cc
        "Text.\n\nCo-developed-by: B <b@example.org>\nSigned-off-by: B <b@example.org>\nSigned-off-by: A U Thor <author@example.org>\nX-note: x\nReviewed-by: B <b@example.org>": -
        "Text.\n\nSigned-off-by: B <b@example.org>\nCo-developed-by: A U Thor <author@example.org>\nSigned-off-by: A U Thor <author@example.org>": -
        "Text.\n\nSigned-off-by: A U Thor <author@example.org>\nReported-by: B <b@example.org>\nLink: https://example.org/\nFixes: 0123456789ab (\"x\")": Signed-off-by: A U Thor <author@example.org> is out of the tip tree's order (which no other tree asks for): Fixes, Reported-by, Link, Signed-off-by
        "#);
    }

    #[test]
    fn the_code_is_told_what_to_do() {
        let texts = [
            "This patch makes it so.",
            "Make it so.",
            "> This patch makes it so.",
        ];
        insta::assert_snapshot!(table("imperative-mood", &texts), @r#"
        "This patch makes it so.": "This patch makes it so." speaks of the patch; tell the code what to do, in imperative mood
        "Make it so.": -
        "> This patch makes it so.": -
        "#);
    }
}
