//! A changelog says which problem it solves, and what was seen of it.

use std::sync::LazyLock;

use regex::Regex;

use crate::patch::Trailer;
use crate::pattern::regex;
use crate::review::lint::case::{Case, Report};
use crate::review::lint::finding::Severity;
use crate::review::lint::prose::{has_figure, shown};
use crate::review::lint::source;
use crate::series::Reply;

pub(super) fn check(case: &Case, report: &mut Report) {
    let body = case.patch.body.trim();
    if body.is_empty() {
        let text = "there is no changelog; say which problem the patch solves and how";
        return report.error("changelog", source::DESCRIBE, text);
    }
    let asked = case
        .replies
        .iter()
        .find_map(|reply| asks_for_problem(reply));
    let reported = case.patch.trailers.iter().any(Trailer::is_report);
    let unseen = reported && !tells_symptom(body);
    let (severity, text) = match (unseen, asked) {
        (true, Some(asked)) => (
            Severity::Warning,
            format!("somebody reported it, yet no word or figure says what was observed; {asked}"),
        ),
        (true, None) => (
            Severity::Hint,
            "somebody reported it, yet no word or figure says what was observed; describe the \
             behaviour that users saw"
                .to_owned(),
        ),
        (false, Some(asked)) => (
            Severity::Warning,
            format!("a reviewer asks what was observed; {asked}"),
        ),
        (false, None) => return,
    };
    report.add(severity, "changelog", source::DESCRIBE, text);
}

/// Who misses a problem statement in an answer, and in which words.
fn asks_for_problem(reply: &Reply) -> Option<String> {
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
        let by = shown(&reply.by.name);
        Some(format!("{by} asks for it: {:?}", shown(words)))
    })
}

/// Whether a text tells what somebody saw: a word for a symptom, a figure with
/// a unit, or lines out of a log.
fn tells_symptom(text: &str) -> bool {
    static WORD: LazyLock<Regex> = LazyLock::new(|| {
        regex(concat!(
            r"(?i)\b(?:observ|crash|panic|oops|hang|hung|lock-?up|stall|deadlock|livelock|leak|",
            r"slow|latenc|regress|fail|splat|corrupt|stuck|time[sd]?[ -]?out|starv|",
            r"misbehav|use-after-free|double[ -]free|out-of-bounds|null pointer|deref|",
            r"unresponsive|freez(?:e|es|ing)\b|broke|wrong|incorrect|unexpected|",
            r"warns?\b|warning|bug:|kasan|kcsan|ubsan|kmsan|lockdep|syzbot|syzkaller)"
        ))
    });
    static LOG: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^\s*(?:\[ *\d+\.\d+\]|Call Trace:|BUG|WARNING)"));
    WORD.is_match(text) || LOG.is_match(text) || has_figure(text)
}

#[cfg(test)]
mod tests {
    use crate::review::lint::testing::table;

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
}
