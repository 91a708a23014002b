//! Real cases: what differs between two packaged kernels as a patch, on all of
//! them.
//!
//! Files are drawn, from a fixed seed, among those of mm, kernel, fs, lib and
//! include/linux that differ between two kernels by few hunks.

use std::path::Path;

use git2::{ObjectType, Oid, Repository, Tree, TreeWalkMode, TreeWalkResult};
use kernel::store::Store;

use crate::lab::Dice;
use crate::mail::{Files, Mail};

const FOLDERS: [&str; 5] = ["mm", "kernel", "fs", "lib", "include/linux"];
/// What imports the kernels into a cache of the tests' own, and says where it is.
const GET: &str = "run this by `cargo xtask test --tier kernels`";
/// The most hunks of a drawn file.
const MOST: usize = 12;

/// A patch from one kernel to another.
pub struct Case {
    /// What it was made of, for the table.
    pub name: String,
    pub from: usize,
    pub to: usize,
    /// Whether the later kernel has all of it, as it is.
    pub whole: bool,
    paths: Vec<String>,
    pub mail: Mail,
}

/// The packaged kernels.
pub struct Kernels {
    repo: Repository,
    pub versions: Vec<String>,
    trees: Vec<Oid>,
}

impl Kernels {
    /// The newest imported kernel of each version, from the tests' own cache.
    pub fn new(versions: &[&str]) -> Self {
        let root = std::env::var_os("REAPERLAB_TEST_CACHE").unwrap_or_else(|| panic!("{GET}"));
        let store = Store::open(Path::new(&root)).unwrap();
        let imported = store.kernels().unwrap();
        let mut kernels = Self {
            repo: Repository::open_bare(store.path()).unwrap(),
            versions: Vec::new(),
            trees: Vec::new(),
        };
        for version in versions {
            let belongs = |full: &str| {
                full.strip_prefix(version)
                    .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
            };
            let newest = imported.iter().rfind(|kernel| belongs(&kernel.version));
            let newest = newest.unwrap_or_else(|| panic!("no kernel {version}: {GET}"));
            kernels.versions.push(newest.version.clone());
            kernels.trees.push(newest.tree);
        }
        kernels
    }

    fn tree(&self, kernel: usize) -> Tree<'_> {
        self.repo.find_tree(self.trees[kernel]).unwrap()
    }

    fn file(&self, kernel: usize, path: &str) -> Option<(Vec<u8>, bool)> {
        let entry = self.tree(kernel).get_path(Path::new(path)).ok()?;
        let blob = self.repo.find_blob(entry.id()).ok()?;
        Some((blob.content().to_vec(), entry.filemode() == 0o100_755))
    }

    fn files(&self, kernel: usize, paths: &[String]) -> Files {
        let file = |path: &String| Some((path.clone(), self.file(kernel, path)?));
        paths.iter().filter_map(file).collect()
    }

    /// The files of a case as a kernel has them.
    pub fn target(&self, case: &Case, kernel: usize) -> Files {
        self.files(kernel, &case.paths)
    }

    /// C files that two kernels have and that differ between them.
    fn changed(&self, from: usize, to: usize) -> Vec<String> {
        let mut changed = Vec::new();
        let target = self.tree(to);
        for folder in FOLDERS {
            let entry = self.tree(from).get_path(Path::new(folder)).unwrap();
            let tree = self.repo.find_tree(entry.id()).unwrap();
            tree.walk(TreeWalkMode::PreOrder, |root, entry| {
                let path = format!("{folder}/{root}{}", entry.name().unwrap_or_default());
                let code = path.ends_with(".c") || path.ends_with(".h");
                if code
                    && entry.kind() == Some(ObjectType::Blob)
                    && target
                        .get_path(Path::new(&path))
                        .is_ok_and(|other| other.id() != entry.id())
                {
                    changed.push(path);
                }
                TreeWalkResult::Ok
            })
            .unwrap();
        }
        changed
    }

    /// The texts with each one of the hunks between them alone put in.
    fn hunks(&self, old: &[u8], new: &[u8]) -> Vec<Vec<u8>> {
        let patch = git2::Patch::from_buffers(old, None, new, None, None).unwrap();
        let lines: Vec<&[u8]> = old.split_inclusive(|byte| *byte == b'\n').collect();
        let count = patch.num_hunks();
        let with = |at: usize| {
            let (hunk, count) = patch.hunk(at).unwrap();
            let start = hunk.old_start() as usize - usize::from(hunk.old_lines() > 0);
            let end = start + hunk.old_lines() as usize;
            let mut text = lines[..start].concat();
            for line in 0..count {
                let line = patch.line_in_hunk(at, line).unwrap();
                if matches!(line.origin(), ' ' | '+') {
                    text.extend(line.content());
                }
            }
            text.extend(lines[end..].concat());
            text
        };
        (0..count).map(with).collect()
    }

    /// `count` patches, by turns of one file, of two to four, and of a single
    /// hunk out of a larger difference.
    pub fn cases(&self, count: usize) -> Vec<Case> {
        let steps: Vec<_> = (1..self.trees.len()).map(|to| (to - 1, to)).collect();
        let changed: Vec<_> = steps
            .iter()
            .map(|(from, to)| self.changed(*from, *to))
            .collect();
        (0..count)
            .map(|n| {
                let mut dice = Dice(n as u64);
                let step = n / 3 % steps.len();
                let (from, to) = steps[step];
                let mut draw = |fits: &dyn Fn(usize) -> bool| loop {
                    let path = &changed[step][dice.below(changed[step].len())];
                    let [old, new] = [from, to].map(|kernel| self.file(kernel, path).unwrap().0);
                    let hunks = self.hunks(&old, &new);
                    if fits(hunks.len()) {
                        let one = hunks[dice.below(hunks.len())].clone();
                        return (path.clone(), one);
                    }
                };
                let (mut paths, mut one) = (Vec::new(), None);
                match n % 3 {
                    0 => paths.push(draw(&|hunks| (1..=MOST).contains(&hunks)).0),
                    1 => {
                        for _ in 0..2 + n / 3 % 3 {
                            paths.push(draw(&|hunks| (1..=MOST).contains(&hunks)).0);
                        }
                        paths.sort();
                        paths.dedup();
                    }
                    _ => {
                        let (path, text) = draw(&|hunks| hunks > 1);
                        paths.push(path);
                        one = Some(text);
                    }
                }
                let base = self.files(from, &paths);
                let mut patched = self.files(to, &paths);
                let whole = one.is_none();
                if let Some(text) = one {
                    patched.get_mut(&paths[0]).unwrap().0 = text;
                }
                let extent = if whole { "all of" } else { "one hunk of" };
                let [old, new] = [from, to].map(|kernel| &self.versions[kernel]);
                let name = format!("{old} to {new}, {extent} {}", paths.join(" "));
                let mail = Mail::new(&base, &patched, 3);
                Case {
                    name,
                    from,
                    to,
                    whole,
                    paths,
                    mail,
                }
            })
            .collect()
    }
}
