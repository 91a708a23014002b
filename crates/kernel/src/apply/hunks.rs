//! One file and its hunks: where they belong, and what to make of those that
//! don't fit. Pure: bytes in, bytes out.
//!
//! Hunks are placed as `git apply` would (exact, else the nearest offset) or as
//! GNU `patch` would (with fuzz), and seen where the file has them already.

use std::collections::HashSet;

use series::patch::{Hunk, LineKind};
use similar::{ChangeTag, TextDiff};

use crate::apply::code::code_lines;

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
    Git,
    Patch,
}

/// Applies hunks to a file's text.
pub(crate) fn apply(text: &[u8], hunks: &[Hunk], rules: Rules) -> Outcome {
    let strict = strictly(text, hunks);
    let fits = strict.is_some();
    if let Some((content, fates)) = strict.filter(|_| rules == Rules::Git) {
        return Outcome::Applied(content, fates);
    }
    let already = there_already(text, hunks);
    if !fits && already.iter().all(|there| *there) {
        return Outcome::Already(vec![Fate::Already; hunks.len()]);
    }
    let (content, mut fates) = leniently(text, hunks);
    let lost = fates.iter().any(|fate| matches!(fate, Fate::Lost(_)));
    if !lost && rules == Rules::Patch {
        return Outcome::Applied(content, fates);
    }
    for (fate, there) in fates.iter_mut().zip(already) {
        if there {
            *fate = Fate::Already;
        }
    }
    Outcome::Conflict(fates)
}

/// A file's lines, each with its newline, and which of them a hunk covers.
struct Image<'a> {
    lines: Vec<(&'a [u8], bool)>,
}

impl<'a> Image<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self {
            lines: text
                .split_inclusive(|b| *b == b'\n')
                .map(|line| (line, false))
                .collect(),
        }
    }

    fn fits(&self, at: usize, pattern: &[&[u8]]) -> bool {
        self.lines.get(at..at + pattern.len()).is_some_and(|lines| {
            lines
                .iter()
                .zip(pattern)
                .all(|((line, taken), wanted)| !taken && line == wanted)
        })
    }

    /// The place nearest to `guess`, behind it before in front of it.
    fn search(&self, guess: usize, least: usize, pattern: &[&[u8]]) -> Option<usize> {
        let last = self.lines.len().checked_sub(pattern.len())?;
        // Hunks may claim any line number.
        let guess = guess.min(last);
        (0..=last).find_map(|distance| {
            let behind = guess.checked_add(distance).filter(|at| *at <= last);
            let before = guess.checked_sub(distance);
            [behind, before]
                .into_iter()
                .flatten()
                .find(|at| *at >= least && self.fits(*at, pattern))
        })
    }

    fn replace(&mut self, at: usize, count: usize, new: &[&'a [u8]]) {
        self.lines
            .splice(at..at + count, new.iter().map(|line| (*line, true)));
    }

    /// The text. A last line without a newline gets one where lines follow it.
    fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for (line, _) in &self.lines {
            if text.last().is_some_and(|byte| *byte != b'\n') {
                text.push(b'\n');
            }
            text.extend(*line);
        }
        text
    }
}

/// A hunk's two sides and its context.
struct Shape<'a> {
    old: Vec<&'a [u8]>,
    new: Vec<&'a [u8]>,
    /// Context lines before the first change and behind the last.
    lead: usize,
    trail: usize,
    /// First line before, from 1.
    old_start: usize,
    /// Where it goes, from 0, when all before it went where they said.
    expected: usize,
}

impl<'a> Shape<'a> {
    fn new(hunk: &'a Hunk, reversed: bool) -> Self {
        let side = |other: LineKind| {
            hunk.lines
                .iter()
                .filter(move |l| l.kind != other)
                .map(|l| l.text.as_slice())
                .collect()
        };
        let context = |l: &&series::patch::Line| l.kind == LineKind::Context;
        let (mut old, mut new) = (side(LineKind::Added), side(LineKind::Removed));
        let (mut old_start, mut new_start) = (hunk.old_start as usize, hunk.new_start as usize);
        if reversed {
            std::mem::swap(&mut old, &mut new);
            std::mem::swap(&mut old_start, &mut new_start);
        }
        Self {
            old,
            new,
            lead: hunk.lines.iter().take_while(context).count(),
            trail: hunk.lines.iter().rev().take_while(context).count(),
            old_start,
            expected: new_start.saturating_sub(1),
        }
    }

    /// As `git apply` looks for it. A hunk without trailing context belongs to
    /// the end of the file, one that begins at line 1 to its start.
    fn place_strictly(&mut self, image: &Image<'a>) -> Option<usize> {
        let end = image.lines.len().checked_sub(self.old.len())?;
        let at = match (self.old_start <= 1, self.trail == 0) {
            (true, true) if end != 0 => return None,
            (true, _) => 0,
            (false, true) => end,
            (false, false) => {
                // To git, context that ends a file without a newline fits the
                // end of a file that has one, which is then lost.
                if let (Some(wanted), Some((line, _))) = (self.old.last_mut(), image.lines.last())
                    && line.strip_suffix(b"\n") == Some(wanted)
                {
                    *wanted = line;
                }
                return image.search(self.expected, 0, &self.old);
            }
        };
        image.fits(at, &self.old).then_some(at)
    }
}

fn moved(at: usize, expected: usize) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX) - i64::try_from(expected).unwrap_or(i64::MAX)
}

/// All hunks as `git apply` would, or nothing.
fn strictly(text: &[u8], hunks: &[Hunk]) -> Option<(Vec<u8>, Vec<Fate>)> {
    let mut image = Image::new(text);
    let mut fates = Vec::new();
    for hunk in hunks {
        let mut shape = Shape::new(hunk, false);
        let at = shape.place_strictly(&image)?;
        image.replace(at, shape.old.len(), &shape.new);
        fates.push(Fate::Placed {
            offset: moved(at, shape.expected),
        });
    }
    Some((image.text(), fates))
}

/// Each hunk as GNU `patch` would place it: where the one before went is where
/// this one is expected, and context may be cut.
fn leniently(text: &[u8], hunks: &[Hunk]) -> (Vec<u8>, Vec<Fate>) {
    let mut image = Image::new(text);
    let mut fates = Vec::new();
    let (mut drift, mut least) = (0_i64, 0);
    for hunk in hunks {
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
                let end = image.lines.len() - (shape.old.len() - head - tail);
                let anchored = (shape.old_start > 1 || at == 0) && (shape.trail > 0 || at == end);
                let new = shape
                    .new
                    .get(head..shape.new.len() - tail)
                    .unwrap_or_default();
                image.replace(at, shape.old.len() - head - tail, new);
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

/// For each hunk whether the file has it: its new side stands there, or its
/// code does, with other comments and context around it.
fn there_already(text: &[u8], hunks: &[Hunk]) -> Vec<bool> {
    let mut image = Image::new(text);
    let code = code_lines(text);
    let mut found = Vec::new();
    for hunk in hunks {
        let mut shape = Shape::new(hunk, true);
        let reversed = match shape.place_strictly(&image) {
            // An empty new side is found in an empty file alone.
            Some(at) if !shape.old.is_empty() || text.is_empty() => {
                image.replace(at, shape.old.len(), &shape.new);
                true
            }
            _ => false,
        };
        found.push(reversed || code_is_there(text, &code, hunk));
    }
    found
}

/// Whether a function that the hunk names contains the hunk's code: each run
/// of added lines, beside a context line that it stands beside in the patch,
/// and none of the removed ones. White space and comments don't count.
///
/// Sound as far as text can be: a hunk without code, outside a function, or
/// whose neighbours changed too is not claimed to be there.
fn code_is_there(text: &[u8], code: &[Vec<u8>], hunk: &Hunk) -> bool {
    let blocks = blocks(hunk);
    if blocks.is_empty() {
        return false;
    }
    let kept: HashSet<&[u8]> = blocks
        .iter()
        .flat_map(|b| b.added.iter().chain(&b.before).chain(&b.after))
        .map(Vec::as_slice)
        .collect();
    regions(text, code, &hunk.section)
        .into_iter()
        .any(|region| {
            let region: Vec<&[u8]> = region
                .iter()
                .map(Vec::as_slice)
                .filter(|line| !line.is_empty())
                .collect();
            blocks.iter().all(|block| {
                let gone = block.removed.iter().all(|line| {
                    kept.contains(line.as_slice()) || !region.contains(&line.as_slice())
                });
                gone && block.stands_in(&region)
            })
        })
}

/// One change of a hunk, as code.
#[derive(Default)]
struct Block {
    before: Option<Vec<u8>>,
    removed: Vec<Vec<u8>>,
    added: Vec<Vec<u8>>,
    after: Option<Vec<u8>>,
}

impl Block {
    fn stands_in(&self, region: &[&[u8]]) -> bool {
        let same = |wanted: &Option<Vec<u8>>, at: Option<usize>| match (wanted, at) {
            (Some(wanted), Some(at)) => region.get(at).is_some_and(|line| line == wanted),
            _ => false,
        };
        if self.added.is_empty() {
            return (0..region.len())
                .any(|at| same(&self.before, Some(at)) && same(&self.after, Some(at + 1)));
        }
        let says_something =
            |line: &Vec<u8>| line.iter().filter(|b| b.is_ascii_alphanumeric()).count() > 2;
        self.added.iter().any(says_something)
            && region
                .windows(self.added.len())
                .enumerate()
                .any(|(at, lines)| {
                    lines
                        .iter()
                        .zip(&self.added)
                        .all(|(line, wanted)| line == wanted)
                        && (same(&self.before, at.checked_sub(1))
                            || same(&self.after, Some(at + self.added.len())))
                })
    }
}

/// The changes of a hunk that are code at all.
fn blocks(hunk: &Hunk) -> Vec<Block> {
    let side = |other: LineKind| -> Vec<Vec<u8>> {
        let text: Vec<u8> = hunk
            .lines
            .iter()
            .filter(|line| line.kind != other)
            .flat_map(|line| line.text.iter().copied())
            .collect();
        // A hunk may begin in the middle of a comment.
        let position = |what: &[u8]| text.windows(2).position(|w| w == what);
        let inside = match (position(b"*/"), position(b"/*")) {
            (Some(end), start) => start.is_none_or(|start| end < start),
            (None, _) => text
                .split(|b| *b == b'\n')
                .map(<[u8]>::trim_ascii_start)
                .all(|line| line.is_empty() || line.starts_with(b"*")),
        };
        if inside {
            code_lines(&[b"/*", text.as_slice()].concat())
        } else {
            code_lines(&text)
        }
    };
    let (mut old, mut new) = (
        side(LineKind::Added).into_iter(),
        side(LineKind::Removed).into_iter(),
    );
    let mut blocks = Vec::new();
    let (mut block, mut before) = (Block::default(), None);
    for line in &hunk.lines {
        match line.kind {
            LineKind::Removed => block.removed.extend(old.next().filter(|c| !c.is_empty())),
            LineKind::Added => block.added.extend(new.next().filter(|c| !c.is_empty())),
            LineKind::Context => {
                old.next();
                let Some(code) = new.next().filter(|c| !c.is_empty()) else {
                    continue;
                };
                let mut done = std::mem::take(&mut block);
                done.before = before.replace(code.clone());
                done.after = Some(code);
                blocks.push(done);
            }
        }
    }
    block.before = before;
    blocks.push(block);
    blocks.retain(|block| !(block.added.is_empty() && block.removed.is_empty()));
    blocks
}

/// The functions whose head is the text behind a hunk's second `@@`, as lines
/// of code from the head to the brace at the margin that ends them.
fn regions<'a>(text: &[u8], code: &'a [Vec<u8>], section: &str) -> Vec<&'a [Vec<u8>]> {
    let head = code_lines(section.as_bytes()).concat();
    if head.is_empty() {
        return Vec::new();
    }
    let raw: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
    let margin = |at: usize| raw.get(at).and_then(|line| line.first());
    (0..code.len())
        .filter(|at| margin(*at).is_some_and(|b| !b.is_ascii_whitespace()))
        .filter(|at| code.get(*at).is_some_and(|line| line.starts_with(&head)))
        .filter_map(|start| {
            let end = (start..code.len()).find(|at| margin(*at) == Some(&b'}'))?;
            code.get(start..=end)
        })
        .collect()
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
    let mut out = format!(
        "expected at line {} (-), found at line {} (+){}{}\n",
        hunk.old_start,
        at + 1,
        if hunk.section.is_empty() { "" } else { ", in " },
        hunk.section,
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
        let by = |rules| apply(text.as_bytes(), &files[0].hunks, rules);
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
