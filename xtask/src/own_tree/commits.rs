//! One commit, read.

use git2::{Oid, Repository, Time};
use series::{Commit, Person};

use super::text;

/// Reads a commit that is no merge.
pub(super) fn read(repository: &Repository, id: Oid) -> Result<Commit, git2::Error> {
    let commit = repository.find_commit(id)?;
    let parent = commit.parent(0).and_then(|parent| parent.tree()).ok();
    let tree = commit.tree()?;
    let diff =
        repository.diff_tree_to_tree(parent.as_ref(), Some(&tree), Some(&mut text::options()))?;
    let author = commit.author();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Commit {
        author: Person {
            name: text(author.name_bytes()),
            email: text(author.email_bytes()),
        },
        date: date(author.when()),
        message: text(commit.message_bytes()),
        diff: text::print(diff)?,
    })
}

/// As RFC 2822 has it.
pub(super) fn date(time: Time) -> String {
    let zone = jiff::tz::Offset::from_seconds(time.offset_minutes().saturating_mul(60))
        .unwrap_or(jiff::tz::Offset::UTC);
    let at = jiff::Timestamp::from_second(time.seconds()).unwrap_or_default();
    let at = at.to_zoned(jiff::tz::TimeZone::fixed(zone));
    at.strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_mail() {
        let read = |seconds, minutes| date(Time::new(seconds, minutes));
        assert_eq!(read(1_756_450_550, 480), "Fri, 29 Aug 2025 14:55:50 +0800");
        assert_eq!(read(0, -90), "Wed, 31 Dec 1969 22:30:00 -0130");
        // What no clock shows is no reason to stop.
        assert!(read(i64::MAX, i32::MAX).ends_with("+0000"));
    }
}
