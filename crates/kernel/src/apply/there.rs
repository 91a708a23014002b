//! Whether a file has a change already: as the patch would leave it, or in other
//! surroundings, where the lines themselves prove it.
//!
//! What stands at the top of a file or in a table is known by its name: it can't
//! be there twice. A line in a function is not: the same call stands on every
//! error path, so its surroundings must be there too.

use std::collections::HashSet;

use series::patch::{Hunk, LineKind};

use crate::apply::code::{Scope, code_lines, has_name, in_name, scopes};
use crate::apply::image::{Image, Shape};

/// For each hunk whether the file has it. Where a patch `fits` elsewhere, a hunk
/// that does must stand nearer than where it would go.
pub(super) fn there_already(path: &str, text: &[u8], hunks: &[Hunk], fits: bool) -> Vec<bool> {
    let mut image = Image::new(text);
    let mut known: Option<File> = None;
    let mut found = Vec::new();
    for hunk in hunks {
        let mut shape = Shape::new(hunk, true);
        let forward = match fits {
            true => Shape::new(hunk, false).place_strictly(&image),
            false => None,
        };
        let nearer = forward.is_none_or(|at| reversed_is_nearer(&image, hunk, at, false));
        let reversed = match shape.place_strictly(&image).filter(|_| nearer) {
            // An empty new side is found in an empty file alone.
            Some(at) if !shape.old.is_empty() || text.is_empty() => {
                image.replace(at, shape.old.len(), &shape.new);
                true
            }
            _ => false,
        };
        found.push(reversed || is_in_code(path, text, hunk, &mut known));
        if fits && found.last() == Some(&false) {
            // Part of it is of no use then.
            found.resize(hunks.len(), false);
            break;
        }
    }
    found
}

/// Whether a file has a hunk in other surroundings. What the file is read as is
/// kept for the next hunk.
fn is_in_code(path: &str, text: &[u8], hunk: &Hunk, read: &mut Option<File>) -> bool {
    let kind = Kind::of(path);
    let change = Change::new(kind, hunk);
    if kind == Kind::C && change.blocks.is_empty() {
        // Comments alone are prose.
        return Change::new(Kind::Prose, hunk).is_in(&File::new(Kind::Prose, text));
    }
    // To look for a word costs less than to read the file.
    change.may_be_in(text) && change.is_in(read.get_or_insert_with(|| File::new(kind, text)))
}

/// How a file's lines are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    C,
    Kconfig,
    Makefile,
    Prose,
    Other,
}

impl Kind {
    fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default();
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        match name {
            _ if ends(&[".c", ".h"]) => Self::C,
            _ if name.starts_with("Kconfig") => Self::Kconfig,
            _ if name.starts_with("Makefile") || name == "Kbuild" || ends(&[".mk"]) => {
                Self::Makefile
            }
            _ if ends(&[".rst", ".txt", ".md"]) => Self::Prose,
            _ => Self::Other,
        }
    }

    /// Lines as their meaning goes.
    fn lines(self, text: &[u8]) -> Vec<Vec<u8>> {
        match self {
            Self::C => code_lines(text),
            _ => text.split(|b| *b == b'\n').map(plain).collect(),
        }
    }
}

/// A line with single blanks, and none at its end.
fn plain(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    for byte in line.trim_ascii_end() {
        match byte {
            b' ' | b'\t' if out.last() == Some(&b' ') => {}
            b' ' | b'\t' => out.push(b' '),
            byte => out.push(*byte),
        }
    }
    out
}

/// Whether a line tells more than that something ends.
fn says_something(line: &[u8]) -> bool {
    line.iter().filter(|b| b.is_ascii_alphanumeric()).count() > 2
}

/// Whether a line begins at the margin.
fn at_margin(line: &[u8]) -> bool {
    line.first()
        .is_some_and(|b| !b.is_ascii_whitespace() && *b != b'}')
}

/// A file as lines that mean something.
struct File {
    kind: Kind,
    lines: Vec<Vec<u8>>,
    /// Around each of them.
    scopes: Vec<Scope>,
    /// Whether each begins at the margin.
    margins: Vec<bool>,
    /// By line of the text: which of those it is, or the next.
    index: Vec<usize>,
}

impl File {
    fn new(kind: Kind, text: &[u8]) -> Self {
        let around = match kind {
            Kind::C => scopes(text),
            _ => groups(text),
        };
        let mut file = Self {
            kind,
            lines: Vec::new(),
            scopes: Vec::new(),
            margins: Vec::new(),
            index: Vec::new(),
        };
        let raw = text.split(|b| *b == b'\n');
        for ((line, raw), scope) in kind.lines(text).into_iter().zip(raw).zip(around) {
            file.index.push(file.lines.len());
            if !line.is_empty() {
                file.lines.push(line);
                file.scopes.push(scope);
                file.margins.push(at_margin(raw));
            }
        }
        file
    }

    /// Where a scope's lines begin and end, its head with them.
    fn region(&self, at: usize) -> (usize, usize) {
        let head = |scope: &Scope| match scope {
            Scope::Top => None,
            Scope::Data { head, .. } | Scope::Body { head } => Some(*head),
        };
        let Some(own) = self.scopes.get(at).and_then(head) else {
            return (0, self.lines.len());
        };
        let start = self.index.get(own).copied().unwrap_or(at);
        let rest = self.scopes.get(at..).unwrap_or_default();
        let more = rest.iter().take_while(|scope| head(scope) == Some(own));
        (start, at + more.count())
    }
}

/// The groups of a file that has no braces: from each line at the margin to the
/// next. The lines at the margin stand by themselves.
fn groups(text: &[u8]) -> Vec<Scope> {
    let mut head = None;
    let lines = text.split(|b| *b == b'\n').enumerate();
    lines
        .map(|(at, line)| match head {
            _ if at_margin(line) => {
                head = Some(at);
                Scope::Top
            }
            Some(head) => Scope::Data { head, depth: 1 },
            None => Scope::Top,
        })
        .collect()
}

/// A hunk as code.
struct Change {
    /// What names the place, from the text behind the second `@@`.
    section: Vec<u8>,
    /// The new side.
    new: Vec<Vec<u8>>,
    blocks: Vec<Block>,
}

/// One run of changed lines.
struct Block {
    removed: Vec<Vec<u8>>,
    /// The lines of the new side that are added, from and to.
    from: usize,
    to: usize,
}

impl Change {
    fn new(kind: Kind, hunk: &Hunk) -> Self {
        let (mut old, mut new) = (
            side(kind, hunk, LineKind::Added).into_iter(),
            side(kind, hunk, LineKind::Removed).into_iter(),
        );
        let mut change = Self {
            section: kind.lines(hunk.section.as_bytes()).concat(),
            new: Vec::new(),
            blocks: Vec::new(),
        };
        let mut block: Option<Block> = None;
        for line in &hunk.lines {
            let at = change.new.len();
            let open = || Block {
                removed: Vec::new(),
                from: at,
                to: at,
            };
            match line.kind {
                LineKind::Removed => {
                    let code = old.next().filter(|code| !code.is_empty());
                    block.get_or_insert_with(open).removed.extend(code);
                }
                LineKind::Added => {
                    let block = block.get_or_insert_with(open);
                    change
                        .new
                        .extend(new.next().filter(|code| !code.is_empty()));
                    block.to = change.new.len();
                }
                LineKind::Context => {
                    old.next();
                    change.blocks.extend(block.take());
                    change
                        .new
                        .extend(new.next().filter(|code| !code.is_empty()));
                }
            }
        }
        change.blocks.extend(block);
        change
            .blocks
            .retain(|block| block.from < block.to || !block.removed.is_empty());
        change
    }

    /// Whether a text has the longest word that is added.
    fn may_be_in(&self, text: &[u8]) -> bool {
        let runs = self
            .blocks
            .iter()
            .filter_map(|block| self.new.get(block.from..block.to));
        let words = runs.flatten().flat_map(|line| line.split(|b| !in_name(*b)));
        let longest = words.max_by_key(|word| word.len()).unwrap_or_default();
        memchr::memmem::find(text, longest).is_some()
    }

    fn is_in(&self, file: &File) -> bool {
        !self.blocks.is_empty() && self.blocks.iter().all(|block| self.stands(block, file))
    }

    fn stands(&self, block: &Block, file: &File) -> bool {
        let run = self.new.get(block.from..block.to).unwrap_or_default();
        let speaks = match run.is_empty() {
            true => block.removed.iter().any(|line| says_something(line)),
            false => run.iter().any(|line| says_something(line)),
        };
        let last = file.lines.len().saturating_sub(run.len());
        let mut places = (0..=last).filter(|at| file.lines[*at..].starts_with(run));
        speaks && places.any(|at| self.is_proved(block, run, file, at))
    }

    /// Whether the run of added lines that stands at a place is the block's.
    fn is_proved(&self, block: &Block, run: &[Vec<u8>], file: &File, at: usize) -> bool {
        let behind = at + run.len();
        let (above, below) = (&self.new[..block.from], &self.new[block.to..]);
        let same = |pair: &(&Vec<u8>, &Vec<u8>)| pair.0 == pair.1;
        let up = above.iter().rev().zip(file.lines[..at].iter().rev());
        let up: Vec<_> = up.take_while(same).map(|pair| pair.0).collect();
        let down = below.iter().zip(&file.lines[behind..]);
        let down: Vec<_> = down.take_while(same).map(|pair| pair.0).collect();
        let whole = up.len() == above.len() && down.len() == below.len();
        let spoken = |lines: &[&Vec<u8>]| lines.iter().filter(|line| says_something(line)).count();
        let (up, down) = (spoken(&up), spoken(&down));
        let between = up > 0 && down > 0;

        // The head of a function, a table or an entry may stand on the border.
        let scope = file.scopes.get(at.min(file.scopes.len().saturating_sub(1)));
        let region = file.region(at);
        let lines = file.lines.get(region.0..region.1).unwrap_or_default();
        let kept: HashSet<&Vec<u8>> = self.new.iter().collect();
        let gone = |lines: &[Vec<u8>]| {
            let mut removed = block.removed.iter().filter(|line| !kept.contains(line));
            removed.all(|line| !lines.contains(line))
        };
        let head = file.lines.get(region.0);
        let named = !self.section.is_empty()
            && head.is_some_and(|head| head.starts_with(&self.section) || self.new.contains(head));
        let near =
            || file.lines[at.saturating_sub(10)..(behind + 10).min(file.lines.len())].to_vec();
        let margin = file.margins.get(at) == Some(&true);
        // A side of which the hunk shows no code can't tell that what was to go
        // is gone.
        let whole = whole && (between || gone(&near()));
        match (file.kind, scope) {
            // That a line is not there is no proof that it ever was: only a place
            // that has closed up as the patch leaves it is.
            _ if run.is_empty() => whole && between && gone(&near()),
            _ if whole && self.section.is_empty() => up + down > 0,
            (Kind::C, Some(Scope::Body { .. })) => {
                let replaces = block.removed.iter().any(|line| says_something(line));
                let proof = whole || (replaces && (between || up.max(down) > 1));
                named && proof && gone(lines) && (whole || self.is_mostly_in(block, lines))
            }
            _ if whole => true,
            (Kind::C, Some(Scope::Top)) if margin => {
                let names = run.iter().any(|line| has_name(line));
                names && gone(lines) && (run.len() > 1 || is_balanced(run))
            }
            (Kind::C, Some(Scope::Data { depth, .. })) => {
                let own = *depth == 1 && is_balanced(run);
                let known = match self.section.is_empty() {
                    true => up + down > 0 || self.shares(block, lines),
                    false => named || between,
                };
                own && known && gone(lines) && run.iter().any(|line| has_name(line))
            }
            (Kind::Kconfig, _) if margin => {
                let entry = [b"config ".as_slice(), b"menuconfig "];
                let entry = run[0].starts_with(entry[0]) || run[0].starts_with(entry[1]);
                gone(&near())
                    && (entry && run.len() > 1 || run[0].starts_with(b"source ") || between)
            }
            (Kind::Makefile, _) if margin => {
                let sets = run[0].windows(2).any(|two| matches!(two, b"+=" | b":="));
                gone(lines) && (sets || between)
            }
            (Kind::Kconfig | Kind::Makefile, Some(Scope::Data { .. })) => {
                let known = named || (self.section.is_empty() && self.shares(block, lines));
                gone(lines) && (known || between)
            }
            (Kind::Prose, _) => {
                let letters = run.iter().flatten().filter(|b| b.is_ascii_alphanumeric());
                gone(&near()) && (between || letters.count() >= 30)
            }
            _ => between && gone(&near()),
        }
    }

    /// Whether lines of the hunk beside the block are among some lines.
    fn shares(&self, block: &Block, lines: &[Vec<u8>]) -> bool {
        let (above, below) = (&self.new[..block.from], &self.new[block.to..]);
        let mut around = above.iter().chain(below);
        around.any(|line| says_something(line) && lines.contains(line))
    }

    /// Whether more of the lines around the block are there than are not.
    fn is_mostly_in(&self, block: &Block, lines: &[Vec<u8>]) -> bool {
        let (above, below) = (&self.new[..block.from], &self.new[block.to..]);
        let around = above
            .iter()
            .chain(below)
            .filter(|line| says_something(line));
        let (there, all) = around.fold((0, 0), |(there, all), line| {
            (there + usize::from(lines.contains(line)), all + 1)
        });
        2 * there > all
    }
}

/// Whether as many braces and parentheses open as close: a whole entry, not a
/// part of one.
fn is_balanced(run: &[Vec<u8>]) -> bool {
    let count = |marks: [u8; 2]| run.iter().flatten().filter(|b| marks.contains(b)).count();
    count(*b"{(") == count(*b"})")
}

/// One side of a hunk, line by line. A hunk may begin in the middle of a comment.
fn side(kind: Kind, hunk: &Hunk, other: LineKind) -> Vec<Vec<u8>> {
    let lines = hunk.lines.iter().filter(|line| line.kind != other);
    let text: Vec<u8> = lines.flat_map(|line| line.text.iter().copied()).collect();
    if kind != Kind::C {
        return kind.lines(&text);
    }
    let position = |what: &[u8]| text.windows(2).position(|w| w == what);
    let inside = match (position(b"*/"), position(b"/*")) {
        (Some(end), start) => start.is_none_or(|start| end < start),
        (None, _) => text
            .split(|b| *b == b'\n')
            .map(<[u8]>::trim_ascii_start)
            .all(|line| line.is_empty() || line.starts_with(b"*")),
    };
    match inside {
        true => kind.lines(&[b"/*", text.as_slice()].concat()),
        false => kind.lines(&text),
    }
}

/// Whether a hunk that fits at `at` would put in a second time what stands there.
/// `head` and `tail` lines of context at its ends went unheeded.
pub(super) fn stands_beside(
    image: &Image<'_>,
    hunk: &Hunk,
    at: usize,
    [head, tail]: [usize; 2],
) -> bool {
    let (mut place, mut cut) = (at, head);
    let mut lines = hunk.lines.iter().enumerate().peekable();
    while let Some((first, line)) = lines.next() {
        if line.kind != LineKind::Added {
            place += usize::from(cut == 0);
            cut = cut.saturating_sub(1);
            continue;
        }
        let mut last = first;
        while let Some((more, _)) = lines.next_if(|(_, line)| line.kind == LineKind::Added) {
            last = more;
        }
        let kind = |at: Option<usize>| at.and_then(|at| hunk.lines.get(at)).map(|line| line.kind);
        let alone = kind(first.checked_sub(1)) != Some(LineKind::Removed)
            && kind(Some(last + 1)) != Some(LineKind::Removed);
        let run: Vec<&[u8]> = hunk.lines[first..=last]
            .iter()
            .map(|line| line.text.trim_ascii_end())
            .filter(|line| !line.is_empty())
            .collect();
        if !alone || !run.iter().any(|line| says_something(line)) {
            continue;
        }
        let blank = |line: &&series::patch::Line| !line.text.trim_ascii().is_empty();
        let context = |line: &&series::patch::Line| line.kind == LineKind::Context;
        // What the hunk itself shows of its surroundings, its author meant.
        let shown = [
            hunk.lines[head.min(first)..first]
                .iter()
                .rev()
                .take_while(context)
                .filter(blank)
                .count(),
            hunk.lines[last + 1..hunk.lines.len().saturating_sub(tail).max(last + 1)]
                .iter()
                .take_while(context)
                .filter(blank)
                .count(),
        ];
        // What the patch itself has put there stands for no other line.
        let filled = |(line, taken): &(&[u8], bool)| {
            let line = line.trim_ascii_end();
            let line = if *taken { b"" } else { line };
            (!line.is_empty() || *taken).then(|| line.to_vec())
        };
        let above: Vec<Vec<u8>> = image.lines[..place]
            .iter()
            .rev()
            .filter_map(filled)
            .take(run.len())
            .collect();
        let below: Vec<Vec<u8>> = image.lines[place..]
            .iter()
            .filter_map(filled)
            .take(run.len())
            .collect();
        let is_above = above.iter().rev().eq(run.iter());
        let is_below = below.iter().eq(run.iter());
        if (is_above && shown[0] < run.len()) || (is_below && shown[1] < run.len()) {
            return true;
        }
    }
    false
}

/// Whether a hunk that fits at `at`, elsewhere than it says, is there: its new
/// side stands nearer, or in the function that it names, or what it defines does
/// anywhere and is not what it or a later hunk removes (`rest`).
pub(super) fn stands_elsewhere(
    image: &Image<'_>,
    hunk: &Hunk,
    rest: &[Hunk],
    at: usize,
    loose: bool,
) -> bool {
    defines(image, hunk, rest) || reversed_is_nearer(image, hunk, at, loose)
}

fn reversed_is_nearer(image: &Image<'_>, hunk: &Hunk, at: usize, loose: bool) -> bool {
    let mut back = Shape::new(hunk, true);
    let spoken = back.old.iter().filter(|line| says_something(line)).count();
    if back.lead + back.trail == 0 || spoken < 2 {
        return false;
    }
    let Some(there) = back.place_strictly(image) else {
        return false;
    };
    let section = hunk.section.trim_end().as_bytes();
    let named = |at: usize| !section.is_empty() && head(image, at).starts_with(section);
    match (named(there), named(at)) {
        (true, false) => true,
        (false, true) => false,
        _ if loose => true,
        _ => there.abs_diff(back.expected) <= at.abs_diff(Shape::new(hunk, false).expected),
    }
}

/// The line that git names a place by: the last one above it that begins with a
/// name.
fn head<'a>(image: &Image<'a>, at: usize) -> &'a [u8] {
    let mut above = image.lines[..at.min(image.lines.len())].iter().rev();
    let named = |line: &&(&[u8], bool)| {
        line.0
            .first()
            .is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'$'))
    };
    above.find(named).map_or(b"", |line| line.0)
}

/// Whether some lines that the hunk adds define something, and stand in the file
/// in one run that stays there.
fn defines(image: &Image<'_>, hunk: &Hunk, rest: &[Hunk]) -> bool {
    let mut runs = runs(hunk, LineKind::Added, LineKind::Removed);
    runs.retain(|run| {
        let speak = run.iter().filter(|line| says_something(line)).count();
        let opens = |line: &&[u8]| at_margin(line) && says_something(line);
        speak > 1 && run.iter().any(opens) && run.iter().any(|line| line.ends_with(b"{"))
    });
    if runs.is_empty() {
        return false;
    }
    let filled = image.lines.iter().filter(|(_, taken)| !taken);
    let filled: Vec<&[u8]> = filled
        .map(|(line, _)| line.trim_ascii_end())
        .filter(|line| !line.is_empty())
        .collect();
    let has = |lines: &[&[u8]], run: &[&[u8]]| lines.windows(run.len()).any(|lines| lines == run);
    let moves = |run: &[&[u8]]| {
        let mut gone =
            (rest.iter()).flat_map(|hunk| self::runs(hunk, LineKind::Removed, LineKind::Added));
        gone.any(|gone| has(&gone, run))
    };
    runs.iter().any(|run| has(&filled, run) && !moves(run))
}

/// The runs of a kind of a hunk's lines that do not follow lines of the `other`
/// kind, without blank lines and blanks at the end.
fn runs(hunk: &Hunk, kind: LineKind, other: LineKind) -> Vec<Vec<&[u8]>> {
    let mut runs: Vec<Vec<&[u8]>> = Vec::new();
    let mut before = LineKind::Context;
    for line in &hunk.lines {
        if line.kind == kind && before != other {
            if before != kind {
                runs.push(Vec::new());
            }
            let text = line.text.trim_ascii_end();
            if let Some(run) = runs.last_mut().filter(|_| !text.is_empty()) {
                run.push(text);
            }
        }
        before = line.kind;
    }
    runs
}
