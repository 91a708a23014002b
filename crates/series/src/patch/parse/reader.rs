//! How far a diff has been read.

/// Lines with their newline, and how many have been taken.
pub(super) struct Lines<'a> {
    pub(super) rest: &'a [u8],
    pub(super) number: usize,
    /// The line taken last.
    pub(super) last: &'a [u8],
}

impl<'a> Lines<'a> {
    pub(super) fn peek(&self) -> Option<&'a [u8]> {
        let end = self
            .rest
            .iter()
            .position(|&b| b == b'\n')
            .map_or(self.rest.len(), |at| at + 1);
        (end > 0).then(|| &self.rest[..end])
    }

    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        let line = self.peek()?;
        self.rest = &self.rest[line.len()..];
        self.number += 1;
        self.last = line;
        Some(line)
    }

    /// Whether a hunk goes on behind the next line, which is none of it: then
    /// that line is the end of the one before.
    pub(super) fn is_in_the_middle(&self) -> bool {
        let odd = self.peek().map_or(0, <[u8]>::len);
        let after = self.rest[odd..].split(|byte| *byte == b'\n').next();
        let after = after.unwrap_or_default();
        matches!(after, [b'+' | b' ', ..])
            || after.starts_with(b"@@ -")
            || (after.starts_with(b"-") && !matches!(after, b"-- " | b"--"))
    }

    /// Whether `--- a/x` and `+++ b/x` come next. A lone `--- ` is prose.
    pub(super) fn at_plain_header(&self) -> bool {
        let Some(first) = self.peek() else {
            return false;
        };
        first.starts_with(b"--- ") && self.rest[first.len()..].starts_with(b"+++ ")
    }
}

pub(super) struct Reader<'a> {
    pub(super) lines: Lines<'a>,
    pub(super) hunks: usize,
    pub(super) hunk_lines: usize,
}
