//! The trailers that answers give to each patch.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::model::{Collected, Standing};
use crate::patch::Patch;
use crate::person::Person;
use crate::series::{Mail, Series, Version, Versions};

/// The most trailers of a review. A thread has some dozens.
const MAX_TRAILERS: usize = 20_000;

/// What tells a trailer from another: its name, and the address or the text.
type Key = (String, String);

fn key(name: &str, value: &str) -> Key {
    let of = Person::parse(value).map(|person| person.email);
    (
        name.to_lowercase(),
        of.unwrap_or_else(|| value.to_owned()).to_lowercase(),
    )
}

/// Collects the trailers for each patch of the latest version.
pub(super) fn collect(
    found: &Versions,
    versions: &[(&Version, &Series)],
    latest: usize,
) -> Vec<Vec<Collected>> {
    let series = versions[latest].1;
    let given = given(versions);
    let latest_patches = Latest::new(series);
    let mut lists = Lists::new(series);
    for (at, (version, old)) in versions.iter().enumerate() {
        let is_latest = at == latest;
        let successors = latest_patches.successors(old, is_latest);
        let mut seen = HashSet::new();
        for (to, mail) in &version.answers {
            let targets = targets(&successors, *to);
            let from = found.author(mail);
            for (name, value, standing) in standings(mail, &from, &given) {
                // Said before of the same patch.
                if !seen.insert((*to, key(name, value), standing.rank())) {
                    continue;
                }
                for target in &targets {
                    let one = Collected {
                        name: name.to_owned(),
                        value: value.to_owned(),
                        from: from.clone(),
                        version: version.number,
                        to_patch: *to,
                        standing: on_latest(&standing, target.same, is_latest, *to),
                    };
                    if !lists.add(target.at, one) {
                        return lists.collected;
                    }
                }
            }
        }
    }
    lists.collected
}

/// What someone gave, or the author wrote down: it is no stray where it is
/// quoted.
fn given(versions: &[(&Version, &Series)]) -> HashSet<Key> {
    let mut given = HashSet::new();
    for (version, series) in versions {
        let written = series.patches.iter().flat_map(|patch| &patch.trailers);
        given.extend(written.map(|one| key(&one.name, &one.value)));
        let answers = version.answers.iter();
        let offers = answers.flat_map(|(_, mail)| &mail.answer.offers);
        given.extend(offers.map(|one| key(&one.name, &one.value)));
    }
    given
}

/// The patches of the latest version, by what they are found by.
struct Latest {
    total: u32,
    by_index: HashMap<u32, usize>,
    by_print: HashMap<u64, usize>,
    by_title: HashMap<String, usize>,
}

/// What a patch of an older version became in the latest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Successor {
    /// Its place in the list of patches.
    at: usize,
    same: bool,
}

impl Latest {
    fn new(series: &Series) -> Self {
        let patches = || series.patches.iter().zip(0..);
        let title = |patch: &Patch| patch.subject.to_lowercase();
        Self {
            total: series.total,
            by_index: patches().map(|(one, at)| (one.index, at)).collect(),
            by_print: patches().map(|(one, at)| (fingerprint(one), at)).collect(),
            by_title: patches().map(|(one, at)| (title(one), at)).collect(),
        }
    }

    /// For the place of each patch in a version what became of it: found by
    /// its diff, else by its title, else by its place.
    fn successors(&self, old: &Series, is_latest: bool) -> HashMap<u32, Successor> {
        let successor = |patch: &Patch| {
            let same = match is_latest {
                true => self.by_index.get(&patch.index),
                false => self.by_print.get(&fingerprint(patch)),
            };
            if let Some(at) = same {
                return Some(Successor {
                    at: *at,
                    same: true,
                });
            }
            let place = self.by_index.get(&patch.index);
            let place = place.filter(|_| old.total == self.total);
            let title = self.by_title.get(&patch.subject.to_lowercase());
            title.or(place).map(|at| Successor {
                at: *at,
                same: false,
            })
        };
        let patches = old.patches.iter();
        patches
            .filter_map(|patch| Some((patch.index, successor(patch)?)))
            .collect()
    }
}

/// The patches that an answer to one patch, or to the cover letter, is about.
fn targets(successors: &HashMap<u32, Successor>, to: u32) -> Vec<Successor> {
    if to > 0 {
        return successors.get(&to).copied().into_iter().collect();
    }
    let mut all: Vec<Successor> = successors.values().copied().collect();
    all.sort_unstable();
    all
}

/// How a trailer stands on the latest version.
fn on_latest(standing: &Standing, same: bool, is_latest: bool, to: u32) -> Standing {
    match standing {
        Standing::Given if !same => Standing::Changed,
        Standing::Given if !is_latest => Standing::Unchanged,
        Standing::Given if to == 0 => Standing::Cover,
        Standing::Conditional(_) if !same => Standing::Changed,
        other => other.clone(),
    }
}

/// What is collected for each patch.
struct Lists {
    collected: Vec<Vec<Collected>>,
    /// For each patch where a trailer stands among those collected; none where
    /// the patch has it already.
    places: Vec<HashMap<Key, Option<usize>>>,
    count: usize,
}

impl Lists {
    fn new(series: &Series) -> Self {
        let own = |patch: &Patch| {
            let own = patch.trailers.iter();
            own.map(|one| (key(&one.name, &one.value), None)).collect()
        };
        Self {
            collected: vec![Vec::new(); series.patches.len()],
            places: series.patches.iter().map(own).collect(),
            count: 0,
        }
    }

    /// Adds a trailer for the patch at a place, or lets it replace one that
    /// says the same and counts for less. False where there are too many.
    fn add(&mut self, at: usize, one: Collected) -> bool {
        let list = &mut self.collected[at];
        match self.places[at].entry(key(&one.name, &one.value)) {
            Entry::Occupied(place) => {
                if let Some(place) = *place.get()
                    && one.standing.rank() < list[place].standing.rank()
                {
                    list[place] = one;
                }
            }
            Entry::Vacant(place) if self.count < MAX_TRAILERS => {
                place.insert(Some(list.len()));
                list.push(one);
                self.count += 1;
            }
            Entry::Vacant(_) => return false,
        }
        true
    }
}

/// The trailers in an answer, and how each stands by itself.
fn standings<'a>(
    mail: &'a Mail,
    from: &Person,
    given: &HashSet<Key>,
) -> Vec<(&'a str, &'a str, Standing)> {
    let mut found = Vec::new();
    for offer in &mail.answer.offers {
        let named = Person::parse(&offer.value);
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
