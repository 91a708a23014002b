//! Where a series stands: its versions, what is missing, the trailers that
//! replies give to each patch, and the questions that are still open.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::changelog::person;
use crate::format;
use crate::mail::Mail;
use crate::mailbox;
use crate::patch::{Patch, Person, Trailer};
use crate::points::wishes;
use crate::series::{self, Series};
use crate::thread::{self, Thread};
use crate::versions::{Version, Versions};

/// A series and what its reviewers said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Every version that can be read, the oldest first.
    pub versions: Vec<Series>,
    /// Which of them is looked at: the newest complete one, else the one that
    /// lacks least.
    pub latest: usize,
    /// Versions that can't be read, and why.
    pub unreadable: Vec<Unreadable>,
    /// For each patch of the latest version, in its order, the trailers that
    /// replies have for it.
    pub trailers: Vec<Vec<Collected>>,
    /// For each of them the mail that it came in.
    pub sources: Vec<Source>,
    /// Questions, requests and objections on every version, as they came.
    pub points: Vec<Point>,
}

/// What a patch itself does not hold of its mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// The message id, without angle brackets.
    pub id: Option<String>,
    /// To whom it was sent, copies too.
    pub to: Vec<Person>,
    /// The body from the line that ends the changelog, byte for byte but for
    /// the transfer encoding.
    pub tail: Vec<u8>,
}

/// A version that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its number.
    pub version: u32,
    /// Why.
    pub error: series::Error,
}

/// A trailer in a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// `Acked-by`, as spelled.
    pub name: String,
    /// What stands behind the colon.
    pub value: String,
    /// Who sent the reply; the address is empty where nothing tells it.
    pub from: Person,
    /// The version that the reply is to.
    pub version: u32,
    /// The patch of that version; 0 is its cover letter.
    pub to_patch: u32,
    /// Whether it counts, and why.
    pub standing: Standing,
}

impl Collected {
    /// Why it counts, or why not.
    pub fn why(&self) -> String {
        let version = self.version;
        match &self.standing {
            Standing::Given => "given to this patch".to_owned(),
            Standing::Cover => "given to the cover letter".to_owned(),
            Standing::Unchanged => format!("given to v{version}, and the diff is the same"),
            Standing::Conditional(condition) => format!("on a condition: {condition}"),
            Standing::Changed => format!("given to v{version}, and the patch is another since"),
            Standing::Quoted => "only quoted, and nobody in the mail gave it".to_owned(),
            Standing::Signature => "in a signature".to_owned(),
            Standing::Foreign => format!("sent by {}, whom it does not name", self.from),
            Standing::Objection => "an objection".to_owned(),
        }
    }
}

/// Whether a trailer counts for a patch of the latest version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It does: it was given to this patch.
    Given,
    /// It does: it was given to the cover letter.
    Cover,
    /// It does: it was given to an older version, and the diff is the same.
    Unchanged,
    /// It does once this condition is met. Recognised by its words, so a human
    /// decides.
    Conditional(String),
    /// It doesn't: the patch is another since the version that it was given to.
    Changed,
    /// It doesn't: it stands in a quote, and nobody in the mail gave it.
    Quoted,
    /// It doesn't: it stands in a signature.
    Signature,
    /// It doesn't: it names another person than the one who sent it.
    Foreign,
    /// It doesn't: it is an objection.
    Objection,
}

impl Standing {
    /// The lower, the more of two that say the same is shown.
    fn rank(&self) -> u8 {
        match self {
            Self::Given => 0,
            Self::Cover => 1,
            Self::Unchanged => 2,
            Self::Conditional(_) => 3,
            Self::Objection => 4,
            Self::Changed => 5,
            Self::Foreign => 6,
            Self::Quoted => 7,
            Self::Signature => 8,
        }
    }

    /// Whether it counts; a conditional one only where conditions are taken
    /// for met.
    pub fn counts(&self, accept_conditional: bool) -> bool {
        match self {
            Self::Given | Self::Cover | Self::Unchanged => true,
            Self::Conditional(_) => accept_conditional,
            Self::Changed | Self::Quoted | Self::Signature | Self::Foreign | Self::Objection => {
                false
            }
        }
    }
}

/// Something that a reviewer wants from the author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Who wrote it.
    pub by: Person,
    /// The version that the reply is to.
    pub version: u32,
    /// The patch of that version; 0 is its cover letter.
    pub to_patch: u32,
    /// What it is.
    pub kind: PointKind,
    /// The sentence, or the few that belong together, in the reviewer's words.
    pub quote: String,
    /// The line that it is about, where one is quoted right above it.
    pub about: Option<String>,
    /// What the author answered, where the author did.
    pub answer: Option<String>,
}

/// What a reviewer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointKind {
    /// An answer.
    Question,
    /// A change.
    Request,
    /// The patch gone.
    Objection,
}

impl PointKind {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Request => "request",
            Self::Objection => "objection",
        }
    }
}

impl Review {
    /// The version that is looked at.
    pub fn series(&self) -> &Series {
        &self.versions[self.latest]
    }

    /// The trailers that count for a patch of that version, by its place in
    /// it.
    pub fn counted(&self, at: usize, accept_conditional: bool) -> Vec<Trailer> {
        let counted = self.trailers.get(at).into_iter().flatten();
        counted
            .filter(|one| one.standing.counts(accept_conditional))
            .map(|one| Trailer {
                name: one.name.clone(),
                value: one.value.clone(),
            })
            .collect()
    }

    /// The mbox that `git am` takes: each patch of that version with the
    /// trailers that count, and as its mail has it otherwise.
    ///
    /// A blank line inside the patch's own trailers stays: whoever mends it
    /// changes the changelog.
    ///
    /// # Errors
    /// [`series::Error::Unusable`] where nothing tells an author's address.
    pub fn am(&self, accept_conditional: bool) -> Result<Vec<u8>, series::Error> {
        let mut mbox = Vec::new();
        let patches = self.series().patches.iter().zip(&self.sources);
        for (at, (patch, source)) in patches.enumerate() {
            if patch.author.email.is_empty() {
                return Err(series::Error::Unusable {
                    subject: patch.subject.clone(),
                    why: "has an author whose address nothing in the mail tells",
                });
            }
            let trailers = self.counted(at, accept_conditional);
            mbox.extend(format::am(patch, source, &trailers));
        }
        Ok(mbox)
    }

    /// What the author owes an answer: the points on the latest version and on
    /// those after it that have none.
    pub fn open(&self) -> impl Iterator<Item = &Point> {
        let version = self.series().version;
        self.points
            .iter()
            .filter(move |point| point.version >= version && point.answer.is_none())
    }
}

/// Reviews the series in a thread.
///
/// # Errors
/// [`series::Error`] where the thread has no series that can be read.
pub fn review(thread: Thread) -> Result<Review, series::Error> {
    let mails: Vec<Mail> = thread.messages.into_iter().map(Mail::from).collect();
    of_mails(&mails, thread.announced)
}

/// The mails of one series, taken one by one out of mailboxes of any size.
#[derive(Default)]
pub struct Gathered {
    mails: Vec<Mail>,
    announced: Option<u32>,
    bytes: usize,
    cut: usize,
}

impl Gathered {
    /// Keeps what a review needs of a mail.
    ///
    /// # Errors
    /// [`thread::Error::TooLarge`] beyond what a thread has.
    pub fn add(&mut self, mail: &mailbox::Mail) -> Result<(), thread::Error> {
        if mail.is_cut() {
            self.cut += 1;
            return Ok(());
        }
        for message in mail.read() {
            let mail = Mail::from(message);
            self.bytes += mail.size();
            self.mails.push(mail);
        }
        let too_large = |what, limit| Err(thread::Error::TooLarge { what, limit });
        if self.mails.len() > thread::MAX_MESSAGES {
            return too_large("messages", thread::MAX_MESSAGES);
        }
        if self.bytes > thread::MAX_BYTES {
            return too_large("bytes", thread::MAX_BYTES);
        }
        Ok(())
    }

    /// Says how many patches an archive counts, where it does.
    pub fn announce(&mut self, announced: Option<u32>) {
        self.announced = self.announced.or(announced);
    }

    /// How many mails were too large to be read.
    pub fn cut(&self) -> usize {
        self.cut
    }

    /// Reviews the series.
    ///
    /// # Errors
    /// [`series::Error`] where the mails have no series that can be read.
    pub fn review(&self) -> Result<Review, series::Error> {
        of_mails(&self.mails, self.announced)
    }
}

fn of_mails(mails: &[Mail], announced: Option<u32>) -> Result<Review, series::Error> {
    let found = Versions::find(mails)?;
    let mut read: Vec<(usize, Series)> = Vec::new();
    let mut unreadable = Vec::new();
    let mut latest = 0;
    for (at, version) in found.list.iter().enumerate() {
        let chosen = at == found.chosen;
        match found.read(at, announced.filter(|_| chosen)) {
            Ok(series) => {
                if chosen {
                    latest = read.len();
                }
                read.push((at, series));
            }
            Err(error) if chosen => return Err(error),
            Err(error) => unreadable.push(Unreadable {
                version: version.number,
                error,
            }),
        }
    }
    let versions: Vec<(&Version, &Series)> = read
        .iter()
        .map(|(at, series)| (&found.list[*at], series))
        .collect();
    let trailers = collect(&found, &versions, latest);
    let points = points(&found, &versions);
    let sources = (found.list[found.chosen].patches.values())
        .map(|mail| Source {
            id: mail.id.clone(),
            to: mail.to.clone(),
            tail: mail.rest.clone(),
        })
        .collect();
    Ok(Review {
        trailers,
        points,
        sources,
        versions: read.into_iter().map(|(_, series)| series).collect(),
        latest,
        unreadable,
    })
}

/// The most trailers of a review. A thread has some dozens.
const MAX_TRAILERS: usize = 20_000;

/// What tells a trailer from another: its name, and the address or the text.
fn key(name: &str, value: &str) -> (String, String) {
    let of = person(value).map(|person| person.email);
    (
        name.to_lowercase(),
        of.unwrap_or_else(|| value.to_owned()).to_lowercase(),
    )
}

/// Collects the trailers for each patch of the latest version.
fn collect(
    found: &Versions,
    versions: &[(&Version, &Series)],
    latest: usize,
) -> Vec<Vec<Collected>> {
    let series = versions[latest].1;
    let prints: Vec<Vec<u64>> = versions
        .iter()
        .map(|(_, series)| series.patches.iter().map(fingerprint).collect())
        .collect();
    // What someone gave, or the author wrote down, is no stray where it is
    // quoted.
    let mut given: HashSet<(String, String)> = HashSet::new();
    for (version, series) in versions {
        let written = series.patches.iter().flat_map(|patch| &patch.trailers);
        given.extend(written.map(|one| key(&one.name, &one.value)));
        let offers = version
            .answers
            .iter()
            .flat_map(|(_, mail)| &mail.answer.offers);
        given.extend(offers.map(|one| key(&one.name, &one.value)));
    }
    let mut collected: Vec<Vec<Collected>> = Vec::new();
    // For each patch where a trailer stands among those collected; none where
    // the patch has it already.
    let mut places: Vec<HashMap<(String, String), Option<usize>>> = Vec::new();
    for patch in &series.patches {
        collected.push(Vec::new());
        let own = patch.trailers.iter();
        places.push(own.map(|one| (key(&one.name, &one.value), None)).collect());
    }
    let by_index: HashMap<u32, usize> = (series.patches.iter().enumerate())
        .map(|(at, patch)| (patch.index, at))
        .collect();
    let by_print: HashMap<u64, usize> = (prints[latest].iter().enumerate())
        .map(|(at, print)| (*print, at))
        .collect();
    let by_title: HashMap<String, usize> = (series.patches.iter().enumerate())
        .map(|(at, patch)| (patch.subject.to_lowercase(), at))
        .collect();
    let mut count = 0;
    for (at, (version, old)) in versions.iter().enumerate() {
        // Where the patches of this version are in the latest one, and whether
        // they are the same.
        let pairs: HashMap<u32, (usize, bool)> = (old.patches.iter().zip(&prints[at]))
            .filter_map(|(patch, print)| {
                let same = match at == latest {
                    true => by_index.get(&patch.index),
                    false => by_print.get(print),
                };
                let pair = same.map(|at| (*at, true)).or_else(|| {
                    let title = by_title.get(&patch.subject.to_lowercase());
                    let place = by_index.get(&patch.index);
                    let place = place.filter(|_| old.total == series.total);
                    title.or(place).map(|at| (*at, false))
                });
                Some((patch.index, pair?))
            })
            .collect();
        let mut seen = HashSet::new();
        for (to, mail) in &version.answers {
            let targets: Vec<(usize, bool)> = match to {
                0 => {
                    let mut all: Vec<_> = pairs.values().copied().collect();
                    all.sort_unstable();
                    all
                }
                index => pairs.get(index).copied().into_iter().collect(),
            };
            let from = found.author(mail);
            for (name, value, standing) in standings(mail, &from, &given) {
                // Said before of the same patch.
                if !seen.insert((*to, key(name, value), standing.rank())) {
                    continue;
                }
                for &(target, same) in &targets {
                    let standing = match &standing {
                        Standing::Given if !same => Standing::Changed,
                        Standing::Given if at != latest => Standing::Unchanged,
                        Standing::Given if *to == 0 => Standing::Cover,
                        Standing::Conditional(_) if !same => Standing::Changed,
                        other => other.clone(),
                    };
                    let one = Collected {
                        name: name.to_owned(),
                        value: value.to_owned(),
                        from: from.clone(),
                        version: version.number,
                        to_patch: *to,
                        standing,
                    };
                    let list = &mut collected[target];
                    match places[target].entry(key(name, value)) {
                        Entry::Occupied(place) => {
                            if let Some(place) = *place.get()
                                && one.standing.rank() < list[place].standing.rank()
                            {
                                list[place] = one;
                            }
                        }
                        Entry::Vacant(place) if count < MAX_TRAILERS => {
                            place.insert(Some(list.len()));
                            list.push(one);
                            count += 1;
                        }
                        Entry::Vacant(_) => return collected,
                    }
                }
            }
        }
    }
    collected
}

/// The trailers in an answer, and how each stands by itself.
fn standings<'a>(
    mail: &'a Mail,
    from: &Person,
    given: &HashSet<(String, String)>,
) -> Vec<(&'a str, &'a str, Standing)> {
    let mut found = Vec::new();
    for offer in &mail.answer.offers {
        let named = person(&offer.value);
        let standing = if is_objection(&offer.name) {
            Standing::Objection
        } else if named.is_some_and(|named| !named.is_same(from)) {
            Standing::Foreign
        } else if let Some(condition) = &offer.condition {
            Standing::Conditional(condition.clone())
        } else {
            Standing::Given
        };
        found.push((offer.name.as_str(), offer.value.as_str(), standing));
    }
    for stray in &mail.answer.strays {
        if !given.contains(&key(&stray.name, &stray.value)) {
            let standing = match stray.signature {
                true => Standing::Signature,
                false => Standing::Quoted,
            };
            found.push((&stray.name, &stray.value, standing));
        }
    }
    found
}

fn is_objection(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("nack") || name.starts_with("nak")
}

/// What a patch does, without where: paths and changed lines with their
/// context, but neither line numbers nor blanks, as `git patch-id` has it.
fn fingerprint(patch: &Patch) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in &patch.files {
        (&file.old_path, &file.new_path, file.old_mode, file.new_mode).hash(&mut hasher);
        for line in file.hunks.iter().flat_map(|hunk| &hunk.lines) {
            (line.kind as u8).hash(&mut hasher);
            for byte in line.text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
                byte.hash(&mut hasher);
            }
            b'\n'.hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// What reviewers want, and what the author answered.
fn points(found: &Versions, versions: &[(&Version, &Series)]) -> Vec<Point> {
    let mut points = Vec::new();
    for (version, _) in versions {
        let is_author = |mail: &Mail| {
            let sender = mail.from.as_ref().map(Person::key);
            sender.is_some_and(|sender| version.senders.contains(&sender))
        };
        let says = |answer: &&(u32, &Mail)| !answer.1.answer.said.is_empty();
        let (by_author, by_others): (Vec<_>, Vec<_>) = version
            .answers
            .iter()
            .filter(says)
            .partition(|answer| is_author(answer.1));
        // What the author says to whom: by the id that is answered, and by the
        // lines that are quoted.
        let mut by_id: HashMap<&str, Vec<&Mail>> = HashMap::new();
        let mut by_line: HashMap<u64, Vec<&Mail>> = HashMap::new();
        for (_, mail) in &by_author {
            if let Some(id) = mail.answers.first() {
                keep(by_id.entry(id).or_default(), mail);
            }
            for line in &mail.answer.quoted {
                keep(by_line.entry(*line).or_default(), mail);
            }
        }
        for (to, mail) in by_others {
            let from = found.author(mail);
            let direct = mail.id.as_ref().and_then(|id| by_id.get(id.as_str()));
            for wish in wishes(&mail.answer) {
                // The author quotes it, or answers above a quote of all or of
                // nothing.
                let quotes = wish.lines.iter().filter_map(|line| by_line.get(line));
                let answers = |one: &&&Mail| {
                    let told = one
                        .answer
                        .told
                        .iter()
                        .take(20)
                        .any(|told| told.is_of(&from));
                    told || one.answers.first() == mail.id.as_ref() && mail.id.is_some()
                };
                let answer = quotes.flatten().find(answers).copied().or_else(|| {
                    let on_top = |one: &&&Mail| one.answer.quoted.is_empty();
                    direct.into_iter().flatten().find(on_top).copied()
                });
                points.push(Point {
                    by: from.clone(),
                    version: version.number,
                    to_patch: to,
                    kind: wish.kind,
                    quote: wish.quote,
                    about: wish.about,
                    answer: answer.map(words),
                });
            }
        }
    }
    points
}

/// What is said of one mail or line; an author answers a few times at most.
fn keep<'a>(answers: &mut Vec<&'a Mail>, mail: &'a Mail) {
    if answers.len() < 20 {
        answers.push(mail);
    }
}

/// The first of what an answer says.
fn words(mail: &Mail) -> String {
    let first = mail.answer.said.first();
    first.map_or_else(String::new, |paragraph| paragraph.lines.join(" "))
}
