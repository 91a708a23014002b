//! The hunks of one file.

use super::bytes::{ascii, chomp, show, too_large};
use super::reader::Reader;
use crate::patch::error::Error;
use crate::patch::model::{FileDiff, Hunk, Line, LineKind};

/// The most hunks of one diff, over all its files.
const MAX_HUNKS: usize = 50_000;
/// The most lines in the hunks of one diff, over all its files.
pub const MAX_LINES: usize = 1_000_000;
/// The longest line of a diff, in bytes.
pub const MAX_LINE: usize = 1 << 20;

impl Reader<'_> {
    pub(super) fn hunks(&mut self, file: &FileDiff) -> Result<Vec<Hunk>, Error> {
        let mut hunks: Vec<Hunk> = Vec::new();
        // The last old line that a hunk has dealt with.
        let mut done = 0;
        while let Some(line) = self.lines.peek() {
            let number = self.lines.number + 1;
            let fault = |why| Error::Hunk {
                line: number,
                path: file.path().to_owned(),
                hunk: hunks.len() + 1,
                why,
            };
            let Some(hunk) = hunk_header(line) else {
                if line.starts_with(b"@@") {
                    return Err(fault("its header can't be read"));
                }
                break;
            };
            self.lines.next();
            self.hunks += 1;
            if self.hunks > MAX_HUNKS {
                return Err(too_large(number, "hunks", MAX_HUNKS));
            }
            let first = hunk
                .old_start
                .saturating_add(u32::from(hunk.old_lines == 0));
            let last = hunk.old_start.checked_add(hunk.old_lines.saturating_sub(1));
            let (Some(last), Some(_)) = (last, hunk.new_start.checked_add(hunk.new_lines)) else {
                return Err(fault("its line numbers are out of range"));
            };
            if (hunk.old_lines > 0 && hunk.old_start == 0)
                || (hunk.new_lines > 0 && hunk.new_start == 0)
            {
                return Err(fault("it has lines, but starts at line 0"));
            }
            if (file.old_path.is_none() && hunk.old_lines > 0)
                || (file.new_path.is_none() && hunk.new_lines > 0)
            {
                return Err(fault("it has lines on a side where there is no file"));
            }
            if !hunks.is_empty() && first <= done {
                return Err(fault("it overlaps the hunk before it, or comes before it"));
            }
            done = last;
            let hunk = self.hunk_body(hunk, file, hunks.len() + 1)?;
            hunks.push(hunk);
        }
        if hunks.is_empty() {
            return Err(Error::Hunk {
                line: self.lines.number,
                path: file.path().to_owned(),
                hunk: 1,
                why: "---/+++ without a hunk behind them",
            });
        }
        Ok(hunks)
    }

    fn hunk_body(&mut self, mut hunk: Hunk, file: &FileDiff, nth: usize) -> Result<Hunk, Error> {
        let start = self.lines.number;
        let (mut old, mut new) = (hunk.old_lines, hunk.new_lines);
        // Sides that have had their file's last line, which lacks a newline.
        let (mut old_ended, mut new_ended) = (false, false);
        loop {
            let line = self.lines.peek();
            let number = self.lines.number + 1;
            let fault = |why| Error::Hunk {
                line: number,
                path: file.path().to_owned(),
                hunk: nth,
                why,
            };
            if let Some(line) = line
                && line.starts_with(b"\\ ")
                && let Some(last) = hunk.lines.last_mut()
                && last.text.pop_if(|byte| *byte == b'\n').is_some()
            {
                old_ended |= last.kind != LineKind::Added;
                new_ended |= last.kind != LineKind::Removed;
                self.lines.next();
                continue;
            }
            if old == 0 && new == 0 {
                // The signature of a mail begins with two dashes; a next plain
                // diff with three. All else is a line that no header counted.
                return match line {
                    Some([b'+' | b' ', ..]) => Err(fault("it is longer than its header says")),
                    Some([b'-', rest @ ..])
                        if !self.lines.at_plain_header()
                            && !matches!(chomp(rest), b"-" | b"- " | b"--") =>
                    {
                        Err(fault("it is longer than its header says"))
                    }
                    _ => Ok(hunk),
                };
            }
            let truncated = Error::Truncated {
                line: start,
                path: file.path().to_owned(),
                hunk: nth,
                missing: u64::from(old) + u64::from(new),
            };
            let Some(line) = line else {
                return Err(truncated);
            };
            let (kind, text) = match line {
                [b' ', text @ ..] => (LineKind::Context, text),
                [b'-', text @ ..] => (LineKind::Removed, text),
                [b'+', text @ ..] => (LineKind::Added, text),
                // Mailers drop the blank of an empty context line.
                b"\n" | b"\r\n" => (LineKind::Context, line),
                _ if self.lines.is_in_the_middle() => {
                    return Err(Error::Wrapped {
                        line: number - 1,
                        text: show(chomp(self.lines.last)),
                    });
                }
                _ => return Err(truncated),
            };
            if !line.ends_with(b"\n") {
                return Err(truncated);
            }
            let (takes_old, takes_new) = (kind != LineKind::Added, kind != LineKind::Removed);
            if (takes_old && old_ended) || (takes_new && new_ended) {
                return Err(fault("a line follows the one without a newline"));
            }
            if (takes_old && old == 0) || (takes_new && new == 0) {
                return Err(fault("its lines don't add up to what its header says"));
            }
            old -= u32::from(takes_old);
            new -= u32::from(takes_new);
            self.hunk_lines += 1;
            if self.hunk_lines > MAX_LINES {
                return Err(too_large(number, "lines", MAX_LINES));
            }
            if text.len() > MAX_LINE {
                return Err(too_large(number, "bytes in one line", MAX_LINE));
            }
            hunk.lines.push(Line {
                kind,
                text: text.to_vec(),
            });
            self.lines.next();
        }
    }
}

/// Reads `@@ -1,2 +3,4 @@ section`.
pub(super) fn hunk_header(line: &[u8]) -> Option<Hunk> {
    fn range(text: &[u8]) -> Option<(u32, u32)> {
        let text = ascii(text)?;
        let digits = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| text.parse().ok())
                .flatten()
        };
        match text.split_once(',') {
            Some((start, count)) => Some((digits(start)?, digits(count)?)),
            None => Some((digits(text)?, 1)),
        }
    }
    let rest = chomp(line).strip_prefix(b"@@ -")?;
    let end = rest
        .windows(3)
        .take(64)
        .position(|window| window == b" @@")?;
    let (ranges, section) = (&rest[..end], &rest[end + 3..]);
    let plus = ranges.windows(2).position(|window| window == b" +")?;
    let (old_start, old_lines) = range(&ranges[..plus])?;
    let (new_start, new_lines) = range(&ranges[plus + 2..])?;
    if old_lines == 0 && new_lines == 0 {
        return None;
    }
    let section = section.strip_prefix(b" ").unwrap_or(section);
    let section = String::from_utf8_lossy(section).into_owned();
    Some(Hunk {
        old_start,
        old_lines,
        new_start,
        new_lines,
        section,
        lines: Vec::new(),
    })
}
