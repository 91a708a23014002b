//! A message, and what its subject and body make of it: a patch, an answer,
//! or an answer that carries a patch.

use std::sync::LazyLock;

use regex::Regex;

use super::answer::Answer;
use super::identity::Identity;
use crate::mail::{Layout, Message, Subject, changelog_end, has_diff};
use crate::pattern::regex;
use crate::person::Person;

/// The longest changelog, in bytes. Of an answer no more than this is read.
pub(crate) const MAX_TEXT: usize = 1 << 20;

/// A message of a thread.
pub(crate) struct Mail {
    /// The subject as it came.
    pub(crate) line: String,
    pub(crate) subject: Subject,
    pub(crate) from: Option<Person>,
    pub(crate) date: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) answers: Vec<String>,
    /// To whom a patch was sent; of an answer nobody.
    pub(crate) to: Vec<Person>,
    /// Of a patch the body above the diff; of an answer nothing.
    pub(crate) text: String,
    /// Of a patch the body from the line that ends the changelog, as bytes.
    pub(crate) rest: Vec<u8>,
    /// What an answer says; of a patch nothing.
    pub(crate) answer: Answer,
    pub(crate) kind: Kind,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A patch, or a cover letter.
    Patch,
    /// An answer, or anything else.
    Answer,
    /// An answer with a patch in it.
    Both,
}

impl Mail {
    pub(crate) fn is_patch(&self) -> bool {
        self.kind == Kind::Patch
    }

    /// Adds what a patch or a cover letter says of its series. Only a later version
    /// is taken to answer one of the same series: a first one may answer anything.
    pub(crate) fn name_series(&self, identity: &mut Identity) {
        // b4's notes stand between the changelog and the diff, or at the end of a
        // cover letter.
        const MOST: usize = 64 << 10;
        let end = memchr::memmem::find(&self.rest, b"\ndiff --git ");
        let end = end.unwrap_or(self.rest.len()).min(MOST);
        identity.add_text(&self.text);
        identity.add_text(&String::from_utf8_lossy(&self.rest[..end]));
        identity.add_title(&self.subject.title);
        let is_reroll = self.subject.version > 1;
        let answers = self.answers.iter().filter(|_| is_reroll);
        for id in self.id.iter().chain(answers) {
            identity.add_message(id);
        }
    }

    /// About how much is kept of it, in bytes.
    pub(crate) fn size(&self) -> usize {
        let said = self.answer.said.iter().flat_map(|one| &one.lines);
        self.text.len() + self.rest.len() + said.map(String::len).sum::<usize>()
    }
}

impl From<Message> for Mail {
    fn from(mut message: Message) -> Self {
        let mut subject = Subject::parse(&message.subject);
        let mut body = std::mem::take(&mut message.body);
        let at = changelog_end(&body);
        let has_diff = has_diff(&body[at..]);
        let quotes = body[..at]
            .split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b">"));
        // Some mailers forget the `Re:`.
        subject.reply |= !has_diff && quotes && !message.answers.is_empty();
        let is_patch = !subject.reply && (subject.tagged || has_diff);
        let (mut text, mut rest, mut answer) = (String::new(), Vec::new(), Answer::default());
        let mut kind = Kind::Answer;
        if is_patch {
            kind = Kind::Patch;
            rest = body.split_off(at);
            if message.layout != Layout::Fixed && is_stuffed(&rest) {
                (body, rest) = (unstuffed(&body), unstuffed(&rest));
            }
            text = message.decode(&body);
        } else {
            let shown = &body[..body.len().min(MAX_TEXT)];
            let mut said = message.decode(shown);
            if let Layout::Flowed { delsp } = message.layout {
                said = unfolded(&said, delsp);
            }
            if has_diff
                && subject.tagged
                && let Some((above, carried)) = carried(&message.decode(&body[..at]), quotes)
            {
                kind = Kind::Both;
                text = carried;
                rest = body.split_off(at);
                said = above;
            }
            answer = Answer::read(&said);
        }
        Self {
            line: message.subject,
            subject,
            from: message.from,
            date: message.date,
            id: message.id,
            answers: nearest(message.answers),
            to: match kind {
                Kind::Answer => Vec::new(),
                _ => message.to,
            },
            text,
            rest,
            answer,
            kind,
        }
    }
}

/// The ids that are looked up: the nearest, and the one that began the thread.
fn nearest(mut ids: Vec<String>) -> Vec<String> {
    const MOST: usize = 20;
    ids.dedup();
    if ids.len() > MOST {
        ids.drain(MOST - 1..ids.len() - 1);
    }
    ids.shrink_to_fit();
    ids
}

/// The patch's changelog in an answer, and what stands above it: behind git's
/// scissors, or all of it where it quotes nothing.
fn carried(text: &str, quotes: bool) -> Option<(String, String)> {
    static SCISSORS: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^-[- ]*(?:>8|8<|>%|%<)[-<>8% ]*(?:cut here)?[- ]*\n"));
    match SCISSORS.find(text) {
        Some(cut) => Some((text[..cut.start()].to_owned(), text[cut.end()..].to_owned())),
        None => (!quotes).then(|| (String::new(), text.to_owned())),
    }
}

/// Whether a flowed mailer put a blank before each line that begins with one.
/// Some mails only say that they are flowed; then the diffstat or a line of
/// context has a single one.
fn is_stuffed(rest: &[u8]) -> bool {
    let mut any = false;
    for line in rest.split(|byte| *byte == b'\n') {
        match line {
            [b' ', b' ', ..] => any = true,
            [b' ', next, ..] if !next.is_ascii_whitespace() || *next == b'\t' => return false,
            _ => {}
        }
    }
    any
}

/// Takes off the blank that RFC 3676 puts before some lines.
fn unstuffed(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        out.extend_from_slice(line.strip_prefix(b" ").unwrap_or(line));
    }
    out
}

/// Puts flowed lines together: one that ends in a blank goes on in the next
/// of the same depth of quotes.
fn unfolded(text: &str, delsp: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Option<usize> = None;
    for line in text.lines() {
        let depth = line.bytes().take_while(|byte| *byte == b'>').count();
        let content = &line[depth..];
        let content = content.strip_prefix(' ').unwrap_or(content);
        let is_signature = content == "-- ";
        match open.take() {
            Some(before) if before == depth && !is_signature => {}
            Some(_) => out.push('\n'),
            None => {}
        }
        if out.is_empty() || out.ends_with('\n') {
            for _ in 0..depth {
                out.push('>');
            }
            if depth > 0 {
                out.push(' ');
            }
        }
        if content.ends_with(' ') && !is_signature {
            let kept = if delsp {
                content.len() - 1
            } else {
                content.len()
            };
            out.push_str(&content[..kept]);
            open = Some(depth);
        } else {
            out.push_str(content);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flowed_lines_go_on() {
        let table = [
            ("one \ntwo\n", false, "one two\n"),
            ("one \ntwo\n", true, "onetwo\n"),
            ("one\n two\n", false, "one\ntwo\n"),
            ("> one \n> two\nthree\n", false, "> one two\nthree\n"),
            ("> one \n>> two\n", false, "> one \n>> two\n"),
            ("one \n-- \nname\n", false, "one \n-- \nname\n"),
            ("one ", false, "one "),
        ];
        for (text, delsp, expected) in table {
            assert_eq!(unfolded(text, delsp), expected, "{text:?}");
        }
    }

    #[test]
    fn a_patch_in_an_answer_is_cut_out() {
        let table = [
            ("Text.\n", false, Some(("", "Text.\n"))),
            ("> Text.\nNo.\n", true, None),
            (
                "> Text.\nNo.\n-- >8 --\nText.\n",
                true,
                Some(("> Text.\nNo.\n", "Text.\n")),
            ),
            (
                "Hm.\n------8<----- cut here ----\nText.\n",
                false,
                Some(("Hm.\n", "Text.\n")),
            ),
        ];
        for (text, quotes, expected) in table {
            let expected = expected.map(|(above, below)| (above.to_owned(), below.to_owned()));
            assert_eq!(carried(text, quotes), expected, "{text:?}");
        }
    }
}
