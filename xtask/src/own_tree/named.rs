//! What a name given as `--series` means in a repository.

use std::path::{Path, PathBuf};

use git2::{BranchType, ErrorCode, Oid, Reference, Repository, Sort};
use results::text::printable;

use super::{commits, work_tree};
use crate::exit::{Advise, Classify, Failure, Kind, Result, fail};

/// What is not committed yet.
const WORK_TREE: &str = ".";

/// The most commits of a series.
const MAX_COMMITS: usize = 1000;

/// How far back a branch's release is looked for, in commits.
const MAX_DISTANCE: usize = 10_000;

/// A series in a repository.
pub struct Named {
    repository: Repository,
    path: String,
    /// As the user called it.
    name: String,
    what: What,
    /// How it was read, where that is not plain.
    note: Option<String>,
}

enum What {
    /// The commits that `tip` has and `without` has not; `tip` alone where
    /// there is no `without`.
    Commits { tip: Oid, without: Option<Oid> },
    /// What is not committed, beside this commit.
    WorkTree { head: Oid },
}

/// What such a series holds.
pub struct Read {
    pub series: series::Series,
    /// What its reader should know.
    pub notes: Vec<String>,
}

/// The series that a name means in the repository that it gives, or else in the
/// kernel's repository at or above the current folder. None where it means none:
/// what lies on the disk by that name goes before.
pub fn find(name: &str) -> Result<Option<Named>> {
    if name != WORK_TREE && Path::new(name).exists() {
        return Ok(None);
    }
    if let Some((place, rest)) = name.rsplit_once(':')
        && Path::new(place).is_dir()
    {
        let repository = Repository::discover(place)
            .map_err(|error| anyhow::anyhow!("{}: {}", printable(place), error.message()))
            .kind(Kind::Usage)?;
        return match Named::of(repository, rest)? {
            Some(named) => Ok(Some(named)),
            None => unknown(place, rest),
        };
    }
    let Some(repository) = kernels_repository() else {
        return match name.contains("..") && !name.contains('/') {
            true => fail(
                Kind::Usage,
                format!(
                    "{} is a range of commits, and there is no kernel's repository at or above the \
                     current folder",
                    printable(name)
                ),
            )
            .hint("name the repository: REPO:A..B"),
            false => Ok(None),
        };
    };
    Named::of(repository, name)
}

fn unknown<T>(place: &str, rest: &str) -> Result<T> {
    let (place, rest) = (printable(place), printable(rest));
    fail(Kind::Usage, format!("{place} has no commit {rest}"))
}

/// What is said where a file or a folder is called like a branch: it goes
/// before.
pub fn also_a_branch(name: &str) -> Option<String> {
    if name == WORK_TREE || !Path::new(name).exists() {
        return None;
    }
    let repository = kernels_repository()?;
    let is_branch = repository.find_branch(name, BranchType::Local).is_ok();
    is_branch.then(|| {
        let name = printable(name);
        format!(
            "{name} is a file or folder and a branch: the file or folder is read; \
             refs/heads/{name} is the branch"
        )
    })
}

/// The kernel's repository at or above the current folder.
fn kernels_repository() -> Option<Repository> {
    let repository = Repository::discover(WORK_TREE).ok()?;
    is_kernel(&repository)?.then_some(repository)
}

/// Whether what is checked out has a kernel's makefile.
fn is_kernel(repository: &Repository) -> Option<bool> {
    let tree = repository.head().ok()?.peel_to_tree().ok()?;
    let makefile = repository.find_blob(tree.get_name("Makefile")?.id()).ok()?;
    let text = String::from_utf8_lossy(makefile.content()).into_owned();
    let has = |field: &str| {
        let mut lines = text.lines().take(20);
        lines.any(|line| line.split('=').next().is_some_and(|it| it.trim() == field))
    };
    Some(has("VERSION") && has("PATCHLEVEL"))
}

impl Named {
    fn of(repository: Repository, name: &str) -> Result<Option<Self>> {
        let path = repository.workdir().unwrap_or(repository.path());
        let Some(path) = path.to_str() else {
            return fail(
                Kind::Usage,
                format!(
                    "{} is no UTF-8, so no kernel can be named after it",
                    path.display()
                ),
            );
        };
        let path = match path.trim_end_matches('/') {
            "" => "/",
            path => path,
        };
        let path = path.to_owned();
        let Some((what, note)) = What::of(&repository, name)? else {
            return Ok(None);
        };
        let name = printable(name);
        Ok(Some(Self {
            repository,
            path,
            name,
            what,
            note,
        }))
    }

    /// How it was read, where that is not plain.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The repository's folder.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(&self.path)
    }

    /// A name that means the same from everywhere, and later as well; of a work
    /// tree, whatever it has by then.
    pub fn pinned(&self) -> String {
        let path = &self.path;
        match self.what {
            What::Commits {
                tip,
                without: Some(without),
            } => format!("{path}:{without}..{tip}"),
            What::Commits { tip, without: None } => format!("{path}:{tip}"),
            What::WorkTree { .. } => format!("{path}:{WORK_TREE}"),
        }
    }

    /// Whether it is what is not committed.
    pub fn is_work_tree(&self) -> bool {
        matches!(self.what, What::WorkTree { .. })
    }

    /// The kernel that it begins at, as `--kernel` takes it: the first commit's
    /// parent, or what is checked out. None where the first commit has no parent.
    pub fn parent(&self) -> Result<Option<String>> {
        let parent = match self.what {
            What::WorkTree { head } => Some(head),
            What::Commits { .. } => {
                let commits = self.commits()?.list;
                let first = commits
                    .first()
                    .map(|first| self.repository.find_commit(*first));
                let first = first.transpose().map_err(|error| self.broken(&error))?;
                first.and_then(|first| first.parent_id(0).ok())
            }
        };
        Ok(parent.map(|parent| format!("git:{}#{parent}", self.path)))
    }

    /// Reads the series.
    pub fn read(&self) -> Result<Read> {
        let mut notes = Vec::new();
        let commits = match self.what {
            What::WorkTree { head } => {
                let found =
                    work_tree::read(&self.repository, head).map_err(|error| self.broken(&error))?;
                if found.unmerged {
                    return fail(
                        Kind::Usage,
                        format!("{} has files that are not merged yet", self.path),
                    );
                }
                notes.extend(found.left_out());
                let Some(commit) = found.commit else {
                    for note in notes {
                        eprintln!("note: {note}");
                    }
                    return fail(
                        Kind::Usage,
                        format!("{} has nothing that is not committed", self.path),
                    )
                    .hint("git add new files, or name commits: HEAD~1..");
                };
                vec![commit]
            }
            What::Commits { .. } => {
                let found = self.commits()?;
                notes.extend(found.note());
                let read = |id: &Oid| commits::read(&self.repository, *id);
                let commits: Vec<_> = (found.list.iter().map(read))
                    .collect::<std::result::Result<_, _>>()
                    .map_err(|error| self.broken(&error))?;
                // As git format-patch: a commit that changes nothing is none.
                commits
                    .into_iter()
                    .filter(|it| !it.diff.is_empty())
                    .collect()
            }
        };
        if commits.is_empty() {
            return fail(Kind::Usage, format!("{} changes nothing", self.name));
        }
        let series = series::from_commits(&commits).kind(Kind::Usage)?;
        Ok(Read { series, notes })
    }

    fn commits(&self) -> Result<Found> {
        let What::Commits { tip, without } = self.what else {
            return Ok(Found::default());
        };
        let found = between(&self.repository, tip, without).map_err(|error| self.broken(&error))?;
        let (name, path) = (&self.name, &self.path);
        if found.list.len() > MAX_COMMITS {
            return fail(
                Kind::Usage,
                format!("{name} is more than {MAX_COMMITS} commits of {path}"),
            )
            .hint("name fewer of them: A..B");
        }
        match (found.list.is_empty(), found.merges, without) {
            (false, ..) => Ok(found),
            (true, 0, _) => fail(Kind::Usage, format!("{name} has no commit of {path}")),
            (true, _, None) => fail(Kind::Usage, format!("{name} is a merge, which is no patch"))
                .hint("name the commits that it merged: A..B"),
            (true, _, Some(_)) => fail(Kind::Usage, format!("{name} has nothing but merges")),
        }
    }

    fn broken(&self, error: &git2::Error) -> Failure {
        let (path, name) = (&self.path, &self.name);
        let error = printable(error.message());
        Failure::new(Kind::Usage, anyhow::anyhow!("{path}: {name}: {error}"))
    }
}

/// The commits of a range, the oldest first.
#[derive(Default)]
struct Found {
    list: Vec<Oid>,
    merges: usize,
}

impl Found {
    fn note(&self) -> Option<String> {
        match self.merges {
            0 => None,
            1 => Some("a merge in the range is left out, as git format-patch does".to_owned()),
            n => Some(format!(
                "{n} merges in the range are left out, as git format-patch does"
            )),
        }
    }
}

/// Commits without merges, as many as are too many at most.
fn between(
    repository: &Repository,
    tip: Oid,
    without: Option<Oid>,
) -> std::result::Result<Found, git2::Error> {
    let mut found = Found::default();
    let mut add = |id: Oid| {
        match repository.find_commit(id)?.parent_count() {
            0 | 1 => found.list.push(id),
            _ => found.merges += 1,
        }
        Ok::<_, git2::Error>(found.list.len() > MAX_COMMITS)
    };
    let Some(without) = without else {
        add(tip)?;
        return Ok(found);
    };
    let mut walk = repository.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL)?;
    walk.push(tip)?;
    walk.hide(without)?;
    for id in walk {
        if add(id?)? {
            break;
        }
    }
    found.list.reverse();
    Ok(found)
}

impl What {
    fn of(repository: &Repository, name: &str) -> Result<Option<(Self, Option<String>)>> {
        if name == WORK_TREE {
            if repository.is_bare() {
                return fail(
                    Kind::Usage,
                    format!("{} has no work tree", repository.path().display()),
                );
            }
            let head = commit(repository, "HEAD")?;
            return Ok(head.map(|head| (Self::WorkTree { head }, None)));
        }
        // No name of git's begins like a path.
        if ["/", "./", "../"]
            .iter()
            .any(|start| name.starts_with(start))
        {
            return Ok(None);
        }
        if name.contains("...") {
            return fail(
                Kind::Usage,
                format!(
                    "{} has three dots; what a series is has two",
                    printable(name)
                ),
            )
            .hint("A..B: the commits that B has and A has not");
        }
        if let Some((without, tip)) = name.split_once("..") {
            let one = |name: &str| {
                let name = if name.is_empty() { "HEAD" } else { name };
                match commit(repository, name)? {
                    Some(id) => Ok(id),
                    None => {
                        let place = repository.workdir().unwrap_or(repository.path());
                        unknown(&place.to_string_lossy(), name)
                    }
                }
            };
            let (tip, without) = (one(tip)?, Some(one(without)?));
            return Ok(Some((Self::Commits { tip, without }, None)));
        }
        let reference = repository.resolve_reference_from_short_name(name).ok();
        // HEAD is the commit that it is at, on whatever branch.
        let reference = reference.filter(|_| !["HEAD", "@"].contains(&name));
        if let Some(branch) = reference.filter(|it| it.is_branch() || it.is_remote()) {
            return branch_since_its_base(repository, name, &branch).map(Some);
        }
        let Some(tip) = commit(repository, name)? else {
            return Ok(None);
        };
        let is_branch = repository.find_branch(name, BranchType::Local).is_ok();
        let name = printable(name);
        let note = match is_branch {
            true => format!(
                "{name} is a tag and a branch: the tag's one commit is read; refs/heads/{name} is \
                 the branch"
            ),
            false => format!("{name} is read as one commit, {}", short(tip)),
        };
        Ok(Some((Self::Commits { tip, without: None }, Some(note))))
    }
}

fn commit(repository: &Repository, name: &str) -> Result<Option<Oid>> {
    let found = repository.revparse_single(name);
    match found.and_then(|object| object.peel_to_commit()) {
        Ok(commit) => Ok(Some(commit.id())),
        Err(error) if error.code() == ErrorCode::Ambiguous => fail(
            Kind::Usage,
            format!("{} names several objects", printable(name)),
        ),
        Err(_) => Ok(None),
    }
}

/// A branch is what it has beyond its upstream, or else beyond the release that
/// it stands on.
fn branch_since_its_base(
    repository: &Repository,
    name: &str,
    branch: &Reference<'_>,
) -> Result<(What, Option<String>)> {
    let shown = printable(name);
    let broken = |error: git2::Error| anyhow::anyhow!("{shown}: {}", printable(error.message()));
    let tip = branch.peel_to_commit().map_err(broken).kind(Kind::Usage)?;
    let tip = tip.id();
    let base = match upstream(repository, branch, tip) {
        Some(base) => Some(base),
        None => release(repository, tip).map_err(broken).kind(Kind::Usage)?,
    };
    let Some((base, called)) = base else {
        return fail(
            Kind::Usage,
            format!("where the branch {shown} begins is not known: no upstream, no release's tag"),
        )
        .hint(format!("name its first commit's parent: A..{shown}"));
    };
    let note = format!(
        "the branch {shown} is read as {}..{shown}",
        printable(&called)
    );
    let without = Some(base);
    Ok((What::Commits { tip, without }, Some(note)))
}

/// The upstream, unless it has all that the branch has: then it is a copy.
fn upstream(repository: &Repository, branch: &Reference<'_>, tip: Oid) -> Option<(Oid, String)> {
    let upstream = repository.branch_upstream_name(branch.name().ok()?).ok()?;
    let upstream = upstream.as_str().ok()?.to_owned();
    let commit = repository.find_reference(&upstream).ok()?.peel_to_commit();
    let base = commit.ok()?.id();
    let copied = base == tip || repository.graph_descendant_of(base, tip).ok()?;
    let called = upstream.trim_start_matches("refs/remotes/");
    let called = called.trim_start_matches("refs/heads/").to_owned();
    (!copied).then_some((base, called))
}

/// The nearest release among a commit's first parents.
fn release(
    repository: &Repository,
    tip: Oid,
) -> std::result::Result<Option<(Oid, String)>, git2::Error> {
    let mut tags = std::collections::BTreeMap::new();
    for name in repository
        .tag_names(Some("v[0-9]*"))?
        .iter()
        .flatten()
        .flatten()
    {
        let reference = repository.find_reference(&format!("refs/tags/{name}"));
        if let Ok(commit) = reference.and_then(|it| it.peel_to_commit()) {
            tags.insert(commit.id(), name.to_owned());
        }
    }
    let mut walk = repository.revwalk()?;
    walk.simplify_first_parent()?;
    walk.push(tip)?;
    for id in walk.take(MAX_DISTANCE) {
        let id = id?;
        if let Some(name) = tags.remove(&id).filter(|_| id != tip) {
            return Ok(Some((id, name)));
        }
    }
    Ok(None)
}

fn short(id: Oid) -> String {
    let mut text = id.to_string();
    text.truncate(12);
    text
}
