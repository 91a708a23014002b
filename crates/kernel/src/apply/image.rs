//! A file as lines, a hunk as two sides of lines, and where one fits the other.

use series::patch::{Hunk, LineKind};

/// A file's lines, each with its newline, and which of them a hunk covers.
pub(super) struct Image<'a> {
    pub(super) lines: Vec<(&'a [u8], bool)>,
}

impl<'a> Image<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self {
            lines: text
                .split_inclusive(|b| *b == b'\n')
                .map(|line| (line, false))
                .collect(),
        }
    }

    pub(super) fn fits(&self, at: usize, pattern: &[&[u8]]) -> bool {
        self.lines.get(at..at + pattern.len()).is_some_and(|lines| {
            lines
                .iter()
                .zip(pattern)
                .all(|((line, taken), wanted)| !taken && line == wanted)
        })
    }

    /// The place nearest to `guess`, behind it before in front of it.
    pub(super) fn search(&self, guess: usize, least: usize, pattern: &[&[u8]]) -> Option<usize> {
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

    pub(super) fn replace(&mut self, at: usize, count: usize, new: &[&'a [u8]]) {
        self.lines
            .splice(at..at + count, new.iter().map(|line| (*line, true)));
    }

    /// The text. A last line without a newline gets one where lines follow it.
    pub(super) fn text(&self) -> Vec<u8> {
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
pub(super) struct Shape<'a> {
    pub(super) old: Vec<&'a [u8]>,
    pub(super) new: Vec<&'a [u8]>,
    /// Context lines before the first change and behind the last.
    pub(super) lead: usize,
    pub(super) trail: usize,
    /// First line before, from 1.
    pub(super) old_start: usize,
    /// Where it goes, from 0, when all before it went where they said.
    pub(super) expected: usize,
}

impl<'a> Shape<'a> {
    pub(super) fn new(hunk: &'a Hunk, reversed: bool) -> Self {
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
    pub(super) fn place_strictly(&mut self, image: &Image<'a>) -> Option<usize> {
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
