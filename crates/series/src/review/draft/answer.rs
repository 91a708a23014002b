//! The answer to a patch.

use std::fmt::Write as _;

use super::wrap::wrapped;
use crate::mail::{address, encoded, header};
use crate::patch::Patch;
use crate::patch::format::{Source, tag};
use crate::person::Person;
use crate::review::lint::is_prose;
use crate::text::same;

/// A quote is left as it is up to this width.
const QUOTE_WIDTH: usize = 78;
/// The most lines of a changelog that an answer quotes.
const QUOTED: usize = 20;

#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    pub to: &'a Patch,
    /// Its mail, where it came by one.
    pub source: Option<&'a Source>,
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
    let sender = answer.source.and_then(|source| source.from.as_ref());
    let mut to: Vec<&Person> = sender.into_iter().chain([author]).collect();
    to.retain(|one| !one.email.is_empty());
    to.dedup_by(|one, other| same(&one.email, &other.email));
    let mut out = String::new();
    if let Some(from) = answer.from {
        header(&mut out, "From", &address(from));
    }
    if !to.is_empty() {
        let to: Vec<String> = to.iter().map(|one| address(one)).collect();
        header(&mut out, "To", &to.join(", "));
    }
    let mut cc: Vec<String> = Vec::new();
    for one in answer.cc {
        // A list has no name.
        let address = match one.name == one.email {
            true => one.email.clone(),
            false => address(one),
        };
        let has = to.iter().any(|other| same(&other.email, &one.email));
        if !(one.email.is_empty() || has || cc.contains(&address)) {
            cc.push(address);
        }
    }
    if !cc.is_empty() {
        header(&mut out, "Cc", &cc.join(", "));
    }
    let subject = match answer.source.map(|source| &source.subject) {
        Some(subject) if !subject.is_empty() => encoded(subject),
        _ => format!("{} {}", tag(answer.to), encoded(&answer.to.subject)),
    };
    header(&mut out, "Subject", &format!("Re: {subject}"));
    if let Some(id) = answer.source.and_then(|source| source.id.as_ref()) {
        header(&mut out, "In-Reply-To", &format!("<{id}>"));
        header(&mut out, "References", &format!("<{id}>"));
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

#[cfg(test)]
mod tests {
    use super::*;

    const THREAD: &[u8] = include_bytes!("../../../../../patches/oom-reaper-reverse/thread.txt");

    #[test]
    fn an_answer_is_a_mail() {
        let series = crate::series::parse(THREAD).unwrap();
        let mut to = series.patches[0].clone();
        let one = Answer {
            to: &to.clone(),
            source: None,
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
        let sent = Source {
            id: Some("2@example.org".to_owned()),
            subject: "[PATCH v6 2/2 RESEND] as it was sent".to_owned(),
            from: Some(Person {
                name: "Who sent it".to_owned(),
                email: "sender@example.org".to_owned(),
            }),
            ..Source::default()
        };
        let one = Answer {
            to: &to,
            source: Some(&sent),
            cc: &cc,
            from: Some(&from),
            held: true,
            ..one
        };
        insta::assert_snapshot!(answer(&one), @r#"
        From: T Ester <tester@example.org>
        To: Who sent it <sender@example.org>, zhongjinji <zhongjinji@honor.com>
        Cc: Michal Hocko <mhocko@suse.com>, "Liam R. Howlett"
         <Liam.Howlett@oracle.com>, Lorenzo Stoakes <lorenzo.stoakes@oracle.com>
        Subject: Re: [PATCH v6 2/2 RESEND] as it was sent
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
