//! Series in a kernel's repository: what each name means, on what kernel it is
//! put, and what is refused. No kernel is built here; the repositories are
//! small, and have a git configuration of their own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A kernel's repository with `v6.12` and two commits of a topic beyond it.
struct World {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

const SEVEN: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let world = Self {
            _folder: folder,
            root,
        };
        world.write(
            "Makefile",
            "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 0\nEXTRAVERSION =\n",
        );
        world.write("mm/reap.c", SEVEN);
        world.write("mm/other.c", "int other;\n");
        world.git(&["init", "--quiet", "--initial-branch=master", "."]);
        world.commit("Linux 6.12");
        world.git(&["tag", "v6.12"]);
        world.git(&["checkout", "--quiet", "-b", "topic"]);
        world.edit("one", "eins");
        world.commit("mm: the first\n\nWhy.\n\nSigned-off-by: A U Thor <a@example.org>");
        world.edit("seven", "sieben");
        world.commit("mm: the second");
        world
    }

    fn tree(&self) -> PathBuf {
        self.root.join("linux")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.tree().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn edit(&self, old: &str, new: &str) {
        let path = self.tree().join("mm/reap.c");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, text.replace(old, new)).unwrap();
    }

    fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.tree(), args)
    }

    fn git_in(&self, folder: &Path, args: &[&str]) -> String {
        let output = hermetic(Command::new("git").args(args).current_dir(folder))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?}: {said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn id(&self, name: &str) -> String {
        self.git(&["rev-parse", &format!("{name}^{{commit}}")])
    }

    fn apply_in(&self, folder: &Path, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(["apply", "--offline", "--json"]).args(args);
        command.current_dir(folder);
        hermetic(&mut command)
            .env("REAPERLAB_CACHE", self.root.join("cache"))
            .output()
            .unwrap()
    }

    fn apply(&self, series: &str) -> Output {
        self.apply_in(&self.tree(), &["--series", series])
    }

    /// The subjects, the kernel's commit, and the verdict of a series that is
    /// taken.
    fn taken_in(&self, folder: &Path, series: &str) -> (Vec<String>, String, String) {
        let output = self.apply_in(folder, &["--series", series]);
        assert_eq!(output.status.code(), Some(0), "{series}: {}", said(&output));
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let subjects = json["series"]["patches"].as_array().unwrap();
        let kernel = text(&json["kernels"][0]["kernel"]);
        let commit = kernel.rsplit('#').next().unwrap().to_owned();
        let verdict = text(&json["kernels"][0]["verdict"]);
        (subjects.iter().map(text).collect(), commit, verdict)
    }

    fn taken(&self, series: &str) -> (Vec<String>, String) {
        let (subjects, kernel, verdict) = self.taken_in(&self.tree(), series);
        assert_eq!(verdict, "clean", "{series}");
        (subjects, kernel)
    }

    fn refused(&self, series: &str, word: &str) -> String {
        self.refused_with(2, series, word)
    }

    fn refused_with(&self, code: i32, series: &str, word: &str) -> String {
        let output = self.apply(series);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "{series}: {text}");
        assert_eq!(text.matches("error:").count(), 1, "{series}: {text}");
        assert!(
            text.contains(word),
            "{series}: {text:?} does not say {word:?}"
        );
        assert!(!text.contains("panicked"), "{series}: {text}");
        // What can be read has a verdict.
        assert_eq!(output.stdout.is_empty(), code == 2, "{series}");
        text
    }
}

/// No configuration but the repository's own, and no cargo that says where the
/// checkout is.
fn hermetic(command: &mut Command) -> &mut Command {
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_AUTHOR_NAME", "A U Thor")
        .env("GIT_AUTHOR_EMAIL", "author@example.org")
        .env("GIT_AUTHOR_DATE", "1756450550 +0800")
        .env("GIT_COMMITTER_NAME", "C O Mitter")
        .env("GIT_COMMITTER_EMAIL", "committer@example.org")
        .env("GIT_COMMITTER_DATE", "1756450550 +0800")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn both() -> Vec<String> {
    ["mm: the first", "mm: the second"].map(String::from).into()
}

#[test]
fn a_range_is_put_on_its_own_first_parent() {
    let world = World::new();
    let base = world.id("v6.12");
    let path = world.tree().display().to_string();
    let tip = world.id("topic");
    for series in [
        "v6.12..topic",
        "v6.12..",
        "HEAD~2..",
        "HEAD~2..HEAD",
        "topic",
        "heads/topic",
        "refs/heads/topic",
        &format!("{path}:v6.12..topic"),
        &format!("{path}:{base}..{tip}"),
        &format!("{path}:topic"),
    ] {
        assert_eq!(world.taken(series), (both(), base.clone()), "{series}");
    }
    let first = world.id("topic~1");
    let second = vec!["mm: the second".to_owned()];
    for series in ["HEAD~1..HEAD", "HEAD", &tip, &tip[..12], "@"] {
        assert_eq!(
            world.taken(series),
            (second.clone(), first.clone()),
            "{series}"
        );
    }
    // From a folder below, and from outside.
    let (subjects, kernel, _) = world.taken_in(&world.tree().join("mm"), "HEAD~2..");
    assert_eq!((subjects, kernel), (both(), base.clone()));
    let (subjects, kernel, _) = world.taken_in(&world.root, "linux:v6.12..topic");
    assert_eq!((subjects, kernel), (both(), base.clone()));
    // Unless a kernel is named.
    let named = format!("git:{path}#topic");
    let output = world.apply_in(&world.tree(), &["--series", "HEAD~2..", "--kernel", &named]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["kernels"][0]["kernel"], named);
    assert_eq!(json["kernels"][0]["verdict"], "already-applied");
}

#[test]
fn a_worktree_and_a_detached_head_are_as_good() {
    let world = World::new();
    let base = world.id("v6.12");
    let other = world.root.join("other");
    world.git(&[
        "worktree",
        "add",
        "--quiet",
        "--detach",
        other.to_str().unwrap(),
        "topic",
    ]);
    let (subjects, kernel, _) = world.taken_in(&other, "HEAD~2..");
    assert_eq!((subjects, kernel), (both(), base));
    let file = other.join("mm/reap.c");
    std::fs::write(&file, SEVEN).unwrap();
    let (subjects, kernel, _) = world.taken_in(&other, ".");
    assert_eq!(subjects, ["not committed: mm/reap.c"]);
    assert_eq!(kernel, world.id("topic"));
}

#[test]
fn a_branch_begins_at_its_upstream_or_its_release() {
    let world = World::new();
    let first = world.id("topic~1");
    let output = world.apply("topic");
    assert!(
        said(&output).contains("topic is read as v6.12..topic"),
        "{}",
        said(&output)
    );
    world.git(&["branch", "base", "topic~1"]);
    world.git(&["branch", "--quiet", "--set-upstream-to=base", "topic"]);
    let expected = (vec!["mm: the second".to_owned()], first);
    assert_eq!(world.taken("topic"), expected);
    // What was pushed is a copy, and no beginning.
    world.git(&["branch", "--force", "base", "topic"]);
    assert_eq!(world.taken("topic"), (both(), world.id("v6.12")));
    world.git(&["tag", "--delete", "v6.12"]);
    world.refused("topic", "no upstream");
    // What the disk has goes before, and that is said.
    world.write("base", "not mail\n");
    let text = world.refused("base", "not mail");
    assert!(
        text.contains("base is a file or folder and a branch"),
        "{text}"
    );
    world.git(&["tag", "both", "topic"]);
    world.git(&["branch", "both", "topic~1"]);
    let output = world.apply("both");
    assert!(
        said(&output).contains("a tag and a branch"),
        "{}",
        said(&output)
    );
}

#[test]
fn merges_are_left_out_as_format_patch_does() {
    let world = World::new();
    world.git(&["checkout", "--quiet", "-b", "side", "v6.12"]);
    world.write("mm/other.c", "int another;\n");
    world.commit("mm: on the side");
    world.git(&["checkout", "--quiet", "topic"]);
    world.git(&["merge", "--quiet", "--no-ff", "-m", "merge", "side"]);
    let (mut subjects, _) = world.taken("v6.12..topic");
    subjects.sort();
    let mut expected = both();
    expected.push("mm: on the side".to_owned());
    expected.sort();
    assert_eq!(subjects, expected);
    world.refused("HEAD", "is a merge");
}

#[test]
fn what_is_no_series_is_refused() {
    let world = World::new();
    let root = world.id("v6.12");
    world.refused("HEAD..HEAD", "has no commit");
    world.refused("topic..v6.12", "has no commit");
    world.refused("v6.12...topic", "three dots");
    world.refused("nowhere..topic", "has no commit nowhere");
    world.refused("no-such-branch", "is not a file");
    world.refused("../no-such.mbox", "../no-such.mbox is not a file");
    world.refused(".", "nothing that is not committed");
    world.refused("HEAD^{tree}", "is not a file");
    world.refused("../linux:nowhere", "has no commit nowhere");
    let hostile = world.refused("../linux:--help..\u{1b}[2J", "has no commit");
    assert!(!hostile.contains('\u{1b}'), "{hostile:?}");
    // The first commit has no parent to be put on.
    world.refused(&root, "first commit");
    // An empty commit is none, as with git format-patch.
    world.commit("nothing");
    world.refused("HEAD~1..", "changes nothing");
    assert_eq!(world.taken("HEAD~2..").0, ["mm: the second"]);
    // Outside of a kernel's repository there is none to look in.
    let output = world.apply_in(&world.root, &["--series", "HEAD~1.."]);
    assert!(
        said(&output).contains("no kernel's repository"),
        "{}",
        said(&output)
    );
    world.write("Makefile", "all:\n");
    world.commit("no kernel any more");
    world.refused("HEAD~1..", "no kernel's repository");
}

#[test]
fn what_is_not_committed_is_one_patch() {
    let world = World::new();
    world.edit("two", "zwei");
    world.write("mm/other.c", "int staged;\n");
    world.write("mm/added.c", "int added;\n");
    world.git(&["add", "mm/other.c", "mm/added.c"]);
    world.write("mm/left-out.c", "int unknown;\n");
    world.write("mm/notes.txt", "no source\n");
    let before = world.git(&["status", "--porcelain"]);
    let index = std::fs::read(world.tree().join(".git/index")).unwrap();
    let output = world.apply(".");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let patch = &json["kernels"][0]["patches"][0];
    assert_eq!(patch["subject"], "not committed: mm/added.c and 2 more");
    let kernel = json["kernels"][0]["kernel"].as_str().unwrap();
    assert!(kernel.ends_with(&world.id("HEAD")), "{kernel}");
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["apply", "--offline", "--series", "."])
        .current_dir(world.tree())
        .env("REAPERLAB_CACHE", world.root.join("cache"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("mm/left-out.c") && !text.contains("notes.txt"),
        "{text}"
    );
    // Nothing was written there.
    assert_eq!(world.git(&["status", "--porcelain"]), before);
    assert_eq!(
        std::fs::read(world.tree().join(".git/index")).unwrap(),
        index
    );
}

#[test]
fn renames_and_modes_are_as_git_has_them() {
    let world = World::new();
    let head = world.id("HEAD");
    world.git(&["mv", "mm/reap.c", "mm/moved.c"]);
    let file = world.tree().join("mm/other.c");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::remove_file(world.tree().join("Makefile")).unwrap();
    world.write(
        "Makefile",
        "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\nEXTRAVERSION =\n",
    );
    assert_eq!(world.taken(".").1, head);
    world.commit("mm: move");
    assert_eq!(
        world.taken("HEAD~1..HEAD"),
        (vec!["mm: move".to_owned()], head)
    );
}

#[test]
fn what_can_not_be_a_patch_is_named() {
    let world = World::new();
    let logo = world.tree().join("logo.bin");
    std::fs::write(&logo, b"\0\x01\x02\0").unwrap();
    world.commit("logo: add");
    world.refused_with(3, "HEAD", "binary");
    std::fs::write(&logo, b"\0\x01\x03\0").unwrap();
    world.refused_with(3, ".", "binary");
    world.git(&["checkout", "--quiet", "logo.bin"]);
    std::fs::remove_file(world.tree().join("mm/other.c")).unwrap();
    symlink("/etc/passwd", world.tree().join("mm/other.c")).unwrap();
    world.refused_with(3, ".", "mm/other.c");
}

/// A repository inside is no part of the tree.
#[test]
fn a_repository_inside_changes_nothing() {
    let world = World::new();
    let inside = world.tree().join("tools/inside");
    std::fs::create_dir_all(&inside).unwrap();
    world.git_in(&inside, &["init", "--quiet", "."]);
    std::fs::write(inside.join("x.c"), "int x;\n").unwrap();
    world.refused(".", "nothing that is not committed");
    assert_eq!(world.taken("HEAD~2..").0, both());
}

/// None of what a repository can ask git to run is run.
#[test]
fn a_repository_runs_no_program() {
    let world = World::new();
    let mark = world.root.join("was-run");
    let script = world.root.join("evil");
    std::fs::write(
        &script,
        format!("#!/bin/sh\ntouch '{}'\ncat\n", mark.display()),
    )
    .unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let script = script.to_str().unwrap();
    for key in [
        "core.fsmonitor",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "core.pager",
        "core.editor",
        "core.sshCommand",
    ] {
        world.git(&["config", key, script]);
    }
    world.git(&["config", "core.hooksPath", world.root.to_str().unwrap()]);
    std::fs::write(
        world.tree().join(".git/info/attributes"),
        "*.c diff=evil filter=evil\n",
    )
    .unwrap();
    world.edit("two", "zwei");
    let _ = std::fs::remove_file(&mark);
    assert_eq!(world.taken("HEAD~2..").0, both());
    assert_eq!(world.taken(".").0, ["not committed: mm/reap.c"]);
    assert!(!mark.exists());
}

/// All that would end the message of a mail.
#[test]
fn a_message_may_look_like_a_diff() {
    let world = World::new();
    world.edit("four", "vier");
    let message = "mm: odd\n\nSee:\n---\ndiff --git a/mm/other.c b/mm/other.c\n--- a/mm/other.c\n\
                   +++ b/mm/other.c\n@@ -1 +1 @@\n-int other;\n+int gone;\n\nFrom x Mon Sep 17 00:00:00 2001\n";
    world.commit(message);
    let output = world.apply("HEAD");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let hunks = json["kernels"][0]["patches"][0]["hunks"]
        .as_array()
        .unwrap();
    let files: Vec<_> = hunks.iter().map(|hunk| &hunk["file"]).collect();
    assert_eq!(files, ["mm/reap.c"]);
}

/// A copied checkout has its runs and files to itself, and an installed program
/// needs none.
#[test]
fn the_program_belongs_to_the_place_that_it_lies_in() {
    let world = World::new();
    let start = |program: &Path, folder: &Path| {
        let mut command = Command::new(program);
        command.args([
            "matrix",
            "--kernel",
            "nowhere",
            "--series",
            "none",
            "--offline",
        ]);
        hermetic(command.current_dir(folder))
            .env("REAPERLAB_CACHE", world.root.join("cache"))
            .env("HOME", world.root.join("home"))
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("XDG_STATE_HOME")
            .output()
            .unwrap()
    };
    let checkout = world.root.join("checkout");
    for folder in ["target/debug", "xtask", "kernel-tests/configs"] {
        std::fs::create_dir_all(checkout.join(folder)).unwrap();
    }
    std::fs::write(checkout.join("Cargo.toml"), "[workspace]\n").unwrap();
    std::fs::write(checkout.join("xtask/Cargo.toml"), "").unwrap();
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel-tests/suite.toml");
    std::fs::copy(&suite, checkout.join("kernel-tests/suite.toml")).unwrap();
    let program = checkout.join("target/debug/xtask");
    std::fs::copy(env!("CARGO_BIN_EXE_xtask"), &program).unwrap();
    let output = start(&program, &world.tree());
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(checkout.join("runs").is_dir());

    let data = world.root.join("data");
    std::fs::create_dir_all(data.join("kernel-tests/configs")).unwrap();
    std::fs::copy(&suite, data.join("kernel-tests/suite.toml")).unwrap();
    std::fs::copy(&program, data.join("reaperlab")).unwrap();
    symlink(data.join("reaperlab"), world.root.join("reaperlab")).unwrap();
    let output = start(&world.root.join("reaperlab"), &world.tree());
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(world.root.join("home/.local/state/reaperlab/runs").is_dir());
    assert_eq!(world.git(&["status", "--porcelain"]), "");
    let help = Command::new(data.join("reaperlab"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(
        help.contains("Usage: reaperlab") && !help.contains("cargo xtask"),
        "{help}"
    );

    // Without its files it says so.
    let lost = world.root.join("lost");
    std::fs::create_dir(&lost).unwrap();
    std::fs::copy(&program, lost.join("reaperlab")).unwrap();
    let output = start(&lost.join("reaperlab"), &world.tree());
    assert_eq!(output.status.code(), Some(5), "{}", said(&output));
    assert!(
        said(&output).contains("are not beside it"),
        "{}",
        said(&output)
    );
}
