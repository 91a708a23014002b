//! The wordings that reviewers propose.

use std::sync::LazyLock;

use regex::Regex;

use crate::pattern::regex;

/// The most lines of a proposal.
const LONGEST: usize = 200;
/// The fewest words of a proposal that takes the place of a whole changelog.
const WHOLE: usize = 25;

/// A wording that a reviewer proposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wording {
    /// The words, without the marks around them.
    pub(crate) text: String,
    /// Whether it seems to stand for the whole changelog: called a wording of
    /// it, and long enough.
    pub(crate) whole: bool,
}

/// The wordings that an answer's own words propose: what stands between lines
/// of quotation marks, fences or scissors, in quotation marks over several
/// lines, or indented, behind a line that introduces it ("My wording would
/// be").
pub(crate) fn wordings(body: &str) -> Vec<Wording> {
    static INTRODUCES: LazyLock<Regex> = LazyLock::new(|| {
        regex(concat!(
            r"(?i)\b(?:wording|changelogs?|commit (?:message|log|description)|description|phras\w+|",
            r"(?:re)?word(?:ed)?|rewrit\w+|something (?:like|along)|(?:how|what) about|",
            r"(?:would|could|should|might|may) (?:be|read|say|write)|suggest\w*|propos\w*|instead)\b"
        ))
    });
    static OF_CHANGELOG: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?i)\b(?:wording|changelog|commit (?:message|log|description)|description|reword)")
    });
    let lines: Vec<&str> = body.lines().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        at += 1;
        if !INTRODUCES.is_match(line) {
            continue;
        }
        let start = at
            + lines[at..]
                .iter()
                .take_while(|line| line.is_empty())
                .count();
        let Some((text, end)) = block(&lines, start, line.ends_with(':')) else {
            continue;
        };
        // What introduces it may be two lines long.
        let intro = lines[at.saturating_sub(2)..at].join(" ");
        let whole = OF_CHANGELOG.is_match(&intro) && text.split_whitespace().count() >= WHOLE;
        if !text.is_empty() {
            found.push(Wording { text, whole });
        }
        at = end;
    }
    found
}

/// A marked block that begins at a line, and where it ends.
fn block(lines: &[&str], start: usize, may_be_indented: bool) -> Option<(String, usize)> {
    static MARK: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"^\s*(?:"{1,3}|'{2,3}|[“”]|`{2,3}\w*|[-=~_*]{3,}|[-=]*\s*(?:8<|>8|%<|✂)[-=\s8<>%]*)$"#,
        )
    });
    let first = *lines.get(start)?;
    let lines = &lines[..lines.len().min(start + LONGEST)];
    let between = |from: usize, to: usize| lines[from..to].join("\n").trim_matches('\n').to_owned();
    if MARK.is_match(first) {
        let end = (start + 1..lines.len()).find(|at| MARK.is_match(lines[*at]))?;
        return Some((between(start + 1, end), end + 1));
    }
    let opened = first.trim_start().strip_prefix(['"', '“']);
    if opened.is_some_and(|rest| !rest.is_empty()) {
        let closes = |line: &str| line.trim_end_matches(['.', ',']).ends_with(['"', '”']);
        let end = (start..lines.len()).find(|at| closes(lines[*at]))?;
        let text = between(start, end + 1);
        let text = text.trim().trim_start_matches(['"', '“']);
        // A full stop behind the marks is the reviewer's.
        let inner = text.rfind(['"', '”']).map_or(text, |at| &text[..at]);
        return Some((inner.to_owned(), end + 1));
    }
    let indent = |line: &&str| line.starts_with("  ") || line.starts_with('\t');
    if may_be_indented && indent(&first) {
        let long = lines[start..]
            .iter()
            .take_while(|line| line.is_empty() || indent(line))
            .count();
        let cut = lines[start..start + long].iter();
        let least = cut
            .clone()
            .filter(|line| !line.is_empty())
            .map(|line| line.len() - line.trim_start().len())
            .min()?;
        let text: Vec<&str> = cut
            .map(|line| line.get(least..).unwrap_or_default())
            .collect();
        return Some((text.join("\n").trim_matches('\n').to_owned(), start + long));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAD: &[u8] = include_bytes!("../../../../patches/oom-reaper-reverse/thread.txt");

    #[test]
    fn the_wording_of_this_thread() {
        let series = crate::series::parse(THREAD).unwrap();
        let found: Vec<_> = (series.replies.iter())
            .flat_map(|reply| wordings(&reply.body))
            .collect();
        assert_eq!(
            found,
            [Wording {
                text: "Although the oom_reaper is delayed and it gives the oom victim chance to\n\
                       clean up its address space this might take a while especially for\n\
                       processes with a large address space footprint. In those cases\n\
                       oom_reaper might start racing with the dying task and compete for shared\n\
                       resources - e.g. page table lock contention has been observed.\n\
                       \n\
                       Reduce those races by reaping the oom victim from the other end of the\n\
                       address space."
                    .to_owned(),
                whole: true,
            }]
        );
    }

    #[test]
    fn wordings_and_what_is_none() {
        let long = "word ".repeat(30);
        let table = [
            "My wording would be\n\"\nOne.\n\nTwo.\n\"\nThen more.".to_owned(),
            "How about this?\n\n```\nOne\ntwo.\n```\n".to_owned(),
            "Please reword it:\n---8<---\nOne.\n--->8---\n".to_owned(),
            "I'd suggest:\n\n  One\n    two.\n\n  Three.\n\nWhat do you think?".to_owned(),
            "Maybe say something like:\n\"One\ntwo\".".to_owned(),
            format!("The changelog could be:\n\n  {long}\n"),
            "The changelog could be better.\nIt is short.".to_owned(),
            "This is\n\"\nno proposal\n\"".to_owned(),
            "My wording would be\n\"\nwithout an end".to_owned(),
            "My wording would be".to_owned(),
        ];
        let said: String = table
            .iter()
            .map(|body| format!("{body:?}: {:?}\n", wordings(body)))
            .collect();
        insta::assert_snapshot!(said, @r#"
        "My wording would be\n\"\nOne.\n\nTwo.\n\"\nThen more.": [Wording { text: "One.\n\nTwo.", whole: false }]
        "How about this?\n\n```\nOne\ntwo.\n```\n": [Wording { text: "One\ntwo.", whole: false }]
        "Please reword it:\n---8<---\nOne.\n--->8---\n": [Wording { text: "One.", whole: false }]
        "I'd suggest:\n\n  One\n    two.\n\n  Three.\n\nWhat do you think?": [Wording { text: "One\n  two.\n\nThree.", whole: false }]
        "Maybe say something like:\n\"One\ntwo\".": [Wording { text: "One\ntwo", whole: false }]
        "The changelog could be:\n\n  word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word \n": [Wording { text: "word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word ", whole: true }]
        "The changelog could be better.\nIt is short.": []
        "This is\n\"\nno proposal\n\"": []
        "My wording would be\n\"\nwithout an end": []
        "My wording would be": []
        "#);
    }
}
