//! Commits of a repository, as the series that they are.

use super::error::Error;
use super::identity::Identity;
use super::model::Series;
use super::versions::slug;
use crate::mail::stripspace;
use crate::patch::{self, Patch, split_trailers};
use crate::person::Person;

/// What a repository knows of one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Who wrote it.
    pub author: Person,
    /// When, as RFC 2822.
    pub date: String,
    /// The message: the subject's paragraph, a blank line, the changelog.
    pub message: String,
    /// What it changes, as git's diff with binary files whole.
    pub diff: Vec<u8>,
}

/// The series that these commits are, the oldest first. Nothing of a message is
/// taken for a part of the diff, whatever it looks like.
///
/// # Errors
/// [`Error`] where there is none, or where a diff is refused.
pub fn from_commits(commits: &[Commit]) -> Result<Series, Error> {
    let total = u32::try_from(commits.len()).unwrap_or(u32::MAX);
    let patches = (1..)
        .zip(commits)
        .map(|(index, commit)| read(commit, index, total))
        .collect::<Result<Vec<_>, _>>()?;
    let title = patches.first().map(|patch| patch.subject.clone());
    let title = title.ok_or_else(|| Error::NoPatch {
        messages: 0,
        first: String::new(),
    })?;
    let mut identity = Identity::default();
    for (commit, patch) in commits.iter().zip(&patches) {
        identity.add_text(&commit.message);
        identity.add_title(&patch.subject);
    }
    Ok(Series {
        identity,
        name: slug(&title),
        title,
        version: 1,
        total,
        patches,
        missing: Vec::new(),
        replies: Vec::new(),
        warnings: Vec::new(),
    })
}

fn read(commit: &Commit, index: u32, total: u32) -> Result<Patch, Error> {
    let message = stripspace(&commit.message.replace('\0', ""));
    let (subject, text) = message.split_once("\n\n").unwrap_or((&message, ""));
    let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    let subject = match subject.as_str() {
        "" => "(no subject)".to_owned(),
        _ => subject,
    };
    let files = patch::parse(&commit.diff).map_err(|error| Error::Patch {
        subject: subject.clone(),
        error,
    })?;
    let (body, trailers, _) = split_trailers(text);
    Ok(Patch {
        index,
        total,
        version: 1,
        author: commit.author.clone(),
        date: Some(commit.date.clone()),
        message: match text {
            "" => format!("{subject}\n"),
            text => format!("{subject}\n\n{text}\n"),
        },
        subject,
        body,
        trailers,
        files,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "diff --git a/mm/x.c b/mm/x.c\n--- a/mm/x.c\n+++ b/mm/x.c\n\
                        @@ -1 +1 @@\n-one\n+two\n";

    fn commit(message: &str) -> Commit {
        Commit {
            author: Person {
                name: "A".to_owned(),
                email: "a@example.org".to_owned(),
            },
            date: "Fri, 29 Aug 2025 14:55:50 +0800".to_owned(),
            message: message.to_owned(),
            diff: DIFF.as_bytes().to_vec(),
        }
    }

    #[test]
    fn commits_become_patches_in_their_order() {
        let first = "mm: one\nline more\n\nWhy.\n\nSigned-off-by: A <a@example.org>\n";
        let series = from_commits(&[commit(first), commit("mm: two\n")]).unwrap();
        let [one, two] = series.patches.as_slice() else {
            panic!("{:?}", series.patches);
        };
        assert_eq!(
            (series.name.as_str(), series.total),
            ("mm-one-line-more", 2)
        );
        assert_eq!((one.index, two.index), (1, 2));
        assert_eq!(
            (one.subject.as_str(), one.body.as_str()),
            ("mm: one line more", "Why.")
        );
        assert_eq!(one.trailers.len(), 1);
        assert_eq!(two.message, "mm: two\n");
        assert_eq!(two.files[0].path(), "mm/x.c");
    }

    /// In a mail, all of these would end the message.
    #[test]
    fn a_message_is_never_taken_for_a_diff() {
        let text = format!(
            "mm: odd\n\nSee:\n---\n{}\nFrom x Mon Sep 17 00:00:00 2001\n",
            DIFF
        );
        let series = from_commits(&[commit(&text)]).unwrap();
        assert_eq!(series.patches[0].files.len(), 1);
        assert!(series.patches[0].message.contains("From x Mon"));
    }

    #[test]
    fn odd_messages_have_a_subject_all_the_same() {
        for (message, subject) in [
            ("", "(no subject)"),
            ("\n\n x\0 \n", "x"),
            ("\n", "(no subject)"),
        ] {
            let series = from_commits(&[commit(message)]).unwrap();
            assert_eq!(series.patches[0].subject, subject, "{message:?}");
        }
        assert!(from_commits(&[]).is_err());
    }
}
