//! One patch after the other on a tree, a commit each.

use std::collections::BTreeSet;

use git2::{Oid, Signature, Time, Tree};
use series::patch::{Patch, check_path};

use crate::apply::files::{HALF, Judged, Placed, lost, write};
use crate::apply::hunks::Rules;
use crate::apply::known::Known;
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
    let known = Known::new(store, base);
    let mut unproved = Vec::new();
    for (at, patch) in patches.iter().enumerate() {
        let made = commit(store, &known, applied.commit, patch)?;
        applied.commit = made.commit.unwrap_or(applied.commit);
        applied.patches.push(made.report);
        applied.commits.push(made.commit);
        unproved.extend(made.only_missing.then_some(at));
    }
    doubt(&mut applied.patches, &unproved);
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

/// A missing file is no proof that it was deleted: such a patch counts as one
/// that the tree has only where the tree has all others.
fn doubt(patches: &mut [PatchReport], unproved: &[usize]) {
    let mut others = (patches.iter().enumerate()).filter(|(at, _)| !unproved.contains(at));
    let any = patches.len() > unproved.len();
    if any && others.all(|(_, patch)| patch.verdict == Verdict::AlreadyApplied) {
        return;
    }
    for at in unproved {
        let Some(patch) = patches.get_mut(*at) else {
            continue;
        };
        patch.verdict = Verdict::Conflict;
        for hunk in &mut patch.hunks {
            *hunk = lost(&hunk.file, MISSING.to_owned());
        }
    }
}

const MISSING: &str = "there is no such file, and nothing shows that it was deleted\n";

/// What came of one patch.
struct Made {
    report: PatchReport,
    commit: Option<Oid>,
    /// See [`Placed::only_missing`].
    only_missing: bool,
}

/// One patch on a commit.
fn commit(store: &Store, known: &Known<'_>, below: Oid, patch: &Patch) -> Result<Made, ApplyError> {
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
    let placed = place(store, known, &tree, patch).map_err(fail)?;
    let only_missing = placed.only_missing();
    let Placed { files, mut judged } = placed;
    let mut verdict = overall(judged.iter().map(|file| file.verdict));
    let half = verdict != Verdict::Conflict && is_half(patch, &judged);
    if half {
        // Half a patch is what nobody has tested.
        verdict = Verdict::Conflict;
        for file in &mut judged {
            let why = if file.missing { MISSING } else { HALF };
            for hunk in (file.hunks.iter_mut()).filter(|h| h.verdict == Verdict::AlreadyApplied) {
                hunk.conflict = Some(why.to_owned());
            }
        }
    }
    let mut report = PatchReport {
        subject: patch.subject.clone(),
        verdict,
        hunks: judged.into_iter().flat_map(|file| file.hunks).collect(),
    };
    if matches!(verdict, Verdict::Conflict | Verdict::AlreadyApplied) {
        return Ok(Made {
            report,
            commit: None,
            only_missing,
        });
    }
    let commit = match write(repo, &files) {
        Ok((tree, made)) => {
            known.add(made);
            let tree = repo.find_tree(tree).map_err(fail)?;
            let seconds = parent.time().seconds();
            let (author, seconds) = author(patch, seconds).map_err(fail)?;
            let committer = signature(seconds).map_err(fail)?;
            let message = message(patch);
            let commit = repo
                .commit(None, &author, &committer, &message, &tree, &[&parent])
                .map_err(fail)?;
            Some(commit)
        }
        // A file where a folder should be, or the reverse.
        Err(e) => {
            report.verdict = Verdict::Conflict;
            let file = patch.files.first().map_or("", |f| f.path());
            report.hunks.push(lost(file, format!("{}\n", e.message())));
            None
        }
    };
    Ok(Made {
        report,
        commit,
        only_missing: false,
    })
}

/// The patch on the tree that the patches before it left. What the tree has and the
/// kernel lacks, they have put there: their author means it to be there once more.
fn place<'r>(
    store: &'r Store,
    known: &'r Known<'r>,
    tree: &Tree<'r>,
    patch: &Patch,
) -> Result<Placed<'r>, git2::Error> {
    let placed = place_once(store, known, tree, patch)?;
    let base = known.base().filter(|base| base.id() != tree.id());
    let Some(base) = base.filter(|_| placed.has_some()) else {
        return Ok(placed);
    };
    let author = Placed::new(store, known, tree, patch, Rules::Author);
    if is_taken(&author) && is_taken(&place_once(store, known, &base, patch)?) {
        return Ok(author);
    }
    Ok(placed)
}

/// The whole patch by one set of rules, so that what comes of it is what one
/// program makes: as `git am` would, else merged as `git am -3` would, else as
/// GNU `patch` would. Where it has moved and the tree has all of it, that counts:
/// nothing goes in twice.
fn place_once<'r>(
    store: &'r Store,
    known: &'r Known<'r>,
    tree: &Tree<'r>,
    patch: &Patch,
) -> Result<Placed<'r>, git2::Error> {
    let by = |rules| Placed::new(store, known, tree, patch, rules);
    let is_whole = |placed: &Placed<'_>| {
        placed.verdict() != Verdict::Conflict && !is_half(patch, &placed.judged)
    };
    let mut placed = by(Rules::Git);
    if !is_whole(&placed) {
        placed = match merge(store, known, tree, patch)? {
            Some(merged) => merged,
            None => by(Rules::Patch),
        };
    }
    let moved = matches!(placed.verdict(), Verdict::Offset | Verdict::Fuzz);
    if moved {
        let there = by(Rules::There);
        if there.verdict() == Verdict::AlreadyApplied {
            return Ok(there);
        }
    }
    Ok(placed)
}

/// Whether `git am` takes it.
fn is_taken(placed: &Placed<'_>) -> bool {
    matches!(placed.verdict(), Verdict::Clean | Verdict::Offset)
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
