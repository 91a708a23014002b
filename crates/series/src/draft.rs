//! Drafts for people to go on from: the next version of a series, and the
//! answer to a patch. Nothing here is ever sent.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;
use similar::TextDiff;

use crate::changelog::person;
use crate::format;
use crate::lint::{self, Severity, is_prose, meant, sorted};
use crate::patch::{Patch, Person, Trailer};
use crate::regex;
use crate::reply::same;
use crate::review::{Collected, Review, Standing};

/// The width of a mail.
const WIDTH: usize = 72;
/// A quote is left as it is up to this width.
const QUOTE_WIDTH: usize = 78;
/// The most lines of a changelog that an answer quotes.
const QUOTED: usize = 20;
/// The most lines of a proposal.
const LONGEST: usize = 200;
/// The fewest words of a proposal that takes the place of a whole changelog.
const WHOLE: usize = 25;

/// A wording that a reviewer proposes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wording {
    /// The words, without the marks around them.
    pub text: String,
    /// Whether it seems to stand for the whole changelog: called a wording of
    /// it, and long enough.
    pub whole: bool,
}

/// The wordings that an answer's own words propose: what stands between lines
/// of quotation marks, fences or scissors, in quotation marks over several
/// lines, or indented, behind a line that introduces it ("My wording would
/// be").
pub fn wordings(body: &str) -> Vec<Wording> {
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

/// The next version, to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its number.
    pub version: u32,
    /// Its patches.
    pub patches: Vec<Patch>,
    /// The mails of the version that there is against those of the next, as a
    /// unified diff. What the sender must settle stands below each `---`, in
    /// lines that begin with `#`.
    pub diff: String,
}

/// Drafts the next version of the series under review: with the changelog that
/// a reviewer proposed, the trailers that count, `measured` as the end of the
/// last patch's changelog, and what of the lint needs no judgement mended.
pub fn next_version(review: &Review, accept_conditional: bool, measured: Option<&str>) -> Draft {
    let series = review.series();
    let version = series.version + 1;
    let mut draft = Draft {
        version,
        patches: Vec::new(),
        diff: String::new(),
    };
    let none = Vec::new();
    for (at, old) in series.patches.iter().enumerate() {
        let trailers = review.trailers.get(at).unwrap_or(&none);
        let last = at + 1 == series.patches.len();
        let mut next = Next::new(old);
        for reply in series
            .replies
            .iter()
            .filter(|one| one.to_patch == old.index)
        {
            for wording in wordings(&reply.body) {
                next.wording(&reply.by, wording);
            }
        }
        if let Some(measured) = measured.filter(|_| last) {
            next.measured(measured);
        }
        next.mend();
        next.collect(trailers, accept_conditional);
        let (new, notes) = next.end();
        let name = |patch: &Patch| format!("v{}-{}", patch.version, format::file_name(patch));
        let (before, after) = (mail(old, ""), mail(&new, &notes));
        let diff = TextDiff::from_lines(&before, &after);
        draft.diff += &diff
            .unified_diff()
            .header(&name(old), &name(&new))
            .to_string();
        draft.patches.push(new);
    }
    draft
}

/// A patch on its way to its next version.
struct Next {
    patch: Patch,
    /// What changed, for the reader.
    changes: Vec<String>,
    /// What the sender must settle.
    open: Vec<String>,
}

impl Next {
    fn new(old: &Patch) -> Self {
        let mut patch = old.clone();
        patch.version += 1;
        // The mailer will date it.
        patch.date = None;
        Self {
            patch,
            changes: Vec::new(),
            open: Vec::new(),
        }
    }

    fn wording(&mut self, by: &Person, wording: Wording) {
        if wording.whole {
            self.changes
                .push(format!("Take the changelog as {} worded it", by.name));
            self.patch.body = wording.text;
            return;
        }
        self.open.push(format!("{} proposes these words:", by.name));
        let words = wording.text.lines().map(|line| format!("  {line}"));
        self.open.extend(words);
    }

    fn measured(&mut self, text: &str) {
        let body = self.patch.body.trim_end();
        self.patch.body = format!("{body}\n\n{}", text.trim_end());
        self.changes.push("Add what was measured".to_owned());
    }

    /// What needs no judgement: the block in one piece and in order, names as
    /// they are spelled, no full stop behind the subject.
    fn mend(&mut self) {
        let lost = lint::patch(&self.patch, None)
            .iter()
            .any(|one| one.rule == "split-trailers");
        if lost {
            self.changes
                .push("Take the blank line out of the trailers".to_owned());
        }
        for one in &mut self.patch.trailers {
            if let Some(name) = meant(&one.name) {
                self.changes.push(format!("Spell {name} as it is"));
                one.name = name.to_owned();
            }
        }
        let subject = &mut self.patch.subject;
        if subject.ends_with('.') && !subject.ends_with("..") {
            subject.pop();
            self.changes
                .push("Take the full stop off the subject".to_owned());
        }
    }

    fn collect(&mut self, collected: &[Collected], accept_conditional: bool) {
        let mut added = Vec::new();
        for one in collected {
            if self.patch.trailers.iter().any(|has| is_same(has, one)) {
                continue;
            }
            if one.standing.counts(accept_conditional) {
                added.push(format!("{} of {}", one.name, one.from.name));
                self.patch.trailers.push(Trailer {
                    name: one.name.clone(),
                    value: one.value.clone(),
                });
            } else if let Standing::Conditional(condition) = &one.standing {
                self.open.push(format!(
                    "{}: {}  <- if this is met: {condition:?}",
                    one.name, one.value
                ));
            }
        }
        if !added.is_empty() {
            self.changes.push(format!("Collect {}", added.join(", ")));
        }
        let ordered = sorted(&self.patch.trailers);
        if added.is_empty() && ordered != self.patch.trailers {
            self.changes.push("Put the trailers in order".to_owned());
        }
        self.patch.trailers = ordered;
    }

    /// The patch, and what stands below its `---`.
    fn end(mut self) -> (Patch, String) {
        let patch = &mut self.patch;
        let trailers: Vec<String> = (patch.trailers.iter())
            .map(|one| format!("{}: {}", one.name, one.value))
            .collect();
        let parts = [&patch.subject, patch.body.trim_end(), &trailers.join("\n")];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        patch.message = parts.join("\n\n") + "\n";
        for one in lint::patch(patch, None) {
            if one.severity > Severity::Hint {
                self.open.push(format!("{}: {}", one.rule, one.text));
            }
        }
        let mut notes = String::new();
        if !self.changes.is_empty() {
            let _ = writeln!(notes, "Changes since v{}:", self.patch.version - 1);
            for change in &self.changes {
                notes += &wrapped(change, " - ", "   ");
            }
        }
        if !self.open.is_empty() {
            notes += "\n# For the sender to settle, and to take out:\n";
            for open in &self.open {
                notes += &wrapped(open, "#  ", "#    ");
            }
        }
        (self.patch, notes)
    }
}

fn is_same(has: &Trailer, one: &Collected) -> bool {
    let by_person = match (person(&has.value), person(&one.value)) {
        (Some(has), Some(one)) => same(&has.email, &one.email),
        _ => has.value == one.value,
    };
    has.name.eq_ignore_ascii_case(&one.name) && by_person
}

/// A patch as a mail, with notes below its `---`.
fn mail(patch: &Patch, notes: &str) -> String {
    let text = String::from_utf8_lossy(&format::patch(patch)).into_owned();
    match text.split_once("\n---\n") {
        Some((above, below)) if !notes.is_empty() => format!("{above}\n---\n{notes}\n{below}"),
        _ => text,
    }
}

/// What an answer is made of.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The patch that it answers.
    pub to: &'a Patch,
    /// The message id of its mail, without angle brackets.
    pub id: Option<&'a str>,
    /// Who else gets it.
    pub cc: &'a [Person],
    /// Who writes it, where that is known.
    pub from: Option<&'a Person>,
    /// What it has to say: plain text that is wrapped already.
    pub text: &'a str,
    /// Whether everything held, so that a Tested-by is offered.
    pub held: bool,
}

/// Drafts an answer, as one message with its headers, for a mailer to open.
pub fn answer(answer: &Answer) -> String {
    let author = &answer.to.author;
    let mut out = String::new();
    if let Some(from) = answer.from {
        format::header(&mut out, "From", &format::address(from));
    }
    if !author.email.is_empty() {
        format::header(&mut out, "To", &format::address(author));
    }
    let mut cc: Vec<String> = Vec::new();
    for one in answer.cc {
        // A list has no name.
        let address = match one.name == one.email {
            true => one.email.clone(),
            false => format::address(one),
        };
        if !(one.email.is_empty() || same(&author.email, &one.email) || cc.contains(&address)) {
            cc.push(address);
        }
    }
    if !cc.is_empty() {
        format::header(&mut out, "Cc", &cc.join(", "));
    }
    let subject = format::encoded(&answer.to.subject);
    let subject = format!("Re: {} {subject}", format::tag(answer.to));
    format::header(&mut out, "Subject", &subject);
    if let Some(id) = answer.id {
        format::header(&mut out, "In-Reply-To", &format!("<{id}>"));
        format::header(&mut out, "References", &format!("<{id}>"));
    }
    out += "MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n";
    out += "Content-Transfer-Encoding: 8bit\n\n";

    if let Some(date) = &answer.to.date {
        let _ = write!(out, "On {date}, ");
    }
    let _ = writeln!(out, "{} wrote:", author.name);
    out += &quoted(&answer.to.body);
    let _ = writeln!(out, "\n{}", answer.text.trim_end());
    if answer.held {
        let by = match answer.from {
            Some(from) => from.to_string(),
            None => "NAME <ADDRESS>".to_owned(),
        };
        let _ = writeln!(out, "\nTested-by: {by}");
    }
    out
}

/// The beginning of a changelog, as a quote.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    let mut lines = 0;
    for paragraph in text.split("\n\n") {
        let prose = paragraph.lines().all(is_prose);
        let fits = paragraph
            .lines()
            .all(|line| line.chars().count() + 2 <= QUOTE_WIDTH);
        let new = match prose && !fits {
            true => wrapped(&paragraph.replace('\n', " "), "> ", "> "),
            false => paragraph
                .lines()
                .map(|line| format!("> {line}\n"))
                .collect(),
        };
        lines += new.lines().count() + 1;
        if lines > QUOTED + 1 {
            out += "> [...]\n";
            break;
        }
        if !out.is_empty() {
            out += ">\n";
        }
        out += &new;
    }
    out
}

/// Text in lines of a mail's width, the first and the others with what goes
/// before them. A word is never broken.
pub fn wrapped(text: &str, first: &str, others: &str) -> String {
    let mut out = String::new();
    let mut line = first.to_owned();
    let mut empty = true;
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    for word in clean.collect::<String>().split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out += line.trim_end();
            out.push('\n');
            line = others.to_owned();
        } else if !empty {
            line.push(' ');
        }
        line += word;
        empty = false;
    }
    out += line.trim_end();
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAD: &[u8] = include_bytes!("../../../patches/oom-reaper-reverse/thread.txt");

    fn review() -> Review {
        let thread = crate::thread::parse(THREAD).unwrap();
        crate::review::review(thread).unwrap()
    }

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

    #[test]
    fn the_next_version_of_this_series() {
        let mut review = review();
        let from = |name: &str, email: &str| Person {
            name: name.to_owned(),
            email: email.to_owned(),
        };
        let offer = |name: &str, from: Person, standing| Collected {
            name: name.to_owned(),
            value: from.to_string(),
            from,
            version: 6,
            to_patch: 2,
            standing,
        };
        let hocko = from("Michal Hocko", "mhocko@suse.com");
        let howlett = from("Liam R. Howlett", "Liam.Howlett@oracle.com");
        let condition = "Anyway, with a changelog clarified.".to_owned();
        review.trailers = vec![vec![
            offer("Acked-by", hocko, Standing::Conditional(condition)),
            offer("Reviewed-by", howlett, Standing::Given),
            offer("Reviewed-by", from("C", "c@example.org"), Standing::Foreign),
        ]];
        let measured = "Measured, with medians:\n\n    total  167 ms  133 ms  -21 %\n";
        let draft = next_version(&review, false, Some(measured));
        insta::assert_snapshot!(draft.diff, @r#"
        --- v6-0002-mm-oom_kill-The-OOM-reaper-traverses-the-VMA-maple-t.patch
        +++ v7-0002-mm-oom_kill-The-OOM-reaper-traverses-the-VMA-maple-t.patch
        @@ -1,24 +1,42 @@
         From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
         From: zhongjinji <zhongjinji@honor.com>
        -Date: Fri, 29 Aug 2025 14:55:50 +0800
        -Subject: [PATCH v6 2/2] mm/oom_kill: The OOM reaper traverses the VMA maple
        +Subject: [PATCH v7 2/2] mm/oom_kill: The OOM reaper traverses the VMA maple
          tree in reverse order
         
        -When a process is OOM killed without reaper delay, the oom reaper and the
        -exit_mmap() thread likely run simultaneously. They traverse the vma's maple
        -tree along the same path and may easily unmap the same vma, causing them to
        -compete for the pte spinlock.
        +Although the oom_reaper is delayed and it gives the oom victim chance to
        +clean up its address space this might take a while especially for
        +processes with a large address space footprint. In those cases
        +oom_reaper might start racing with the dying task and compete for shared
        +resources - e.g. page table lock contention has been observed.
        +
        +Reduce those races by reaping the oom victim from the other end of the
        +address space.
        +
        +Measured, with medians:
         
        -When a process exits, exit_mmap() traverses the vma's maple tree from low
        -to high addresses. To reduce the chance of unmapping the same vma
        -simultaneously, the OOM reaper should traverse the vma's tree from high to
        -low address.
        +    total  167 ms  133 ms  -21 %
         
         Reported-by: tianxiaobin <tianxiaobin@honor.com>
         Reported-by: fengbaopeng <fengbaopeng@honor.com>
        -
         Signed-off-by: zhongjinji <zhongjinji@honor.com>
        +Reviewed-by: Liam R. Howlett <Liam.Howlett@oracle.com>
         ---
        +Changes since v6:
        + - Take the changelog as Michal Hocko worded it
        + - Add what was measured
        + - Take the blank line out of the trailers
        + - Collect Reviewed-by of Liam R. Howlett
        +
        +# For the sender to settle, and to take out:
        +#  Acked-by: Michal Hocko <mhocko@suse.com>  <- if this is met: "Anyway,
        +#    with a changelog clarified."
        +#  reported-by-without-link: Reported-by: tianxiaobin
        +#    <tianxiaobin@honor.com> has no Closes: (or Link:, for a part of it)
        +#    behind it; point to the report, unless it is not on the web
        +#  reported-by-without-link: Reported-by: fengbaopeng
        +#    <fengbaopeng@honor.com> has no Closes: (or Link:, for a part of it)
        +#    behind it; point to the report, unless it is not on the web
        +
          mm/oom_kill.c | 9 +++++++--
          1 file changed, 7 insertions(+), 2 deletions(-)
        "#);
        let accepted = next_version(&review, true, None);
        let message = &accepted.patches[0].message;
        assert!(message.ends_with(
            "Reviewed-by: Liam R. Howlett <Liam.Howlett@oracle.com>\n\
             Acked-by: Michal Hocko <mhocko@suse.com>\n"
        ));
        // What is drafted is read again, and finds no more to mend.
        let mail = format::patch(&accepted.patches[0]);
        let series = crate::series::parse(&mail).unwrap();
        assert_eq!(
            (series.version, series.patches[0].message.as_str()),
            (7, message.as_str())
        );
        let rules: Vec<_> = lint::series(&series, None)
            .into_iter()
            .map(|one| one.rule)
            .collect();
        assert_eq!(
            rules,
            ["reported-by-without-link", "reported-by-without-link"]
        );
    }

    #[test]
    fn an_answer_is_a_mail() {
        let series = crate::series::parse(THREAD).unwrap();
        let mut to = series.patches[0].clone();
        let one = Answer {
            to: &to.clone(),
            id: None,
            cc: &[],
            from: None,
            text: "It held.\n",
            held: false,
        };
        insta::assert_snapshot!(answer(&one), @r"
        To: zhongjinji <zhongjinji@honor.com>
        Subject: Re: [PATCH v6 2/2] mm/oom_kill: The OOM reaper traverses the VMA
         maple tree in reverse order
        MIME-Version: 1.0
        Content-Type: text/plain; charset=UTF-8
        Content-Transfer-Encoding: 8bit

        On Fri, 29 Aug 2025 14:55:50 +0800, zhongjinji wrote:
        > When a process is OOM killed without reaper delay, the oom reaper and the
        > exit_mmap() thread likely run simultaneously. They traverse the vma's maple
        > tree along the same path and may easily unmap the same vma, causing them to
        > compete for the pte spinlock.
        >
        > When a process exits, exit_mmap() traverses the vma's maple tree from low
        > to high addresses. To reduce the chance of unmapping the same vma
        > simultaneously, the OOM reaper should traverse the vma's tree from high to
        > low address.

        It held.
        ");
        let from = Person {
            name: "T Ester".to_owned(),
            email: "tester@example.org".to_owned(),
        };
        let wide = "wide words ".repeat(12);
        let table = "  a table   as it is, which is wider than a mail, much wider, is left alone";
        to.body = format!("{wide}\n\n{table}\n\n{}", "line\n".repeat(30));
        let mut cc: Vec<Person> = series
            .replies
            .iter()
            .map(|reply| reply.by.clone())
            .collect();
        cc.push(to.author.clone());
        cc.push(cc[0].clone());
        let one = Answer {
            to: &to,
            id: Some("2@example.org"),
            cc: &cc,
            from: Some(&from),
            held: true,
            ..one
        };
        insta::assert_snapshot!(answer(&one), @r#"
        From: T Ester <tester@example.org>
        To: zhongjinji <zhongjinji@honor.com>
        Cc: Michal Hocko <mhocko@suse.com>, "Liam R. Howlett"
         <Liam.Howlett@oracle.com>, Lorenzo Stoakes <lorenzo.stoakes@oracle.com>
        Subject: Re: [PATCH v6 2/2] mm/oom_kill: The OOM reaper traverses the VMA
         maple tree in reverse order
        In-Reply-To: <2@example.org>
        References: <2@example.org>
        MIME-Version: 1.0
        Content-Type: text/plain; charset=UTF-8
        Content-Transfer-Encoding: 8bit

        On Fri, 29 Aug 2025 14:55:50 +0800, zhongjinji wrote:
        > wide words wide words wide words wide words wide words wide words wide
        > words wide words wide words wide words wide words wide words
        >
        >   a table   as it is, which is wider than a mail, much wider, is left alone
        > [...]

        It held.

        Tested-by: T Ester <tester@example.org>
        "#);
    }
}
