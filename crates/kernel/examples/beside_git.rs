//! Many real mails beside git and GNU patch: who says what of each patch.
//!
//! `beside_git CACHE KERNEL FOLDER...`: `CACHE` has an imported kernel whose id
//! begins with `KERNEL` (`debian/6.12`), each folder mailboxes of one input each.
//! An input is applied in that store, which has seen all inputs before it, and in
//! one that has seen nothing: both must say and make the same. Then, per patch and
//! in order, `git apply --cached`, `-R`, `-3` and `patch -p1` are asked.
//!
//! Prints a line for each patch that differs, and for each that applies though all
//! lines that it adds to a file stood there; then the counts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement, run by hand"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kernel::apply::{Verdict, apply};
use kernel::store::{Kernel, Oid, Store};
use series::patch::{FileDiff, LineKind, Patch};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [cache, kernel, folders @ ..] = args.as_slice() else {
        panic!("beside_git CACHE KERNEL FOLDER...");
    };
    let store = Store::open(Path::new(cache)).unwrap();
    let kernels = store.kernels().unwrap();
    let kernel = kernels
        .iter()
        .find(|one| one.id.starts_with(kernel))
        .unwrap();
    let mut inputs: Vec<PathBuf> = (folders.iter())
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    inputs.sort();
    let mut tally = Tally::default();
    for input in &inputs {
        let name = input.file_name().unwrap().to_string_lossy();
        match series::parse(&fs::read(input).unwrap()) {
            Ok(series) => one(&store, kernel, &name, &series.patches, &mut tally),
            Err(error) => tally.count("unread", &format!("{name}: {error}")),
        }
    }
    tally.show();
}

fn one(store: &Store, kernel: &Kernel, name: &str, patches: &[Patch], tally: &mut Tally) {
    let fresh = Fresh::new(store, kernel);
    let begun = Instant::now();
    let used = apply(store, kernel.commit, patches).unwrap();
    tally.times.push(begun.elapsed());
    if apply(&fresh.store, kernel.commit, patches).unwrap() != used {
        tally.count("A USED STORE DIFFERS", name);
    }
    let mut below = kernel.commit;
    for ((patch, report), made) in patches.iter().zip(&used.patches).zip(&used.commits) {
        let name = format!("{name} {:?}", patch.subject);
        let theirs = fresh.ask(below, patch);
        tally.count(&theirs.beside(&fresh, report.verdict, *made, patch), &name);
        let Some(made) = *made else { continue };
        for file in patch.files.iter().filter(|file| fresh.stood(below, file)) {
            tally.count("STOOD THERE", &format!("{name} {}", file.path()));
        }
        below = made;
    }
}

/// The files of a patch, by path: their mode and blob.
type Files = BTreeMap<String, String>;

/// What git and patch make of one patch.
struct Theirs {
    git: Option<Files>,
    back: bool,
    three: Option<Files>,
    patch: bool,
}

impl Theirs {
    fn beside(&self, fresh: &Fresh, ours: Verdict, made: Option<Oid>, patch: &Patch) -> String {
        let files = made.map(|made| fresh.files(made, patch));
        let theirs = match self {
            Self { git: Some(_), .. } => "git applies it",
            Self { back: true, .. } => "git has it",
            Self { three: Some(_), .. } => "git merges it",
            Self { patch: true, .. } => "patch applies it",
            _ => "all refuse",
        };
        let none = self.git.is_none();
        let same = match ours {
            Verdict::Clean | Verdict::Offset => files == self.git,
            Verdict::ThreeWay => none && files == self.three,
            Verdict::Fuzz => none && self.patch,
            Verdict::AlreadyApplied => none && self.back,
            _ => none && !self.back && !self.patch && self.three.is_none(),
        };
        let word = if same { "same" } else { "DIFFERS" };
        format!("{word}: {}, {theirs}", ours.as_str())
    }
}

#[derive(Default)]
struct Tally {
    counts: BTreeMap<String, usize>,
    times: Vec<Duration>,
}

impl Tally {
    fn count(&mut self, what: &str, whose: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
        if !what.starts_with("same") {
            println!("{what} | {whose}");
        }
    }

    fn show(mut self) {
        println!("\n{} inputs", self.times.len());
        for (what, count) in &self.counts {
            println!("{count:6} {what}");
        }
        self.times.sort();
        let at = |share: usize| self.times.get(self.times.len() * share / 100);
        println!(
            "median {:?}, 99 % {:?}, slowest {:?}",
            at(50),
            at(99),
            self.times.last()
        );
    }
}

/// A store with a kernel and nothing that runs have left.
struct Fresh {
    store: Store,
    dir: tempfile::TempDir,
}

impl Fresh {
    fn new(used: &Store, kernel: &Kernel) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let packs = store.path().join("objects/pack");
        fs::create_dir_all(&packs).unwrap();
        for entry in fs::read_dir(used.path().join("objects/pack")).unwrap() {
            let path = entry.unwrap().path();
            symlink(&path, packs.join(path.file_name().unwrap())).unwrap();
        }
        let id = kernel.commit.to_string();
        let loose = format!("objects/{}/{}", &id[..2], &id[2..]);
        if used.path().join(&loose).exists() {
            fs::create_dir_all(store.path().join(&loose).parent().unwrap()).unwrap();
            fs::copy(used.path().join(&loose), store.path().join(&loose)).unwrap();
        }
        Self { store, dir }
    }

    /// A program's output, where it succeeds.
    fn run(&self, program: &str, args: &[&str], input: &[u8], folder: &Path) -> Option<Vec<u8>> {
        let mut child = Command::new(program)
            .args(args)
            .current_dir(folder)
            .env("GIT_DIR", self.store.path())
            .env("GIT_INDEX_FILE", self.dir.path().join("index"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(input);
        let out = child.wait_with_output().unwrap();
        out.status.success().then_some(out.stdout)
    }

    fn git(&self, args: &[&str], input: &[u8]) -> Option<Vec<u8>> {
        self.run("git", args, input, self.dir.path())
    }

    fn ask(&self, below: Oid, patch: &Patch) -> Theirs {
        let diff = series::patch::diff(&patch.files);
        let before = self.files(below, patch);
        let index: String = (before.iter())
            .map(|(path, file)| format!("{file}\t{path}\n"))
            .collect();
        let tried = |args: &[&str]| {
            let _ = fs::remove_file(self.dir.path().join("index"));
            self.git(&["update-index", "--index-info"], index.as_bytes())
                .unwrap();
            self.git(&[&["apply", "--cached"], args].concat(), &diff)?;
            let staged = String::from_utf8(self.git(&["ls-files", "-s"], b"")?).unwrap();
            let file = |line: &str| {
                let (file, path) = line.split_once('\t').unwrap();
                let file = file.strip_suffix(" 0")?;
                Some((path.to_owned(), file.to_owned()))
            };
            staged.lines().map(file).collect()
        };
        let folder = tempfile::tempdir().unwrap();
        for path in before.keys() {
            let place = folder.path().join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, self.text(below, path).unwrap()).unwrap();
        }
        let gnu = ["-p1", "-f", "-s", "-N", "--dry-run", "--fuzz=2"];
        Theirs {
            git: tried(&[]),
            back: tried(&["-R"]).is_some(),
            three: tried(&["-3"]),
            patch: self.run("patch", &gnu, &diff, folder.path()).is_some(),
        }
    }

    fn files(&self, commit: Oid, patch: &Patch) -> Files {
        let repo = git2::Repository::open_bare(self.store.path()).unwrap();
        let tree = repo.find_commit(commit).unwrap().tree().unwrap();
        let both = |diff: &FileDiff| [diff.old_path.clone(), diff.new_path.clone()];
        let paths = patch.files.iter().flat_map(both).flatten();
        let file = |path: String| {
            let entry = tree.get_path(path.as_ref()).ok()?;
            let file = format!("{:06o} {}", entry.filemode(), entry.id());
            entry.to_object(&repo).ok()?.as_blob()?;
            Some((path, file))
        };
        paths.filter_map(file).collect()
    }

    fn text(&self, commit: Oid, path: &str) -> Option<Vec<u8>> {
        let repo = git2::Repository::open_bare(self.store.path()).unwrap();
        let tree = repo.find_commit(commit).unwrap().tree().unwrap();
        let entry = tree.get_path(path.as_ref()).ok()?;
        Some(repo.find_blob(entry.id()).ok()?.content().to_vec())
    }

    /// Whether each run of lines that a diff adds stood in the file before.
    fn stood(&self, below: Oid, diff: &FileDiff) -> bool {
        let Some(text) = diff
            .old_path
            .as_deref()
            .and_then(|path| self.text(below, path))
        else {
            return false;
        };
        let lines: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').collect();
        let runs = runs(diff);
        let stands = |run: &Vec<&[u8]>| lines.windows(run.len()).any(|lines| lines == run);
        let letters = runs.iter().flatten().copied().flatten();
        letters.filter(|b| b.is_ascii_alphanumeric()).count() > 20 && runs.iter().all(stands)
    }
}

/// The runs of added lines of a diff.
fn runs(diff: &FileDiff) -> Vec<Vec<&[u8]>> {
    let mut runs: Vec<Vec<&[u8]>> = Vec::new();
    let mut open = false;
    for line in diff.hunks.iter().flat_map(|hunk| &hunk.lines) {
        let added = line.kind == LineKind::Added;
        if added && !open {
            runs.push(Vec::new());
        }
        if let Some(run) = runs.last_mut().filter(|_| added) {
            run.push(&line.text);
        }
        open = added;
    }
    runs
}
