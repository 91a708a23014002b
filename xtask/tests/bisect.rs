//! `git bisect run` on a history of sixteen commits on top of the base arm, one of
//! which lets readers of reaped memory read zeroes. Its trees are the same every
//! time, so that their kernels are found again; they differ from base, which is
//! built, by a file or two.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod lab;

use std::path::Path;
use std::process::{Command, Output};

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository, Signature, Time};

/// How many commits there are to look through: four questions tell one of them.
const COMMITS: usize = 16;
const QUESTIONS: usize = 4;
/// The one that is wrong, counted from 1.
const WRONG: usize = 11;
/// What it takes away.
const MARK: &str = "\tset_bit(MMF_UNSTABLE, &mm->flags);\n";

/// The files that the commits change; the wrong one changes the last of them.
const FILES: [&str; 4] = [
    "mm/mmu_gather.c",
    "mm/memory.c",
    "kernel/exit.c",
    "mm/oom_kill.c",
];

/// Makes the history in `repo`, on a tree that it borrows from the store.
/// Returns its commits, the base arm first.
fn history(repo: &Repository, root: Oid) -> Vec<Oid> {
    let who = Signature::new(
        "A U Thor",
        "author@example.org",
        &Time::new(1_700_000_000, 0),
    );
    let who = who.unwrap();
    let mut tree = repo.find_tree(root).unwrap();
    let first = repo.commit(None, &who, &who, "mm: begin", &tree, &[]);
    let mut commits = vec![first.unwrap()];
    for nth in 1..=COMMITS {
        let wrong = nth == WRONG;
        let file = if wrong { FILES[3] } else { FILES[nth % 4] };
        let blob = tree.get_path(Path::new(file)).unwrap().id();
        let text = repo.find_blob(blob).unwrap().content().to_vec();
        let mut text = String::from_utf8(text).unwrap();
        if wrong {
            assert_eq!(text.matches(MARK).count(), 1, "{file} is another");
            text = text.replace(MARK, "");
        } else {
            text.push_str(&format!("/* {nth} */\n"));
        }
        let blob = repo.blob(text.as_bytes()).unwrap();
        let mut update = TreeUpdateBuilder::new();
        update.upsert(file, blob, FileMode::Blob);
        let changed = update.create_updated(repo, &tree).unwrap();
        tree = repo.find_tree(changed).unwrap();
        let parent = repo.find_commit(commits[nth - 1]).unwrap();
        let message = format!("mm: change {nth}");
        let commit = repo.commit(None, &who, &who, &message, &tree, &[&parent]);
        commits.push(commit.unwrap());
    }
    commits
}

fn git(dir: &Path, args: &[&str]) -> Output {
    let output = Command::new("git")
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("REAPERLAB_CACHE", lab::cache())
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {output:?}");
    output
}

#[test]
fn a_regression_is_found_in_the_fewest_steps() {
    let root = Oid::from_str(&lab::base_tree()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("linux");
    let repo = lab::repository(&dir);
    let commits = history(&repo, root);
    repo.set_head_detached(commits[COMMITS]).unwrap();
    let [good, bad] = [commits[0], commits[COMMITS]].map(|commit| commit.to_string());

    // There is no need to lay out a tree for what reads it out of git.
    git(&dir, &["bisect", "start", "--no-checkout", &bad, &good]);
    let xtask = env!("CARGO_BIN_EXE_xtask");
    let question = format!(
        "exec {xtask} patch-test --bisect-run --series none --kernel git:.#BISECT_HEAD \
         --arm base --scenario unstable-reads --out ../$(git rev-parse BISECT_HEAD)"
    );
    let run = git(&dir, &["bisect", "run", "sh", "-c", &question]);
    let said = String::from_utf8_lossy(&run.stdout);
    let wrong = commits[WRONG];
    assert!(
        said.contains(&format!("{wrong} is the first bad commit")),
        "{run:?}"
    );
    let log = git(&dir, &["bisect", "log"]).stdout;
    let log = String::from_utf8(log).unwrap();
    let answers = log
        .lines()
        .filter(|line| line.starts_with("git bisect good ") || line.starts_with("git bisect bad "));
    assert_eq!(answers.count(), QUESTIONS, "{log}");
}
