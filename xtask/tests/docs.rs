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
            // Its own test runs it.
            ["cargo", "xtask", "matrix", "submit", ..] => return,
            ["cargo", "xtask", args @ ..] | ["reaperlab", args @ ..] => {
                let mut program = lab::xtask();
                program.args(self.short(args));
                program
            }
            [program, args @ ..] => {
                let mut command = std::process::Command::new(program);
                command.args(args);
                command
            }
            [] => return,
        };
        let output = program.current_dir(&self.place).output().unwrap();
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
        let boots = matches!(args, ["patch-test", ..] | ["matrix", "cell", ..])
            || matches!(args, ["matrix", option, ..] if option.starts_with('-'));
        if boots {
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

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn a_patch_by_mail() {
    Reader::new().follow("mail.md");
}

#[test]
fn ci() {
    Reader::new().follow("ci.md");
}
