//! A [`Thread`], read as the series it carries: which version, which patches,
//! what is missing, and what was answered.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::changelog::{Diffstat, inner_headers, person, split_trailers, stripspace};
use crate::mail::{MAX_TEXT, Mail, Subject};
use crate::patch::{self, Patch, Person};
use crate::reply::same;
use crate::thread::Thread;
use crate::versions::Versions;

/// The most patches of a series; its numbers have four digits at most.
pub const MAX_PATCHES: u32 = 9_999;

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
    /// A patch is taken from an answer, since none was sent by itself.
    FromAnswer {
        /// Its place.
        index: u32,
    },
    /// An answer has a patch that was also sent by itself; that one is used.
    InAnswer {
        /// Its place.
        index: u32,
    },
    /// A version that sends only some patches again, as answers to those of the
    /// version before, from which the others are taken.
    Partial {
        /// The version before.
        from: u32,
        /// The places of those that are taken from it.
        indices: Vec<u32>,
    },
    /// A patch in the thread that belongs to another series.
    Stranger {
        /// Its subject.
        subject: String,
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
            Self::FromAnswer { index } => {
                write!(
                    f,
                    "patch {index} was only sent in an answer, and is taken from it"
                )
            }
            Self::InAnswer { index } => write!(
                f,
                "an answer has another patch {index}; the one that was sent by itself is used"
            ),
            Self::Partial { from, indices } => {
                let places: Vec<String> = indices.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "only some patches were sent again; {} as in version {from}",
                    places.join(", ")
                )
            }
            Self::Stranger { subject } => {
                write!(f, "{subject:?} is of another series and is left out")
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
    from_thread(crate::thread::parse(input)?)
}

/// Reads the newest complete version of the series in a thread; where none is
/// complete, the one that lacks least, and of those the newest.
///
/// # Errors
/// [`Error`] where the thread has no patch, or one of that version is refused.
pub fn from_thread(thread: Thread) -> Result<Series, Error> {
    let mails: Vec<Mail> = thread.messages.into_iter().map(Mail::from).collect();
    let versions = Versions::find(&mails)?;
    versions.read(versions.chosen, thread.announced)
}

/// Lower-case letters, digits, `_` and single dashes, 60 bytes at most.
pub(crate) fn slug(title: &str) -> String {
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

/// Where a patch stands.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) index: u32,
    pub(crate) total: u32,
    pub(crate) version: u32,
}

pub(crate) fn read_patch<'a>(
    mail: &Mail,
    place: Place,
    answers: impl Iterator<Item = &'a Mail>,
    known: &People,
    warnings: &mut Vec<Warning>,
) -> Result<Patch, Error> {
    let index = place.index;
    let shown = || mail.line.clone();
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
    let files = patch::parse(&mail.rest).map_err(|error| Error::Patch {
        subject: shown(),
        error,
    })?;
    if files.is_empty() {
        return Err(Error::NoDiff { subject: shown() });
    }
    if let Some(stat) = Diffstat::find(&mail.rest) {
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
        .or_else(|| mail.from.clone())
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
    let date = inner.date.or_else(|| mail.date.clone()).or_else(|| {
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
pub(crate) struct People(HashMap<String, String>);

impl People {
    pub(crate) fn collect(mails: &[Mail]) -> Self {
        let mut people = Self(HashMap::new());
        for mail in mails {
            if let Some(from) = mail.from.as_ref() {
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

    pub(crate) fn email(&self, name: &str) -> Option<String> {
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
        let series = from_thread(thread::parse(mails.concat().as_bytes()).unwrap()).unwrap();
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
