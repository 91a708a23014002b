//! What tells that two inputs carry versions of one series.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use regex::Regex;

use crate::mail::Subject;
use crate::pattern::regex;

/// The fewest words of a title that is known without its prefixes. Shorter ones,
/// such as `fix a typo`, name nothing.
const TELLING_WORDS: usize = 4;

/// The names that a series has: b4's change-ids, message ids and titles, of
/// whatever version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    change_ids: BTreeSet<String>,
    messages: BTreeSet<String>,
    titles: BTreeSet<Title>,
}

/// A title as it was written; equal to another one where the words are the same.
#[derive(Debug, Clone)]
struct Title {
    /// In lower case, with single blanks.
    words: String,
    written: String,
}

impl PartialEq for Title {
    fn eq(&self, other: &Self) -> bool {
        self.words == other.words
    }
}

impl Eq for Title {}

impl PartialOrd for Title {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Title {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.words.cmp(&other.words)
    }
}

/// What two inputs share that makes them one series, the surest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shared {
    /// The line `change-id:` that b4 keeps from version to version.
    ChangeId(String),
    /// A mail of one, which the other one is, answers, or links to as its
    /// version before.
    Message(String),
    /// The title of a cover letter or a patch.
    Title(String),
}

impl Shared {
    /// Whether it leaves less doubt that both are one series.
    pub fn is_surer_than(&self, other: &Self) -> bool {
        let rank = |shared: &Self| match shared {
            Self::ChangeId(_) => 0,
            Self::Message(_) => 1,
            Self::Title(_) => 2,
        };
        rank(self) < rank(other)
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChangeId(id) => write!(f, "the change-id {id}"),
            Self::Message(id) => write!(f, "the message id {id}"),
            Self::Title(title) => write!(f, "the title {title:?}"),
        }
    }
}

impl Identity {
    /// Adds a change-id.
    pub fn add_change_id(&mut self, id: &str) {
        self.change_ids.insert(id.to_owned());
    }

    /// Adds a message id, with or without `<>`.
    pub fn add_message(&mut self, id: &str) {
        self.messages.insert(bare(id).to_owned());
    }

    /// Adds the title of a cover letter or a patch; what stands in brackets before
    /// it does not count.
    pub fn add_title(&mut self, title: &str) {
        let written = Subject::parse(title).title;
        let words = words(&written);
        let rest = without_prefixes(&words);
        let is_telling = rest.split(' ').count() >= TELLING_WORDS;
        for words in [Some(words.as_str()), is_telling.then_some(rest)] {
            self.titles.extend(words.map(|words| Title {
                words: words.to_owned(),
                written: written.clone(),
            }));
        }
    }

    /// The change-ids, sorted.
    pub fn change_ids(&self) -> impl Iterator<Item = &str> {
        self.change_ids.iter().map(String::as_str)
    }

    /// Takes over all names of another one.
    pub fn extend(&mut self, other: Self) {
        self.change_ids.extend(other.change_ids);
        self.messages.extend(other.messages);
        self.titles.extend(other.titles);
    }

    /// The surest thing that both share; none where they are two series.
    pub fn shared(&self, other: &Self) -> Option<Shared> {
        let change_id = self.change_ids.intersection(&other.change_ids).next();
        // Most ids begin with a date: this is the newest.
        let message = self.messages.intersection(&other.messages).last();
        let title = self.titles.intersection(&other.titles).next();
        (change_id.cloned().map(Shared::ChangeId))
            .or_else(|| message.cloned().map(Shared::Message))
            .or_else(|| title.map(|title| Shared::Title(title.written.clone())))
    }

    /// Adds the change-id and the versions before that b4 and others name in a
    /// text, a line each.
    pub(super) fn add_text(&mut self, text: &str) {
        static LINK: LazyLock<Regex> = LazyLock::new(|| {
            regex(
                r"(?mi)^[-* \t]*(?:link to )?v\d+:\s*https?://[^\s/]+/(?:[^\s/@]+/)*([^\s/@]+@[^\s/]+)",
            )
        });
        static CHANGE_ID: LazyLock<Regex> = LazyLock::new(|| {
            regex(r"(?m)^change-id:[ \t]*([A-Za-z0-9][A-Za-z0-9_.+-]{7,199})[ \t\r]*$")
        });
        for found in CHANGE_ID.captures_iter(text) {
            self.add_change_id(&found[1]);
        }
        for found in LINK.captures_iter(text) {
            self.add_message(&found[1]);
        }
    }
}

fn bare(id: &str) -> &str {
    id.trim().trim_start_matches('<').trim_end_matches('>')
}

/// A title in lower case, with single blanks and no full stop.
fn words(title: &str) -> String {
    let words: Vec<String> = title.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ").trim_end_matches('.').to_owned()
}

/// A title without `mm: oom_kill: ` and the like before it.
fn without_prefixes(words: &str) -> &str {
    static PREFIXES: LazyLock<Regex> = LazyLock::new(|| regex(r"^(?:[^\s:]+(?:,? [^\s:]+)?: )+"));
    let end = PREFIXES.find(words).map_or(0, |found| found.end());
    &words[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titled(titles: &[&str]) -> Identity {
        let mut identity = Identity::default();
        for title in titles {
            identity.add_title(title);
        }
        identity
    }

    #[test]
    fn titles_are_compared_by_their_words() {
        let known = titled(&["mm/oom_kill: Walk the VMA tree from the top"]);
        for same in [
            "mm/oom_kill: Walk the VMA tree from the top",
            "[PATCH mm-new v12 3/4] mm/oom_kill: walk the  vma tree from the top.",
            "Re: [RFC PATCH] mm, oom: walk the VMA tree from the top",
            "walk the vma tree from the top",
            "mm: oom_kill: Walk the VMA tree from the top",
        ] {
            let shared = titled(&[same]).shared(&known);
            assert!(matches!(shared, Some(Shared::Title(_))), "{same}");
        }
        for other in ["mm/oom_kill: Walk the VMA tree", "", "mm/oom_kill: "] {
            assert_eq!(titled(&[other]).shared(&known), None, "{other}");
        }
        // Three words name nothing without their prefix.
        let short = titled(&["mm: fix a typo"]);
        assert_eq!(titled(&["net: fix a typo"]).shared(&short), None);
        assert!(titled(&["mm: Fix a typo"]).shared(&short).is_some());
    }

    #[test]
    fn the_surest_is_said() {
        let mut one = titled(&["mm: a title of some words"]);
        let mut other = one.clone();
        one.add_message("<1@x>");
        other.add_message("1@x");
        assert_eq!(one.shared(&other), Some(Shared::Message("1@x".into())));
        one.add_change_id("20250829-reverse-0123456789ab");
        other.add_change_id("20250829-reverse-0123456789ab");
        let shared = one.shared(&other).unwrap();
        assert_eq!(
            shared.to_string(),
            "the change-id 20250829-reverse-0123456789ab"
        );
    }

    /// What the mails of this text share with what is known.
    fn shared(text: &str, known: &Identity) -> Option<Shared> {
        crate::parse(text.as_bytes())
            .unwrap()
            .identity
            .shared(known)
    }

    #[test]
    fn mails_name_their_series() {
        let mail = |head: &str, version: &str, below: &str| {
            format!(
                "From a@b Mon Sep 17 00:00:00 2001\nFrom: A <a@b.c>\n\
                 Date: Fri, 29 Aug 2025 14:55:50 +0800\n{head}\
                 Subject: [PATCH{version}] mm: a new title\n\nWhy.\n---\n{below}\n\
                 diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-x\n+change-id: in-the-diff-itself\n"
            )
        };
        let mut known = Identity::default();
        known.add_change_id("20250829-reverse-0123456789ab");
        known.add_change_id("in-the-diff-itself");
        known.add_message("v6.1@example.org");
        for (mail, same) in [
            (mail("", "", ""), false),
            (mail("Message-ID: <v6.1@example.org>\n", "", ""), true),
            (mail("In-Reply-To: <v6.1@example.org>\n", " v7", ""), true),
            (mail("In-Reply-To: <v6.1@example.org>\n", "", ""), false),
            (
                mail("", "", "change-id: 20250829-reverse-0123456789ab\n"),
                true,
            ),
            (
                mail(
                    "",
                    "",
                    "- Link to v6: https://lore.kernel.org/r/v6.1@example.org\n",
                ),
                true,
            ),
            (
                mail(
                    "",
                    "",
                    "v6: https://lore.kernel.org/linux-mm/v6.1@example.org/\n",
                ),
                true,
            ),
            (
                mail("", "", "see https://lore.kernel.org/r/v6.1@example.org\n"),
                false,
            ),
        ] {
            assert_eq!(shared(&mail, &known).is_some(), same, "{mail}");
        }
    }
}
