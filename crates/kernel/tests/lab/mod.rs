//! A hermetic place to compare with git and GNU patch.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, missing_docs)]

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use kernel::store::{Input, Kernel, Oid, Origin, Store, import};
use series::Person;
use series::patch::Patch;

pub struct Lab {
    pub dir: tempfile::TempDir,
    pub store: Store,
}

impl Lab {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("cache")).unwrap();
        let lab = Self { dir, store };
        fs::create_dir(lab.work()).unwrap();
        lab.git(&["init", "-q", "-b", "main", "--template="]);
        lab
    }

    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// Runs in the work tree, without any configuration but its own.
    pub fn run(&self, program: &str, args: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new(program)
            .args(args)
            .current_dir(self.work())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.dir.path())
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "A U Thor")
            .env("GIT_AUTHOR_EMAIL", "author@example.org")
            .env("GIT_AUTHOR_DATE", "1700000000 +0200")
            .env("GIT_COMMITTER_NAME", "C O Mitter")
            .env("GIT_COMMITTER_EMAIL", "committer@example.org")
            .env("GIT_COMMITTER_DATE", "1700000000 +0000")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that failed early has closed its end.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// git, which must succeed; its output without the last newline.
    pub fn git(&self, args: &[&str]) -> String {
        let out = self.run("git", args, b"");
        assert!(
            out.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8_lossy(&out.stdout).trim_end().to_owned()
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let full = self.work().join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, text).unwrap();
    }

    /// The work tree as a commit; its id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A", "-f"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// The id of the tree that the work tree is.
    pub fn tree(&self) -> String {
        self.git(&["add", "-A", "-f"]);
        self.git(&["write-tree"])
    }

    /// The work tree, imported.
    pub fn import(&self) -> Kernel {
        let origin = Origin {
            id: "lab/work".into(),
            text: "work".into(),
            immutable: false,
        };
        let work = self.work();
        import(&self.store, Input::Folder(&work), &origin, &mut |_| {
            ControlFlow::Continue(())
        })
        .unwrap()
    }

    /// Says that a commit of the work tree and what is below it is a kernel's
    /// history.
    pub fn lend(&self, kernel: &Kernel, commit: &str) {
        let work = git2::Repository::open(self.work()).unwrap();
        let commit = Oid::from_str(commit).unwrap();
        self.store.lend_history(kernel.commit, work, commit);
    }

    /// The tree of a commit in the store.
    pub fn tree_of(&self, commit: Oid) -> String {
        let repo = git2::Repository::open(self.store.path()).unwrap();
        repo.find_commit(commit).unwrap().tree_id().to_string()
    }

    /// What differs between a tree of the store and one of the work tree's.
    pub fn difference(&self, store: &str, work: &str) -> String {
        let objects = self.store.path().join("objects").display().to_string();
        fs::write(self.work().join(".git/objects/info/alternates"), objects).unwrap();
        self.git(&["diff", store, work])
    }

    /// What git says of a commit in the store.
    pub fn show(&self, format: &str, commit: Oid) -> String {
        let path = self.store.path().display().to_string();
        let format = format!("--format={format}");
        self.git(&[
            "--git-dir",
            &path,
            "log",
            "-1",
            &format,
            &commit.to_string(),
        ])
    }
}

/// A patch of a diff's text.
pub fn patch(subject: &str, diff: &[u8]) -> Patch {
    Patch {
        index: 1,
        total: 1,
        version: 1,
        author: Person {
            name: "A U Thor".into(),
            email: "author@example.org".into(),
        },
        date: Some("Tue, 14 Nov 2023 22:13:20 +0000".into()),
        subject: subject.into(),
        body: String::new(),
        trailers: Vec::new(),
        message: format!("{subject}\n"),
        files: series::patch::parse(diff).unwrap(),
    }
}

/// Numbers that look random and are the same everywhere.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
