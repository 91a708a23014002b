//! What an answer wants from the author: questions, requests and objections,
//! found by their words.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use super::model::PointKind;
use crate::pattern::regex;
use crate::series::{Answer, Paragraph, line_hash, offer};

const MAX_POINTS: usize = 100;
/// The longest quote of a point, in bytes.
const MAX_QUOTE: usize = 2000;

/// Something that an answer wants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) kind: PointKind,
    pub(crate) quote: String,
    pub(crate) about: Option<String>,
    /// The hashes of the lines that it stands on.
    pub(crate) lines: HashSet<u64>,
}

impl Wish {
    fn append(&mut self, words: &str) {
        self.quote = shortened(&format!("{} {words}", self.quote));
    }
}

/// The wishes in an answer, sentence by sentence; those of one kind that follow
/// each other are one.
pub(crate) fn wishes(answer: &Answer) -> Vec<Wish> {
    let mut wishes = Vec::new();
    // The wording that a reviewer proposes stands between lone quotation marks,
    // and belongs to the wish before it.
    let mut proposal: Option<Vec<&str>> = None;
    for paragraph in &answer.said {
        let mut lines: Vec<&str> = Vec::new();
        for line in &paragraph.lines {
            if line.trim() == "\"" {
                of_lines(&std::mem::take(&mut lines), paragraph, &mut wishes);
                proposal = match proposal.take() {
                    None => Some(Vec::new()),
                    Some(said) => {
                        if let Some(last) = wishes.last_mut() {
                            last.append(&format!("\"{}\"", said.join(" ")));
                        }
                        None
                    }
                };
            } else if let Some(said) = &mut proposal {
                said.push(line.trim());
            } else if offer(line.trim_start()).is_none() {
                lines.push(line);
            }
        }
        of_lines(&lines, paragraph, &mut wishes);
        if wishes.len() >= MAX_POINTS {
            wishes.truncate(MAX_POINTS);
            break;
        }
    }
    wishes
}

fn of_lines(lines: &[&str], paragraph: &Paragraph, wishes: &mut Vec<Wish>) {
    static END: LazyLock<Regex> = LazyLock::new(|| regex(r#"[.!?]+[)"']*(?:\s+|$)|$"#));
    // Where each line ends in the text.
    let mut text = String::new();
    let mut ends = Vec::new();
    for line in lines {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(line.trim());
        ends.push(text.len());
    }
    let is_code = |line: &String| line.starts_with(['+', '-', '@']);
    let about = paragraph.about.clone().filter(is_code);
    let (mut start, mut line) = (0, 0);
    let mut before = None;
    for end in END.find_iter(&text).map(|found| found.end()) {
        let sentence = text[start..end].trim();
        if end < text.len()
            && ["e.g.", "i.e.", "cf.", "vs."]
                .iter()
                .any(|s| sentence.ends_with(s))
        {
            continue;
        }
        // The lines from that of its first byte to that of its last.
        while ends.get(line).is_some_and(|end| *end <= start) {
            line += 1;
        }
        let first = line;
        while ends.get(line).is_some_and(|at| *at < end) {
            line += 1;
        }
        start = end;
        let kind = kind(sentence);
        if let Some(kind) = kind {
            let hashes = lines[first..=line.min(lines.len() - 1)].iter();
            let hashes = hashes.map(|line| line_hash(line));
            match wishes.last_mut().filter(|_| before == Some(kind)) {
                Some(last) if last.quote.len() < MAX_QUOTE => {
                    last.append(sentence);
                    last.lines.extend(hashes);
                }
                _ => wishes.push(Wish {
                    kind,
                    quote: shortened(sentence),
                    about: about.clone(),
                    lines: hashes.collect(),
                }),
            }
        }
        before = kind;
        if wishes.len() >= MAX_POINTS {
            return;
        }
    }
}

fn shortened(sentence: &str) -> String {
    let end = sentence.floor_char_boundary(MAX_QUOTE);
    sentence[..end].to_owned()
}

fn kind(sentence: &str) -> Option<PointKind> {
    static OBJECTION: LazyLock<Regex> =
        LazyLock::new(|| regex(r"\bN(?:AC|A)K(?:ed|'ed|ing|s)?\b|\b[Nn]acked\b"));
    static QUESTION: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"(?x)\?[.!?]*[)"']*\.?$
            | ^\W*(?:What|Why|How|When|Where|Which|Who)\ (?:is|are|was|were|do|does|did|would|could|should|about|happens)\b"#,
        )
    });
    static REQUEST: LazyLock<Regex> = LazyLock::new(|| {
        let to_do = "add|remove|drop|use|rename|fix|move|split|explain|mention|fold|squash|merge|\
                     reword|clarify|describe|document|rebase|resend|update|change|replace|\
                     simplify|make|put|keep|avoid|check|say|include|send|provide";
        regex(&format!(
            r"(?ix)
            \b(?:please|pls|plz)\b
            | \b(?:could|can|would|will)\ you\b
            | \byou\ (?:should|must|need\ to|have\ to|want\ to|may\ want|might\ want|could)\b
            | \b(?:should|must|ought\ to|needs?\ to|has\ to)\ (?:(?:also|really|probably|not|at\ least)\ )*(?:be|have|go|{to_do}|come|stay|live|return)\b
            | \b(?:could|can)\ be\ (?:\w+\ )?(?:improved|simplified|dropped|removed|shortened|clarified|moved|folded|merged|avoided|better|renamed|split)\b
            | \bI(?:'d|\ would)\ (?:really\ |much\ |also\ )?(?:prefer|rather|like|suggest|drop|expect|love|want|{to_do})\b
            | \bI\ (?:suggest|propose)\b
            | \b(?:it\ )?would\ be\ (?:nice|good|better|great|helpful|useful|worth|interesting)\b
            | \bmy\ wording\b
            | \blet's\b
            | \b(?:don't|do\ not|doesn't)\ (?:really\ )?(?:understand|see|get)\b
            | ^\W*(?:nit|nits|minor|typo)\b
            | ^(?:then\ |also\ |so\ |just\ )?(?:{to_do})\ (?:the|a|an|this|that|it|these|those|your|all|some)\b"
        ))
    });
    static FINE: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?i)\bfeel free\b|\bnot (?:really )?worth\b|\bno need\b|\bup to you\b|\bnot a blocker\b|\b(?:should|must|needs? to) (?:be|have) (?:fine|ok|okay|good|safe|enough|sufficient|correct|been)\b|\bplease find\b|\bdon't (?:see|get) (?:any|a) (?:problem|issue|reason not)",
        )
    });
    if OBJECTION.is_match(sentence) {
        Some(PointKind::Objection)
    } else if QUESTION.is_match(sentence) {
        // A lone mark asks nothing that could be answered.
        sentence
            .contains(char::is_alphabetic)
            .then_some(PointKind::Question)
    } else if REQUEST.is_match(sentence) && !FINE.is_match(sentence) {
        Some(PointKind::Request)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let wishes = wishes(&Answer::read(text));
        let shown = wishes.iter().map(|wish| {
            let about = wish.about.as_ref().map(|line| format!(" on {line:?}"));
            format!(
                "{:?} {:?}{}",
                wish.kind,
                wish.quote,
                about.unwrap_or_default()
            )
        });
        shown.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_an_answer_wants() {
        let table = [
            "Looks good to me.",
            "Why is that? And what if mm is\nNULL? Fine otherwise.",
            "> +\tif (mm)\nCan mm be NULL here?",
            "> ?\n",
            "(But so what? What was the behavior).",
            "???",
            "The changelog could be improved. I read it twice.",
            "Please drop this hunk.",
            "Please find my tag below.",
            "This should be fine.",
            "This should also be documented.",
            "Feel free to add the tag, could you please.",
            "nit: s/teh/the/",
            "Drop the cast.",
            "NAK. This breaks hugetlb.",
            "My wording would be\n\"\nPlease add what you should say?\n\"\nThanks.",
            "Fixes: ?",
            "See https://example.org/?a=b for more.",
            "Not really worth a resend, but you could.",
            "-- \nWhat?",
        ];
        let read: Vec<String> = table
            .iter()
            .map(|text| format!("{text:?}: {}", read(text)))
            .collect();
        insta::assert_snapshot!(read.join("\n"), @r#"
    "Looks good to me.": 
    "Why is that? And what if mm is\nNULL? Fine otherwise.": Question "Why is that? And what if mm is NULL?"
    "> +\tif (mm)\nCan mm be NULL here?": Question "Can mm be NULL here?" on "+\tif (mm)"
    "> ?\n": 
    "(But so what? What was the behavior).": Question "(But so what? What was the behavior)."
    "???": 
    "The changelog could be improved. I read it twice.": Request "The changelog could be improved."
    "Please drop this hunk.": Request "Please drop this hunk."
    "Please find my tag below.": 
    "This should be fine.": 
    "This should also be documented.": Request "This should also be documented."
    "Feel free to add the tag, could you please.": 
    "nit: s/teh/the/": Request "nit: s/teh/the/"
    "Drop the cast.": Request "Drop the cast."
    "NAK. This breaks hugetlb.": Objection "NAK."
    "My wording would be\n\"\nPlease add what you should say?\n\"\nThanks.": Request "My wording would be \"Please add what you should say?\""
    "Fixes: ?": Question "Fixes: ?"
    "See https://example.org/?a=b for more.": 
    "Not really worth a resend, but you could.": 
    "-- \nWhat?": 
    "#);
    }
}
