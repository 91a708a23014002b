//! The versions of a series among the mails of a thread: which mail is which
//! patch of which version, and which of them an answer is to.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::error::Error;
use super::identity::Identity;
use super::mail::{Kind, Mail};
use super::model::{MAX_PATCHES, Reply, Series, Warning};
use super::people::People;
use super::read_patch::{Place, read_patch};
use super::union::Union;
use crate::mail::{self, has_diff};
use crate::patch;
use crate::person::Person;

/// The most lines below the changelogs of all patches.
const MAX_LINES: usize = 2_000_000;
/// The most places for patches that all versions have.
const MAX_PLACES: usize = 100_000;

/// Every version of one series.
pub(crate) struct Versions<'a> {
    /// The oldest first.
    pub(crate) list: Vec<Version<'a>>,
    /// The newest complete one, else the one that lacks least.
    pub(crate) chosen: usize,
    known: People,
    /// Patches of other series, and what is none.
    left_out: Vec<Warning>,
}

/// The mails of one version, and the place of each.
pub(crate) struct Version<'a> {
    pub(crate) number: u32,
    pub(crate) patches: BTreeMap<u32, &'a Mail>,
    pub(crate) cover: Option<&'a Mail>,
    /// The answers to it with the place that they are to; 0 is the cover
    /// letter.
    pub(crate) answers: Vec<(u32, &'a Mail)>,
    total: u32,
    warnings: Vec<Warning>,
    titles: HashMap<&'a str, u32>,
    pub(crate) senders: HashSet<String>,
}

impl<'a> Versions<'a> {
    pub(crate) fn find(mails: &'a [Mail]) -> Result<Self, Error> {
        let lines = |mail: &Mail| memchr::memchr_iter(b'\n', &mail.rest).count();
        if mails.iter().map(lines).sum::<usize>() > MAX_LINES {
            return Err(Error::Thread(mail::Error::TooLarge {
                what: "lines of patches",
                limit: MAX_LINES,
            }));
        }
        let covers = covers(mails);
        let (mut ours, others) = main_series(mails);
        let mut left_out: Vec<Warning> = (others.iter())
            .map(|mail| Warning::OtherSeries {
                subject: mail.line.clone(),
            })
            .collect();
        let without: Vec<&Mail> = (ours.iter().copied())
            .filter(|mail| !covers.contains_key(key(mail)) && is_note(mail))
            .collect();
        if without.len() < ours.len() {
            ours.retain(|mail| !without.iter().any(|one| std::ptr::eq(*one, *mail)));
            left_out.extend(without.iter().map(|mail| Warning::NoDiff {
                subject: mail.line.clone(),
            }));
        }
        // Where an id leads; nowhere if it is of another series.
        let mut ids: HashMap<&str, Option<(u32, u32)>> = HashMap::new();
        for mail in &others {
            ids.extend(mail.id.iter().map(|id| (id.as_str(), None)));
        }
        let mut by_number: BTreeMap<u32, Vec<&Mail>> = BTreeMap::new();
        for mail in ours {
            let version = covers
                .get(key(mail))
                .map_or(mail.subject.version, |at| at.0);
            by_number.entry(version).or_default().push(mail);
        }
        let mut list: Vec<Version> = by_number
            .into_iter()
            .map(|(number, mails)| Version::new(number, &mails, &covers, &mut ids))
            .collect();
        for mail in mails.iter().filter(|mail| mail.kind == Kind::Both) {
            let number = mail.subject.version;
            if let Ok(at) = list.binary_search_by_key(&number, |one| one.number) {
                list[at].take_from_answer(mail);
            }
        }
        list.retain(|version| !version.patches.is_empty());
        let too_large = |what, limit| Error::Thread(mail::Error::TooLarge { what, limit });
        if list.iter().map(|one| one.total as usize).sum::<usize>() > MAX_PLACES {
            return Err(too_large("patches in all versions", MAX_PLACES));
        }
        for at in 1..list.len() {
            let (before, rest) = list.split_at_mut(at);
            rest[0].fill_from(&before[at - 1], &ids);
        }
        // A patch that several versions have is read for each.
        let patches = list.iter().flat_map(|one| one.patches.values());
        if patches.map(|mail| mail.size()).sum::<usize>() > mail::MAX_BYTES {
            return Err(too_large("bytes in all versions", mail::MAX_BYTES));
        }
        let Some(chosen) = (0..list.len()).max_by(|one, other| {
            // Present of total, compared without a fraction.
            let share = |one: usize, other: usize| {
                list[one].patches.len() as u64 * u64::from(list[other].total)
            };
            share(*one, *other)
                .cmp(&share(*other, *one))
                .then_with(|| one.cmp(other))
        }) else {
            return Err(Error::NoPatch {
                messages: mails.len(),
                first: mails
                    .first()
                    .map(|mail| mail.line.clone())
                    .unwrap_or_default(),
            });
        };
        sort_answers(&mut list, mails, &ids);
        Ok(Self {
            left_out,
            known: People::collect(mails),
            list,
            chosen,
        })
    }

    /// Reads one of them.
    pub(crate) fn read(&self, at: usize, announced: Option<u32>) -> Result<Series, Error> {
        let version = &self.list[at];
        let mut warnings = Vec::new();
        if at == self.chosen {
            let newest = self.list.last().filter(|one| one.number != version.number);
            warnings.extend(newest.map(|newest| Warning::NewerIncomplete {
                version: newest.number,
                used: version.number,
            }));
            warnings.extend(self.left_out.iter().cloned());
        }
        warnings.extend(version.warnings.iter().cloned());
        if let Some(announced) = announced.filter(|announced| *announced != version.total) {
            warnings.push(Warning::Announced {
                announced,
                total: version.total,
            });
        }
        let mut by_place: HashMap<u32, Vec<&Mail>> = HashMap::new();
        for (to, mail) in &version.answers {
            by_place.entry(*to).or_default().push(mail);
        }
        let mut patches = Vec::new();
        for (&index, mail) in &version.patches {
            let place = Place {
                index,
                total: version.total,
                version: version.number,
            };
            let answers = by_place.get(&index).into_iter().flatten().copied();
            patches.push(read_patch(
                mail,
                place,
                answers,
                &self.known,
                &mut warnings,
            )?);
        }
        let missing = (1..=version.total)
            .filter(|i| !version.patches.contains_key(i))
            .collect();
        let replies = (version.answers.iter())
            .map(|(to_patch, mail)| self.reply(mail, *to_patch))
            .collect();
        let title = match version.cover {
            Some(cover) => cover.subject.title.clone(),
            None => patches
                .first()
                .map(|patch| patch.subject.clone())
                .unwrap_or_default(),
        };
        Ok(Series {
            name: slug(&title),
            title,
            version: version.number,
            total: version.total,
            patches,
            missing,
            replies,
            warnings,
            identity: self.identity(),
        })
    }

    /// What the mails of all versions say of their series.
    fn identity(&self) -> Identity {
        let mut identity = Identity::default();
        for version in &self.list {
            for mail in version.patches.values().copied().chain(version.cover) {
                mail.name_series(&mut identity);
            }
        }
        identity
    }

    /// Who wrote a mail, with an address where the thread tells one.
    pub(crate) fn author(&self, mail: &Mail) -> Person {
        let mut by = mail.from.clone().unwrap_or_else(|| Person {
            name: "unknown".to_owned(),
            email: String::new(),
        });
        if by.email.is_empty() {
            by.email = self.known.email(&by.name).unwrap_or_default();
        }
        by
    }

    fn reply(&self, mail: &Mail, to_patch: u32) -> Reply {
        let paragraphs: Vec<String> = (mail.answer.said.iter())
            .map(|paragraph| paragraph.lines.join("\n"))
            .collect();
        Reply {
            by: self.author(mail),
            date: mail.date.clone(),
            to_patch,
            body: paragraphs.join("\n\n"),
            trailers: mail.answer.offers.clone(),
        }
    }
}

impl<'a> Version<'a> {
    fn new(
        number: u32,
        mails: &[&'a Mail],
        covers: &HashMap<&str, (u32, u32)>,
        ids: &mut HashMap<&'a str, Option<(u32, u32)>>,
    ) -> Self {
        let mut version = Self {
            number,
            patches: BTreeMap::new(),
            cover: None,
            answers: Vec::new(),
            total: 0,
            warnings: Vec::new(),
            titles: HashMap::new(),
            senders: HashSet::new(),
        };
        let numbered = mails.iter().any(|mail| mail.subject.number.is_some());
        for &mail in mails {
            let cover = covers.get(key(mail)).map(|(_, total)| (0, *total));
            let copied = (version.titles.get(mail.subject.title.as_str()).copied()).filter(|at| {
                version
                    .patches
                    .get(at)
                    .is_some_and(|one| is_copy(one, mail))
            });
            let (index, total) = match (cover.or(mail.subject.number), copied) {
                (Some(number), _) => number,
                (None, Some(at)) if !numbered => (at, version.total),
                // `git format-patch -N` numbers nothing.
                (None, _) if !numbered && version.total < MAX_PATCHES => {
                    (version.total + 1, version.total + 1)
                }
                (None, _) => {
                    let subject = mail.subject.title.clone();
                    version.warnings.push(Warning::Unnumbered { subject });
                    continue;
                }
            };
            version.total = version.total.max(total);
            if let Some(id) = &mail.id {
                ids.insert(id, Some((number, index)));
            }
            version.titles.entry(&mail.subject.title).or_insert(index);
            version.senders.insert(sender(mail));
            if index == 0 {
                version.cover = Some(mail);
            } else if version.patches.insert(index, mail).is_some() {
                version.warnings.push(Warning::Resent { index });
            }
        }
        version
    }

    /// Takes a patch that its sender put into an answer, where it is missing.
    fn take_from_answer(&mut self, mail: &'a Mail) {
        let Some((index, total)) = mail.subject.number else {
            return;
        };
        if index == 0 || total != self.total || !self.senders.contains(&sender(mail)) {
            return;
        }
        self.warnings.push(match self.patches.entry(index) {
            Entry::Occupied(_) => Warning::InAnswer { index },
            Entry::Vacant(place) => {
                place.insert(mail);
                Warning::FromAnswer { index }
            }
        });
    }

    /// Some send only those patches again that have changed, each as an answer
    /// to itself in the version before.
    fn fill_from(&mut self, before: &Self, ids: &HashMap<&str, Option<(u32, u32)>>) {
        let indices: Vec<u32> = (1..=self.total)
            .filter(|index| !self.patches.contains_key(index))
            .collect();
        let answers_itself = |(index, mail): (&u32, &&Mail)| {
            let parent = mail.answers.first().and_then(|id| ids.get(id.as_str()));
            parent == Some(&Some((before.number, *index)))
        };
        if indices.is_empty()
            || self.cover.is_some()
            || self.total != before.total
            || !self.patches.iter().all(answers_itself)
            || !indices
                .iter()
                .all(|index| before.patches.contains_key(index))
        {
            return;
        }
        for index in &indices {
            self.patches.extend(before.patches.get_key_value(index));
        }
        self.warnings.push(Warning::Partial {
            from: before.number,
            indices,
        });
    }
}

/// Cover letters without a number, by [`key`], with the version and the total
/// of the patches that tell what they are: those that answer it, or where it is
/// called a set, those of its sender.
fn covers(mails: &[Mail]) -> HashMap<&str, (u32, u32)> {
    let mut answered: HashMap<&str, (u32, u32)> = HashMap::new();
    let mut sent: HashMap<String, (u32, u32)> = HashMap::new();
    for mail in mails.iter().filter(|mail| mail.is_patch()) {
        let Some((1.., total)) = mail.subject.number else {
            continue;
        };
        let place = (mail.subject.version, total);
        if let Some(id) = mail.answers.first() {
            answered.entry(id).or_insert(place);
        }
        sent.entry(sender(mail)).or_insert(place);
    }
    let notes = mails.iter().filter(|mail| mail.is_patch() && is_note(mail));
    notes
        .filter_map(|mail| {
            let by_id = mail.id.as_deref().and_then(|id| answered.get(id));
            let by_sender = || sent.get(&sender(mail)).filter(|_| mail.subject.set);
            Some((key(mail), *by_id.or_else(by_sender)?))
        })
        .collect()
}

/// What tells a mail from others.
fn key(mail: &Mail) -> &str {
    mail.id.as_deref().unwrap_or(&mail.line)
}

/// Whether a mail that is called a patch has neither a number nor a diff.
fn is_note(mail: &Mail) -> bool {
    mail.subject.number.is_none() && !has_diff(&mail.rest)
}

/// Whether two mails carry the same diff.
fn is_copy(one: &Mail, other: &Mail) -> bool {
    match (patch::parse(&one.rest), patch::parse(&other.rest)) {
        (Ok(one), Ok(other)) => one == other,
        _ => one.rest == other.rest,
    }
}

/// Who sent a mail, also where it has no id.
fn sender(mail: &Mail) -> String {
    mail.from.as_ref().map(Person::key).unwrap_or_default()
}

/// Gives each answer to the version and the place that it is to: by the ids
/// that it names, else by its subject.
fn sort_answers<'a>(
    list: &mut [Version<'a>],
    mails: &'a [Mail],
    ids: &HashMap<&str, Option<(u32, u32)>>,
) {
    let numbers: HashMap<u32, usize> = (list.iter().enumerate())
        .map(|(at, version)| (version.number, at))
        .collect();
    // Of several versions with that title the newest.
    let mut titles: HashMap<&str, u32> = HashMap::new();
    for version in list.iter() {
        titles.extend(version.titles.keys().map(|title| (*title, version.number)));
    }
    let by_subject = |list: &[Version], mail: &Mail| {
        let subject = &mail.subject;
        if !subject.reply {
            return None;
        }
        let number = match subject.tagged {
            true => subject.version,
            false => *titles.get(subject.title.as_str())?,
        };
        let version = &list[*numbers.get(&number)?];
        let index = match subject.number {
            Some((index, _)) if subject.tagged => index,
            _ => *version.titles.get(subject.title.as_str())?,
        };
        Some((number, index))
    };
    for mail in mails.iter().filter(|mail| !mail.is_patch()) {
        let by_id = mail.answers.iter().find_map(|id| ids.get(id.as_str()));
        let place = match by_id {
            Some(place) => *place,
            None => by_subject(list, mail),
        };
        let Some((number, index)) = place else {
            continue;
        };
        if let Some(&at) = numbers.get(&number)
            && index <= list[at].total
        {
            list[at].answers.push((index, mail));
        }
    }
}

/// The patches of the series that has most of them, and those of others: what
/// a reviewer sent instead, or what merely lies in the same mailbox.
fn main_series(mails: &[Mail]) -> (Vec<&Mail>, Vec<&Mail>) {
    let patches: Vec<&Mail> = mails.iter().filter(|mail| mail.is_patch()).collect();
    // Files of `git format-patch` have no sender; their author says nothing.
    let sent = patches.iter().all(|mail| mail.id.is_some());
    let sender = |mail| match sent {
        true => sender(mail),
        false => String::new(),
    };
    // What was sent at once: version, number of patches, sender, and for those
    // without a number the thread.
    let mut postings: HashMap<(u32, u32, String, &str), usize> = HashMap::new();
    // One series has its sender or a title in common.
    let mut senders: HashMap<String, usize> = HashMap::new();
    let mut titles: HashMap<String, usize> = HashMap::new();
    let by_id: HashMap<&str, &Mail> = (mails.iter())
        .filter_map(|mail| Some((mail.id.as_deref()?, mail)))
        .collect();
    let mut groups = Union::new(patches.len());
    join_authors(&patches, &mut groups);
    for (at, mail) in patches.iter().enumerate() {
        let subject = &mail.subject;
        let (total, root) = match subject.number {
            Some((_, total)) => (total, ""),
            None => (0, mail.answers.last().map_or("", String::as_str)),
        };
        let posting = (subject.version, total, sender(mail), root);
        groups.join(*postings.entry(posting).or_insert(at), at);
        groups.join(*titles.entry(subject.key()).or_insert(at), at);
        // A lone patch in an answer is more likely a suggestion, or a mend.
        if subject.number.is_some() || mail.answers.is_empty() || rerolls(mail, &by_id) {
            groups.join(*senders.entry(sender(mail)).or_insert(at), at);
        }
    }
    let mut sizes = vec![0; patches.len()];
    for at in 0..patches.len() {
        sizes[groups.root(at)] += 1;
    }
    // The first of the largest.
    let ours = (0..sizes.len()).rev().max_by_key(|root| sizes[*root]);
    let mut at = 0..;
    patches
        .into_iter()
        .partition(|_| at.next().map(|at| groups.root(at)) == ours)
}

/// Joins numbered patches of several senders, as `git format-patch` writes the
/// commits of several authors, where they are of one thread, version and total,
/// and no two senders have the same place.
fn join_authors(patches: &[&Mail], groups: &mut Union) {
    let threaded = patches.iter().any(|mail| !mail.answers.is_empty());
    let root = |mail: &Mail| match mail.answers.last().or(mail.id.as_ref()) {
        Some(id) if threaded => id.clone(),
        _ => String::new(),
    };
    // The number and the place in `patches` of each sender's.
    type Places = Vec<(u32, usize)>;
    let mut series: HashMap<(u32, u32, String), BTreeMap<String, Places>> = HashMap::new();
    for (at, mail) in patches.iter().enumerate() {
        let Some((number, total)) = mail.subject.number else {
            continue;
        };
        let one = (mail.subject.version, total, root(mail));
        let senders = series.entry(one).or_default();
        senders.entry(sender(mail)).or_default().push((number, at));
    }
    for senders in series.into_values() {
        // Whoever has the first places had the series.
        let mut senders: Vec<Places> = senders.into_values().collect();
        senders.sort_by_key(|places| places.iter().map(|(_, at)| *at).min());
        let (mut taken, mut first) = (HashSet::new(), None);
        for places in senders {
            if places.iter().any(|(number, _)| taken.contains(number)) {
                continue;
            }
            for (number, at) in places {
                groups.join(*first.get_or_insert(at), at);
                taken.insert(number);
            }
        }
    }
}

/// Whether a patch without a number is its sender's next version of what it
/// answers, whatever its title: a patch that was sent alone, or a cover letter.
/// In an answer to one of several patches it may mend that one alone.
fn rerolls(mail: &Mail, by_id: &HashMap<&str, &Mail>) -> bool {
    const DEPTH: usize = 20;
    let from = sender(mail);
    let mut above = &mail.answers;
    for _ in 0..DEPTH {
        let known = above.iter().filter_map(|id| by_id.get(id.as_str()));
        let Some(one) = known.copied().next() else {
            return false;
        };
        if one.is_patch() && sender(one) == from {
            let whole = matches!(one.subject.number, None | Some((0, _) | (_, 1)));
            return whole && one.subject.version < mail.subject.version;
        }
        above = &one.answers;
    }
    false
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
