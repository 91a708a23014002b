//! Two versions of a series side by side: which patch became which, and what
//! changed in it.
//!
//! Patches are paired as `git range-diff` pairs them: equal diffs first, then
//! so that all differences together are the smallest, where a patch that has
//! no partner costs 60 % of its own lines.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;
use similar::TextDiff;

use super::assign::{CONTEXT, Lines, assign};
use crate::patch::{FileDiff, FileKind, LineKind, Patch};
use crate::series::Series;

/// The most patches of one side that are compared with each other. Above it
/// only equal diffs and equal subjects are paired.
const MAX_COMPARED: usize = 250;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its place in the older version.
    pub old: Option<u32>,
    /// Its place in the newer version.
    pub new: Option<u32>,
    pub kind: ChangeKind,
    /// Its subject in the newer version, or in the only one.
    pub subject: String,
    /// Its subject in the older version, where that was another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// What changed in the changelog, as a unified diff.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub changelog: String,
    /// What changed in the diff, as a unified diff of the two diffs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub diff: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    Same,
    /// Its changelog, its diff or its author is another.
    Changed,
    Added,
    Dropped,
    /// It has no partner, but the other version is not all here.
    Unpaired,
}

impl ChangeKind {
    /// The mark that `git range-diff` puts between the two places.
    pub const fn mark(self) -> char {
        match self {
            Self::Same => '=',
            Self::Changed => '!',
            Self::Added => '>',
            Self::Dropped => '<',
            Self::Unpaired => '?',
        }
    }
}

/// Compares two versions, patch by patch, in the order of `git range-diff`: that
/// of the newer version, a dropped patch as soon as all before it were named.
pub fn compare(old: &Series, new: &Series) -> Vec<Change> {
    let partners = pair(&old.patches, &new.patches);
    let kept: BTreeSet<usize> = partners.iter().flatten().copied().collect();
    let alone = |patch: &Patch, whole: bool, kind| Change {
        old: None,
        new: None,
        kind: if whole { kind } else { ChangeKind::Unpaired },
        subject: patch.subject.clone(),
        renamed_from: None,
        changelog: String::new(),
        diff: String::new(),
    };
    let mut changes = Vec::new();
    let mut named = BTreeSet::new();
    let mut next = 0;
    let mut dropped = |changes: &mut Vec<Change>, named: &BTreeSet<usize>| {
        while next < old.patches.len() && (named.contains(&next) || !kept.contains(&next)) {
            let patch = &old.patches[next];
            if !kept.contains(&next) {
                changes.push(Change {
                    old: Some(patch.index),
                    ..alone(patch, new.missing.is_empty(), ChangeKind::Dropped)
                });
            }
            next += 1;
        }
    };
    dropped(&mut changes, &named);
    for (patch, partner) in new.patches.iter().zip(&partners) {
        let Some(at) = *partner else {
            changes.push(Change {
                new: Some(patch.index),
                ..alone(patch, old.missing.is_empty(), ChangeKind::Added)
            });
            continue;
        };
        changes.push(changed(&old.patches[at], patch));
        named.insert(at);
        dropped(&mut changes, &named);
    }
    changes
}

fn changed(old: &Patch, new: &Patch) -> Change {
    let unified = |old: &str, new: &str| {
        if old == new {
            return String::new();
        }
        let diff = TextDiff::from_lines(old, new);
        diff.unified_diff().context_radius(CONTEXT).to_string()
    };
    let text = |patch: &Patch| format!("{}\n", patch.changelog());
    let changelog = unified(&text(old), &text(new));
    let diff = unified(&diff_text(&old.files), &diff_text(&new.files));
    let renamed_from = (old.subject != new.subject).then(|| old.subject.clone());
    let same = changelog.is_empty()
        && diff.is_empty()
        && renamed_from.is_none()
        && old.author == new.author;
    Change {
        old: Some(old.index),
        new: Some(new.index),
        kind: if same {
            ChangeKind::Same
        } else {
            ChangeKind::Changed
        },
        subject: new.subject.clone(),
        renamed_from,
        changelog,
        diff,
    }
}

/// A diff as `git range-diff` compares it: without line numbers and blob ids,
/// the file's name in each hunk's header.
pub(super) fn diff_text(files: &[FileDiff]) -> String {
    let mut out = String::new();
    for (at, file) in files.iter().enumerate() {
        let path = file.path();
        let mut head = match (&file.old_path, &file.new_path) {
            (None, _) => format!("{path} (new)"),
            (_, None) => format!("{path} (deleted)"),
            (Some(old), Some(new)) if file.kind != FileKind::Plain => format!("{old} => {new}"),
            _ => path.to_owned(),
        };
        if let (Some(old), Some(new)) = (file.old_mode, file.new_mode)
            && old != new
            && file.old_path.is_some()
        {
            head += &format!(" (mode change {old:06o} => {new:06o})");
        }
        let gap = if at > 0 { "\n" } else { "" };
        out += &format!("{gap} ## {head} ##\n");
        for hunk in &file.hunks {
            out += &match hunk.section.as_str() {
                "" => "@@\n".to_owned(),
                section => format!("@@ {path}: {section}\n"),
            };
            for line in &hunk.lines {
                out.push(match line.kind {
                    LineKind::Context => ' ',
                    LineKind::Removed => '-',
                    LineKind::Added => '+',
                });
                let text = String::from_utf8_lossy(&line.text);
                out += text.trim_end_matches('\n');
                out.push('\n');
            }
        }
    }
    out
}

/// For each new patch, which old one is its partner.
pub(super) fn pair(old: &[Patch], new: &[Patch]) -> Vec<Option<usize>> {
    let texts = |patches: &[Patch]| -> Vec<String> {
        patches
            .iter()
            .map(|patch| diff_text(&patch.files))
            .collect()
    };
    let (old_texts, new_texts) = (texts(old), texts(new));
    let mut partners: Vec<Option<usize>> = vec![None; new.len()];
    let mut taken = vec![false; old.len()];
    let mut by_text: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, text) in old_texts.iter().enumerate().rev() {
        by_text.entry(text).or_default().push(at);
    }
    for (partner, text) in partners.iter_mut().zip(&new_texts) {
        *partner = by_text.get_mut(text.as_str()).and_then(Vec::pop);
        if let Some(at) = *partner {
            taken[at] = true;
        }
    }

    let rest_old: Vec<usize> = (0..old.len()).filter(|at| !taken[*at]).collect();
    let rest_new: Vec<usize> = (0..new.len())
        .filter(|at| partners[*at].is_none())
        .collect();
    if rest_old.len() > MAX_COMPARED || rest_new.len() > MAX_COMPARED {
        let mut by_subject: HashMap<&str, usize> = (rest_old.iter())
            .map(|at| (old[*at].subject.as_str(), *at))
            .collect();
        for at in rest_new {
            partners[at] = by_subject.remove(new[at].subject.as_str());
        }
        return partners;
    }
    let mut lines = Lines::default();
    let sides = [(&rest_old, &old_texts), (&rest_new, &new_texts)].map(|(places, texts)| {
        let places = places.iter();
        places
            .map(|at| lines.numbers(&texts[*at]))
            .collect::<Vec<_>>()
    });
    for (at, partner) in rest_new.iter().zip(assign(&sides[0], &sides[1])) {
        partners[*at] = partner.map(|place| rest_old[place]);
    }
    partners
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A series of one patch, with an answer.
    fn version(number: u32, text: &str, line: &str, answer: &str) -> Series {
        let mail = format!(
            "From x Mon Sep 17 00:00:00 2001\nFrom: A U Thor <author@example.org>\n\
             Date: Fri, 29 Aug 2025 14:55:50 +0800\nMessage-ID: <1@example.org>\n\
             Subject: [PATCH v{number}] mm: x\n\n{text}\n---\n x | 2 +-\n\n\
             diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,7 +1,7 @@\n-a\n+{line}\n 2\n 3\n 4\n 5\n 6\n 7\n-- \n\n\
             From y Mon Sep 17 00:00:00 2001\nFrom: B <b@example.org>\n\
             In-Reply-To: <1@example.org>\nSubject: Re: [PATCH v{number}] mm: x\n\n{answer}\n"
        );
        let mail = mail
            .replace("From x", &format!("From {}", "0".repeat(40)))
            .replace("From y", &format!("From {}", "1".repeat(40)));
        crate::series::parse(mail.as_bytes()).unwrap()
    }

    #[test]
    fn changes_are_shown_as_diffs() {
        let old = version(1, "One.\n\nTwo.", "b", "");
        let new = version(2, "One.\n\nThree.", "c", "");
        let changes = compare(&old, &new);
        insta::assert_snapshot!(format!("{}{}", changes[0].changelog, changes[0].diff), @r"
        @@ -1,3 +1,3 @@
         One.
         
        -Two.
        +Three.
        @@ -1,7 +1,7 @@
          ## x ##
         @@
         -a
        -+b
        ++c
          2
          3
          4
        ");
        assert_eq!(compare(&old, &old)[0].kind, ChangeKind::Same);
        let part = Series {
            patches: Vec::new(),
            missing: vec![1],
            ..new
        };
        assert_eq!(compare(&old, &part)[0].kind, ChangeKind::Unpaired);
    }

    #[test]
    fn many_patches_end_in_time() {
        let one = version(1, "Text.", "b", "");
        let many = |from: u32, line: &str| -> Series {
            let patches = (from..from + 300)
                .map(|at| {
                    let mut patch = one.patches[0].clone();
                    patch.index = at;
                    patch.subject = format!("mm: {at}");
                    patch.files[0].hunks[0].lines[1].text = format!("{line} {at}\n").into_bytes();
                    patch
                })
                .collect();
            Series {
                patches,
                ..one.clone()
            }
        };
        let changes = compare(&many(1, "a"), &many(11, "b"));
        let paired = changes.iter().filter(|one| one.kind == ChangeKind::Changed);
        assert_eq!(paired.count(), 290);
    }
}
