//! Two versions of a series side by side: which patch became which, what
//! changed in it, and what can be seen of each request.
//!
//! Patches are paired as `git range-diff` pairs them: equal diffs first, then
//! so that all differences together are the smallest, where a patch that has
//! no partner costs 60 % of its own lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;
use similar::{Algorithm, DiffTag, TextDiff, capture_diff_slices, group_diff_ops};

use crate::draft;
use crate::lint::{changelog, meant};
use crate::patch::{FileDiff, FileKind, LineKind, Patch};
use crate::regex;
use crate::review::{Point, Review};
use crate::series::Series;

/// What a patch without a partner costs, in percent of its lines. Git's
/// default.
const CREATION: usize = 60;
/// The most patches of one side that are compared with each other. Above it
/// only equal diffs and equal subjects are paired.
const MAX_COMPARED: usize = 250;
/// The most lines of two diffs, multiplied, that are compared line by line.
const MAX_AREA: usize = 100_000_000;
/// Lines around a change.
const CONTEXT: usize = 3;

/// One version against the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reroll {
    /// The older version.
    pub from: u32,
    /// The newer version.
    pub to: u32,
    /// What became of each patch.
    pub patches: Vec<Change>,
    /// What can be seen of each request on the older version.
    pub requests: Vec<Outcome>,
}

/// Each version under review against the one before it.
pub fn rerolls(review: &Review) -> Vec<Reroll> {
    let pairs = review.versions.iter().zip(review.versions.iter().skip(1));
    pairs
        .map(|(old, new)| Reroll {
            from: old.version,
            to: new.version,
            patches: compare(old, new),
            requests: outcomes(&review.points, old, new),
        })
        .collect()
}

/// What became of one patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its place in the older version.
    pub old: Option<u32>,
    /// Its place in the newer version.
    pub new: Option<u32>,
    /// What happened to it.
    pub kind: ChangeKind,
    /// Its subject in the newer version, or in the only one.
    pub subject: String,
    /// Its subject in the older version, where that was another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// What changed in the changelog, as a unified diff.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub changelog: String,
    /// What changed in the diff, as a unified diff of the two diffs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub diff: String,
}

/// What happened to a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// Nothing.
    Same,
    /// Its changelog, its diff or its author is another.
    Changed,
    /// Only the newer version has it.
    Added,
    /// Only the older version has it.
    Dropped,
    /// It has no partner, but the other version is not all here.
    Unpaired,
}

impl ChangeKind {
    /// The mark that `git range-diff` puts between the two places.
    pub const fn mark(self) -> char {
        match self {
            Self::Same => '=',
            Self::Changed => '!',
            Self::Added => '>',
            Self::Dropped => '<',
            Self::Unpaired => '?',
        }
    }
}

/// What can be seen of a request in the next version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Who asked.
    pub by: String,
    /// The reviewer's words.
    pub quote: String,
    /// What can be seen.
    pub verdict: Verdict,
    /// What it was judged by.
    pub seen: String,
}

/// Whether a request was met, as far as text can show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// What was asked for is there, word by word.
    Met,
    /// Something changed where the request pointed; a human decides.
    Changed,
    /// Nothing changed where it pointed.
    Unchanged,
    /// It points at nothing that could be looked at.
    Unclear,
}

impl Verdict {
    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Unclear => "unclear",
        }
    }
}

/// Compares two versions, patch by patch, in the order of `git range-diff`: that
/// of the newer version, a dropped patch as soon as all before it were named.
pub fn compare(old: &Series, new: &Series) -> Vec<Change> {
    let partners = pair(&old.patches, &new.patches);
    let kept: BTreeSet<usize> = partners.iter().flatten().copied().collect();
    let alone = |patch: &Patch, whole: bool, kind| Change {
        old: None,
        new: None,
        kind: if whole { kind } else { ChangeKind::Unpaired },
        subject: patch.subject.clone(),
        renamed_from: None,
        changelog: String::new(),
        diff: String::new(),
    };
    let mut changes = Vec::new();
    let mut named = BTreeSet::new();
    let mut next = 0;
    let mut dropped = |changes: &mut Vec<Change>, named: &BTreeSet<usize>| {
        while next < old.patches.len() && (named.contains(&next) || !kept.contains(&next)) {
            let patch = &old.patches[next];
            if !kept.contains(&next) {
                changes.push(Change {
                    old: Some(patch.index),
                    ..alone(patch, new.missing.is_empty(), ChangeKind::Dropped)
                });
            }
            next += 1;
        }
    };
    dropped(&mut changes, &named);
    for (patch, partner) in new.patches.iter().zip(&partners) {
        let Some(at) = *partner else {
            changes.push(Change {
                new: Some(patch.index),
                ..alone(patch, old.missing.is_empty(), ChangeKind::Added)
            });
            continue;
        };
        changes.push(changed(&old.patches[at], patch));
        named.insert(at);
        dropped(&mut changes, &named);
    }
    changes
}

fn changed(old: &Patch, new: &Patch) -> Change {
    let unified = |old: &str, new: &str| {
        if old == new {
            return String::new();
        }
        let diff = TextDiff::from_lines(old, new);
        diff.unified_diff().context_radius(CONTEXT).to_string()
    };
    let text = |patch: &Patch| format!("{}\n", changelog(patch).trim_end());
    let changelog = unified(&text(old), &text(new));
    let diff = unified(&diff_text(&old.files), &diff_text(&new.files));
    let renamed_from = (old.subject != new.subject).then(|| old.subject.clone());
    let same = changelog.is_empty()
        && diff.is_empty()
        && renamed_from.is_none()
        && old.author == new.author;
    Change {
        old: Some(old.index),
        new: Some(new.index),
        kind: if same {
            ChangeKind::Same
        } else {
            ChangeKind::Changed
        },
        subject: new.subject.clone(),
        renamed_from,
        changelog,
        diff,
    }
}

/// A diff as `git range-diff` compares it: without line numbers and blob ids,
/// the file's name in each hunk's header.
fn diff_text(files: &[FileDiff]) -> String {
    let mut out = String::new();
    for (at, file) in files.iter().enumerate() {
        let path = file.path();
        let mut head = match (&file.old_path, &file.new_path) {
            (None, _) => format!("{path} (new)"),
            (_, None) => format!("{path} (deleted)"),
            (Some(old), Some(new)) if file.kind != FileKind::Plain => format!("{old} => {new}"),
            _ => path.to_owned(),
        };
        if let (Some(old), Some(new)) = (file.old_mode, file.new_mode)
            && old != new
            && file.old_path.is_some()
        {
            head += &format!(" (mode change {old:06o} => {new:06o})");
        }
        let gap = if at > 0 { "\n" } else { "" };
        out += &format!("{gap} ## {head} ##\n");
        for hunk in &file.hunks {
            out += &match hunk.section.as_str() {
                "" => "@@\n".to_owned(),
                section => format!("@@ {path}: {section}\n"),
            };
            for line in &hunk.lines {
                out.push(match line.kind {
                    LineKind::Context => ' ',
                    LineKind::Removed => '-',
                    LineKind::Added => '+',
                });
                let text = String::from_utf8_lossy(&line.text);
                out += text.trim_end_matches('\n');
                out.push('\n');
            }
        }
    }
    out
}

/// For each new patch, which old one is its partner.
fn pair(old: &[Patch], new: &[Patch]) -> Vec<Option<usize>> {
    let texts = |patches: &[Patch]| -> Vec<String> {
        patches
            .iter()
            .map(|patch| diff_text(&patch.files))
            .collect()
    };
    let (old_texts, new_texts) = (texts(old), texts(new));
    let mut partners: Vec<Option<usize>> = vec![None; new.len()];
    let mut taken = vec![false; old.len()];
    let mut by_text: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, text) in old_texts.iter().enumerate().rev() {
        by_text.entry(text).or_default().push(at);
    }
    for (partner, text) in partners.iter_mut().zip(&new_texts) {
        *partner = by_text.get_mut(text.as_str()).and_then(Vec::pop);
        if let Some(at) = *partner {
            taken[at] = true;
        }
    }

    let rest_old: Vec<usize> = (0..old.len()).filter(|at| !taken[*at]).collect();
    let rest_new: Vec<usize> = (0..new.len())
        .filter(|at| partners[*at].is_none())
        .collect();
    if rest_old.len() > MAX_COMPARED || rest_new.len() > MAX_COMPARED {
        let mut by_subject: HashMap<&str, usize> = (rest_old.iter())
            .map(|at| (old[*at].subject.as_str(), *at))
            .collect();
        for at in rest_new {
            partners[at] = by_subject.remove(new[at].subject.as_str());
        }
        return partners;
    }
    let mut lines = Lines::default();
    let sides = [(&rest_old, &old_texts), (&rest_new, &new_texts)].map(|(places, texts)| {
        let places = places.iter();
        places
            .map(|at| lines.numbers(&texts[*at]))
            .collect::<Vec<_>>()
    });
    for (at, partner) in rest_new.iter().zip(assign(&sides[0], &sides[1])) {
        partners[*at] = partner.map(|place| rest_old[place]);
    }
    partners
}

/// Lines, numbered so that equal ones have one number.
#[derive(Default)]
struct Lines<'a>(HashMap<&'a str, u32>);

impl<'a> Lines<'a> {
    fn numbers(&mut self, text: &'a str) -> Vec<u32> {
        text.lines()
            .map(|line| {
                let fresh = self.0.len() as u32;
                *self.0.entry(line).or_insert(fresh)
            })
            .collect()
    }
}

/// For each new diff the old one that it is assigned to, all costs together
/// being the least.
fn assign(old: &[Vec<u32>], new: &[Vec<u32>]) -> Vec<Option<usize>> {
    let (rows, columns) = (new.len(), old.len());
    let alone = |diff: &Vec<u32>| diff.len() * CREATION / 100;
    let size = rows + columns;
    // A row for each new diff and one for "no partner" of each old diff, and
    // the other way round.
    let mut costs = vec![vec![0_i64; size]; size];
    for (row, new) in new.iter().enumerate() {
        for (column, old) in old.iter().enumerate() {
            costs[row][column] = cost(old, new, alone(old) + alone(new)) as i64;
        }
        costs[row][columns..].fill(alone(new) as i64);
    }
    for (column, old) in old.iter().enumerate() {
        for row in &mut costs[rows..] {
            row[column] = alone(old) as i64;
        }
    }
    let assigned = cheapest(&costs);
    assigned[..rows]
        .iter()
        .map(|column| Some(*column).filter(|column| *column < columns))
        .collect()
}

/// How many lines a unified diff of two diffs has. Where that is certainly
/// more than `most`, no more than that is known of it.
fn cost(old: &[u32], new: &[u32], most: usize) -> usize {
    let mut counts: HashMap<u32, i64> = HashMap::new();
    old.iter()
        .for_each(|line| *counts.entry(*line).or_default() += 1);
    new.iter()
        .for_each(|line| *counts.entry(*line).or_default() -= 1);
    let least: u64 = counts.values().map(|count| count.unsigned_abs()).sum();
    let least = usize::try_from(least).unwrap_or(usize::MAX);
    if least > most || old.len().saturating_mul(new.len()) > MAX_AREA {
        return least.max(most + 1);
    }
    let ops = capture_diff_slices(Algorithm::Myers, old, new);
    let hunks = group_diff_ops(ops, CONTEXT);
    let lines = hunks.iter().flatten().map(|op| match op.tag() {
        DiffTag::Equal => op.old_range().len(),
        _ => op.old_range().len() + op.new_range().len(),
    });
    lines.sum::<usize>() + hunks.len()
}

/// The assignment of rows to columns whose costs are the least together: the
/// Hungarian algorithm with potentials, O(n³). Which column each row has.
fn cheapest(costs: &[Vec<i64>]) -> Vec<usize> {
    let size = costs.len();
    // From 1: column 0 is where a row begins its search.
    let mut row_of = vec![0_usize; size + 1];
    let (mut of_rows, mut of_columns) = (vec![0_i64; size + 1], vec![0_i64; size + 1]);
    for row in 1..=size {
        row_of[0] = row;
        let mut column = 0;
        let mut least = vec![i64::MAX; size + 1];
        let mut came_from = vec![0_usize; size + 1];
        let mut seen = vec![false; size + 1];
        while row_of[column] != 0 {
            seen[column] = true;
            let at = row_of[column];
            let (mut delta, mut next) = (i64::MAX, 0);
            for other in (1..=size).filter(|other| !seen[*other]) {
                let reduced = costs[at - 1][other - 1] - of_rows[at] - of_columns[other];
                if reduced < least[other] {
                    least[other] = reduced;
                    came_from[other] = column;
                }
                if least[other] < delta {
                    delta = least[other];
                    next = other;
                }
            }
            for other in 0..=size {
                if seen[other] {
                    of_rows[row_of[other]] += delta;
                    of_columns[other] -= delta;
                } else if other > 0 {
                    least[other] -= delta;
                }
            }
            column = next;
        }
        while column != 0 {
            let before = came_from[column];
            row_of[column] = row_of[before];
            column = before;
        }
    }
    let mut column_of = vec![0; size];
    for (column, row) in row_of.iter().enumerate().skip(1) {
        column_of[row - 1] = column - 1;
    }
    column_of
}

/// What the newer version shows of each request on the older one: of the
/// wordings that its answers propose, and of `points`.
pub fn outcomes(points: &[Point], old: &Series, new: &Series) -> Vec<Outcome> {
    let pairs = Pairs {
        partners: pair(&old.patches, &new.patches),
        old,
        new,
    };
    let mut texts: BTreeMap<u32, (Texts, Option<Texts>)> = BTreeMap::new();
    let mut outcomes = Vec::new();
    // A proposal may be the end of a request, and is judged once.
    let mut proposed = Vec::new();
    for reply in &old.replies {
        for wording in draft::wordings(&reply.body) {
            proposed.push(words(&wording.text));
            let index = reply.to_patch;
            let (before, after) = texts.entry(index).or_insert_with(|| pairs.texts(index));
            let (verdict, seen) = of_wording(&wording.text, before, after.as_ref());
            outcomes.push(Outcome {
                by: reply.by.to_string(),
                quote: wording.text,
                verdict,
                seen,
            });
        }
    }
    for point in points.iter().filter(|point| point.version == old.version) {
        let quote = words(&point.quote);
        if proposed.iter().any(|one| quote.contains(one)) {
            continue;
        }
        let index = point.to_patch;
        let (before, after) = texts.entry(index).or_insert_with(|| pairs.texts(index));
        let (verdict, seen) = of_point(point, before, after.as_ref());
        outcomes.push(Outcome {
            by: point.by.to_string(),
            quote: point.quote.clone(),
            verdict,
            seen,
        });
    }
    outcomes
}

struct Pairs<'a> {
    partners: Vec<Option<usize>>,
    old: &'a Series,
    new: &'a Series,
}

/// What a patch, or a series, says.
struct Texts {
    changelog: String,
    diff: String,
    trailers: BTreeSet<String>,
}

impl Texts {
    fn new<'a>(patches: impl Iterator<Item = &'a Patch> + Clone) -> Self {
        let text =
            |patch: &Patch| format!("{}\n\n{}\n", patch.subject, changelog(patch).trim_end());
        Self {
            changelog: patches.clone().map(text).collect(),
            diff: patches
                .clone()
                .map(|patch| diff_text(&patch.files))
                .collect(),
            trailers: patches
                .flat_map(|patch| &patch.trailers)
                .map(|one| meant(&one.name).map_or_else(|| one.name.clone(), str::to_owned))
                .collect(),
        }
    }
}

impl Pairs<'_> {
    /// A patch before and after; none after where it has no partner.
    fn texts(&self, index: u32) -> (Texts, Option<Texts>) {
        let at = self.old.patches.iter().position(|one| one.index == index);
        let Some(at) = at else {
            // The cover letter is about all of them.
            let all = Texts::new(self.new.patches.iter());
            return (Texts::new(self.old.patches.iter()), Some(all));
        };
        let mut partner = self.partners.iter().position(|one| *one == Some(at));
        if partner.is_none() {
            // Nothing is left of its diff; that it goes on shows by its name.
            let same = |one: &Patch| one.subject == self.old.patches[at].subject;
            let alone = |place: &usize| self.partners[*place].is_none();
            let places = self.new.patches.iter().zip(0..);
            partner = (places.filter(|(one, _)| same(one)))
                .map(|(_, place)| place)
                .find(alone);
        }
        let of = |patch: &Patch| Texts::new(std::iter::once(patch));
        let after = partner.map(|at| of(&self.new.patches[at]));
        (of(&self.old.patches[at]), after)
    }
}

/// A text without its line breaks.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn no_partner() -> (Verdict, String) {
    let seen = "the newer version has no patch that goes on from it";
    (Verdict::Unclear, seen.to_owned())
}

fn of_wording(text: &str, before: &Texts, after: Option<&Texts>) -> (Verdict, String) {
    let Some(after) = after else {
        return no_partner();
    };
    let (new, old) = (words(&after.changelog), words(&before.changelog));
    if new.contains(&words(text)) {
        let seen = "the changelog has the proposed wording";
        return (Verdict::Met, seen.to_owned());
    }
    static END: LazyLock<Regex> = LazyLock::new(|| regex(r"[.!?](?:\s+|$)"));
    let whole = words(text);
    let sentences: Vec<&str> = END.split(&whole).filter(|one| !one.is_empty()).collect();
    let kept = sentences.iter().filter(|one| new.contains(**one)).count();
    if kept > 0 {
        let seen = format!(
            "the changelog has {kept} of the {} sentences that were proposed",
            sentences.len()
        );
        (Verdict::Changed, seen)
    } else if new != old {
        let seen = "the changelog changed, to other words than those proposed";
        (Verdict::Changed, seen.to_owned())
    } else {
        (Verdict::Unchanged, "the changelog is as it was".to_owned())
    }
}

fn of_point(point: &Point, before: &Texts, after: Option<&Texts>) -> (Verdict, String) {
    let Some(after) = after else {
        return no_partner();
    };
    if let Some(found) = of_trailers(&point.quote, before, after) {
        return found;
    }
    if let Some(found) = of_names(&point.quote, before, after) {
        return found;
    }
    if let Some(about) = &point.about
        && let Some(found) = of_line(about, before, after)
    {
        return found;
    }
    let changelog = before.changelog != after.changelog;
    match (changelog, before.diff != after.diff) {
        (false, false) => (Verdict::Unchanged, "the patch is as it was".to_owned()),
        (changelog, diff) => {
            let what = match (changelog, diff) {
                (true, true) => "changelog and diff",
                (true, false) => "the changelog",
                _ => "the diff",
            };
            let seen = format!("{what} changed, but the request names nothing to look for");
            (Verdict::Unclear, seen)
        }
    }
}

/// A trailer that the request names and the newer version has got.
fn of_trailers(quote: &str, before: &Texts, after: &Texts) -> Option<(Verdict, String)> {
    let got = after.trailers.difference(&before.trailers);
    let got: Vec<&str> = got
        .map(String::as_str)
        .filter(|name| quote.contains(*name))
        .collect();
    (!got.is_empty()).then(|| {
        let seen = format!("the patch has {}: now", got.join(": and "));
        (Verdict::Met, seen)
    })
}

/// What the request has in quotes, or calls by a name of code, and what came
/// or went of it.
fn of_names(quote: &str, before: &Texts, after: &Texts) -> Option<(Verdict, String)> {
    static NAMED: LazyLock<Regex> = LazyLock::new(|| {
        regex(r#""([^"]{3,80})"|`([^`]{2,80})`|\b([A-Za-z]\w*_\w+|[A-Za-z_]\w+\(\))"#)
    });
    let has =
        |texts: &Texts, word: &str| texts.changelog.contains(word) || texts.diff.contains(word);
    for found in NAMED.captures_iter(quote) {
        let quoted = found.get(1).or_else(|| found.get(2));
        let Some(word) = quoted.or_else(|| found.get(3)) else {
            continue;
        };
        let word = word.as_str().trim_end_matches("()");
        match (has(before, word), has(after, word)) {
            (false, true) => {
                let place = match after.changelog.contains(word) {
                    true => "changelog",
                    false => "diff",
                };
                let verdict = if quoted.is_some() {
                    Verdict::Met
                } else {
                    Verdict::Changed
                };
                return Some((verdict, format!("{word:?} is in the {place} now")));
            }
            (true, false) => return Some((Verdict::Changed, format!("{word:?} is gone"))),
            _ => {}
        }
    }
    None
}

/// The line that the request stands under.
fn of_line(about: &str, before: &Texts, after: &Texts) -> Option<(Verdict, String)> {
    let about = about.trim();
    let code = about.strip_prefix(['+', '-']).unwrap_or(about).trim();
    if code.len() < 3 {
        return None;
    }
    let parts = [
        (&before.changelog, &after.changelog, "changelog"),
        (&before.diff, &after.diff, "diff"),
    ];
    let has = |text: &str| text.contains(code);
    let (old, new, what) = parts.into_iter().find(|(old, ..)| has(old))?;
    Some(if !has(new) {
        let seen = format!("the line of the {what} that it stands under is gone or another");
        (Verdict::Changed, seen)
    } else if old == new {
        let seen = format!("no change found where it pointed: the {what} is as it was");
        (Verdict::Unchanged, seen)
    } else {
        let seen = format!(
            "the line that it stands under is still in the {what}, which changed elsewhere"
        );
        (Verdict::Unclear, seen)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::Person;
    use crate::review::PointKind;

    /// A series of one patch, with an answer.
    fn version(number: u32, text: &str, line: &str, answer: &str) -> Series {
        let mail = format!(
            "From x Mon Sep 17 00:00:00 2001\nFrom: A U Thor <author@example.org>\n\
             Date: Fri, 29 Aug 2025 14:55:50 +0800\nMessage-ID: <1@example.org>\n\
             Subject: [PATCH v{number}] mm: x\n\n{text}\n---\n x | 2 +-\n\n\
             diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,7 +1,7 @@\n-a\n+{line}\n 2\n 3\n 4\n 5\n 6\n 7\n-- \n\n\
             From y Mon Sep 17 00:00:00 2001\nFrom: B <b@example.org>\n\
             In-Reply-To: <1@example.org>\nSubject: Re: [PATCH v{number}] mm: x\n\n{answer}\n"
        );
        let mail = mail
            .replace("From x", &format!("From {}", "0".repeat(40)))
            .replace("From y", &format!("From {}", "1".repeat(40)));
        crate::series::parse(mail.as_bytes()).unwrap()
    }

    fn point(quote: &str, about: Option<&str>) -> Point {
        Point {
            by: Person {
                name: "B".to_owned(),
                email: "b@example.org".to_owned(),
            },
            version: 1,
            to_patch: 1,
            kind: PointKind::Request,
            quote: quote.to_owned(),
            about: about.map(str::to_owned),
            answer: None,
        }
    }

    #[test]
    fn what_can_be_seen_of_requests() {
        let signed = "Signed-off-by: A U Thor <author@example.org>";
        let before = format!("It takes the lock.\n\n{signed}");
        let old = version(1, &before, "old_lock(b);", "");
        let after = format!(
            "It takes the \"page table lock\" late.\n\nFixes: 0123456789ab (\"mm: y\")\n{signed}"
        );
        let new = version(2, &after, "new_lock(b);", "");
        let table = [
            point("Please add a Fixes: tag.", None),
            point("Say \"page table lock\".", None),
            point("Can you use new_lock() here?", None),
            point("Why old_lock() at all?", None),
            point("Typo.", Some("It takes the lock.")),
            point("Why?", Some("+old_lock(b);")),
            point("Why?", Some("a")),
            point("Please explain.", None),
        ];
        let mut said = String::new();
        for (name, next) in [
            ("changed", &new),
            ("as it was", &version(2, &before, "old_lock(b);", "")),
        ] {
            said += &format!("{name}\n");
            for one in outcomes(&table, &old, next) {
                said += &format!("  {:?}: {:?}: {}\n", one.quote, one.verdict, one.seen);
            }
        }
        let gone = Series {
            patches: Vec::new(),
            ..new.clone()
        };
        let one = &outcomes(&table[..1], &old, &gone)[0];
        said += &format!("gone\n  {:?}: {}\n", one.verdict, one.seen);
        insta::assert_snapshot!(said, @r#"
        changed
          "Please add a Fixes: tag.": Met: the patch has Fixes: now
          "Say \"page table lock\".": Met: "page table lock" is in the changelog now
          "Can you use new_lock() here?": Changed: "new_lock" is in the diff now
          "Why old_lock() at all?": Changed: "old_lock" is gone
          "Typo.": Changed: the line of the changelog that it stands under is gone or another
          "Why?": Changed: the line of the diff that it stands under is gone or another
          "Why?": Unclear: changelog and diff changed, but the request names nothing to look for
          "Please explain.": Unclear: changelog and diff changed, but the request names nothing to look for
        as it was
          "Please add a Fixes: tag.": Unchanged: the patch is as it was
          "Say \"page table lock\".": Unchanged: the patch is as it was
          "Can you use new_lock() here?": Unchanged: the patch is as it was
          "Why old_lock() at all?": Unchanged: the patch is as it was
          "Typo.": Unchanged: no change found where it pointed: the changelog is as it was
          "Why?": Unchanged: no change found where it pointed: the diff is as it was
          "Why?": Unchanged: the patch is as it was
          "Please explain.": Unchanged: the patch is as it was
        gone
          Unclear: the newer version has no patch that goes on from it
        "#);
    }

    #[test]
    fn wordings_are_looked_for() {
        let answer = "My wording would be\n\"\nOne thing. Another\nthing.\n\"\n";
        let old = version(1, "Text.", "b", answer);
        let table = [
            "One thing. Another thing.",
            "One thing. Something else.",
            "Something else.",
            "Text.",
        ];
        let mut said = String::new();
        for text in table {
            for one in outcomes(&[], &old, &version(2, text, "b", "")) {
                said += &format!("{text:?}: {:?}: {}\n", one.verdict, one.seen);
            }
        }
        insta::assert_snapshot!(said, @r#"
        "One thing. Another thing.": Met: the changelog has the proposed wording
        "One thing. Something else.": Changed: the changelog has 1 of the 2 sentences that were proposed
        "Something else.": Changed: the changelog changed, to other words than those proposed
        "Text.": Unchanged: the changelog is as it was
        "#);
    }

    #[test]
    fn changes_are_shown_as_diffs() {
        let old = version(1, "One.\n\nTwo.", "b", "");
        let new = version(2, "One.\n\nThree.", "c", "");
        let changes = compare(&old, &new);
        insta::assert_snapshot!(format!("{}{}", changes[0].changelog, changes[0].diff), @r"
        @@ -1,3 +1,3 @@
         One.
         
        -Two.
        +Three.
        @@ -1,7 +1,7 @@
          ## x ##
         @@
         -a
        -+b
        ++c
          2
          3
          4
        ");
        assert_eq!(compare(&old, &old)[0].kind, ChangeKind::Same);
        let part = Series {
            patches: Vec::new(),
            missing: vec![1],
            ..new
        };
        assert_eq!(compare(&old, &part)[0].kind, ChangeKind::Unpaired);
    }

    #[test]
    fn assignments_are_the_cheapest() {
        // Every assignment of three rows.
        let orders = [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ];
        for seed in 0..200_i64 {
            let costs: Vec<Vec<i64>> = (0..3)
                .map(|row| {
                    (0..3)
                        .map(|column| (seed * 7919 + row * 104_729 + column * 1_299_709) % 23)
                        .collect()
                })
                .collect();
            let sum = |order: &[usize]| -> i64 {
                order.iter().zip(&costs).map(|(at, row)| row[*at]).sum()
            };
            let least = orders.iter().map(|order| sum(order)).min();
            assert_eq!(Some(sum(&cheapest(&costs))), least, "{costs:?}");
        }
        assert_eq!(cheapest(&[]), [] as [usize; 0]);
    }

    #[test]
    fn many_patches_end_in_time() {
        let one = version(1, "Text.", "b", "");
        let many = |from: u32, line: &str| -> Series {
            let patches = (from..from + 300)
                .map(|at| {
                    let mut patch = one.patches[0].clone();
                    patch.index = at;
                    patch.subject = format!("mm: {at}");
                    patch.files[0].hunks[0].lines[1].text = format!("{line} {at}\n").into_bytes();
                    patch
                })
                .collect();
            Series {
                patches,
                ..one.clone()
            }
        };
        let changes = compare(&many(1, "a"), &many(11, "b"));
        let paired = changes.iter().filter(|one| one.kind == ChangeKind::Changed);
        assert_eq!(paired.count(), 290);
    }
}
