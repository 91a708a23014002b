//! A [`Thread`], read as the series it carries: which version, which patches,
//! what is missing, and what was answered.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use jiff::civil;
use jiff::fmt::{rfc2822, strtime};
use mail_parser::MessageParser;
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::patch::{self, Patch, Person, Trailer};
use crate::thread::{Message, Thread, clean};

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
        if c.is_ascii_alphanumeric() || c == '_' {
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
            self.tagged |= word.len() < upper.len();
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
    /// The body above the diff; of an answer, all of it.
    text: String,
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
        let text = message.decode(if is_patch { text } else { &message.body });
        Self {
            message,
            subject,
            text,
            rest,
            is_patch,
        }
    }

    fn reply(&self, to_patch: u32, known: &People) -> Reply {
        let said = own_words(&self.text);
        let trailers = offers(&said);
        let mut by = self.message.from.clone().unwrap_or_else(|| Person {
            name: "unknown".to_owned(),
            email: String::new(),
        });
        if by.email.is_empty() {
            by.email = known.email(&by.name).unwrap_or_default();
        }
        let body = said
            .iter()
            .map(|paragraph| paragraph.join("\n"))
            .collect::<Vec<_>>();
        let body = body.join("\n\n");
        Reply {
            by,
            date: self.message.date.clone(),
            to_patch,
            body,
            trailers,
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
}

impl<'a> Version<'a> {
    fn number(&mut self) {
        let numbered = self.mails.iter().any(|mail| mail.subject.number.is_some());
        for mail in &self.mails {
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
        let all = || {
            let cover = self.cover.iter().map(|cover| (0, *cover));
            cover.chain(self.patches.iter().map(|(index, patch)| (*index, *patch)))
        };
        let by_id = mail.message.answers.iter().find_map(|id| {
            all()
                .find(|(_, patch)| patch.message.id.as_ref() == Some(id))
                .map(|found| found.0)
        });
        let by_subject = || {
            let subject = &mail.subject;
            if !subject.reply || (subject.tagged && subject.version != number) {
                return None;
            }
            match subject.number {
                Some((index, _)) if subject.tagged => Some(index),
                _ => all()
                    .find(|(_, patch)| patch.subject.title == subject.title)
                    .map(|found| found.0),
            }
        };
        by_id
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
    let (inner, text) = inner_headers(&mail.text);
    let text = stripspace(text);
    if text.contains('\0') {
        return Err(unusable("has a NUL byte in its changelog"));
    }
    let subject = inner.subject.unwrap_or_else(|| mail.subject.title.clone());
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
                .flat_map(|answer| attributions(&answer.text))
                .filter(|told| told.quoted == first && told.is_of(&author))
                .filter_map(|told| told.when)
                .min_by_key(|when| when.doubt)?;
            if told.doubt > 0 {
                warnings.push(Warning::DateInexact { index });
            }
            Some(told.text)
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

/// Where the changelog ends: at `---`, or where a diff begins.
fn changelog_end(body: &[u8]) -> usize {
    let mut at = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let ends = match line.strip_prefix(b"---") {
            Some([b' ', next, ..]) if !next.is_ascii_whitespace() => true,
            Some(rest) => rest.trim_ascii().is_empty(),
            None => line.starts_with(b"diff -") || line.starts_with(b"Index: "),
        };
        if ends {
            return at;
        }
        at += line.len();
    }
    at
}

fn has_diff(text: &[u8]) -> bool {
    let mut before: &[u8] = b"";
    text.split(|byte| *byte == b'\n').any(|line| {
        let found = line.starts_with(b"diff --git ")
            || (line.starts_with(b"+++ ") && before.starts_with(b"--- "));
        before = line;
        found
    })
}

/// Headers at the top of a body go before the mail's own: a patch is sent on
/// for its author.
#[derive(Default)]
struct Inner {
    from: Option<Person>,
    date: Option<String>,
    subject: Option<String>,
}

fn inner_headers(text: &str) -> (Inner, &str) {
    let mut inner = Inner::default();
    let mut rest = text.trim_start_matches(['\n', '\r', ' ', '\t']);
    let is_inner = |line: &str| {
        ["from:", "date:", "subject:"].iter().any(|name| {
            line.get(..name.len())
                .is_some_and(|s| s.eq_ignore_ascii_case(name))
        })
    };
    let mut any = false;
    while let Some(line) = rest
        .split_inclusive('\n')
        .next()
        .filter(|line| is_inner(line))
    {
        let mut end = line.len();
        for more in rest[end..]
            .split_inclusive('\n')
            .take_while(|l| l.starts_with([' ', '\t']))
        {
            end += more.len();
        }
        let header = rest[..end].trim_end();
        if let Some(mail) = MessageParser::new().parse_headers(&format!("{header}\n\n")) {
            if let Some(from) = mail.from().and_then(|from| from.first()) {
                let email = from.address.as_deref().map(clean).unwrap_or_default();
                let name = from.name.as_deref().map_or_else(|| email.clone(), clean);
                inner.from = Some(Person { name, email }).filter(|from| !from.email.is_empty());
            }
            if let Some(date) = mail.date().filter(|date| date.is_valid()) {
                inner.date = Some(date.to_rfc822());
            }
            if let Some(subject) = mail.subject() {
                inner.subject = Some(Subject::parse(&clean(subject)).title);
            }
        }
        any = true;
        rest = &rest[end..];
    }
    if any {
        (inner, rest)
    } else {
        (Inner::default(), text)
    }
}

/// What git does to a commit message: blanks off the ends of lines, blank
/// lines never twice, none at either end. Without the last newline.
fn stripspace(text: &str) -> String {
    let mut out = String::new();
    let mut blank = false;
    for line in text.split('\n') {
        let line = line.trim_end_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
        if line.is_empty() {
            blank = true;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if blank { "\n\n" } else { "\n" });
        }
        blank = false;
        out.push_str(line);
    }
    out
}

/// The summary line under a diffstat.
#[derive(PartialEq, Eq)]
struct Diffstat {
    files: usize,
    added: usize,
    removed: usize,
}

impl Diffstat {
    fn find(rest: &[u8]) -> Option<Self> {
        static SUMMARY: LazyLock<Regex> = LazyLock::new(|| {
            regex(
                r"^ (\d{1,6}) files? changed(?:, (\d{1,9}) insertions?\(\+\))?(?:, (\d{1,9}) deletions?\(-\))?$",
            )
        });
        rest.split(|byte| *byte == b'\n')
            .take_while(|line| !line.starts_with(b"diff --git "))
            .filter_map(|line| str::from_utf8(line).ok())
            .find_map(|line| {
                let found = SUMMARY.captures(line)?;
                let count = |at| {
                    found
                        .get(at)
                        .map_or(Some(0), |digits| digits.as_str().parse().ok())
                };
                Some(Self {
                    files: count(1)?,
                    added: count(2)?,
                    removed: count(3)?,
                })
            })
    }

    fn count(files: &[patch::FileDiff]) -> Self {
        let lines = |kind| {
            let lines = files
                .iter()
                .flat_map(|file| &file.hunks)
                .flat_map(|hunk| &hunk.lines);
            lines.filter(|line| line.kind == kind).count()
        };
        Self {
            files: files.len(),
            added: lines(patch::LineKind::Added),
            removed: lines(patch::LineKind::Removed),
        }
    }
}

/// A line `Name: value`.
pub(crate) fn trailer(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim_end_matches([' ', '\t']);
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_name.then(|| (name, value.trim()))
}

/// Names that nobody writes as prose.
fn is_known_trailer(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("-by")
        || matches!(
            name.as_str(),
            "cc" | "fixes"
                | "link"
                | "closes"
                | "change-id"
                | "message-id"
                | "base-commit"
                | "depends-on"
                | "references"
                | "stable-dep-of"
                | "bugzilla"
        )
}

/// Splits a changelog into the text above its trailers, the trailers, and the
/// lines of those that git does not see, because a blank line stands between
/// them and the last block.
fn split_trailers(text: &str) -> (String, Vec<Trailer>, Vec<String>) {
    let paragraphs: Vec<&str> = text.split("\n\n").collect();
    let mut first = paragraphs.len();
    while let Some(paragraph) = first.checked_sub(1).and_then(|at| paragraphs.get(at)) {
        let is_block = if first == paragraphs.len() {
            is_last_block(paragraph)
        } else {
            all_lines(paragraph, |line| {
                trailer(line).is_some_and(|(name, _)| is_known_trailer(name))
            })
        };
        if !is_block {
            break;
        }
        first -= 1;
    }
    let (above, blocks) = paragraphs.split_at(first);
    let mut trailers: Vec<Trailer> = Vec::new();
    let mut lost = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        let start = trailers.len();
        for line in block.lines() {
            if line.starts_with([' ', '\t']) {
                if let Some(last) = trailers[start..].last_mut() {
                    last.value.push(' ');
                    last.value.push_str(line.trim());
                }
            } else if let Some((name, value)) = trailer(line) {
                trailers.push(Trailer {
                    name: name.to_owned(),
                    value: value.to_owned(),
                });
            }
        }
        if at + 1 < blocks.len() {
            lost.extend(
                trailers[start..]
                    .iter()
                    .map(|t| format!("{}: {}", t.name, t.value)),
            );
        }
    }
    (above.join("\n\n"), trailers, lost)
}

/// Whether every line is as wanted, or goes on the one before.
fn all_lines(paragraph: &str, wanted: impl Fn(&str) -> bool) -> bool {
    let mut any = false;
    paragraph.lines().all(|line| {
        let goes_on = any && line.starts_with([' ', '\t']);
        any = true;
        goes_on || wanted(line)
    })
}

/// Git's rule for the block of trailers: nothing else in it, or a sign-off
/// and at least a quarter trailers.
fn is_last_block(paragraph: &str) -> bool {
    if all_lines(paragraph, |line| trailer(line).is_some()) {
        return true;
    }
    let (mut yes, mut no, mut signed) = (0, 0, false);
    for line in paragraph
        .lines()
        .filter(|line| !line.starts_with([' ', '\t']))
    {
        let by_git =
            line.starts_with("Signed-off-by: ") || line.starts_with("(cherry picked from commit ");
        signed |= by_git;
        if by_git || trailer(line).is_some() {
            yes += 1
        } else {
            no += 1
        }
    }
    signed && yes * 3 >= no
}

/// `Name <address>`, with or without something behind it.
fn person(text: &str) -> Option<Person> {
    static PERSON: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"^\s*"?([^<>"]*?)"?\s*<([^<>\s]+@[^<>\s]+)>"#));
    let found = PERSON.captures(text)?;
    let email = clean(&found[2]);
    let name = clean(&found[1]);
    Some(Person {
        name: if name.is_empty() { email.clone() } else { name },
        email,
    })
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Addresses of people, as the thread's replies tell them.
struct People(Vec<Person>);

impl People {
    fn collect(mails: &[Mail]) -> Self {
        let mut people = Vec::new();
        for mail in mails {
            people.extend(
                mail.message
                    .from
                    .clone()
                    .filter(|from| !from.email.is_empty()),
            );
            if mail.is_patch {
                continue;
            }
            people.extend(attributions(&mail.text).into_iter().filter_map(|told| {
                Some(Person {
                    name: told.name,
                    email: told.email?,
                })
            }));
            let offers = offers(&own_words(&mail.text));
            people.extend(offers.iter().filter_map(|offer| person(&offer.value)));
        }
        Self(people)
    }

    fn email(&self, name: &str) -> Option<String> {
        let found = self.0.iter().find(|person| same(&person.name, name))?;
        Some(found.email.clone())
    }
}

/// The line that introduces a quote: who wrote what follows, and when.
struct Attribution {
    name: String,
    email: Option<String>,
    when: Option<When>,
    /// The first line of the quote, without its mark.
    quoted: String,
}

/// A time out of a reply's words.
struct When {
    /// 0: to the second with its zone. 1: no zone. 2: of the reader's clock.
    doubt: u8,
    /// As RFC 2822.
    text: String,
}

impl Attribution {
    fn is_of(&self, person: &Person) -> bool {
        same(&self.name, &person.name)
            || (self.email.is_some() && self.email.as_ref() == Some(&person.email))
    }
}

/// The attributions of a reply's own quotes, not of quotes in quotes.
fn attributions(text: &str) -> Vec<Attribution> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let next = lines.get(at + 1).copied().unwrap_or_default();
        let (told, quote) = match attribution(line) {
            Some(told) => (told, at + 1),
            // Mailers wrap it.
            None if line.starts_with("On ") && next.ends_with("wrote:") => {
                match attribution(&format!("{line} {next}")) {
                    Some(told) => (told, at + 2),
                    None => continue,
                }
            }
            None => continue,
        };
        let quote = lines[quote..].iter().find(|line| !line.is_empty());
        let Some(quoted) = quote.and_then(|line| line.strip_prefix('>')) else {
            continue;
        };
        let quoted = quoted.strip_prefix(' ').unwrap_or(quoted).to_owned();
        found.push(Attribution { quoted, ..told });
    }
    found
}

fn attribution(line: &str) -> Option<Attribution> {
    static WROTE: LazyLock<Regex> = LazyLock::new(|| {
        regex(r#"^On (.*?\d.*?)[,:]? "?([^\d,"<>][^,"<>]*?)"?,?(?: <([^<>\s]+)>)? wrote:$"#)
    });
    static STARRED: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^\* ([^<>]+?) <([^<>\s]+)> \[(\d{6} \d\d:\d\d)\]:$"));
    if line.len() > 500 {
        return None;
    }
    let text = |found: &regex::Captures, at| found.get(at).map(|part| clean(part.as_str()));
    if let Some(found) = STARRED.captures(line) {
        let when = civil("%y%m%d %H:%M", &found[3]);
        let when = when.map(|text| When { doubt: 2, text });
        return Some(Attribution {
            name: text(&found, 1)?,
            email: text(&found, 2),
            when,
            quoted: String::new(),
        });
    }
    let found = WROTE.captures(line)?;
    let time = found[1].trim_end_matches(',');
    let exact = ["%a, %b %d, %Y at %I:%M:%S%p %z", "%a, %d %b %Y %H:%M:%S %z"];
    let when = exact
        .iter()
        .find_map(|format| {
            let time = strtime::parse(format, time).ok()?.to_zoned().ok()?;
            Some(When {
                doubt: 0,
                text: rfc2822::to_string(&time).ok()?,
            })
        })
        .or_else(|| civil("%a %d-%m-%y %H:%M:%S", time).map(|text| When { doubt: 1, text }));
    Some(Attribution {
        name: text(&found, 2)?,
        email: text(&found, 3),
        when,
        quoted: String::new(),
    })
}

/// A time without its zone, which RFC 2822 writes `-0000`.
fn civil(format: &str, text: &str) -> Option<String> {
    let time: civil::DateTime = strtime::parse(format, text).ok()?.to_datetime().ok()?;
    Some(time.strftime("%a, %d %b %Y %H:%M:%S -0000").to_string())
}

/// What a reply says itself, by paragraphs; a quote ends one too.
fn own_words(text: &str) -> Vec<Vec<String>> {
    let mut paragraphs: Vec<Vec<String>> = vec![Vec::new()];
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    for (at, line) in lines.iter().enumerate() {
        let next = lines.get(at + 1).copied().unwrap_or_default();
        if *line == "--" || line.starts_with("-----Original Message-----") {
            break;
        }
        let wrapped = line.starts_with("On ") && next.ends_with("wrote:");
        let introduces = line.starts_with("On ") && line.ends_with("wrote:")
            || wrapped
            || *line == "wrote:"
            || attribution(line).is_some();
        if line.is_empty() || line.trim_start().starts_with('>') || introduces {
            if paragraphs.last().is_some_and(|last| !last.is_empty()) {
                paragraphs.push(Vec::new());
            }
        } else if let Some(last) = paragraphs.last_mut() {
            let shown = line
                .chars()
                .filter(|c| !c.is_control() || *c == '\t')
                .collect();
            last.push(shown);
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs
}

/// The trailers among a reply's own words: what a tag names must be there, so
/// that `Fixes: ?` stays a question.
fn offers(paragraphs: &[Vec<String>]) -> Vec<Offer> {
    let mut offers = Vec::new();
    for (at, paragraph) in paragraphs.iter().enumerate() {
        let mut said: Vec<&str> = Vec::new();
        for line in paragraph {
            let Some((name, value)) = trailer(line.trim_start()).filter(|tag| is_offer(*tag))
            else {
                said.push(line);
                continue;
            };
            // What stands right above counts, else the paragraph before.
            let before = || -> Vec<&str> {
                let above = at.checked_sub(1).and_then(|at| paragraphs.get(at));
                let above = above.into_iter().flatten().map(String::as_str);
                above
                    .filter(|line| trailer(line).is_none_or(|tag| !is_offer(tag)))
                    .collect()
            };
            let said = if said.is_empty() {
                before().join(" ")
            } else {
                said.join(" ")
            };
            let (value, aside) = match value.rsplit_once("> ") {
                Some((address, aside)) => (format!("{address}>"), aside),
                None => (value.to_owned(), ""),
            };
            let condition = condition(aside).or_else(|| condition(last_sentence(&said)));
            offers.push(Offer {
                name: name.to_owned(),
                value,
                condition,
            });
        }
    }
    offers
}

fn is_offer((name, value): (&str, &str)) -> bool {
    static COMMIT: LazyLock<Regex> = LazyLock::new(|| regex(r#"^[0-9a-f]{8,40} \("#));
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "fixes" => COMMIT.is_match(value),
        "closes" | "link" => value.starts_with("https://") || value.starts_with("http://"),
        _ => name.ends_with("-by") && person(value).is_some(),
    }
}

fn last_sentence(text: &str) -> &str {
    static END: LazyLock<Regex> = LazyLock::new(|| regex(r"[.!?]\s+"));
    END.find_iter(text)
        .last()
        .map_or(text, |end| &text[end.end()..])
}

/// The sentence, if it sets a condition.
fn condition(sentence: &str) -> Option<String> {
    static CONDITION: LazyLock<Regex> = LazyLock::new(|| {
        let mend = r"(?:fix|address|clarif|chang|updat|correct|resolv|remov|add|improv|drop|fold|reword|rewrit|renam|adjust|amend|split|squash|tweak|nit|done)\w*";
        regex(&format!(
            r"(?i)\b(?:if|once|provided|assuming|modulo|unless|as long as|subject to|on condition|conditional)\b|\b(?:with|after|when)\b.*\b{mend}"
        ))
    });
    static EITHER: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?i)\bwith or without\b|\beither way\b|\bregardless\b"));
    let sentence = sentence.trim();
    let is_condition = CONDITION.is_match(sentence) && !EITHER.is_match(sentence);
    is_condition.then(|| sentence.to_owned())
}

fn regex(pattern: &str) -> Regex {
    #[allow(
        clippy::expect_used,
        reason = "constant patterns; every test would fail"
    )]
    Regex::new(pattern).expect("a valid pattern")
}
