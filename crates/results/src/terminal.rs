//! What a session's host tells its guest.

use std::fmt;
use std::str::FromStr;

/// A terminal's size, as a line: `size 24 80`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub rows: u16,
    pub columns: u16,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "size {} {}", self.rows, self.columns)
    }
}

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let numbers = line.strip_prefix("size ").and_then(|rest| {
            let (rows, columns) = rest.split_once(' ')?;
            Some((rows.parse().ok()?, columns.parse().ok()?))
        });
        let (rows, columns) = numbers.ok_or("not a terminal's size")?;
        Ok(Self { rows, columns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_as_it_is_written() {
        let size = Size {
            rows: 24,
            columns: 80,
        };
        assert_eq!(size.to_string(), "size 24 80");
        assert_eq!("size 24 80".parse(), Ok(size));
        for line in [
            "",
            "size",
            "size 24",
            "size 24 80 1",
            "size 24 70000",
            "24 80",
        ] {
            assert!(line.parse::<Size>().is_err(), "{line:?}");
        }
    }
}
