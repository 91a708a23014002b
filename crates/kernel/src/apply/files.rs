//! The files of one patch: as the tree has them, and as changed.

use std::collections::BTreeMap;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, ObjectType, Oid, Repository, Tree};
use series::patch::{FileDiff, FileKind, LineKind, Patch};

use crate::apply::hunks::{self, Fate, Outcome, Rules};
use crate::apply::known::Known;
use crate::apply::report::{HunkReport, Verdict, overall};
use crate::store::Store;

pub(super) const FILE: u32 = 0o100_644;

pub(super) const EXECUTABLE: u32 = 0o100_755;

pub(super) const HALF: &str = "there already, while the rest of the patch is not\n";

/// A file as a patch has left it so far: content and mode.
type Content = Option<(Vec<u8>, u32)>;

/// The files of one patch: as the tree has them, and as changed.
pub(super) struct Files<'r> {
    store: &'r Store,
    known: &'r Known<'r>,
    tree: Tree<'r>,
    rules: Rules,
    pub(super) changed: BTreeMap<String, Content>,
}

impl<'r> Files<'r> {
    pub(super) fn new(
        store: &'r Store,
        known: &'r Known<'r>,
        tree: &Tree<'r>,
        rules: Rules,
    ) -> Self {
        Self {
            store,
            known,
            tree: tree.clone(),
            rules,
            changed: BTreeMap::new(),
        }
    }
}

impl Files<'_> {
    pub(super) fn before(&self, path: &str) -> Option<(Vec<u8>, u32)> {
        let entry = self.tree.get_path(path.as_ref()).ok()?;
        let blob = self.store.repo().find_blob(entry.id()).ok()?;
        let mode = u32::from_ne_bytes(entry.filemode().to_ne_bytes());
        Some((blob.content().to_vec(), mode))
    }

    pub(super) fn now(&self, path: &str) -> Option<(Vec<u8>, u32)> {
        self.changed
            .get(path)
            .cloned()
            .unwrap_or_else(|| self.before(path))
    }
}

/// One file of a patch, judged.
pub(super) struct Judged {
    pub(super) hunks: Vec<HunkReport>,
    pub(super) verdict: Verdict,
    /// Whether a file that is to be deleted is missing, and nothing else shows
    /// that it was deleted.
    pub(super) missing: bool,
}

/// A patch on a tree: the files after it, and how each of its own fared.
pub(super) struct Placed<'r> {
    pub(super) files: Files<'r>,
    pub(super) judged: Vec<Judged>,
}

impl<'r> Placed<'r> {
    pub(super) fn new(
        store: &'r Store,
        known: &'r Known<'r>,
        tree: &Tree<'r>,
        patch: &Patch,
        rules: Rules,
    ) -> Self {
        let mut files = Files::new(store, known, tree, rules);
        let judged = patch.files.iter().map(|diff| change(&mut files, diff));
        let judged = judged.collect();
        Self { files, judged }
    }

    /// Whether all that is known of the patch is that files are missing.
    pub(super) fn only_missing(&self) -> bool {
        !self.judged.is_empty() && self.judged.iter().all(|file| file.missing)
    }

    /// Whether a hunk is there already.
    pub(super) fn has_some(&self) -> bool {
        let mut hunks = self.judged.iter().flat_map(|file| &file.hunks);
        hunks.any(|hunk| hunk.verdict == Verdict::AlreadyApplied)
    }

    pub(super) fn verdict(&self) -> Verdict {
        overall(self.judged.iter().map(|file| file.verdict))
    }
}

/// Applies one file's diff to the files at hand.
fn change(files: &mut Files<'_>, diff: &FileDiff) -> Judged {
    if let Some(what) = &diff.unsupported {
        let why = format!("not supported: {}\n", what.as_str());
        return without(diff, Verdict::Conflict, &why);
    }
    let path = diff.path();
    match (diff.old_path.as_deref(), diff.new_path.as_deref()) {
        (None, Some(new)) => create(files, diff, new),
        (Some(old), Some(new)) if old != new => carry(files, diff, old, new),
        (Some(old), _) => {
            let Some((text, mode)) = files.now(old) else {
                return missing(files, diff, old);
            };
            modify(files, diff, text, mode)
        }
        (None, None) => without(diff, Verdict::Conflict, &format!("{path} names no file\n")),
    }
}

/// A change of a file that is not there.
fn missing(files: &mut Files<'_>, diff: &FileDiff, path: &str) -> Judged {
    match &diff.new_path {
        None => Judged {
            missing: !files.known.had(path),
            ..without(diff, Verdict::AlreadyApplied, "")
        },
        Some(new) if is_from_nothing(diff) => create(files, diff, new),
        Some(_) => without(diff, Verdict::Conflict, "there is no such file\n"),
    }
}

/// Whether a diff without git's headers makes a file, as git guesses it.
fn is_from_nothing(diff: &FileDiff) -> bool {
    let plain = diff.old_blob.is_none() && diff.old_mode.is_none();
    let lines = diff
        .hunks
        .iter()
        .map(|hunk| (hunk.old_start, hunk.old_lines));
    plain && lines.eq([(0, 0)])
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

pub(super) fn added(diff: &FileDiff) -> Vec<u8> {
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
        false => hunks::apply(new, text, &diff.hunks, files.rules),
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
        let by = |rules| hunks::apply(diff.path(), &text, &diff.hunks, rules);
        match (files.rules, by(files.rules)) {
            (_, outcome @ Outcome::Applied(..)) => outcome,
            // What the patch was made on, it fits as its author meant.
            (Rules::Git, _) if is_made_on(diff, &text) => by(Rules::Author),
            (_, outcome) => outcome,
        }
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
            let mut judged = judge(diff, &fates, Verdict::Conflict);
            if !fates.iter().any(|fate| matches!(fate, Fate::Lost(_))) {
                // Nothing else says why.
                for hunk in
                    (judged.hunks.iter_mut()).filter(|hunk| hunk.verdict == Verdict::AlreadyApplied)
                {
                    hunk.conflict = Some(HALF.to_owned());
                }
            }
            return judged;
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

/// Whether a text is the version that the diff names.
fn is_made_on(diff: &FileDiff, text: &[u8]) -> bool {
    let id = diff.old_blob.as_deref().filter(|id| id.len() >= 7);
    id.is_some_and(|id| {
        let blob = Oid::hash_object(ObjectType::Blob, text);
        blob.is_ok_and(|blob| blob.to_string().starts_with(&id.to_ascii_lowercase()))
    })
}

pub(super) fn file_mode(named: Option<u32>, otherwise: u32) -> u32 {
    match named {
        Some(mode) if mode & 0o100 != 0 => EXECUTABLE,
        Some(_) => FILE,
        None => otherwise,
    }
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

pub(super) fn judge(diff: &FileDiff, fates: &[Fate], overall: Verdict) -> Judged {
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
        missing: false,
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
    Judged {
        hunks,
        verdict,
        missing: false,
    }
}

pub(super) fn lost(file: &str, why: String) -> HunkReport {
    let verdict = Verdict::Conflict;
    HunkReport {
        file: file.to_owned(),
        offset: 0,
        fuzz: 0,
        verdict,
        conflict: Some(why),
    }
}

/// Writes the tree, and says which files are new in it.
pub(super) fn write(
    repo: &Repository,
    files: &Files<'_>,
) -> Result<(Oid, Vec<(String, Oid)>), git2::Error> {
    let mut update = TreeUpdateBuilder::new();
    let mut made = Vec::new();
    for (path, content) in &files.changed {
        match content {
            Some((text, mode)) => {
                let mode = match *mode {
                    EXECUTABLE => FileMode::BlobExecutable,
                    _ => FileMode::Blob,
                };
                let blob = repo.blob(text)?;
                made.push((path.clone(), blob));
                update.upsert(path.as_str(), blob, mode);
            }
            None if files.tree.get_path(path.as_ref()).is_ok() => {
                update.remove(path.as_str());
            }
            None => {}
        }
    }
    Ok((update.create_updated(repo, &files.tree)?, made))
}
