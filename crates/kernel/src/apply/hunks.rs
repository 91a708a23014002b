//! One file and its hunks: where they belong, and what to make of those that
//! don't fit. Pure: bytes in, bytes out.
//!
//! Hunks are placed as `git apply` would (exact, else the nearest offset) or as
//! GNU `patch` would (with fuzz), and seen where the file has them already.

use series::patch::Hunk;
use similar::{ChangeTag, TextDiff};

use crate::apply::image::{Image, Shape};
use crate::apply::there::{stands_beside, stands_elsewhere, there_already};

/// How many context lines may be ignored at each end.
const MAX_FUZZ: usize = 2;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Applied as `git am` would, moved by `offset` lines.
    Placed {
        offset: i64,
    },
    /// Applied as only GNU `patch` would: with `fuzz` context lines ignored, or
    /// away from the start or end of the file where the hunk says it belongs.
    Loose {
        offset: i64,
        fuzz: usize,
    },
    /// Applied by a three-way merge.
    Merged,
    Already,
    /// Found nowhere; what the file has instead.
    Lost(String),
}

/// How a file fared: the content after, where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Applied(Vec<u8>, Vec<Fate>),
    Already(Vec<Fate>),
    Conflict(Vec<Fate>),
}

/// Whose rules say where a hunk belongs. A file that both would take may end
/// differently: `patch` expects each hunk where the one before went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// git's, on the version that the patch was made on.
    Author,
    /// git's, but nothing goes in twice.
    Git,
    /// GNU `patch`'s, but nothing goes in twice.
    Patch,
    /// Nobody's: only what is there already counts.
    There,
}

/// Applies hunks to a file's text.
pub(crate) fn apply(path: &str, text: &[u8], hunks: &[Hunk], rules: Rules) -> Outcome {
    let placed = match rules {
        Rules::Author => strictly(text, hunks, false),
        Rules::Git => strictly(text, hunks, true),
        Rules::Patch | Rules::There => None,
    };
    if let Some((content, fates)) = placed {
        let there = fates.iter().filter(|fate| **fate == Fate::Already).count();
        return match there {
            0 => Outcome::Applied(content, fates),
            all if all == hunks.len() => Outcome::Already(fates),
            _ => Outcome::Conflict(fates),
        };
    }
    if rules == Rules::Author {
        return Outcome::Conflict(Vec::new());
    }
    let already = there_already(path, text, hunks, rules == Rules::There);
    let fits = rules == Rules::Patch && strictly(text, hunks, false).is_some();
    if !fits && already.iter().all(|there| *there) {
        return Outcome::Already(vec![Fate::Already; hunks.len()]);
    }
    if rules != Rules::Patch {
        let fate = |there: &bool| match there {
            true => Fate::Already,
            false => Fate::Lost(String::new()),
        };
        return Outcome::Conflict(already.iter().map(fate).collect());
    }
    let (content, mut fates) = leniently(text, hunks);
    let lost = |fate: &Fate| matches!(fate, Fate::Lost(_) | Fate::Already);
    if !fates.iter().any(lost) {
        return Outcome::Applied(content, fates);
    }
    if fates.iter().all(|fate| *fate == Fate::Already) {
        return Outcome::Already(fates);
    }
    for (fate, there) in fates.iter_mut().zip(already) {
        if there {
            *fate = Fate::Already;
        }
    }
    Outcome::Conflict(fates)
}

fn moved(at: usize, expected: usize) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX) - i64::try_from(expected).unwrap_or(i64::MAX)
}

/// All hunks as `git apply` would, or nothing. Where that would put one in twice
/// it is taken for one that is there, if that is asked for.
fn strictly(text: &[u8], hunks: &[Hunk], once: bool) -> Option<(Vec<u8>, Vec<Fate>)> {
    let mut image = Image::new(text);
    let mut fates = Vec::new();
    for (number, hunk) in hunks.iter().enumerate() {
        let rest = &hunks[number..];
        let mut shape = Shape::new(hunk, false);
        let at = shape.place_strictly(&image)?;
        let offset = moved(at, shape.expected);
        let twice = once
            && (stands_beside(&image, hunk, at, [0, 0])
                || (offset != 0 && stands_elsewhere(&image, hunk, rest, at, false)));
        if twice {
            fates.push(Fate::Already);
            continue;
        }
        image.replace(at, shape.old.len(), &shape.new);
        fates.push(Fate::Placed { offset });
    }
    Some((image.text(), fates))
}

/// Each hunk as GNU `patch` would place it: where the one before went is where
/// this one is expected, and context may be cut.
fn leniently(text: &[u8], hunks: &[Hunk]) -> (Vec<u8>, Vec<Fate>) {
    let mut image = Image::new(text);
    let mut fates = Vec::new();
    let (mut drift, mut least) = (0_i64, 0);
    for (number, hunk) in hunks.iter().enumerate() {
        let rest = &hunks[number..];
        let shape = Shape::new(hunk, false);
        // A side without lines is numbered by the line before it.
        let expected = shape.expected + usize::from(hunk.new_start > 0 && hunk.new_lines == 0);
        let guess = usize::try_from(moved(expected, 0) + drift)
            .unwrap_or(0)
            .max(least);
        let context = shape.lead.max(shape.trail);
        let placed = (0..=MAX_FUZZ.min(context)).find_map(|fuzz| {
            let head = (fuzz + shape.lead).saturating_sub(context);
            let tail = (fuzz + shape.trail).saturating_sub(context);
            let pattern = shape.old.get(head..shape.old.len().checked_sub(tail)?)?;
            let end = image.lines.len().checked_sub(pattern.len());
            let at = if fuzz + shape.lead < context && shape.old_start <= 1 {
                image.fits(0, pattern).then_some(0)
            } else if fuzz + shape.trail < context {
                end.filter(|at| *at >= least && image.fits(*at, pattern))
            } else {
                image.search(guess + head, least + head, pattern)
            };
            at.map(|at| (at, head, tail, fuzz))
        });
        match placed {
            Some((at, head, tail, fuzz)) => {
                let moves = fuzz > 0 || at != expected + head;
                if moves && stands_elsewhere(&image, hunk, rest, at, fuzz > 0) {
                    fates.push(Fate::Already);
                    continue;
                }
                if stands_beside(&image, hunk, at, [head, tail]) {
                    fates.push(match fuzz {
                        0 => Fate::Already,
                        // Like lines in a like place prove nothing.
                        _ => Fate::Lost(explain(hunk, &shape, &image, guess)),
                    });
                    continue;
                }
                let end = image.lines.len() - (shape.old.len() - head - tail);
                let anchored = (shape.old_start > 1 || at == 0) && (shape.trail > 0 || at == end);
                // The context behind it may be that before the next.
                let changed = |side: usize| side.saturating_sub(shape.trail);
                let new = shape.new.get(head..changed(shape.new.len()));
                let new = new.unwrap_or_default();
                image.replace(at, changed(shape.old.len()).saturating_sub(head), new);
                drift = moved(at, expected + head);
                least = at + new.len();
                fates.push(match fuzz == 0 && anchored {
                    true => Fate::Placed { offset: drift },
                    false => Fate::Loose {
                        offset: drift,
                        fuzz,
                    },
                });
            }
            None => fates.push(Fate::Lost(explain(hunk, &shape, &image, guess))),
        }
    }
    (image.text(), fates)
}

/// What the hunk expected, against the most similar place near where it should
/// be, with the file's line numbers.
fn explain(hunk: &Hunk, shape: &Shape<'_>, image: &Image<'_>, guess: usize) -> String {
    const NEAR: usize = 400;
    let count = shape.old.len();
    let alike = |at: usize| {
        let lines = image.lines.get(at..).unwrap_or_default();
        let same = lines
            .iter()
            .zip(&shape.old)
            .filter(|((line, _), old)| line == *old);
        same.filter(|((line, _), _)| !line.trim_ascii().is_empty())
            .count()
    };
    let last = image.lines.len().saturating_sub(count);
    let range = guess.saturating_sub(NEAR).min(last)..=(guess + NEAR).min(last);
    let at = range
        .max_by_key(|at| (alike(*at), std::cmp::Reverse(at.abs_diff(guess))))
        .unwrap_or_default();
    let show = |line: &&[u8]| String::from_utf8_lossy(line).trim_end().to_owned();
    let wanted: Vec<String> = shape.old.iter().map(show).collect();
    let found: Vec<String> = image
        .lines
        .iter()
        .skip(at)
        .take(count)
        .map(|(line, _)| show(line))
        .collect();
    let comma = if hunk.section.is_empty() { "" } else { ", in " };
    let place = format!("expected at line {}{comma}{}", hunk.old_start, hunk.section);
    if alike(at) == 0 {
        let at = guess.min(image.lines.len().saturating_sub(1));
        let has = match image.lines.get(at) {
            Some((line, _)) => format!("line {} has {:?}", at + 1, show(line)),
            None => "the file is empty".to_owned(),
        };
        let wanted = wanted
            .iter()
            .map(|line| format!("       -{line}").trim_end().to_owned() + "\n");
        return format!(
            "found nowhere; {has}; {place}:\n{}",
            wanted.collect::<String>()
        );
    }
    let mut out = format!(
        "found nowhere; line {} has the most alike (+); {place} (-):\n",
        at + 1
    );
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    for change in TextDiff::from_slices(&wanted, &found).iter_all_changes() {
        let (sign, number) = match change.tag() {
            ChangeTag::Equal => (' ', change.new_index()),
            ChangeTag::Delete => ('-', None),
            ChangeTag::Insert => ('+', change.new_index()),
        };
        let number = number.map_or(String::new(), |n| (at + n + 1).to_string());
        out.push_str(format!("{number:>6} {sign}{}", change.value()).trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
    /// On [`BASE`].
    const CHANGE: &str = "@@ -3,7 +3,7 @@\n c\n d\n e\n-f\n+F\n g\n h\n i\n";

    fn run(text: &str, diff: &str) -> Outcome {
        let diff = format!("--- a/x\n+++ b/x\n{diff}");
        let files = series::patch::parse(diff.as_bytes()).unwrap();
        let by = |rules| apply("x", text.as_bytes(), &files[0].hunks, rules);
        match by(Rules::Git) {
            Outcome::Conflict(_) => by(Rules::Patch),
            outcome => outcome,
        }
    }

    fn fate(outcome: &Outcome) -> String {
        let show = |fates: &[Fate]| {
            let words = fates.iter().map(|fate| match fate {
                Fate::Placed { offset } => format!("placed {offset:+}"),
                Fate::Loose { offset, fuzz } => format!("loose {offset:+} fuzz {fuzz}"),
                Fate::Merged => "merged".to_owned(),
                Fate::Already => "already".to_owned(),
                Fate::Lost(_) => "lost".to_owned(),
            });
            words.collect::<Vec<_>>().join(", ")
        };
        match outcome {
            Outcome::Applied(_, fates) => show(fates),
            Outcome::Already(fates) => format!("all there: {}", show(fates)),
            Outcome::Conflict(fates) => format!("conflict: {}", show(fates)),
        }
    }

    #[test]
    fn hunks_are_found() {
        let far = CHANGE.replace("-3,7 +3,7", "-4000000000,7 +4000000000,7");
        let start = "@@ -1,3 +1,4 @@\n+new\n a\n b\n c\n";
        let end = "@@ -8,3 +8,4 @@\n h\n i\n j\n+new\n";
        for (text, diff, expected) in [
            (BASE.to_owned(), CHANGE, "placed +0"),
            (format!("x\ny\n{BASE}"), CHANGE, "placed +2"),
            (BASE[4..].to_owned(), CHANGE, "placed -2"),
            // Of two places equally far the later one, as git has it.
            (BASE.replace('f', "x") + BASE, CHANGE, "placed +10"),
            (BASE.replace('c', "x"), CHANGE, "loose +0 fuzz 1"),
            (
                BASE.replace('c', "x").replace('h', "y"),
                CHANGE,
                "loose +0 fuzz 2",
            ),
            (BASE.replace('e', "x"), CHANGE, "conflict: lost"),
            (BASE.replace('f', "F"), CHANGE, "all there: already"),
            (
                format!("x\n{}", BASE.replace('f', "F")),
                CHANGE,
                "all there: already",
            ),
            (BASE.to_owned(), start, "placed +0"),
            (format!("x\n{BASE}"), start, "conflict: lost"),
            (BASE.to_owned(), end, "placed +0"),
            (format!("x\n{BASE}"), end, "placed +1"),
            (BASE.to_owned(), &far, "placed -3999999997"),
            (String::new(), CHANGE, "conflict: lost"),
            // Without context: a removal is numbered by the line before it.
            (BASE.to_owned(), "@@ -3 +2,0 @@\n-c\n", "loose +0 fuzz 0"),
            (
                BASE.to_owned(),
                "@@ -3 +2,0 @@\n-c\n@@ -6,0 +6 @@\n+new\n",
                "loose +0 fuzz 0, loose +0 fuzz 0",
            ),
            (
                String::new(),
                "@@ -1,3 +0,0 @@\n-a\n-b\n-c\n",
                "all there: already",
            ),
            ("c\n".to_owned(), CHANGE, "conflict: lost"),
        ] {
            assert_eq!(fate(&run(&text, diff)), expected, "{text:?} {diff:?}");
        }
    }

    #[test]
    fn the_context_behind_a_hunk_may_be_that_before_the_next() {
        let two = "@@ -1,5 +1,5 @@\n a\n-b\n+B\n c\n d\n \n@@ -9,7 +9,7 @@\n x\n y\n \n-e\n+E\n f\n g\n h\n";
        let outcome = run("a\nb\nc\nd\n\ne\nf\ng\nh\n", two);
        assert_eq!(fate(&outcome), "placed +0, loose -6 fuzz 2");
        match outcome {
            Outcome::Applied(text, _) => assert_eq!(text, b"a\nB\nc\nd\n\nE\nf\ng\nh\n"),
            other => unreachable!("{}", fate(&other)),
        }
    }

    #[test]
    fn what_ended_a_file_is_ended_where_lines_follow() {
        let grows = "@@ -9,2 +9,2 @@\n i\n-j\n+J\n\\ No newline at end of file\n";
        match run(&format!("{BASE}tail\n"), grows) {
            Outcome::Applied(text, _) => assert!(text.ends_with(b"i\nJ\ntail\n")),
            other => unreachable!("{}", fate(&other)),
        }
    }

    #[test]
    fn each_hunk_is_judged_by_itself() {
        let two = format!("{CHANGE}@@ -20,3 +20,3 @@\n t\n-u\n+U\n v\n");
        let tail = "k\nl\nm\nn\no\np\nq\nr\ns\nt\nu\nv\n";
        let text = format!("{BASE}{tail}");
        assert_eq!(fate(&run(&text, &two)), "placed +0, placed +0");
        let half = text.replace("f\n", "F\n");
        assert_eq!(fate(&run(&half, &two)), "conflict: already, placed +0");
        let gone = text.replace("u\n", "w\n");
        assert_eq!(fate(&run(&gone, &two)), "conflict: placed +0, lost");
    }
}
