//! The two kernels to compare, out of one kernel and a series.

use std::collections::BTreeSet;

use git2::Oid;
use series::patch::Patch;

use crate::apply::patch::{Applied, ApplyError, apply};
use crate::apply::report::{Report, Verdict};
use crate::store::Store;

/// A patch that both arms get where a tree lacks a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prerequisite {
    /// The symbol.
    pub symbol: String,
    /// The patch that provides it.
    pub patch: Patch,
}

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
pub struct Outfit {
    /// How the series fared on the stock kernel.
    pub report: Report,
    /// The arms; none where the series conflicts, a symbol is missing that no
    /// prerequisite provides, or the series is merged and no inverse is given.
    pub arms: Option<Arms>,
}

/// Makes both arms for a kernel: prerequisites go to both, and only where the
/// tree lacks their symbol; a kernel that has the series is reversed by the
/// first of `inverses` that applies.
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
) -> Result<Outfit, ApplyError> {
    let stock = apply(store, commit, series)?;
    let mut outfit = Outfit {
        report: Report {
            kernel: kernel.to_owned(),
            verdict: stock.verdict,
            patches: stock.patches.clone(),
            missing_symbols: stock.missing_symbols.clone(),
            prerequisites: Vec::new(),
        },
        arms: None,
    };
    let arms = match stock.verdict {
        Verdict::Conflict => return Ok(outfit),
        Verdict::AlreadyApplied if inverses.is_empty() => return Ok(outfit),
        Verdict::AlreadyApplied => {
            let base = reverse(store, commit, inverses)?;
            Arms {
                base,
                patched: commit,
                commits: vec![commit],
                reversed: true,
            }
        }
        Verdict::NeedsPrerequisite => {
            let (base, used) = provide(store, commit, &stock.missing_symbols, prerequisites)?;
            outfit.report.prerequisites = used;
            let patched = apply(store, base, series)?;
            if patched.verdict >= Verdict::NeedsPrerequisite {
                return Ok(outfit);
            }
            arms_of(base, &patched)
        }
        _ => arms_of(commit, &stock),
    };
    for kept in arms.commits.iter().chain([&arms.base]) {
        store.keep(*kept)?;
    }
    outfit.arms = Some(arms);
    Ok(outfit)
}

fn arms_of(base: Oid, applied: &Applied) -> Arms {
    let commits = applied.commits.iter().flatten().copied().collect();
    Arms {
        base,
        patched: applied.commit,
        commits,
        reversed: false,
    }
}

/// Applies the prerequisites that provide what is missing, and what they miss
/// in turn.
fn provide(
    store: &Store,
    mut commit: Oid,
    missing: &[String],
    prerequisites: &[Prerequisite],
) -> Result<(Oid, Vec<String>), ApplyError> {
    let mut wanted: BTreeSet<String> = missing.iter().cloned().collect();
    // What a prerequisite needs itself, found by trying them alone.
    loop {
        let chosen = prerequisites.iter().filter(|p| wanted.contains(&p.symbol));
        let alone: Vec<Patch> = chosen.map(|p| p.patch.clone()).collect();
        let before = wanted.len();
        wanted.extend(apply(store, commit, &alone)?.missing_symbols);
        if wanted.len() == before {
            break;
        }
    }
    let mut used = Vec::new();
    for prerequisite in prerequisites.iter().filter(|p| wanted.contains(&p.symbol)) {
        let applied = apply(store, commit, std::slice::from_ref(&prerequisite.patch))?;
        match applied.verdict {
            Verdict::Conflict => return Err(helper("the prerequisite", &applied)),
            // One patch may provide several symbols and be listed for each.
            Verdict::AlreadyApplied => continue,
            _ => {}
        }
        commit = applied.commit;
        used.push(prerequisite.patch.subject.clone());
    }
    Ok((commit, used))
}

fn reverse(store: &Store, commit: Oid, inverses: &[Patch]) -> Result<Oid, ApplyError> {
    let mut failed = None;
    for inverse in inverses {
        let applied = apply(store, commit, std::slice::from_ref(inverse))?;
        if applied.commit != commit && applied.verdict < Verdict::NeedsPrerequisite {
            return Ok(applied.commit);
        }
        failed.get_or_insert(applied);
    }
    match failed {
        Some(applied) => Err(helper("the inverse", &applied)),
        None => Ok(commit),
    }
}

fn helper(role: &'static str, applied: &Applied) -> ApplyError {
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
