//! How trailers are spelled, and in which order they stand.

use crate::patch::model::Trailer;

pub(crate) fn is(trailer: &Trailer, name: &str) -> bool {
    trailer.name.eq_ignore_ascii_case(name)
}

/// `Reported-by`, and `Reported-and-tested-by`.
pub(crate) fn is_report(trailer: &Trailer) -> bool {
    let name = trailer.name.to_ascii_lowercase();
    name.starts_with("reported-") && name.ends_with("-by")
}

/// The tip tree's order, by names in lower case; sign-offs tell the route and
/// keep their place among co-authors. `Closes` and a `Link` behind a report
/// stand with it.
const ORDER: [&[&str]; 11] = [
    &["fixes"],
    &["reported-by", "closes"],
    &["originally-by"],
    &["suggested-by"],
    &["co-developed-by", "signed-off-by"],
    &["tested-by"],
    &["reviewed-by"],
    &["acked-by"],
    &["nacked-by"],
    &["cc"],
    &["link"],
];

pub(crate) fn rank(name: &str) -> Option<usize> {
    let name = name.to_ascii_lowercase();
    let name = match name.strip_suffix("-by") {
        Some(_) if name.starts_with("reported-") => "reported-by",
        _ => &name,
    };
    ORDER.iter().position(|group| group.contains(&name))
}

/// The trailers in the tip tree's order. Those of one kind keep theirs, and
/// what has no place stays behind what it stood behind.
pub(crate) fn sorted(trailers: &[Trailer]) -> Vec<Trailer> {
    let mut units: Vec<(usize, Vec<Trailer>)> = Vec::new();
    for one in trailers {
        let joins = units.last().is_some_and(|(_, unit)| {
            let behind = |last: &Trailer| is_report(last) || is(last, "closes");
            let links = is(one, "closes") || is(one, "link");
            let report = || unit.last().is_some_and(behind) && unit.iter().any(is_report);
            rank(&one.name).is_none() || (links && report())
        });
        match units.last_mut() {
            Some((_, unit)) if joins => unit.push(one.clone()),
            _ => {
                let place = rank(&one.name).unwrap_or_default();
                units.push((place, vec![one.clone()]));
            }
        }
    }
    units.sort_by_key(|unit| unit.0);
    units.into_iter().flat_map(|unit| unit.1).collect()
}

/// How a trailer's name is spelled, where it is another way.
pub(crate) fn meant(name: &str) -> Option<&'static str> {
    const KNOWN: [&str; 16] = [
        "Signed-off-by",
        "Co-developed-by",
        "Reviewed-by",
        "Acked-by",
        "Tested-by",
        "Reported-by",
        "Suggested-by",
        "Originally-by",
        "Debugged-by",
        "Requested-by",
        "Nacked-by",
        "Fixes",
        "Closes",
        "Link",
        "Cc",
        "Reported-and-tested-by",
    ];
    if KNOWN.contains(&name) {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    // One slip in a short name, two in a long one.
    let near = |known: &&&str| {
        let known = known.to_ascii_lowercase();
        let most = match known.len() {
            0..=4 => 0,
            5..=7 => 1,
            _ => 2,
        };
        lower.len().abs_diff(known.len()) <= most
            && strsim::damerau_levenshtein(&lower, &known) <= most
    };
    let same = |known: &&&str| known.eq_ignore_ascii_case(name);
    let found = KNOWN.iter().find(same).or_else(|| KNOWN.iter().find(near));
    found.copied()
}
