//! Which series a mailbox has, told by headers alone, so that of all its mails
//! only those of one series need be read and kept.
//!
//! Mails belong together by the ids that they name, whether or not the mail
//! with that id is there. Where that leads nowhere an answer belongs to the
//! patch with its title; patches of one sender with one title are versions of
//! each other; and patches that name no mail but follow each other by their
//! numbers are one series, as in what `b4 am` writes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use super::union::Union;
use crate::mail::{Error, RawMail, Subject};
use crate::person::Person;

/// The most mails that are looked at.
const MAX_MAILS: usize = 2_000_000;
/// The most ids that a mail names that are followed: its parent, and the last
/// ones of a long list.
const MAX_PARENTS: usize = 8;
/// The most ids and titles.
const MAX_NODES: usize = 4_000_000;

/// What was seen of a mailbox.
#[derive(Default)]
pub struct Index {
    hasher: RandomState,
    groups: Union,
    /// Whether the mail with that id is there, by node.
    present: Vec<bool>,
    ids: HashMap<u64, usize>,
    /// Patches by title and sender.
    patches: HashMap<u64, usize>,
    /// Patches by title alone.
    titles: HashMap<u64, usize>,
    mails: Vec<Entry>,
    /// A patch that was never sent: a file of `git format-patch`, or in an
    /// archive's text. Such lie together because they belong together.
    unsent: Option<usize>,
    /// Patches that name no mail and follow each other.
    row: Option<Row>,
    /// The first mail of each place.
    places: Vec<usize>,
}

struct Row {
    sender: String,
    version: u32,
    total: u32,
    /// The numbers that it has.
    numbers: BTreeSet<u32>,
    /// Its last mail, by its place in the mailbox.
    last: usize,
    node: usize,
}

struct Entry {
    node: usize,
    what: What,
}

enum What {
    Answer {
        title: u64,
        sent: bool,
        parents: Vec<usize>,
    },
    Patch(Box<Patch>),
}

struct Patch {
    title: String,
    version: u32,
    index: u32,
    by: Option<Person>,
    date: Option<String>,
    id: Option<String>,
}

/// A series in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its newest version's cover letter, or its first patch.
    pub title: String,
    pub by: Option<Person>,
    /// When, as RFC 2822.
    pub date: Option<String>,
    /// The message id of that mail.
    pub id: Option<String>,
    /// Its versions, the oldest first.
    pub versions: Vec<u32>,
    /// How many patches the newest has.
    pub patches: usize,
    /// Its mails, by their place in the mailbox from 0.
    pub mails: Vec<u32>,
}

impl Index {
    /// The mails from here on are of another file or folder.
    pub fn next_place(&mut self) {
        self.places.push(self.mails.len());
    }

    /// Looks at the next mail of the mailbox.
    ///
    /// # Errors
    /// [`Error::TooLarge`] behind more mails than anyone has.
    pub fn add(&mut self, mail: &RawMail) -> Result<(), Error> {
        if self.mails.len() == MAX_MAILS || self.present.len() > MAX_NODES {
            return Err(Error::TooLarge {
                what: "mails",
                limit: MAX_MAILS,
            });
        }
        let head = mail.head();
        let (id, named) = match &head {
            Some(head) => (head.id.as_deref(), head.answers.as_slice()),
            None => (None, &[][..]),
        };
        let node = match id {
            Some(id) => self.node(id),
            None => self.fresh(),
        };
        self.present[node] = true;
        // The nearest, and the farthest, which began the thread.
        let tail = named.len().saturating_sub(MAX_PARENTS - 1).max(1);
        let chosen = named.iter().take(1).chain(named.iter().skip(tail));
        let parents: Vec<usize> = chosen.map(|id| self.node(id)).collect();
        for parent in &parents {
            self.groups.join(node, *parent);
        }
        let what = match head {
            Some(head) => {
                let subject = Subject::parse(&head.subject);
                let title = self.hasher.hash_one(subject.key());
                let is_patch = !subject.reply && (subject.tagged || mail.may_have_diff());
                if is_patch {
                    let sender = head.from.as_ref().map(Person::key).unwrap_or_default();
                    let by_sender = self.hasher.hash_one((subject.key(), &sender));
                    let before = *self.patches.entry(by_sender).or_insert(node);
                    self.groups.join(before, node);
                    self.titles.insert(title, node);
                    if head.id.is_none() && parents.is_empty() {
                        let before = *self.unsent.get_or_insert(node);
                        self.groups.join(before, node);
                    }
                    if parents.is_empty() {
                        self.join_row(&subject, sender, node);
                    }
                    What::Patch(Box::new(Patch {
                        title: subject.title,
                        version: subject.version,
                        index: subject.number.map_or(1, |number| number.0),
                        by: head.from,
                        date: head.date,
                        id: head.id,
                    }))
                } else {
                    What::Answer {
                        title,
                        sent: head.id.is_some(),
                        parents,
                    }
                }
            }
            None => What::Answer {
                title: 0,
                sent: true,
                parents: Vec::new(),
            },
        };
        self.mails.push(Entry { node, what });
        Ok(())
    }

    /// Joins a patch that names no mail to those right before it, where its
    /// number is one of theirs that they lack.
    fn join_row(&mut self, subject: &Subject, sender: String, node: usize) {
        let Some((index, total)) = subject.number else {
            return;
        };
        let last = self.mails.len();
        let fits = self.row.as_mut().filter(|row| {
            row.last + 1 == last
                && (row.version, row.total) == (subject.version, total)
                && row.sender == sender
        });
        if let Some(row) = fits
            && row.numbers.insert(index)
        {
            row.last = last;
            self.groups.join(row.node, node);
            return;
        }
        self.row = Some(Row {
            sender,
            version: subject.version,
            total,
            numbers: BTreeSet::from([index]),
            last,
            node,
        });
    }

    fn fresh(&mut self) -> usize {
        self.present.push(false);
        self.groups.add()
    }

    fn node(&mut self, id: &str) -> usize {
        let hash = self.hasher.hash_one(id);
        if let Some(node) = self.ids.get(&hash) {
            return *node;
        }
        let node = self.fresh();
        self.ids.insert(hash, node);
        node
    }

    /// The series, in the order in which they begin; with `which` only those
    /// with a mail of this message id (or web address that ends with it), or
    /// with these words in a title.
    pub fn series(mut self, which: Option<&str>) -> Vec<Found> {
        self.join_by_title();
        self.join_places();
        let which = which.map(|which| self.filter(which));
        let mut found: BTreeMap<usize, (Vec<u32>, Vec<&Patch>)> = BTreeMap::new();
        for (place, entry) in (0..).zip(&self.mails) {
            let root = self.groups.root(entry.node);
            let (mails, patches) = found.entry(root).or_default();
            mails.push(place);
            if let What::Patch(patch) = &entry.what {
                patches.push(patch);
            }
        }
        let mut series: Vec<Found> = found
            .into_iter()
            .filter(|(root, (_, patches))| match &which {
                None => true,
                Some(Filter::Root(wanted)) => root == wanted,
                Some(Filter::Words(words)) => patches
                    .iter()
                    .any(|patch| patch.title.to_lowercase().contains(words)),
            })
            .filter_map(|(_, (mails, patches))| Found::new(mails, &patches))
            .collect();
        series.sort_by_key(|one| one.mails.first().copied());
        series
    }

    fn filter(&mut self, which: &str) -> Filter {
        let id = which.trim_end_matches('/').rsplit('/').next();
        let id = id.unwrap_or(which).trim_matches(['<', '>']);
        match self.ids.get(&self.hasher.hash_one(id)) {
            Some(node) if self.present[*node] => Filter::Root(self.groups.root(*node)),
            _ => Filter::Words(which.to_lowercase()),
        }
    }

    /// Answers whose ids lead nowhere find their patch by its title.
    fn join_by_title(&mut self) {
        for entry in &self.mails {
            let What::Answer {
                title,
                sent,
                parents,
            } = &entry.what
            else {
                continue;
            };
            if parents.iter().any(|parent| self.present[*parent]) {
                continue;
            }
            let unsent = self.unsent.filter(|_| !sent && parents.is_empty());
            if let Some(patch) = self.titles.get(title).copied().or(unsent) {
                self.groups.join(patch, entry.node);
            }
        }
    }

    /// Places with one series each, all of one sender, have versions of it,
    /// even where no title stayed the same.
    fn join_places(&mut self) {
        if self.places.len() < 2 {
            return;
        }
        let mut roots: Vec<Option<usize>> = vec![None; self.places.len()];
        let mut sender: Option<&Person> = None;
        for (at, entry) in self.mails.iter().enumerate() {
            let What::Patch(patch) = &entry.what else {
                continue;
            };
            let place = self.places.partition_point(|start| *start <= at);
            let root = self.groups.root(entry.node);
            let same_sender = match (sender, &patch.by) {
                (Some(one), Some(other)) => one.is_same(other),
                _ => true,
            };
            let Some(known) = place.checked_sub(1).and_then(|at| roots.get_mut(at)) else {
                return;
            };
            if !same_sender || known.is_some_and(|known| known != root) {
                return;
            }
            *known = Some(root);
            sender = sender.or(patch.by.as_ref());
        }
        let mut roots = roots.into_iter().flatten();
        if let Some(first) = roots.next() {
            roots.for_each(|root| self.groups.join(first, root));
        }
    }
}

enum Filter {
    Root(usize),
    Words(String),
}

impl Found {
    fn new(mails: Vec<u32>, patches: &[&Patch]) -> Option<Self> {
        let versions: BTreeSet<u32> = patches.iter().map(|patch| patch.version).collect();
        // A cover letter alone is no series.
        patches.iter().find(|patch| patch.index > 0)?;
        let newest = *versions.last()?;
        let newest = || patches.iter().filter(|patch| patch.version == newest);
        let first = newest().min_by_key(|patch| patch.index)?;
        Some(Self {
            title: first.title.clone(),
            by: first.by.clone(),
            date: first.date.clone(),
            id: first.id.clone(),
            patches: newest().filter(|patch| patch.index > 0).count(),
            versions: versions.into_iter().collect(),
            mails,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Mails;

    fn mail(by: &str, head: &str, subject: &str) -> String {
        format!(
            "From a@b Mon Sep 17 00:00:00 2001\nFrom: {by} <{by}@example.org>\n{head}Subject: {subject}\n\nx\n\n"
        )
    }

    /// Each series: its title, versions, patches, and mails.
    fn series(places: &[&[String]], which: Option<&str>) -> String {
        let mut index = Index::default();
        for mails in places {
            index.next_place();
            let mbox = mails.concat();
            let mut mails = Mails::new(mbox.as_bytes()).unwrap();
            while let Some(mail) = mails.next().unwrap() {
                index.add(&mail).unwrap();
            }
        }
        let shown = index.series(which).into_iter().map(|one| {
            format!(
                "{} {:?} has {} in {:?}",
                one.title, one.versions, one.patches, one.mails
            )
        });
        shown.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn mails_are_sorted_into_series() {
        let cover = mail("a", "Message-ID: <0@a>\n", "[PATCH v2 0/1] mm: cover");
        let one = mail(
            "a",
            "Message-ID: <1@a>\nIn-Reply-To: <0@a>\n",
            "[PATCH v2 1/1] mm: one",
        );
        let old = mail("a", "Message-ID: <1@old>\n", "[PATCH] mm: one");
        let other = mail("b", "Message-ID: <1@b>\n", "[PATCH] mm: other");
        let same_title = mail("c", "Message-ID: <1@c>\n", "[PATCH] mm: one");
        let answer = |head: &str, subject: &str| mail("d", head, subject);
        let chat = answer("Message-ID: <x@d>\n", "Re: lunch");
        let deep = answer(
            "Message-ID: <d@d>\nIn-Reply-To: <gone@x>\nReferences: <0@a> <gone@x>\n",
            "Re: something",
        );
        let nowhere = answer(
            "Message-ID: <n@d>\nIn-Reply-To: <gone@y>\n",
            "Re: [PATCH] mm: other",
        );
        let by_title = answer("Message-ID: <t@d>\n", "Re: [PATCH v2 1/1] mm: one");
        let siblings = |n: u32| {
            let head = format!("Message-ID: <s{n}@e>\nIn-Reply-To: <lost@e>\n");
            mail("e", &head, &format!("[PATCH {n}/2] mm: sibling {n}"))
        };
        let unsent = |n: u32| mail("f", "", &format!("[PATCH {n}/2] mm: file {n}"));
        let table: [(&str, Vec<String>); 8] = [
            (
                "one and an answer by title",
                vec![cover.clone(), one.clone(), chat, by_title],
            ),
            (
                "the version before",
                vec![old.clone(), cover.clone(), one.clone()],
            ),
            ("the same title of another", vec![one.clone(), same_title]),
            (
                "an answer deep down",
                vec![cover.clone(), deep, other.clone()],
            ),
            (
                "a parent that is not there",
                vec![one.clone(), other.clone(), nowhere],
            ),
            (
                "a cover letter that is not there",
                vec![siblings(1), siblings(2)],
            ),
            ("files that were never sent", vec![unsent(1), unsent(2)]),
            ("no patch", vec![answer("", "Re: lunch")]),
        ];
        let read: Vec<String> = table
            .iter()
            .map(|(what, mails)| format!("{what}: {}", series(&[mails], None)))
            .collect();
        insta::assert_snapshot!(read.join("\n"), @r#"
    one and an answer by title: mm: cover [2] has 1 in [0, 1, 3]
    the version before: mm: cover [1, 2] has 1 in [0, 1, 2]
    the same title of another: mm: one [2] has 1 in [0]; mm: one [1] has 1 in [1]
    an answer deep down: mm: other [1] has 1 in [2]
    a parent that is not there: mm: one [2] has 1 in [0]; mm: other [1] has 1 in [1, 2]
    a cover letter that is not there: mm: sibling 1 [1] has 2 in [0, 1]
    files that were never sent: mm: file 1 [1] has 2 in [0, 1]
    no patch: 
    "#);

        let both = [cover, one, other];
        for (which, expected) in [
            ("<1@a>", "mm: cover [2] has 1 in [0, 1]"),
            (
                "https://lore.example.org/linux-mm/1@b/",
                "mm: other [1] has 1 in [2]",
            ),
            ("MM: ONE", "mm: cover [2] has 1 in [0, 1]"),
            (
                "mm:",
                "mm: cover [2] has 1 in [0, 1]; mm: other [1] has 1 in [2]",
            ),
            ("lunch", ""),
        ] {
            assert_eq!(series(&[&both], Some(which)), expected, "{which}");
        }
    }

    #[test]
    fn places_of_one_sender_have_versions_of_one_series() {
        let v1 = [mail("a", "Message-ID: <1@a>\n", "[PATCH] mm: first title")];
        let v2 = [mail(
            "a",
            "Message-ID: <2@a>\n",
            "[PATCH v2] mm: another title",
        )];
        let other = [mail(
            "b",
            "Message-ID: <2@b>\n",
            "[PATCH v2] mm: another title",
        )];
        assert_eq!(
            series(&[&v1, &v2], None),
            "mm: another title [1, 2] has 1 in [0, 1]"
        );
        assert_eq!(
            series(&[&v1, &other], None),
            "mm: first title [1] has 1 in [0]; mm: another title [2] has 1 in [1]"
        );
    }

    #[test]
    fn patches_that_name_no_mail_stand_in_a_row() {
        let sent = |by: &str, id: u32, n: u32, version: &str| {
            let head = format!("Message-ID: <{id}@{by}>\n");
            mail(by, &head, &format!("[PATCH{version} {n}/2] mm: patch {id}"))
        };
        let answer = mail("d", "Message-ID: <x@d>\n", "Re: lunch");
        let table: [(&str, Vec<String>); 6] = [
            (
                "as b4 writes them",
                vec![sent("a", 1, 1, ""), sent("a", 2, 2, "")],
            ),
            (
                "and the cover letter",
                vec![
                    sent("a", 1, 1, ""),
                    sent("a", 2, 2, ""),
                    sent("a", 3, 0, ""),
                ],
            ),
            (
                "two series",
                vec![
                    sent("a", 1, 1, ""),
                    sent("a", 2, 2, ""),
                    sent("a", 3, 1, ""),
                    sent("a", 4, 2, ""),
                ],
            ),
            (
                "another sender",
                vec![sent("a", 1, 1, ""), sent("b", 2, 2, "")],
            ),
            (
                "another version",
                vec![sent("a", 1, 1, ""), sent("a", 2, 2, " v2")],
            ),
            (
                "apart",
                vec![sent("a", 1, 1, ""), answer, sent("a", 2, 2, "")],
            ),
        ];
        let read: Vec<String> = table
            .iter()
            .map(|(what, mails)| format!("{what}: {}", series(&[mails], None)))
            .collect();
        insta::assert_snapshot!(read.join("\n"), @r"
        as b4 writes them: mm: patch 1 [1] has 2 in [0, 1]
        and the cover letter: mm: patch 3 [1] has 2 in [0, 1, 2]
        two series: mm: patch 1 [1] has 2 in [0, 1]; mm: patch 3 [1] has 2 in [2, 3]
        another sender: mm: patch 1 [1] has 1 in [0]; mm: patch 2 [1] has 1 in [1]
        another version: mm: patch 1 [1] has 1 in [0]; mm: patch 2 [2] has 1 in [1]
        apart: mm: patch 1 [1] has 1 in [0]; mm: patch 2 [1] has 1 in [2]
        ");
    }
}
