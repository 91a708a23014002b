//! A [`Thread`], read as the series it carries: which version, which patches,
//! what is missing, and what was answered.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::changelog::{
    Diffstat, changelog_end, has_diff, inner_headers, person, split_trailers, stripspace,
};
use crate::patch::{self, Patch, Person};
use crate::reply::{Answer, same};
use crate::thread::{Message, Thread};

/// The most patches of a series; its numbers have four digits at most.
pub const MAX_PATCHES: u32 = 9_999;
/// The longest changelog, in bytes. Of an answer no more than this is read.
const MAX_TEXT: usize = 1 << 20;

/// One version of a patch series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// A short name made of the title, fit for a folder.
    pub name: String,
    /// The cover letter's subject, or the first patch's.
    pub title: String,
    /// The reroll, from 1.
    pub version: u32,
    /// How many patches it says it has.
    pub total: u32,
    /// Those that are there, by their place.
    pub patches: Vec<Patch>,
    /// The places of those that are not.
    pub missing: Vec<u32>,
    /// The answers to this version, in the thread's order.
    pub replies: Vec<Reply>,
    /// What a reader should know about how it was read.
    pub warnings: Vec<Warning>,
}

/// An answer to a patch or to the cover letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Who wrote it; the address is empty where nothing tells it.
    pub by: Person,
    /// When, as RFC 2822.
    pub date: Option<String>,
    /// Which patch it answers; 0 is the cover letter.
    pub to_patch: u32,
    /// What it says itself: without quotes, the line that introduces them, and
    /// the signature.
    pub body: String,
    /// The trailers that it offers.
    pub trailers: Vec<Offer>,
}

/// A trailer in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// `Acked-by`, as spelled.
    pub name: String,
    /// What stands behind the colon.
    pub value: String,
    /// The sentence that makes it conditional ("with a changelog clarified").
    /// Recognised by its words, so a human decides; none where it is plain.
    pub condition: Option<String>,
}

/// Something about a series that is not as it should be, yet does not stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Warning {
    /// A newer version is less complete than the one used.
    NewerIncomplete {
        /// The newer version.
        version: u32,
        /// The one used.
        used: u32,
    },
    /// A patch was sent twice; the later mail is used.
    Resent {
        /// Its place.
        index: u32,
    },
    /// A patch without a number stands in a series that has numbers.
    Unnumbered {
        /// Its subject.
        subject: String,
    },
    /// The archive says another number of patches than the subjects.
    Announced {
        /// What the archive says.
        announced: u32,
        /// What the subjects say.
        total: u32,
    },
    /// No source tells the author's address.
    NoAddress {
        /// The author.
        name: String,
    },
    /// No source tells when it was sent.
    NoDate {
        /// The patch's place.
        index: u32,
    },
    /// The date comes from a reply's words and lacks its time zone.
    DateInexact {
        /// The patch's place.
        index: u32,
    },
    /// A blank line stands inside the trailers.
    SplitTrailers {
        /// The patch's place.
        index: u32,
        /// The trailers that git's tools don't see for it.
        lost: Vec<String>,
    },
    /// The diffstat counts other lines than the diff has.
    Diffstat {
        /// The patch's place.
        index: u32,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewerIncomplete { version, used } => write!(
                f,
                "version {version} is not complete in this thread, so version {used} is used"
            ),
            Self::Resent { index } => {
                write!(
                    f,
                    "patch {index} was sent more than once; the last mail is used"
                )
            }
            Self::Unnumbered { subject } => {
                write!(
                    f,
                    "{subject:?} has no number in a numbered series and is left out"
                )
            }
            Self::Announced { announced, total } => {
                write!(
                    f,
                    "the archive counts {announced} patches, the subjects {total}"
                )
            }
            Self::NoAddress { name } => {
                write!(f, "nothing in the thread tells the address of {name}")
            }
            Self::NoDate { index } => write!(f, "nothing tells when patch {index} was sent"),
            Self::DateInexact { index } => {
                write!(
                    f,
                    "the date of patch {index} is taken from a reply, without its time zone"
                )
            }
            Self::SplitTrailers { index, lost } => write!(
                f,
                "a blank line splits the trailers of patch {index}: git sees only the last \
                 block and loses {}",
                lost.join(", ")
            ),
            Self::Diffstat { index } => write!(
                f,
                "the diffstat of patch {index} counts other lines than its diff has; \
                 the diff was edited by hand or damaged"
            ),
        }
    }
}

/// Why a thread gives no series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It could not be read as mail.
    #[error(transparent)]
    Thread(#[from] crate::thread::Error),
    /// Mail of another kind.
    #[error(
        "no patch in {messages} message(s), the first of which is {first:?}; give the thread, or the mails, that carry the patches"
    )]
    NoPatch {
        /// How many messages there were.
        messages: usize,
        /// The subject of the first.
        first: String,
    },
    /// A patch mail that has no diff.
    #[error("{subject:?} is called a patch but has no diff; the mail is cut off, fetch it again")]
    NoDiff {
        /// The mail's subject.
        subject: String,
    },
    /// A patch with fewer files than its diffstat.
    #[error(
        "{subject:?} changes {found} of the {promised} files in its diffstat; the mail is cut off, fetch it again"
    )]
    Cut {
        /// The mail's subject.
        subject: String,
        /// The files in the diff.
        found: usize,
        /// The files in the diffstat.
        promised: usize,
    },
    /// A diff that was refused.
    #[error("{subject:?}: {error}")]
    Patch {
        /// The mail's subject.
        subject: String,
        /// Why.
        error: patch::Error,
    },
    /// A mail that can't become a commit.
    #[error("{subject:?} {why}; no commit can be made of it, fetch the mail again")]
    Unusable {
        /// The mail's subject.
        subject: String,
        /// What it lacks or has.
        why: &'static str,
    },
}

/// Reads a series out of whatever [`crate::thread::parse`] reads.
///
/// # Errors
/// [`Error`] where it is no mail, has no patch, or a patch is refused.
pub fn parse(input: &[u8]) -> Result<Series, Error> {
    from_thread(&crate::thread::parse(input)?)
}

/// Reads the newest complete version of the series in a thread; where none is
/// complete, the one that lacks least, and of those the newest.
///
/// # Errors
/// [`Error`] where the thread has no patch, or one of that version is refused.
pub fn from_thread(thread: &Thread) -> Result<Series, Error> {
    let mails: Vec<Mail> = thread.messages.iter().map(Mail::new).collect();
    let mut warnings = Vec::new();

    let mut versions: BTreeMap<u32, Version> = BTreeMap::new();
    for mail in mails.iter().filter(|mail| mail.is_patch) {
        versions
            .entry(mail.subject.version)
            .or_default()
            .mails
            .push(mail);
    }
    for version in versions.values_mut() {
        version.number();
    }
    versions.retain(|_, version| !version.patches.is_empty());
    let Some((&number, version)) = versions.iter().max_by(|one, other| {
        // Present of total, compared without a fraction.
        let share = |version: &Version, total| version.patches.len() as u64 * u64::from(total);
        share(one.1, other.1.total)
            .cmp(&share(other.1, one.1.total))
            .then_with(|| one.0.cmp(other.0))
    }) else {
        let first = mails
            .first()
            .map(|mail| mail.message.subject.clone())
            .unwrap_or_default();
        return Err(Error::NoPatch {
            messages: mails.len(),
            first,
        });
    };
    if let Some((&newest, _)) = versions.last_key_value()
        && newest != number
    {
        warnings.push(Warning::NewerIncomplete {
            version: newest,
            used: number,
        });
    }
    warnings.extend(version.warnings.iter().cloned());
    if let Some(announced) = thread
        .announced
        .filter(|announced| *announced != version.total)
    {
        warnings.push(Warning::Announced {
            announced,
            total: version.total,
        });
    }

    let answers: Vec<(u32, &Mail)> = mails
        .iter()
        .filter_map(|mail| version.answered_by(mail, number).map(|index| (index, mail)))
        .collect();
    let known = People::collect(&mails);
    let mut patches = Vec::new();
    for (&index, mail) in &version.patches {
        let place = Place {
            index,
            total: version.total,
            version: number,
        };
        let answers = answers
            .iter()
            .filter(|answer| answer.0 == index)
            .map(|answer| answer.1);
        patches.push(read_patch(mail, place, answers, &known, &mut warnings)?);
    }
    let missing = (1..=version.total)
        .filter(|i| !version.patches.contains_key(i))
        .collect();
    let replies = answers
        .iter()
        .map(|(to, mail)| mail.reply(*to, &known))
        .collect();
    let title = match version.cover {
        Some(cover) => cover.subject.title.clone(),
        None => patches
            .first()
            .map(|patch| patch.subject.clone())
            .unwrap_or_default(),
    };
    let total = version.total;
    Ok(Series {
        name: slug(&title),
        title,
        version: number,
        total,
        patches,
        missing,
        replies,
        warnings,
    })
}

/// Lower-case letters, digits, `_` and single dashes, 60 bytes at most.
fn slug(title: &str) -> String {
    let mut name = String::new();
    for c in title.chars() {
        if c.is_ascii_alphanumeric() || (c == '_' && !name.is_empty()) {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    if name.len() > 60 {
        let end = name[..61].rfind('-').unwrap_or(60);
        name.truncate(end);
    }
    let name = name.trim_end_matches('-');
    if name.is_empty() {
        "series".to_owned()
    } else {
        name.to_owned()
    }
}

/// What a subject says before its title.
#[derive(Debug, Default, PartialEq, Eq)]
struct Subject {
    reply: bool,
    tagged: bool,
    version: u32,
    /// The n and the m of `n/m`.
    number: Option<(u32, u32)>,
    title: String,
}

impl Subject {
    /// Takes off what `git am` takes off: every `Re:`, and every `[…]`.
    fn parse(text: &str) -> Self {
        let mut subject = Self {
            version: 1,
            ..Self::default()
        };
        let mut rest = text;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ':']);
            if rest
                .get(..3)
                .is_some_and(|start| start.eq_ignore_ascii_case("re:"))
            {
                subject.reply = true;
                rest = &rest[3..];
            } else if let Some(inner) = rest.strip_prefix('[')
                && let Some(end) = inner.find(']')
            {
                subject.tag(&inner[..end]);
                rest = &inner[end + 1..];
            } else {
                break;
            }
        }
        subject.title = rest.trim().to_owned();
        subject
    }

    fn tag(&mut self, tag: &str) {
        for word in tag.split([' ', ',', '\t']) {
            let upper = word.to_ascii_uppercase();
            let word = upper.strip_prefix("PATCH").unwrap_or(&upper);
            self.tagged |= word.len() < upper.len() || word == "RFC";
            let digits = |text: &str| -> Option<u32> {
                let is_number =
                    (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
                is_number.then(|| text.parse().ok()).flatten()
            };
            if let Some((index, total)) = word.split_once('/') {
                if let (Some(index), Some(total)) = (digits(index), digits(total)) {
                    self.number = Some((index, total.max(index)));
                }
            } else if let Some(version) = word.strip_prefix('V').and_then(digits)
                && version > 0
            {
                self.version = version;
            }
        }
    }
}

/// A message and what its subject and body make of it.
struct Mail<'a> {
    message: &'a Message,
    subject: Subject,
    /// The body above the diff; of an answer nothing.
    text: String,
    /// What an answer says; of a patch nothing.
    answer: Answer,
    /// The body from the line that ends the changelog.
    rest: &'a [u8],
    is_patch: bool,
}

impl<'a> Mail<'a> {
    fn new(message: &'a Message) -> Self {
        let mut subject = Subject::parse(&message.subject);
        let at = changelog_end(&message.body);
        let (text, rest) = message.body.split_at(at);
        let has_diff = has_diff(rest);
        let quotes = text
            .split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b">"));
        // Some mailers forget the `Re:`.
        subject.reply |= !has_diff && quotes && !message.answers.is_empty();
        let is_patch = !subject.reply && (subject.tagged || has_diff);
        let (text, answer) = if is_patch {
            (message.decode(text), Answer::default())
        } else {
            let body = &message.body[..message.body.len().min(MAX_TEXT)];
            (String::new(), Answer::read(&message.decode(body)))
        };
        Self {
            message,
            subject,
            text,
            answer,
            rest,
            is_patch,
        }
    }

    fn reply(&self, to_patch: u32, known: &People) -> Reply {
        let mut by = self.message.from.clone().unwrap_or_else(|| Person {
            name: "unknown".to_owned(),
            email: String::new(),
        });
        if by.email.is_empty() {
            by.email = known.email(&by.name).unwrap_or_default();
        }
        let body = (self.answer.said.iter())
            .map(|paragraph| paragraph.join("\n"))
            .collect::<Vec<_>>();
        let body = body.join("\n\n");
        Reply {
            by,
            date: self.message.date.clone(),
            to_patch,
            body,
            trailers: self.answer.offers.clone(),
        }
    }
}

/// The mails of one version, and the place of each.
#[derive(Default)]
struct Version<'a> {
    mails: Vec<&'a Mail<'a>>,
    patches: BTreeMap<u32, &'a Mail<'a>>,
    cover: Option<&'a Mail<'a>>,
    total: u32,
    warnings: Vec<Warning>,
    ids: HashMap<&'a str, u32>,
    titles: HashMap<&'a str, u32>,
}

impl<'a> Version<'a> {
    fn number(&mut self) {
        let numbered = self.mails.iter().any(|mail| mail.subject.number.is_some());
        for &mail in &self.mails {
            let (index, total) = match mail.subject.number {
                Some(number) => number,
                // `git format-patch -N` numbers nothing.
                None if !numbered && self.total < MAX_PATCHES => (self.total + 1, self.total + 1),
                None => {
                    let subject = mail.subject.title.clone();
                    self.warnings.push(Warning::Unnumbered { subject });
                    continue;
                }
            };
            self.total = self.total.max(total);
            if let Some(id) = &mail.message.id {
                self.ids.insert(id, index);
            }
            self.titles.entry(&mail.subject.title).or_insert(index);
            if index == 0 {
                self.cover = Some(mail);
            } else if self.patches.insert(index, mail).is_some() {
                self.warnings.push(Warning::Resent { index });
            }
        }
    }

    /// Which patch a mail answers; none where it answers none of this version.
    fn answered_by(&self, mail: &Mail, number: u32) -> Option<u32> {
        if mail.is_patch {
            return None;
        }
        let by_id = || {
            let answers = &mail.message.answers;
            answers
                .iter()
                .find_map(|id| self.ids.get(id.as_str()).copied())
        };
        let by_subject = || {
            let subject = &mail.subject;
            if !subject.reply || (subject.tagged && subject.version != number) {
                return None;
            }
            match subject.number {
                Some((index, _)) if subject.tagged => Some(index),
                _ => self.titles.get(subject.title.as_str()).copied(),
            }
        };
        by_id()
            .or_else(by_subject)
            .filter(|index| *index <= self.total)
    }
}

#[derive(Clone, Copy)]
struct Place {
    index: u32,
    total: u32,
    version: u32,
}

fn read_patch<'a>(
    mail: &Mail,
    place: Place,
    answers: impl Iterator<Item = &'a Mail<'a>>,
    known: &People,
    warnings: &mut Vec<Warning>,
) -> Result<Patch, Error> {
    let index = place.index;
    let shown = || mail.message.subject.clone();
    let unusable = |why| Error::Unusable {
        subject: shown(),
        why,
    };
    if mail.text.len() > MAX_TEXT {
        return Err(unusable("has a changelog of more than 1 MiB"));
    }
    let (inner, text) = inner_headers(&mail.text);
    let text = stripspace(text);
    if text.contains('\0') {
        return Err(unusable("has a NUL byte in its changelog"));
    }
    let subject = inner
        .subject
        .map(|subject| Subject::parse(&subject).title)
        .unwrap_or_else(|| mail.subject.title.clone());
    if subject.is_empty() {
        return Err(unusable("has no subject behind its `[PATCH]`"));
    }
    let files = patch::parse(mail.rest).map_err(|error| Error::Patch {
        subject: shown(),
        error,
    })?;
    if files.is_empty() {
        return Err(Error::NoDiff { subject: shown() });
    }
    if let Some(stat) = Diffstat::find(mail.rest) {
        if stat.files > files.len() {
            let (found, promised) = (files.len(), stat.files);
            return Err(Error::Cut {
                subject: shown(),
                found,
                promised,
            });
        }
        if stat != Diffstat::count(&files) {
            warnings.push(Warning::Diffstat { index });
        }
    }

    let (body, trailers, lost) = split_trailers(&text);
    if !lost.is_empty() {
        warnings.push(Warning::SplitTrailers { index, lost });
    }
    let mut author = inner
        .from
        .or_else(|| mail.message.from.clone())
        .ok_or_else(|| unusable("does not say who wrote it"))?;
    if author.email.is_empty() {
        let signed = trailers
            .iter()
            .filter(|trailer| trailer.name.eq_ignore_ascii_case("signed-off-by"))
            .filter_map(|trailer| person(&trailer.value))
            .find(|signer| same(&signer.name, &author.name));
        match signed
            .map(|signer| signer.email)
            .or_else(|| known.email(&author.name))
        {
            Some(email) => author.email = email,
            None => warnings.push(Warning::NoAddress {
                name: author.name.clone(),
            }),
        }
    }
    let date = inner
        .date
        .or_else(|| mail.message.date.clone())
        .or_else(|| {
            let first = text.lines().next()?;
            let told = answers
                .flat_map(|mail| &mail.answer.told)
                .filter(|told| told.quoted == first && told.is_of(&author))
                .filter_map(|told| told.when.as_ref())
                .min_by_key(|when| when.doubt)?;
            if told.doubt > 0 {
                warnings.push(Warning::DateInexact { index });
            }
            Some(told.text.clone())
        });
    if date.is_none() {
        warnings.push(Warning::NoDate { index });
    }
    let message = if text.is_empty() {
        format!("{subject}\n")
    } else {
        format!("{subject}\n\n{text}\n")
    };
    Ok(Patch {
        index,
        total: place.total,
        version: place.version,
        author,
        date,
        subject,
        body,
        trailers,
        message,
        files,
    })
}

/// Addresses by lower-case name, as the thread tells them; the first one
/// counts.
struct People(HashMap<String, String>);

impl People {
    fn collect(mails: &[Mail]) -> Self {
        let mut people = Self(HashMap::new());
        for mail in mails {
            if let Some(from) = mail.message.from.as_ref() {
                people.add(&from.name, &from.email);
            }
            for told in &mail.answer.told {
                people.add(&told.name, told.email.as_deref().unwrap_or_default());
            }
            for offer in &mail.answer.offers {
                if let Some(person) = person(&offer.value) {
                    people.add(&person.name, &person.email);
                }
            }
        }
        people
    }

    fn add(&mut self, name: &str, email: &str) {
        if !email.is_empty() {
            self.0
                .entry(name.to_lowercase())
                .or_insert_with(|| email.to_owned());
        }
    }

    fn email(&self, name: &str) -> Option<String> {
        self.0.get(&name.to_lowercase()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread;

    #[test]
    fn slugs() {
        for (title, name) in [
            ("mm/oom_kill: The OOM reaper", "mm-oom_kill-the-oom-reaper"),
            ("_x: __y--z!", "x-__y-z"),
            ("\u{fc}", "series"),
            ("", "series"),
        ] {
            assert_eq!(slug(title), name);
        }
        assert_eq!(slug(&"ab ".repeat(50)).len(), 59);
        assert_eq!(slug(&"a".repeat(100)).len(), 60);
    }

    #[test]
    fn subjects() {
        let table = [
            "[PATCH v6 2/2] mm/oom_kill: x",
            "Re: [PATCH v6 2/2] mm/oom_kill: x",
            "RE: re: [mm] [RFC PATCH 01/12 v3] mm: x [y]",
            "[PATCHv2] mm: x",
            "[PATCH 6.12 007/1104] x",
            "[RFC 0/3] mm: cover",
            "[v3,2/5] mm: patchwork",
            "[PATCH 3/2] more than there are",
            "[PATCH 1/99999] mm: x",
            "[PATCH v0 1/1] mm: x",
            "[not closed",
            "No tag: Re: x",
            "\u{fc}: Re",
        ];
        let read: Vec<String> = table
            .iter()
            .map(|text| {
                let s = Subject::parse(text);
                let reply = if s.reply { "reply " } else { "" };
                let tagged = if s.tagged { "patch " } else { "" };
                format!("{reply}{tagged}v{} {:?} {:?}", s.version, s.number, s.title)
            })
            .collect();
        insta::assert_snapshot!(read.join("\n"), @r#"
    patch v6 Some((2, 2)) "mm/oom_kill: x"
    reply patch v6 Some((2, 2)) "mm/oom_kill: x"
    reply patch v3 Some((1, 12)) "mm: x [y]"
    patch v2 None "mm: x"
    patch v1 Some((7, 1104)) "x"
    patch v1 Some((0, 3)) "mm: cover"
    v3 Some((2, 5)) "mm: patchwork"
    patch v1 Some((3, 3)) "more than there are"
    patch v1 None "mm: x"
    patch v1 Some((1, 1)) "mm: x"
    v1 None "[not closed"
    v1 None "No tag: Re: x"
    v1 None "ü: Re"
    "#);
    }

    /// A mail with a patch to a file of that name, or without a diff.
    fn mail(head: &str, subject: &str, body: &str, file: &str) -> String {
        let diff = match file {
            "" => String::new(),
            _ => format!("---\n--- a/{file}\n+++ b/{file}\n@@ -1 +1 @@\n-x\n+y\n"),
        };
        let from = "From a@b Mon Sep 17 00:00:00 2001\nFrom: A <a@b.c>\nDate: Fri, 29 Aug 2025 14:55:50 +0800";
        format!("{from}\n{head}Subject: {subject}\n\n{body}\n{diff}\n")
    }

    /// Version, title, places and files, missing, replies, warnings.
    fn read(mails: &[String]) -> String {
        let series = from_thread(&thread::parse(mails.concat().as_bytes()).unwrap()).unwrap();
        let patches: Vec<String> = (series.patches.iter())
            .map(|patch| format!("{}/{} {}", patch.index, patch.total, patch.files[0].path()))
            .collect();
        let replies: Vec<String> = (series.replies.iter())
            .map(|reply| format!("to {}: {}", reply.to_patch, reply.body))
            .collect();
        let warnings: Vec<String> = series.warnings.iter().map(ToString::to_string).collect();
        format!(
            "v{} {:?} has {patches:?}, lacks {:?}; {replies:?}; {warnings:?}",
            series.version, series.title, series.missing
        )
    }

    #[test]
    fn the_newest_complete_version_is_read() {
        let old = [
            mail("", "[PATCH v5 0/2] cover five", "", ""),
            mail("Message-ID: <5.1@x>\n", "[PATCH v5 1/2] one", "", "one"),
            mail("", "[PATCH v5 2/2] two", "", "two"),
        ];
        let new = mail("", "[PATCH v6 2/2] two", "", "two");
        insta::assert_snapshot!(read(&[old.concat(), new.clone()]), @r#"
    v5 "cover five" has ["1/2 one", "2/2 two"], lacks []; []; ["version 6 is not complete in this thread, so version 5 is used"]
    "#);
        let rest = mail("", "[PATCH v6 1/2] one", "", "one");
        insta::assert_snapshot!(read(&[old.concat(), new.clone(), rest]), @r#"
    v6 "one" has ["1/2 one", "2/2 two"], lacks []; []; []
    "#);
        // None is complete.
        insta::assert_snapshot!(read(&[old[2].clone(), new]), @r#"
    v6 "two" has ["2/2 two"], lacks [1]; []; []
    "#);
        // A half is more than a third.
        let third = mail("", "[PATCH v7 1/3] one", "", "one");
        insta::assert_snapshot!(read(&[old[2].clone(), third]), @r#"
    v5 "two" has ["2/2 two"], lacks [1]; []; ["version 7 is not complete in this thread, so version 5 is used"]
    "#);
    }

    #[test]
    fn odd_numbers() {
        let one = mail("", "[PATCH] one", "", "one");
        let two = mail("", "[PATCH] two", "", "two");
        insta::assert_snapshot!(read(&[one.clone(), two.clone()]), @r#"
    v1 "one" has ["1/2 one", "2/2 two"], lacks []; []; []
    "#);
        let numbered = mail("", "[PATCH 1/2] three", "", "three");
        let again = mail("", "[PATCH 1/2] three again", "", "four");
        insta::assert_snapshot!(read(&[one, numbered, two, again]), @r#"
    v1 "three again" has ["1/2 four"], lacks [2]; []; ["\"one\" has no number in a numbered series and is left out", "\"two\" has no number in a numbered series and is left out", "patch 1 was sent more than once; the last mail is used"]
    "#);
    }

    #[test]
    fn answers_find_their_patch() {
        let reply = "In-Reply-To: <1@x>\n";
        insta::assert_snapshot!(read(&[
            mail("Message-ID: <0@x>\n", "[PATCH 0/2] cover", "", ""),
            mail("Message-ID: <1@x>\n", "[PATCH 1/2] one", "", "one"),
            mail("Message-ID: <2@x>\n", "[PATCH 2/2] two", "", "two"),
            mail("", "Re: [PATCH 0/2] cover", "by number", ""),
            mail(reply, "Re: something else", "by id", ""),
            mail(reply, "[PATCH 2/2] two", "> quote\nwithout Re:", ""),
            mail("", "Re: two", "by title", ""),
            mail("", "Re: [PATCH v2 2/2] two", "to another version", ""),
            mail("", "Re: lunch", "to another mail", ""),
        ]), @r#"
    v1 "cover" has ["1/2 one", "2/2 two"], lacks []; ["to 0: by number", "to 1: by id", "to 1: without Re:", "to 2: by title"]; []
    "#);
    }
}
