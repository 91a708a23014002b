//! From a kernel's name to its built arms.

use std::ops::ControlFlow;
use std::path::Path;

use kernel::IoError;
use kernel::apply::{self, ApplyError, Arms, Prerequisite, Report, Verdict};
use kernel::build::diagnose::Diagnostic;
use kernel::build::inspect::Checker;
use kernel::build::kconfig::{Fragment, merge};
use kernel::build::selftests::{Missing, Selftest, Selftests};
use kernel::build::{self, BuildError, Builder, Built, Folder, Target, Toolchain};
use kernel::scripts::checkpatch;
use kernel::source::{self, KernelOrg, SourceError, Sources, Spec};
use kernel::store::{Oid, Progress, Store, StoreError};
use results::Arm;
use series::patch::Patch;

use crate::exit::{Classify, Failure, Kind, Result, fail};
use crate::flavour::Flavour;
use crate::home::workspace;
use crate::host;
use crate::input::Series;
use crate::job::Job;

/// A kernel with its series applied.
pub struct Tree {
    /// What the user called it.
    pub name: String,
    /// What its Makefile says.
    pub version: String,
    /// How the series fared.
    pub report: Report,
    /// The commits to compare; none where the series does not apply.
    pub arms: Option<Arms>,
}

/// A kernel whose arms are built.
pub struct Kernel {
    /// What the user called it.
    pub name: String,
    /// What its Makefile says.
    pub version: String,
    /// How the series fared.
    pub apply: Report,
    /// The subjects of what both arms got beside the series.
    pub prerequisites: Vec<String>,
    /// The kernels; held, so that no prune takes them.
    pub built: Vec<(Arm, Built)>,
    arms: Arms,
    pub flavour: Flavour,
    /// Whether base is in both arms.
    twin: bool,
}

impl Kernel {
    /// Base in both arms.
    pub fn against_itself(mut self) -> Self {
        self.arms.patched = self.arms.base;
        self.twin = true;
        self
    }

    /// One arm's kernel.
    pub fn built(&self, arm: Arm) -> Result<&Built> {
        let arm = if self.twin { Arm::Base } else { arm };
        match self.built.iter().find(|(it, _)| *it == arm) {
            Some((_, built)) => Ok(built),
            None => fail(
                Kind::Build,
                format!("the {} arm was not built", arm.as_str()),
            ),
        }
    }

    /// One arm's image.
    pub fn image(&self, arm: Arm) -> Result<&Path> {
        Ok(&self.built(arm)?.image)
    }

    /// One arm's commit.
    pub fn commit(&self, arm: Arm) -> Oid {
        match arm {
            Arm::Base => self.arms.base,
            Arm::Patched => self.arms.patched,
        }
    }
}

/// Imports a kernel where it is not yet, and applies the series to it.
pub fn apply(job: &Job, store: &Store, series: &Series, name: &str) -> Result<Tree> {
    let spec: Spec = name.parse().kind(Kind::Usage)?;
    let kernel_org = KernelOrg::from_environment().kind(Kind::Usage)?;
    let programs = job.programs();
    let sources = Sources {
        store,
        cache: &job.cache,
        kernel_org: &kernel_org,
        runner: &programs,
        offline: job.offline,
    };
    let mut stage = String::new();
    let mut begin = |name: String| {
        if stage != name {
            job.progress.stage(&name);
            stage = name;
        }
    };
    let found = sources
        .ensure(&spec, &mut |event| match event {
            source::Event::Fetching { what, from, share } => {
                begin(format!("Fetching {what} from {from}"));
                if let Some(share) = share {
                    job.progress.step((share * 100.0) as u64, Some(100), "%");
                }
            }
            source::Event::Importing(progress) => {
                begin("Importing the kernel's source".to_owned());
                let total = progress
                    .share
                    .filter(|share| *share > 0.0)
                    .map(|share| (progress.files as f64 / share) as u64);
                job.progress.step(progress.files, total, "files");
            }
        })
        .map_err(|error| Failure::new(blame(&error), error))?;
    job.progress.finish(&found.version);
    let prerequisites: Vec<Prerequisite> = series
        .prerequisites
        .iter()
        .flat_map(|(symbol, patches)| {
            patches.iter().map(|p| Prerequisite {
                symbol: symbol.clone(),
                patch: p.clone(),
            })
        })
        .collect();
    let inverses: Vec<_> = series.inverses.iter().flatten().cloned().collect();
    let arms_of = |patches: &[Patch]| {
        apply::arms(
            store,
            name,
            found.commit,
            patches,
            &prerequisites,
            &inverses,
        )
        .map_err(not_applied)
    };
    let mut prepared = arms_of(&series.patches_for(&found.version)?)?;
    if prepared.report.verdict == Verdict::Conflict
        && let Some((folder, patches)) = series.stand_in_for(&found.version)?
    {
        let instead = arms_of(&patches)?;
        if instead.arms.is_some() {
            prepared = instead;
            prepared.report.notes.push(format!(
                "the patches themselves do not apply to this kernel; those that {folder} has for \
                 it are tested instead"
            ));
        }
    }
    Ok(Tree {
        name: name.to_owned(),
        version: found.version,
        report: prepared.report,
        arms: prepared.arms,
    })
}

/// Whether a name is at fault, or the world.
fn blame(error: &SourceError) -> Kind {
    match error {
        SourceError::Io(IoError::Cancelled) => Kind::Interrupted,
        error if error.is_usage() => Kind::Usage,
        _ => Kind::Infrastructure,
    }
}

/// The store of the user's cache.
pub fn store(job: &Job) -> Result<Store> {
    fs_err::create_dir_all(&job.cache).kind(Kind::Infrastructure)?;
    Store::open(&job.cache).kind(Kind::Infrastructure)
}

/// Applies the series to a kernel and builds the arms that are not built yet,
/// base first.
pub fn build(
    job: &Job,
    series: &Series,
    name: &str,
    flavour: Flavour,
    wanted: &[Arm],
) -> Result<Kernel> {
    let store = store(job)?;
    let tree = apply(job, &store, series, name)?;
    let Some(arms) = tree.arms else {
        return Err(refusal(&tree));
    };
    job.progress.note(&in_words(&tree.report));
    // The next edit starts from this one's objects, and nothing else does.
    let passing = |arm: &Arm| *arm == Arm::Patched && series.is_work_tree;
    let (passing, kept): (Vec<Arm>, Vec<Arm>) = wanted.iter().partition(|arm| passing(arm));
    let mut built = Vec::new();
    let lists = [(kept, true), (passing, false)].into_iter();
    for (list, keep_objects) in lists.filter(|(list, _)| !list.is_empty()) {
        let named = |arm: &Arm| match arm {
            Arm::Base => (arm.to_string(), arms.base),
            Arm::Patched => (arm.to_string(), arms.patched),
        };
        let commits = targets(&store, &list.iter().map(named).collect::<Vec<_>>())?;
        let made = compile(job, &store, &tree.version, flavour, &commits, keep_objects).map_err(
            |failure| match series.is_work_tree {
                // Of an edit that nobody has committed yet the compiler says enough.
                true => failure,
                false => advise(failure, &tree.name, &series.patches),
            },
        )?;
        built.extend(list.into_iter().zip(made));
    }
    Ok(Kernel {
        name: tree.name,
        version: tree.version,
        prerequisites: tree.report.prerequisites.clone(),
        apply: tree.report,
        built,
        arms,
        flavour,
        twin: false,
    })
}

/// Builds the patched arm with one patch more.
pub fn mutant(job: &Job, kernel: &Kernel, name: &str, patch: &Patch) -> Result<Built> {
    let store = store(job)?;
    let patched = kernel.arms.patched;
    let applied =
        apply::apply(&store, patched, std::slice::from_ref(patch)).map_err(not_applied)?;
    if applied.verdict >= Verdict::AlreadyApplied {
        let text = format!("{name} on the patched arm: {}", applied.verdict.as_str());
        return fail(Kind::Apply, text);
    }
    on_patched(job, &store, kernel, name, applied.commit)
}

/// Builds the patched arm with other texts of files that it has.
pub fn with_files(
    job: &Job,
    kernel: &Kernel,
    name: &str,
    files: &[(String, String)],
) -> Result<Built> {
    let store = store(job)?;
    let commit = store
        .with_files(kernel.arms.patched, name, files)
        .kind(Kind::Infrastructure)?;
    on_patched(job, &store, kernel, name, commit)
}

/// Builds a commit on top of the patched arm, from that one's objects.
fn on_patched(job: &Job, store: &Store, kernel: &Kernel, name: &str, commit: Oid) -> Result<Built> {
    let list = [
        (Arm::Patched.to_string(), kernel.arms.patched),
        (name.to_owned(), commit),
    ];
    let list = targets(store, &list)?;
    let built = compile(job, store, &kernel.version, kernel.flavour, &list, false)?;
    match built.into_iter().nth(1) {
        Some(built) => Ok(built),
        None => fail(Kind::Build, format!("{name} was not built")),
    }
}

/// A file of one arm, where it has it.
pub fn source(job: &Job, kernel: &Kernel, arm: Arm, path: &str) -> Result<Option<String>> {
    let file = store(job)?.file(kernel.commit(arm), path);
    let file = file.kind(Kind::Infrastructure)?;
    Ok(file.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The files in which the arms differ.
pub fn changed(job: &Job, kernel: &Kernel) -> Result<Vec<String>> {
    let [base, patched] = Arm::BOTH.map(|arm| kernel.commit(arm));
    let changed = store(job)?.changed(base, patched);
    changed.kind(Kind::Infrastructure)
}

/// Which of these texts the compiler makes the same code of as of the patched arm's own
/// file.
pub fn same_code(job: &Job, kernel: &Kernel, path: &str, texts: &[String]) -> Result<Vec<bool>> {
    let store = store(job)?;
    let patched = kernel.arms.patched;
    let mut list = vec![(Arm::Patched.to_string(), patched)];
    for text in texts {
        let file = [(path.to_owned(), text.clone())];
        let commit = store.with_files(patched, path, &file);
        list.push((path.to_owned(), commit.kind(Kind::Infrastructure)?));
    }
    let list = targets(&store, &list)?;
    let (version, flavour) = (&kernel.version, kernel.flavour);
    with_builder(job, &store, version, flavour, false, |builder, folder| {
        let mut stage = String::new();
        let mut watch = |target: &Target, event: build::Event<'_>| {
            progress(job, &mut stage, &target.name, &event);
        };
        let same = builder.same_objects(folder, &list, path, &mut watch);
        job.progress.finish("");
        same
    })
}

fn targets(store: &Store, list: &[(String, Oid)]) -> Result<Vec<Target>> {
    list.iter()
        .map(|(name, commit)| Target::of(store, name, *commit).kind(Kind::Infrastructure))
        .collect()
}

/// One commit of a series, built and looked at.
pub struct Inspected {
    /// Its subject.
    pub subject: String,
    /// Its commit.
    pub commit: Oid,
    /// The kernel.
    pub built: Built,
    /// What the compiler warns of at `W=1` that it did not of the parent.
    pub warnings: Vec<Diagnostic>,
    /// The same of sparse; none where that is not installed.
    pub sparse: Option<Vec<Diagnostic>>,
    /// What the tree's own checkpatch.pl says; none where it has none.
    pub checkpatch: Option<Vec<checkpatch::Finding>>,
}

/// The commits of a series on one kernel, each built and looked at, the first
/// one first.
pub fn each_commit(
    job: &Job,
    series: &Series,
    name: &str,
    flavour: Flavour,
) -> Result<Vec<Inspected>> {
    let store = store(job)?;
    let tree = apply(job, &store, series, name)?;
    let Some(arms) = &tree.arms else {
        return Err(refusal(&tree));
    };
    job.progress.note(&in_words(&tree.report));
    let patches = arms.commits.iter().zip(1..);
    let list: Vec<_> = std::iter::once((Arm::Base.to_string(), arms.base))
        .chain(patches.map(|(commit, nth)| (format!("patch {nth}"), *commit)))
        .collect();
    let list = targets(&store, &list)?;
    let built = compile(job, &store, &tree.version, flavour, &list, true)
        .map_err(|failure| advise(failure, &tree.name, &series.patches))?;
    let has_sparse = host::which("sparse").is_some();
    let mut inspected = Vec::new();
    for ((pair, built), commit) in list
        .windows(2)
        .zip(built.into_iter().skip(1))
        .zip(&arms.commits)
    {
        let [before, after] = pair else { continue };
        let look = |checker: Checker| {
            with_builder(
                job,
                &store,
                &tree.version,
                flavour,
                false,
                |builder, folder| {
                    let mut stage = String::new();
                    let mut watch = |event: build::Event<'_>| {
                        let what = format!("{} for new warnings", after.name);
                        progress(job, &mut stage, &what, &event);
                    };
                    let found = builder.new_warnings(folder, [before, after], checker, &mut watch);
                    job.progress.finish("");
                    found
                },
            )
        };
        inspected.push(Inspected {
            subject: store.subject(*commit).kind(Kind::Infrastructure)?,
            commit: *commit,
            built,
            warnings: look(Checker::Compiler)?,
            sparse: has_sparse.then(|| look(Checker::Sparse)).transpose()?,
            checkpatch: checkpatched(job, &store, *commit)?,
        });
    }
    Ok(inspected)
}

/// What checkpatch.pl says of a commit, as the mail that git would make of it.
fn checkpatched(job: &Job, store: &Store, commit: Oid) -> Result<Option<Vec<checkpatch::Finding>>> {
    let cache = job.opened()?;
    let mail = store.mail(commit).kind(Kind::Infrastructure)?;
    let (programs, toolchain) = (job.programs(), Toolchain::default());
    checkpatch::check(store, cache, &programs, &toolchain, commit, &mail).map_err(classify)
}

/// Builds what is not built yet of commits of one kernel.
fn compile(
    job: &Job,
    store: &Store,
    version: &str,
    flavour: Flavour,
    targets: &[Target],
    keep_objects: bool,
) -> Result<Vec<Built>> {
    let mut stage = String::new();
    with_builder(
        job,
        store,
        version,
        flavour,
        keep_objects,
        |builder, folder| {
            builder.ensure(folder, targets, &mut |target, event| {
                progress(job, &mut stage, &target.name, &event);
            })
        },
    )
}

/// What builds one kernel's commits, and its source folder.
fn with_builder<T>(
    job: &Job,
    store: &Store,
    version: &str,
    flavour: Flavour,
    keep_objects: bool,
    work: impl FnOnce(&Builder<'_>, &mut Folder<'_>) -> std::result::Result<T, BuildError>,
) -> Result<T> {
    let cache = job.opened()?;
    let requests = merge(&fragments(flavour)?);
    let programs = job.programs();
    let toolchain = Toolchain::default();
    let modules = [workspace().join("kernel-tests/module")];
    let builder = Builder {
        cache,
        runner: &programs,
        toolchain: &toolchain,
        requests: &requests,
        modules: &modules,
        keep_objects,
    };
    let mut watch = |progress: Progress| {
        let total = progress
            .share
            .map(|share| (progress.files as f64 / share) as u64);
        job.progress.step(progress.files, total, "files");
        if job.cancel.cancelled() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let mut folder = Folder::new(cache, store, version, &mut watch);
    work(&builder, &mut folder).map_err(classify)
}

pub fn classify(error: BuildError) -> Failure {
    let kind = match &error {
        BuildError::Io(IoError::Cancelled) => Kind::Interrupted,
        BuildError::Io(_) | BuildError::Source(_) | BuildError::Tool { .. } => Kind::Infrastructure,
        BuildError::Failed { cause, .. } if cause.is_the_hosts() => Kind::Infrastructure,
        BuildError::Failed { .. } | BuildError::Config(_) => Kind::Build,
    };
    Failure::new(kind, error)
}

/// Only a patch that does not fit is one that does not apply.
fn not_applied(error: ApplyError) -> Failure {
    let kind = match &error {
        ApplyError::Store(StoreError::Io(IoError::Cancelled)) => Kind::Interrupted,
        ApplyError::Store(_) => Kind::Infrastructure,
        ApplyError::Path { .. } | ApplyError::Helper { .. } => Kind::Apply,
    };
    Failure::new(kind, error)
}

/// The kernel's own tests of these names, from one arm's tree. Those that do
/// not compile are said.
pub fn selftests(job: &Job, kernel: &Kernel, arm: Arm, names: &[&str]) -> Result<Vec<Selftest>> {
    let store = store(job)?;
    let cache = job.opened()?;
    let programs = job.programs();
    let toolchain = Toolchain::default();
    let selftests = Selftests {
        store: &store,
        cache,
        runner: &programs,
        toolchain: &toolchain,
    };
    let mut compiled = false;
    let made = selftests
        .ensure(kernel.commit(arm), names, &mut || {
            compiled = true;
            job.progress.stage("Compiling the kernel's own tests");
        })
        .map_err(classify)?;
    if compiled {
        job.progress.finish("");
    }
    for test in &made {
        if let Err(why @ Missing::Broken(_)) = &test.program {
            let (name, arm) = (&test.name, arm.as_str());
            job.progress
                .note(&format!("{name} of {arm} is not run: {why}"));
        }
    }
    Ok(made)
}

fn progress(job: &Job, stage: &mut String, target: &str, event: &build::Event<'_>) {
    let mut begin = |what: &str| {
        let name = format!("{what} {target}");
        if *stage != name {
            job.progress.stage(&name);
            *stage = name;
        }
    };
    match event {
        build::Event::Waiting => begin("Waiting for another command that builds"),
        build::Event::Configuring => begin("Configuring"),
        build::Event::Preparing => begin("Laying out the source of"),
        build::Event::Started { .. } => begin("Building"),
        build::Event::Object { done, total, name } => {
            let total = total.map(u64::from);
            let name: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
            job.progress.step(u64::from(*done), total, &name);
        }
        build::Event::Ready { cached: true } => {}
        build::Event::Ready { cached: false } => job.progress.finish(""),
    }
}

/// The Kconfig fragments of a flavour.
fn fragments(flavour: Flavour) -> Result<Vec<Fragment>> {
    let folder = workspace().join("kernel-tests/configs");
    let read = |name: &&str| {
        let text = fs_err::read_to_string(folder.join(name)).kind(Kind::Infrastructure)?;
        Fragment::parse(name, &text).kind(Kind::Usage)
    };
    flavour.fragments().iter().map(read).collect()
}

/// How the series fared, in a line.
pub fn in_words(report: &Report) -> String {
    let mut text = format!("{}: {}", report.kernel, report.verdict.as_str());
    if !report.missing_symbols.is_empty() {
        text.push_str(&format!("; lacks {}", report.missing_symbols.join(", ")));
    }
    for prerequisite in &report.prerequisites {
        text.push_str(&format!("; both arms get {prerequisite:?}"));
    }
    for note in &report.notes {
        text.push_str(&format!("; {note}"));
    }
    text
}

/// Why there are no arms, and what to do.
pub fn refusal(tree: &Tree) -> Failure {
    let (report, name) = (&tree.report, &tree.name);
    let refused = |text: String| Failure::new(Kind::Apply, anyhow::Error::msg(text));
    if report.verdict == Verdict::AlreadyApplied {
        return refused(format!("{name} has the series already"))
            .hint("name a change that takes it out as [[inverse]] in the manifest");
    }
    let mut text = format!("the series does not apply to {name}");
    for patch in &report.patches {
        for hunk in &patch.hunks {
            if let Some(conflict) = &hunk.conflict {
                let conflict = conflict.trim_end();
                text.push_str(&format!("\n{}: {}:\n{conflict}", patch.subject, hunk.file));
            }
        }
    }
    refused(text)
}

/// The symbol for want of which a build failed, where the patches use it.
pub fn lacks<'a>(failure: &'a Failure, patches: &[Patch]) -> Option<&'a str> {
    let Some(BuildError::Failed { cause, .. }) = failure.error.downcast_ref() else {
        return None;
    };
    let symbol = cause.unknown_symbol()?;
    apply::uses(patches, symbol).then_some(symbol)
}

/// The failure of a build, with what to do where the kernel lacks a symbol.
fn advise(failure: Failure, kernel: &str, patches: &[Patch]) -> Failure {
    let advice = lacks(&failure, patches).map(|symbol| {
        format!(
            "{kernel} lacks `{symbol}`, which the series uses; name the patch that provides it as [[prerequisite]] in the manifest"
        )
    });
    match advice {
        Some(advice) => failure.hint(advice),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::build::diagnose::Cause;

    /// A build that the compiler ended with this message.
    fn failed(message: &str) -> Failure {
        let diagnostic = Diagnostic {
            file: "mm/oom_kill.c".into(),
            line: 1,
            column: None,
            message: message.into(),
            context: Vec::new(),
        };
        classify(BuildError::Failed {
            what: "patched".into(),
            cause: Box::new(Cause::Compiler(diagnostic)),
            log: "x.log".into(),
        })
    }

    #[test]
    fn whose_fault_it_was() {
        let store = || StoreError::Io(IoError::Other(std::io::Error::other("EIO")));
        let damaged = || StoreError::Git {
            path: "kernels.git".into(),
            source: git2::Error::from_str("pack is cut"),
        };
        let build = |cause| BuildError::Failed {
            what: "patched".into(),
            cause: Box::new(cause),
            log: "x.log".into(),
        };
        let cancelled = StoreError::Io(IoError::Cancelled);
        for (failure, kind) in [
            (not_applied(store().into()), Kind::Infrastructure),
            (not_applied(damaged().into()), Kind::Infrastructure),
            (not_applied(cancelled.into()), Kind::Interrupted),
            (classify(store().into()), Kind::Infrastructure),
            (classify(damaged().into()), Kind::Infrastructure),
            (
                classify(build(Cause::Killed("cc1".into()))),
                Kind::Infrastructure,
            ),
            (
                classify(build(Cause::Host("EMFILE".into()))),
                Kind::Infrastructure,
            ),
            (classify(build(Cause::Unknown(Vec::new()))), Kind::Build),
        ] {
            assert_eq!(failure.kind, kind, "{failure}");
        }
    }

    #[test]
    fn a_build_proves_what_is_missing() {
        let diff = b"--- a/mm/oom_kill.c\n+++ b/mm/oom_kill.c\n@@ -1 +1 @@\n-one();\n+mas_for_each_rev(&mas, vma, 0)\n";
        let mail = [
            b"From: A <a@example.org>\nSubject: [PATCH] mm: x\n\nWhy.\n---\n".as_slice(),
            diff,
        ];
        let patches = series::parse(&mail.concat()).unwrap().patches;
        let implicit = |name: &str| {
            failed(&format!(
                "implicit declaration of function '{name}'; did you"
            ))
        };
        let failure = advise(implicit("mas_for_each_rev"), "6.12", &patches);
        assert_eq!(failure.kind, Kind::Build);
        assert_eq!(lacks(&failure, &patches), Some("mas_for_each_rev"));
        let [hint] = failure.hints.as_slice() else {
            panic!("{:?}", failure.hints);
        };
        assert!(hint.contains("6.12 lacks `mas_for_each_rev`"), "{hint}");
        // What the patches don't name, or what is no want of a symbol.
        for failure in [
            implicit("mas_find_rev"),
            failed("expected ';' before 'mas_for_each_rev'"),
            Failure::new(Kind::Build, anyhow::anyhow!("no compiler")),
        ] {
            let failure = advise(failure, "6.12", &patches);
            assert_eq!(failure.hints, [""; 0]);
        }
    }
}
