//! One patch after the other on a tree, a commit each.

use std::collections::BTreeSet;

use git2::{Oid, Signature, Time, Tree};
use series::patch::{Patch, check_path};

use crate::apply::files::{HALF, Judged, Placed, lost, write};
use crate::apply::hunks::Rules;
use crate::apply::merge::merge;
use crate::apply::report::{PatchReport, Verdict, overall};
use crate::store::{Store, StoreError, signature};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The last commit made, or the one it began with.
    pub commit: Oid,
    /// A commit for each patch: none for one that the tree has or that
    /// conflicts. Those behind a conflict are still tried, without it.
    pub commits: Vec<Option<Oid>>,
    /// See [`Report::verdict`](super::report::Report::verdict).
    pub verdict: Verdict,
    pub patches: Vec<PatchReport>,
}

/// Why nothing could be said about a series.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A path no patch may name.
    #[error("the patch {subject:?} names {path:?}, which {why}")]
    Path {
        subject: String,
        path: String,
        why: &'static str,
    },
    /// A prerequisite or an inverse of the manifest does not fit the kernel.
    #[error(
        "{role} {subject:?} does not apply to this kernel; the manifest needs one that does\n{detail}"
    )]
    Helper {
        role: &'static str,
        subject: String,
        detail: String,
    },
}

/// Applies patches in order on top of a commit. Objects go into the store, no
/// reference does.
///
/// # Errors
/// When the store fails or a path is unsafe. A conflict is no error but a
/// verdict.
pub fn apply(store: &Store, base: Oid, patches: &[Patch]) -> Result<Applied, ApplyError> {
    let mut applied = Applied {
        commit: base,
        commits: Vec::new(),
        verdict: Verdict::Clean,
        patches: Vec::new(),
    };
    for patch in patches {
        let (report, commit) = commit(store, applied.commit, patch)?;
        applied.commit = commit.unwrap_or(applied.commit);
        applied.patches.push(report);
        applied.commits.push(commit);
    }
    applied.verdict = overall(applied.patches.iter().map(|patch| patch.verdict));
    Ok(applied)
}

/// What to say of a prerequisite or an inverse (`role`) that conflicts.
pub(super) fn unfit(role: &'static str, applied: &Applied) -> ApplyError {
    let patch = applied.patches.first();
    let conflicts = patch.iter().flat_map(|patch| &patch.hunks);
    let detail: Vec<String> = conflicts
        .filter_map(|hunk| Some(format!("{}: {}", hunk.file, hunk.conflict.as_deref()?)))
        .collect();
    let subject = patch.map_or(String::new(), |patch| patch.subject.clone());
    ApplyError::Helper {
        role,
        subject,
        detail: detail.join("\n"),
    }
}

/// One patch on a commit. Returns its report and the commit made.
fn commit(
    store: &Store,
    below: Oid,
    patch: &Patch,
) -> Result<(PatchReport, Option<Oid>), ApplyError> {
    let fail = |e| store.failed(e);
    let repo = store.repo();
    let parent = repo.find_commit(below).map_err(fail)?;
    let tree = parent.tree().map_err(fail)?;
    for diff in &patch.files {
        for path in diff.old_path.iter().chain(&diff.new_path) {
            check_path(path).map_err(|why| ApplyError::Path {
                subject: patch.subject.clone(),
                path: path.clone(),
                why,
            })?;
        }
    }
    let Placed { files, judged } = place(store, &tree, patch).map_err(fail)?;
    let mut verdict = overall(judged.iter().map(|file| file.verdict));
    let half = verdict != Verdict::Conflict && is_half(patch, &judged);
    let mut hunks: Vec<_> = judged.into_iter().flat_map(|file| file.hunks).collect();
    if half {
        // Half a patch is what nobody has tested.
        verdict = Verdict::Conflict;
        for hunk in hunks
            .iter_mut()
            .filter(|h| h.verdict == Verdict::AlreadyApplied)
        {
            hunk.conflict = Some(HALF.into());
        }
    }
    let mut report = PatchReport {
        subject: patch.subject.clone(),
        verdict,
        hunks,
    };
    if matches!(verdict, Verdict::Conflict | Verdict::AlreadyApplied) {
        return Ok((report, None));
    }
    match write(repo, &files) {
        Ok(tree) => {
            let tree = repo.find_tree(tree).map_err(fail)?;
            let seconds = parent.time().seconds();
            let (author, seconds) = author(patch, seconds).map_err(fail)?;
            let committer = signature(seconds).map_err(fail)?;
            let message = message(patch);
            let commit = repo
                .commit(None, &author, &committer, &message, &tree, &[&parent])
                .map_err(fail)?;
            Ok((report, Some(commit)))
        }
        // A file where a folder should be, or the reverse.
        Err(e) => {
            report.verdict = Verdict::Conflict;
            let file = patch.files.first().map_or("", |f| f.path());
            report.hunks.push(lost(file, format!("{}\n", e.message())));
            Ok((report, None))
        }
    }
}

/// The whole patch by one set of rules, so that what comes of it is what one
/// program makes: as `git am` would, else merged as `git am -3` would, else as
/// GNU `patch` would.
fn place<'r>(store: &'r Store, tree: &Tree<'r>, patch: &Patch) -> Result<Placed<'r>, git2::Error> {
    let placed = Placed::new(store, tree, patch, Rules::Git);
    let whole = placed.verdict() != Verdict::Conflict && !is_half(patch, &placed.judged);
    if whole {
        return Ok(placed);
    }
    match merge(store, tree, patch)? {
        Some(merged) => Ok(merged),
        None => Ok(Placed::new(store, tree, patch, Rules::Patch)),
    }
}

/// Whether the tree has some files' changes and lacks others'. A mode alone
/// that is there already hinders no change elsewhere, as with git.
fn is_half(patch: &Patch, judged: &[Judged]) -> bool {
    let there = patch.files.iter().zip(judged).filter_map(|(diff, file)| {
        let there = file.verdict == Verdict::AlreadyApplied;
        let mode_alone = diff.hunks.is_empty() && diff.old_path == diff.new_path;
        (!(there && mode_alone)).then_some(there)
    });
    let there: BTreeSet<bool> = there.collect();
    there.len() == 2
}

/// Who wrote it, and when (in seconds since 1970; without a date, when the
/// commit below was made).
fn author(patch: &Patch, otherwise: i64) -> Result<(Signature<'static>, i64), git2::Error> {
    let date = patch.date.as_deref().and_then(|date| {
        let parser = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true);
        parser.parse_zoned(date.trim()).ok()
    });
    let (seconds, offset) = date.map_or((otherwise, 0), |date| {
        (date.timestamp().as_second(), date.offset().seconds() / 60)
    });
    // What git itself takes out of names.
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|c| !c.is_control() && !"<>".contains(*c))
            .collect()
    };
    let (name, email) = (plain(&patch.author.name), plain(&patch.author.email));
    let or = |text: String| {
        if text.trim().is_empty() {
            "unknown".to_owned()
        } else {
            text
        }
    };
    let author = Signature::new(&or(name), &or(email), &Time::new(seconds, offset))?;
    Ok((author, seconds))
}

fn message(patch: &Patch) -> String {
    let message = git2::message_prettify(patch.message.as_str(), None);
    message.unwrap_or_else(|_| patch.message.clone())
}
