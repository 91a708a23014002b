//! The two kernels to compare, out of one kernel and a series.

use std::collections::BTreeSet;

use git2::{Oid, Tree};
use series::patch::{FileDiff, Patch};

use crate::apply::hint::looks_missing;
use crate::apply::names::{self, Names};
use crate::apply::patch::{Applied, ApplyError, apply, unfit};
use crate::apply::prerequisites::{Prerequisite, needed, provide};
use crate::apply::report::{Report, Verdict};
use crate::store::Store;

/// The two kernels to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arms {
    /// Without the series.
    pub base: Oid,
    /// With it.
    pub patched: Oid,
    /// The commits from base to patched, one a patch that the tree lacked; for
    /// a kernel that has the series, the stock commit alone.
    pub commits: Vec<Oid>,
    /// Whether the kernel has the series, so that base is the tree with it
    /// taken out and patched the stock one.
    pub reversed: bool,
}

/// What came of making arms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// How the series fared on the stock kernel.
    pub report: Report,
    /// The arms; none where the series conflicts, or is merged and no inverse is
    /// given.
    pub arms: Option<Arms>,
}

/// Makes both arms for a kernel: prerequisites go to both, and only where the
/// series uses their symbol and the tree lacks it; a kernel that has the series
/// is reversed by the first of `inverses` that applies.
///
/// # Errors
/// As [`apply`], and when a prerequisite that is needed, or every inverse,
/// conflicts.
pub fn arms(
    store: &Store,
    kernel: &str,
    commit: Oid,
    series: &[Patch],
    prerequisites: &[Prerequisite],
    inverses: &[Patch],
) -> Result<Prepared, ApplyError> {
    let stock = apply(store, commit, series)?;
    let mut report = Report {
        kernel: kernel.to_owned(),
        verdict: stock.verdict,
        patches: stock.patches.clone(),
        missing_symbols: Vec::new(),
        prerequisites: Vec::new(),
        notes: strangers(&names::tree(store, commit)?, series),
    };
    let arms = match stock.verdict {
        Verdict::Conflict => None,
        Verdict::AlreadyApplied if inverses.is_empty() => None,
        Verdict::AlreadyApplied => Some(Arms {
            base: reverse(store, commit, inverses)?,
            patched: commit,
            commits: vec![commit],
            reversed: true,
        }),
        _ => forward(store, commit, series, stock, prerequisites, &mut report)?,
    };
    if let Some(arms) = &arms {
        for kept in arms.commits.iter().chain([&arms.base]) {
            store.keep(*kept)?;
        }
    }
    Ok(Prepared { report, arms })
}

/// The arms for a kernel that takes the series; none where it does not on top
/// of the prerequisites. What is needed for that goes into the report.
fn forward(
    store: &Store,
    commit: Oid,
    series: &[Patch],
    stock: Applied,
    prerequisites: &[Prerequisite],
    report: &mut Report,
) -> Result<Option<Arms>, ApplyError> {
    let brought = Names::brought(store, commit, series, &stock)?;
    let missing = needed(store, commit, &brought, prerequisites)?;
    let (mut base, mut patched) = (commit, stock);
    if !missing.is_empty() {
        (base, report.prerequisites) = provide(store, commit, &missing, prerequisites)?;
        patched = apply(store, base, series)?;
        if patched.verdict >= Verdict::AlreadyApplied {
            (report.verdict, report.patches) = (patched.verdict, patched.patches);
            return Ok(None);
        }
        report.verdict = Verdict::NeedsPrerequisite;
        for (patch, names) in report.patches.iter_mut().zip(&brought) {
            if !names.all.is_disjoint(&missing) {
                patch.verdict = Verdict::NeedsPrerequisite;
            }
        }
        report.missing_symbols = missing.into_iter().collect();
    }
    let unseen = looks_missing(store, patched.commit, &brought)?;
    if !unseen.is_empty() {
        let names: Vec<_> = unseen.iter().map(|name| format!("`{name}`")).collect();
        let note = format!(
            "no header of this kernel has {}; a build will tell whether that matters",
            names.join(", ")
        );
        report.notes.push(note);
    }
    Ok(Some(Arms {
        base,
        patched: patched.commit,
        commits: patched.commits.into_iter().flatten().collect(),
        reversed: false,
    }))
}

/// The patches of which the tree knows neither a file nor the folder at the top.
fn strangers(tree: &Tree<'_>, series: &[Patch]) -> Vec<String> {
    let mut notes = Vec::new();
    for patch in series {
        let paths = patch.files.iter().map(FileDiff::path);
        let tops: BTreeSet<&str> = paths.filter_map(|path| path.split('/').next()).collect();
        if !tops.is_empty() && tops.iter().all(|top| tree.get_name(top).is_none()) {
            let tops: Vec<&str> = tops.into_iter().collect();
            notes.push(format!(
                "{:?} changes only {}, of which this kernel has nothing: it is for another tree",
                patch.subject,
                tops.join(", ")
            ));
        }
    }
    notes
}

fn reverse(store: &Store, commit: Oid, inverses: &[Patch]) -> Result<Oid, ApplyError> {
    let mut failed = None;
    for inverse in inverses {
        let applied = apply(store, commit, std::slice::from_ref(inverse))?;
        if applied.commit != commit && applied.verdict < Verdict::AlreadyApplied {
            return Ok(applied.commit);
        }
        failed.get_or_insert(applied);
    }
    match failed {
        Some(applied) => Err(unfit("the inverse", &applied)),
        None => Ok(commit),
    }
}
