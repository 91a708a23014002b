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
fn key(name: &str, value: &str) -> (String, String) {
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
