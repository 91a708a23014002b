//! How two guests that live at the same time measure by turns: each prepares a
//! repetition, says that it is ready, and waits for the host's word. While one
//! races, the other is still.
//!
//! The guest says so in records ([`Ready`](crate::record::Record::Ready),
//! [`Raced`](crate::record::Record::Raced), [`Void`](crate::record::Record::Void));
//! the host answers on the same port, a line each.

/// What the host tells a guest that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It may race now.
    Go {
        /// How long a reap takes that has the address space to itself, in
        /// microseconds, as both guests are to believe; none where neither said.
        solo_us: Option<u64>,
    },
    /// The repetition counts: on to the next one.
    Next,
    /// It does not count: once more.
    Again,
    /// It does not count, and was tried often enough: the host disturbed it each time.
    /// On without it.
    Without,
}

impl Word {
    /// Its line, without the newline.
    pub fn to_line(self) -> String {
        match self {
            Self::Go {
                solo_us: Some(solo),
            } => format!("go {solo}"),
            Self::Go { solo_us: None } => "go".to_owned(),
            Self::Next => "next".to_owned(),
            Self::Again => "again".to_owned(),
            Self::Without => "without".to_owned(),
        }
    }

    /// What a line says; none where it says nothing of the kind.
    pub fn from_line(line: &str) -> Option<Self> {
        match line.trim_end() {
            "go" => Some(Self::Go { solo_us: None }),
            "next" => Some(Self::Next),
            "again" => Some(Self::Again),
            "without" => Some(Self::Without),
            other => Some(Self::Go {
                solo_us: Some(other.strip_prefix("go ")?.parse().ok()?),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        let go = |solo_us| Word::Go { solo_us };
        let others = [Word::Next, Word::Again, Word::Without];
        for word in [go(None), go(Some(24_013))].into_iter().chain(others) {
            assert_eq!(Word::from_line(&word.to_line()), Some(word));
        }
        for other in ["", "go x", "go -1", "gone", "nexts"] {
            assert_eq!(Word::from_line(other), None, "{other}");
        }
    }
}
