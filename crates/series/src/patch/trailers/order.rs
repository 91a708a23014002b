//! The order in which trailers stand.

use crate::patch::model::Trailer;

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

fn rank(name: &str) -> Option<usize> {
    let name = name.to_ascii_lowercase();
    let name = match name.strip_suffix("-by") {
        Some(_) if name.starts_with("reported-") => "reported-by",
        _ => &name,
    };
    ORDER.iter().position(|group| group.contains(&name))
}

/// Whether the tip tree's order has a place for a name.
pub(crate) fn has_place(name: &str) -> bool {
    rank(name).is_some()
}

/// The trailers in the tip tree's order. Those of one kind keep theirs, and
/// what has no place stays behind what it stood behind.
pub(crate) fn in_order(trailers: &[Trailer]) -> Vec<Trailer> {
    let mut units: Vec<(usize, Vec<Trailer>)> = Vec::new();
    for one in trailers {
        let joins = units.last().is_some_and(|(_, unit)| {
            let behind = |last: &Trailer| last.is_report() || last.is("closes");
            let links = one.is("closes") || one.is("link");
            let report = || unit.last().is_some_and(behind) && unit.iter().any(Trailer::is_report);
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
