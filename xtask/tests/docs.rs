//! Every command line of `docs`, run for real, in its order: `cargo xtask test --tier
//! guests docs`.
//!
//! So that this takes minutes, runs are made short: one scenario, nothing measured,
//! one kernel. All else is as it stands there.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod lab;

use std::path::{Path, PathBuf};
use std::process::Command;

use git2::{Oid, ResetType, Signature};

/// What readers of the page have in their folder.
struct Reader {
    folder: tempfile::TempDir,
    /// Where the page has led them.
    place: PathBuf,
}

impl Reader {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().to_owned();
        let thread = repository().join("patches/oom-reaper-reverse/thread.txt");
        std::fs::copy(thread, place.join("thread.mbox")).unwrap();
        Self { folder, place }
    }

    /// Runs what stands in the page's blocks of code.
    fn follow(&mut self, page: &str) {
        let path = repository().join("docs").join(page);
        let text = std::fs::read_to_string(path).unwrap();
        let commands: Vec<&str> = text
            .lines()
            .filter_map(|l| l.strip_prefix("    "))
            .collect();
        assert!(!commands.is_empty(), "{page} has no command");
        for command in commands {
            self.run(page, command);
        }
    }

    fn run(&mut self, page: &str, command: &str) {
        let words = shell_words::split(command).unwrap();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut program = match words.as_slice() {
            ["cd", to] => {
                self.place.push(to);
                return;
            }
            // Tests of their own run these.
            ["cargo", "xtask", "matrix", "submit", ..] | ["reaperlab", .., "--watch"] => return,
            ["cargo", "xtask", args @ ..] => {
                let mut program = lab::xtask();
                program.args(self.short(args));
                program
            }
            ["reaperlab", args @ ..] => {
                let mut program = lab::on_its_cache(&self.bin().join("reaperlab"));
                program.args(self.short(args));
                program
            }
            [program, args @ ..] => {
                let mut command = Command::new(program);
                command.args(args);
                command
            }
            [] => return,
        };
        let program = program
            .current_dir(&self.place)
            .env("XDG_DATA_HOME", self.folder.path().join("data"))
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "A U Thor")))
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "a@example.org")));
        let output = program.output().unwrap();
        assert!(
            output.status.success(),
            "{page}: {command}: {}\n{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The same, made short.
    fn short(&self, args: &[&str]) -> Vec<String> {
        let mut short: Vec<String> = Vec::new();
        let mut words = args.iter();
        while let Some(word) = words.next() {
            match *word {
                // Built for no other test.
                "--kernel" if matches!(words.as_slice(), ["6.1" | "7.2", ..]) => {
                    words.next();
                }
                word => short.push(word.to_owned()),
            }
        }
        if args == ["install"] {
            short.extend(["--into".into(), self.bin().display().to_string()]);
        }
        let boots = matches!(args, ["patch-test", ..] | ["matrix", "cell", ..])
            || matches!(args, ["matrix", option, ..] if option.starts_with('-'));
        if boots && !args.contains(&"--list") {
            let mut add = |option: &str, value: &str| {
                if !short.iter().any(|word| word == option) {
                    short.extend([option.to_owned(), value.to_owned()]);
                }
            };
            add("--rounds", "0");
            add("--scenario", "memcg-limit");
            // The folder `runs` is the checkout's.
            let latest = self.folder.path().join("runs/latest");
            if latest.exists() {
                std::fs::remove_dir_all(&latest).unwrap();
            }
            add("--out", latest.to_str().unwrap());
        }
        short
    }
}

impl Reader {
    /// Where the page's `install` puts the program.
    fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// A kernel's repository with an edit that is not committed yet.
    fn with_a_tree(self) -> Self {
        let linux = self.place.join("linux");
        let repository = lab::repository(&linux);
        let tree = Oid::from_str(&lab::base_tree()).unwrap();
        let tree = repository.find_tree(tree).unwrap();
        let who = Signature::now("A U Thor", "a@example.org").unwrap();
        let head = repository.commit(Some("HEAD"), &who, &who, "Linux", &tree, &[]);
        let head = repository.find_object(head.unwrap(), None).unwrap();
        repository.reset(&head, ResetType::Hard, None).unwrap();
        let file = linux.join("mm/oom_kill.c");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text + "/* an edit */\n").unwrap();
        self
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn a_patch_by_mail() {
    Reader::new().follow("mail.md");
}

#[test]
fn a_patch_in_a_tree() {
    Reader::new().with_a_tree().follow("tree.md");
}

#[test]
fn ci() {
    Reader::new().follow("ci.md");
}

#[test]
fn a_finding() {
    Reader::new().follow("fault-around.md");
}
