//! Bytes as they come, cut into lines of bounded length.

/// Collects bytes until a newline; a line longer than the limit loses its end.
#[derive(Debug)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    limit: usize,
    /// Whether a carriage return ends a line too.
    at_returns: bool,
    /// Whether one has just done so: a newline behind it ends no other.
    returned: bool,
}

impl Lines {
    /// Lines of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            buffer: Vec::new(),
            limit,
            at_returns: false,
            returned: false,
        }
    }

    /// The same, ended by carriage returns too: a program that counts on one
    /// line of a terminal writes no newline before it is done.
    pub(crate) fn at_returns(self) -> Self {
        Self {
            at_returns: true,
            ..self
        }
    }

    /// Takes `bytes` and hands over every line they complete, without its
    /// newline or carriage return, invalid UTF-8 replaced.
    pub(crate) fn feed(&mut self, bytes: &[u8], each: &mut dyn FnMut(&str)) {
        let returns = self.at_returns;
        let ends = |&b: &u8| b == b'\n' || (returns && b == b'\r');
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(ends) {
            let (line, after) = rest.split_at(end);
            self.keep(line);
            let newline = after.starts_with(b"\n");
            if !self.buffer.is_empty() || (newline && !self.returned) {
                self.flush(each);
                self.returned = !newline;
            } else if newline {
                self.returned = false;
            }
            rest = after.get(1..).unwrap_or_default();
        }
        self.keep(rest);
    }

    /// Hands over what is left when no newline will come.
    pub(crate) fn finish(&mut self, each: &mut dyn FnMut(&str)) {
        if !self.buffer.is_empty() {
            self.flush(each);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self
            .limit
            .saturating_sub(self.buffer.len())
            .min(bytes.len());
        self.buffer.extend(bytes.iter().take(room));
    }

    fn flush(&mut self, each: &mut dyn FnMut(&str)) {
        let mut line = self.buffer.as_slice();
        while let Some(shorter) = line.strip_suffix(b"\r") {
            line = shorter;
        }
        each(&String::from_utf8_lossy(line));
        self.buffer.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    fn split(limit: usize, pieces: &[&[u8]]) -> Vec<String> {
        let mut found = Vec::new();
        let mut lines = Lines::new(limit);
        for piece in pieces {
            lines.feed(piece, &mut |line| found.push(line.to_owned()));
        }
        lines.finish(&mut |line| found.push(line.to_owned()));
        found
    }

    #[test]
    fn lines_survive_any_cut() {
        let text: &[u8] = b"one\r\n\ntwo \xff\nthree";
        let whole = split(100, &[text]);
        assert_eq!(whole, ["one", "", "two \u{fffd}", "three"]);
        for at in 0..=text.len() {
            let (left, right) = text.split_at(at);
            assert_eq!(split(100, &[left, right]), whole, "cut at {at}");
        }
    }

    #[test]
    fn a_count_is_a_line_each_time() {
        let text: &[u8] = b"start\n\r 1 %\r 2 %\r\n\r\nend\r\r\nx";
        let wanted = ["start", " 1 %", " 2 %", "", "end", "x"];
        for at in 0..=text.len() {
            let mut found = Vec::new();
            let mut lines = Lines::new(100).at_returns();
            let (left, right) = text.split_at(at);
            for piece in [left, right] {
                lines.feed(piece, &mut |line| found.push(line.to_owned()));
            }
            lines.finish(&mut |line| found.push(line.to_owned()));
            assert_eq!(found, wanted, "cut at {at}");
        }
    }

    #[test]
    fn a_long_line_loses_its_end_and_not_the_next_line() {
        assert_eq!(split(4, &[b"abcdefgh", b"ij\nkl\n"]), ["abcd", "kl"]);
    }
}
