//! A series on a kernel, in memory: no checkout, one commit a patch.
//!
//! A commit's author, author date and message are what `git am` would write.
//! Its committer is `reaperlab` at the author's date, so that the same input
//! makes the same commit id everywhere and at any time.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository, Signature, Time, Tree};
use serde::{Deserialize, Serialize};
use series::patch::{FileDiff, FileKind, LineKind, Patch, check_path};

use crate::hunks::{self, Fate, Outcome, Rules};
use crate::store::{Store, StoreError, signature};
use crate::symbols::{self, Symbols};

/// How a hunk, a patch or a series fared, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every line where it was expected.
    Clean,
    /// `git am` takes it; some lines have moved.
    Offset,
    /// GNU `patch` takes it by ignoring context; `git am` refuses.
    Fuzz,
    /// Merged with the version it was made on, as `git am -3` does.
    ThreeWay,
    /// It applies and can't compile: the tree lacks a symbol it uses.
    NeedsPrerequisite,
    /// The tree has it.
    AlreadyApplied,
    /// It does not apply.
    Conflict,
}

impl Verdict {
    /// The word in JSON and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Offset => "offset",
            Self::Fuzz => "fuzz",
            Self::ThreeWay => "three-way",
            Self::NeedsPrerequisite => "needs-prerequisite",
            Self::AlreadyApplied => "already-applied",
            Self::Conflict => "conflict",
        }
    }
}

/// How one hunk fared. A change without hunks (a rename, a mode, an empty
/// file) has an entry only where it failed or was there already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HunkReport {
    /// The file, by its path after the patch.
    pub file: String,
    /// By how many lines it moved.
    pub offset: i64,
    /// How many context lines were ignored at either end, 0 to 2.
    pub fuzz: u32,
    /// How it fared; never needs-prerequisite.
    pub verdict: Verdict,
    /// For a conflict, what was expected and what is there instead: a diff
    /// with the line numbers of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<String>,
}

/// How one patch fared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchReport {
    /// Its subject.
    pub subject: String,
    /// How it fared.
    pub verdict: Verdict,
    /// Its hunks, in order.
    pub hunks: Vec<HunkReport>,
}

/// How a series fared on one kernel: an entry of `apply --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The kernel's name.
    pub kernel: String,
    /// The series as a whole: its worst patch, those left aside that the tree
    /// has; already-applied where it has them all.
    pub verdict: Verdict,
    /// Its patches, in order.
    pub patches: Vec<PatchReport>,
    /// Functions and macros that the series calls and the tree lacks.
    pub missing_symbols: Vec<String>,
    /// The subjects of the prerequisites that both arms got.
    pub prerequisites: Vec<String>,
}

/// A series applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The last commit made, or the one it began with.
    pub commit: Oid,
    /// A commit for each patch: none for one that the tree has or that
    /// conflicts. Those behind a conflict are still tried, without it.
    pub commits: Vec<Option<Oid>>,
    /// See [`Report::verdict`].
    pub verdict: Verdict,
    /// Its patches, in order.
    pub patches: Vec<PatchReport>,
    /// See [`Report::missing_symbols`].
    pub missing_symbols: Vec<String>,
}

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

/// Why nothing could be said about a series.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A path no patch may name.
    #[error("the patch {subject:?} names {path:?}, which {why}")]
    Path {
        /// The patch.
        subject: String,
        /// The path.
        path: String,
        /// Its fault.
        why: &'static str,
    },
    /// A prerequisite or an inverse of the manifest does not fit the kernel.
    #[error(
        "{role} {subject:?} does not apply to this kernel; the manifest needs one that does\n{detail}"
    )]
    Helper {
        /// What it was to be.
        role: &'static str,
        /// Its subject.
        subject: String,
        /// Its conflicts.
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
    let symbols = Symbols::of_commit(store, base)?;
    let mut state = State {
        store,
        commit: base,
        symbols,
        defined: HashSet::new(),
    };
    let mut applied = Applied {
        commit: base,
        commits: Vec::new(),
        verdict: Verdict::Clean,
        patches: Vec::new(),
        missing_symbols: Vec::new(),
    };
    let mut missing = BTreeSet::new();
    for patch in patches {
        let (report, commit, lacks) = state.apply(patch)?;
        missing.extend(lacks);
        applied.patches.push(report);
        applied.commits.push(commit);
    }
    applied.commit = state.commit;
    applied.missing_symbols = missing.into_iter().collect();
    applied.verdict = overall(applied.patches.iter().map(|patch| patch.verdict));
    Ok(applied)
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

/// The worst; what the tree has already counts only when it is all there is.
fn overall(verdicts: impl Iterator<Item = Verdict> + Clone) -> Verdict {
    let rest = verdicts
        .clone()
        .filter(|verdict| *verdict != Verdict::AlreadyApplied)
        .max();
    rest.or_else(|| verdicts.max()).unwrap_or(Verdict::Clean)
}

/// A tree between two patches.
struct State<'a> {
    store: &'a Store,
    commit: Oid,
    symbols: Symbols,
    /// Names that earlier patches brought.
    defined: HashSet<String>,
}

/// A file as a patch has left it so far: content and mode.
type Content = Option<(Vec<u8>, u32)>;

/// The files of one patch: as the tree has them, and as changed.
struct Files<'r> {
    store: &'r Store,
    tree: Tree<'r>,
    rules: Rules,
    changed: BTreeMap<String, Content>,
}

impl<'r> Files<'r> {
    fn new(store: &'r Store, tree: &Tree<'r>, rules: Rules) -> Self {
        Self {
            store,
            tree: tree.clone(),
            rules,
            changed: BTreeMap::new(),
        }
    }
}

impl Files<'_> {
    fn before(&self, path: &str) -> Option<(Vec<u8>, u32)> {
        let entry = self.tree.get_path(path.as_ref()).ok()?;
        let blob = self.store.repo().find_blob(entry.id()).ok()?;
        let mode = u32::from_ne_bytes(entry.filemode().to_ne_bytes());
        Some((blob.content().to_vec(), mode))
    }

    fn now(&self, path: &str) -> Option<(Vec<u8>, u32)> {
        self.changed
            .get(path)
            .cloned()
            .unwrap_or_else(|| self.before(path))
    }
}

/// One file of a patch, judged.
struct Judged {
    hunks: Vec<HunkReport>,
    verdict: Verdict,
}

impl State<'_> {
    /// Returns the report, the commit made, and the symbols missing for it.
    fn apply(
        &mut self,
        patch: &Patch,
    ) -> Result<(PatchReport, Option<Oid>, BTreeSet<String>), ApplyError> {
        let store = self.store;
        let fail = |e| store.failed(e);
        let repo = store.repo();
        let parent = repo.find_commit(self.commit).map_err(fail)?;
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
            return Ok((report, None, BTreeSet::new()));
        }
        let missing = self.missing(&files, patch);
        if !missing.is_empty() {
            report.verdict = Verdict::NeedsPrerequisite;
        }
        match write(repo, &files) {
            Ok(tree) => {
                let tree = repo.find_tree(tree).map_err(fail)?;
                let seconds = parent.time().seconds();
                let (author, seconds) = author(patch, seconds).map_err(fail)?;
                let committer = signature(seconds).map_err(fail)?;
                let message = message(patch);
                self.commit = repo
                    .commit(None, &author, &committer, &message, &tree, &[&parent])
                    .map_err(fail)?;
                Ok((report, Some(self.commit), missing))
            }
            // A file where a folder should be, or the reverse.
            Err(e) => {
                report.verdict = Verdict::Conflict;
                let file = patch.files.first().map_or("", |f| f.path());
                report.hunks.push(lost(file, format!("{}\n", e.message())));
                Ok((report, None, BTreeSet::new()))
            }
        }
    }

    /// What the patch calls and nothing in sight provides.
    fn missing(&mut self, files: &Files<'_>, patch: &Patch) -> BTreeSet<String> {
        let mut calls = BTreeSet::new();
        for diff in patch.files.iter().filter(|diff| is_c(diff.path())) {
            let Some((new, _)) = files.now(diff.path()) else {
                continue;
            };
            let old = diff.old_path.as_deref().and_then(|path| files.before(path));
            let added: HashSet<&[u8]> = diff
                .hunks
                .iter()
                .flat_map(|hunk| &hunk.lines)
                .filter(|line| line.kind == LineKind::Added)
                .map(|line| line.text.trim_ascii_end())
                .collect();
            let chosen: Vec<bool> = new
                .split(|b| *b == b'\n')
                .map(|line| added.contains(line.trim_ascii_end()))
                .collect();
            let old = old.map(|(text, _)| text).unwrap_or_default();
            let names = symbols::new_names(&new, |at| chosen.get(at) == Some(&true), &old);
            self.defined
                .extend(names.defined.into_iter().map(str::to_owned));
            let unknown = names
                .called
                .into_iter()
                .filter(|name| !self.symbols.knows(name));
            let mut unknown: BTreeSet<String> = unknown.map(str::to_owned).collect();
            if !unknown.is_empty() {
                let folder = diff
                    .path()
                    .rsplit_once('/')
                    .map_or("", |(folder, _)| folder);
                explain_by_includes(files, folder, &new, &mut unknown);
            }
            calls.extend(unknown);
        }
        calls.retain(|name| !self.defined.contains(name));
        calls
    }
}

fn is_c(path: &str) -> bool {
    path.ends_with(".c") || path.ends_with(".h")
}

/// Takes out what the headers beside a file use, whatever they include by
/// `"…"` in turn.
fn explain_by_includes(
    files: &Files<'_>,
    folder: &str,
    text: &[u8],
    unknown: &mut BTreeSet<String>,
) {
    const MAX_HEADERS: usize = 200;
    let mut seen = HashSet::new();
    let mut queue: Vec<String> = headers(folder, text);
    while let Some(path) = queue.pop() {
        if unknown.is_empty() || seen.len() == MAX_HEADERS {
            return;
        }
        if !seen.insert(path.clone()) {
            continue;
        }
        let Some((header, _)) = files.now(&path) else {
            continue;
        };
        let names = symbols::names(&header);
        unknown.retain(|name| !names.contains(name.as_bytes()));
        queue.extend(headers(
            path.rsplit_once('/').map_or("", |(folder, _)| folder),
            &header,
        ));
    }
}

fn headers(folder: &str, text: &[u8]) -> Vec<String> {
    symbols::quoted_includes(text)
        .filter_map(|name| join(folder, name))
        .collect()
}

/// A relative path from a folder, without `..`; none when it leaves the tree.
fn join(folder: &str, name: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A patch on a tree: the files after it, and how each of its own fared.
struct Placed<'r> {
    files: Files<'r>,
    judged: Vec<Judged>,
}

impl<'r> Placed<'r> {
    fn new(store: &'r Store, tree: &Tree<'r>, patch: &Patch, rules: Rules) -> Self {
        let mut files = Files::new(store, tree, rules);
        let judged = patch.files.iter().map(|diff| change(&mut files, diff));
        let judged = judged.collect();
        Self { files, judged }
    }

    fn verdict(&self) -> Verdict {
        overall(self.judged.iter().map(|file| file.verdict))
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

const HALF: &str = "there already, while the rest of the patch is not\n";

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

/// Merges what the tree has of the patch's paths with what the patch makes of
/// the versions it was made on; none where those are unknown or it conflicts.
fn merge<'r>(
    store: &'r Store,
    tree: &Tree<'r>,
    patch: &Patch,
) -> Result<Option<Placed<'r>>, git2::Error> {
    let repo = store.repo();
    let nothing = repo.find_tree(repo.treebuilder(None)?.write()?)?;
    let empty = || Files::new(store, &nothing, Rules::Git);
    let (mut files, mut base, mut ours) = (Files::new(store, tree, Rules::Git), empty(), empty());
    for diff in &patch.files {
        for path in diff.old_path.iter().chain(&diff.new_path) {
            match files.before(path) {
                Some((_, mode)) if !matches!(mode, FILE | EXECUTABLE) => return Ok(None),
                Some(file) => drop(ours.changed.insert(path.clone(), Some(file))),
                None => {}
            }
        }
        let Some(old) = &diff.old_path else {
            // Two files that have only their place in common.
            if ours
                .now(diff.path())
                .is_some_and(|(text, _)| text != added(diff))
            {
                return Ok(None);
            }
            continue;
        };
        let there = ours.now(old);
        let mode = file_mode(
            diff.old_mode,
            there.as_ref().map_or(FILE, |(_, mode)| *mode),
        );
        // Without hunks there may be no blob to name.
        let unchanged = there.filter(|_| diff.hunks.is_empty());
        let Some(text) = ancestor(store, diff).or(unchanged.map(|(text, _)| text)) else {
            return Ok(None);
        };
        base.changed.insert(old.clone(), Some((text, mode)));
    }
    let base = repo.find_tree(write(repo, &base)?)?;
    let theirs = Placed::new(store, &base, patch, Rules::Git);
    if !matches!(theirs.verdict(), Verdict::Clean | Verdict::Offset) {
        return Ok(None);
    }
    let ours_tree = repo.find_tree(write(repo, &ours)?)?;
    let theirs = repo.find_tree(write(repo, &theirs.files)?)?;
    let index = repo.merge_trees(&base, &ours_tree, &theirs, None)?;
    if index.has_conflicts() {
        return Ok(None);
    }
    for path in patch
        .files
        .iter()
        .flat_map(|diff| diff.old_path.iter().chain(&diff.new_path))
    {
        let merged = match index.get_path(path.as_ref(), 0) {
            Some(entry) => Some((repo.find_blob(entry.id)?.content().to_vec(), entry.mode)),
            None => None,
        };
        if merged != ours.now(path) {
            files.changed.insert(path.clone(), merged);
        }
    }
    let (fate, verdict) = match files.changed.is_empty() {
        true => (Fate::Already, Verdict::AlreadyApplied),
        false => (Fate::Merged, Verdict::ThreeWay),
    };
    let judged = patch
        .files
        .iter()
        .map(|diff| judge(diff, &vec![fate.clone(); diff.hunks.len()], verdict));
    let judged = judged.collect();
    Ok(Some(Placed { files, judged }))
}

/// Applies one file's diff to the files at hand.
fn change(files: &mut Files<'_>, diff: &FileDiff) -> Judged {
    let path = diff.path();
    match (diff.old_path.as_deref(), diff.new_path.as_deref()) {
        (None, Some(new)) => create(files, diff, new),
        (Some(old), Some(new)) if old != new => carry(files, diff, old, new),
        (Some(old), _) => {
            let Some((text, mode)) = files.now(old) else {
                let verdict = match diff.new_path {
                    None => Verdict::AlreadyApplied,
                    Some(_) => Verdict::Conflict,
                };
                return without(diff, verdict, "there is no such file\n");
            };
            modify(files, diff, text, mode)
        }
        (None, None) => without(diff, Verdict::Conflict, &format!("{path} names no file\n")),
    }
}

fn create(files: &mut Files<'_>, diff: &FileDiff, path: &str) -> Judged {
    let text: Vec<u8> = added(diff);
    let mode = file_mode(diff.new_mode, FILE);
    match files.now(path) {
        None => {
            files.changed.insert(path.to_owned(), Some((text, mode)));
            let fate = Fate::Placed { offset: 0 };
            judge(diff, &vec![fate; diff.hunks.len()], Verdict::Clean)
        }
        Some((there, _)) if there == text => {
            without(diff, Verdict::AlreadyApplied, "the file is there\n")
        }
        Some(_) => without(
            diff,
            Verdict::Conflict,
            "the file exists, with other content\n",
        ),
    }
}

fn added(diff: &FileDiff) -> Vec<u8> {
    let lines = diff.hunks.iter().flat_map(|hunk| &hunk.lines);
    lines
        .filter(|l| l.kind == LineKind::Added)
        .flat_map(|l| l.text.iter().copied())
        .collect()
}

/// A rename or a copy, maybe with changes.
fn carry(files: &mut Files<'_>, diff: &FileDiff, old: &str, new: &str) -> Judged {
    let source = files.before(old).or_else(|| files.now(old));
    let target = files.now(new);
    let made = |text: &[u8]| match diff.hunks.is_empty() {
        true => Outcome::Applied(text.to_vec(), Vec::new()),
        false => hunks::apply(text, &diff.hunks, files.rules),
    };
    let (text, mode) = match (source, target) {
        (Some(file), None) => file,
        (None, Some((text, mode))) if diff.kind == FileKind::Rename => {
            let there = diff.hunks.is_empty() || matches!(made(&text), Outcome::Already(_));
            return match there && file_mode(diff.new_mode, mode) == mode {
                true => without(diff, Verdict::AlreadyApplied, "renamed already\n"),
                false => without(diff, Verdict::Conflict, "renamed, with other content\n"),
            };
        }
        (None, _) => {
            let why = format!("there is no file {old}\n");
            return without(diff, Verdict::Conflict, &why);
        }
        (Some((text, _)), Some((there, _))) => {
            let same = matches!(made(&text), Outcome::Applied(copy, _) if copy == there);
            return match same && diff.kind == FileKind::Copy {
                true => without(diff, Verdict::AlreadyApplied, "copied already\n"),
                false => without(diff, Verdict::Conflict, "the file exists\n"),
            };
        }
    };
    let judged = modify(files, diff, text, mode);
    if diff.kind == FileKind::Rename && judged.verdict < Verdict::AlreadyApplied {
        files.changed.insert(old.to_owned(), None);
    }
    judged
}

/// Applies hunks and a mode to a text, which then stands at the new path.
fn modify(files: &mut Files<'_>, diff: &FileDiff, text: Vec<u8>, mode: u32) -> Judged {
    if !matches!(mode, FILE | EXECUTABLE) {
        return without(
            diff,
            Verdict::Conflict,
            "it is a symbolic link or a folder here\n",
        );
    }
    let new_mode = file_mode(diff.new_mode, mode);
    let moves = diff.old_path != diff.new_path;
    let outcome = if diff.hunks.is_empty() {
        if diff.new_path.is_none() && !text.is_empty() {
            return without(diff, Verdict::Conflict, "the file to delete is not empty\n");
        }
        match moves || new_mode != mode {
            true => Outcome::Applied(text, Vec::new()),
            false => return without(diff, Verdict::AlreadyApplied, "nothing to change\n"),
        }
    } else {
        hunks::apply(&text, &diff.hunks, files.rules)
    };
    let (content, fates) = match outcome {
        Outcome::Applied(content, fates) => (content, fates),
        Outcome::Already(fates) if diff.old_path == diff.new_path => {
            return match new_mode == mode {
                true => judge(diff, &fates, Verdict::AlreadyApplied),
                false => without(diff, Verdict::Conflict, HALF),
            };
        }
        // The hunks are there; the name is not, or should be no more.
        Outcome::Already(fates) | Outcome::Conflict(fates) => {
            return judge(diff, &fates, Verdict::Conflict);
        }
    };
    match &diff.new_path {
        Some(path) => {
            files
                .changed
                .insert(path.clone(), Some((content, new_mode)));
        }
        None if content.is_empty() => {
            files.changed.insert(diff.path().to_owned(), None);
        }
        None => {
            return without(
                diff,
                Verdict::Conflict,
                "the file to delete has more lines\n",
            );
        }
    }
    let worst = fates.iter().map(verdict).max().unwrap_or(Verdict::Clean);
    judge(diff, &fates, worst)
}

const FILE: u32 = 0o100_644;
const EXECUTABLE: u32 = 0o100_755;

fn file_mode(named: Option<u32>, otherwise: u32) -> u32 {
    match named {
        Some(mode) if mode & 0o100 != 0 => EXECUTABLE,
        Some(_) => FILE,
        None => otherwise,
    }
}

/// The text the patch was made on, if the store has it.
fn ancestor(store: &Store, diff: &FileDiff) -> Option<Vec<u8>> {
    store.blob_by_prefix(diff.old_blob.as_deref().filter(|id| id.len() >= 7)?)
}

fn verdict(fate: &Fate) -> Verdict {
    match fate {
        Fate::Placed { offset: 0 } => Verdict::Clean,
        Fate::Placed { .. } => Verdict::Offset,
        Fate::Loose { .. } => Verdict::Fuzz,
        Fate::Merged => Verdict::ThreeWay,
        Fate::Already => Verdict::AlreadyApplied,
        Fate::Lost(_) => Verdict::Conflict,
    }
}

fn judge(diff: &FileDiff, fates: &[Fate], overall: Verdict) -> Judged {
    let hunks = fates.iter().map(|fate| {
        let (offset, fuzz) = match fate {
            Fate::Placed { offset } => (*offset, 0),
            Fate::Loose { offset, fuzz } => (*offset, u32::try_from(*fuzz).unwrap_or(0)),
            _ => (0, 0),
        };
        let conflict = match fate {
            Fate::Lost(text) => Some(text.clone()),
            _ => None,
        };
        HunkReport {
            file: diff.path().to_owned(),
            offset,
            fuzz,
            verdict: verdict(fate),
            conflict,
        }
    });
    Judged {
        hunks: hunks.collect(),
        verdict: overall,
    }
}

/// A verdict on the whole file, which its hunks share.
fn without(diff: &FileDiff, verdict: Verdict, why: &str) -> Judged {
    let mut report = lost(diff.path(), why.to_owned());
    if verdict != Verdict::Conflict {
        report.verdict = verdict;
        report.conflict = None;
    }
    let mut hunks = vec![report; diff.hunks.len().max(1)];
    for repeated in hunks.iter_mut().skip(1) {
        repeated.conflict = None;
    }
    Judged { hunks, verdict }
}

fn lost(file: &str, why: String) -> HunkReport {
    let verdict = Verdict::Conflict;
    HunkReport {
        file: file.to_owned(),
        offset: 0,
        fuzz: 0,
        verdict,
        conflict: Some(why),
    }
}

fn write(repo: &Repository, files: &Files<'_>) -> Result<Oid, git2::Error> {
    let mut update = TreeUpdateBuilder::new();
    for (path, content) in &files.changed {
        match content {
            Some((text, mode)) => {
                let mode = match *mode {
                    EXECUTABLE => FileMode::BlobExecutable,
                    _ => FileMode::Blob,
                };
                update.upsert(path.as_str(), repo.blob(text)?, mode);
            }
            None if files.tree.get_path(path.as_ref()).is_ok() => {
                update.remove(path.as_str());
            }
            None => {}
        }
    }
    update.create_updated(repo, &files.tree)
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
