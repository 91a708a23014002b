//! `review` as reviewers and b4 call it: what is found, drafted and told.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

const THREAD: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../patches/oom-reaper-reverse/thread.txt"
);
/// Two patches and a cover letter, as `b4 am` writes them: trailers applied,
/// threading gone, the cover letter in a file of its own.
const B4: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/b4-am.mbx"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/b4-am.cover"),
];

/// A folder, and git and the command with no configuration but their own.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path())
            .env("HOME", self.path())
            .env("XDG_CONFIG_HOME", self.path())
            .env("REAPERLAB_CACHE", self.path().join("cache"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "A U Thor")
            .env("GIT_AUTHOR_EMAIL", "author@example.org")
            .env("GIT_COMMITTER_NAME", "A U Thor")
            .env("GIT_COMMITTER_EMAIL", "author@example.org");
        command
    }

    fn git(&self, args: &[&str]) -> String {
        let output = self.command("git").args(args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Exit code, standard output and standard error.
    fn review(&self, args: &[&str], input: &str) -> (Option<i32>, String, String) {
        let mut child = self
            .command(env!("CARGO_BIN_EXE_xtask"))
            .arg("review")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that failed early has closed its end.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    fn json(&self, args: &[&str], input: &str) -> Value {
        let (code, out, err) = self.review(args, input);
        assert_eq!(code, Some(0), "{err}");
        serde_json::from_str(&out).unwrap()
    }
}

fn rules(document: &Value) -> Vec<(&str, &str)> {
    let lint = document["lint"].as_array().unwrap().iter();
    lint.map(|one| {
        let rule = one["rule"].as_str().unwrap();
        (rule, one["severity"].as_str().unwrap())
    })
    .collect()
}

#[test]
fn the_threads_faults_are_found() {
    let world = World::new();
    let document = world.json(&[THREAD, "--json"], "");
    assert_eq!(
        rules(&document),
        [
            ("problem-statement", "warning"),
            ("split-trailers", "error"),
            ("reported-by-without-link", "warning"),
            ("reported-by-without-link", "warning"),
        ]
    );
    for one in document["lint"].as_array().unwrap() {
        let source = one["source"].as_str().unwrap();
        assert!(source.starts_with("Documentation/process/"), "{source}");
        assert!(one["where"].as_str().unwrap().starts_with("2/2, "));
    }
    let (code, out, _) = world.review(&[THREAD], "");
    assert_eq!(code, Some(0));
    assert!(out.contains("Changelog and trailers"), "{out}");
}

#[test]
fn drafts_go_into_files_and_nowhere_else() {
    let world = World::new();
    world.git(&["config", "--global", "user.name", "T Ester"]);
    world.git(&["config", "--global", "user.email", "tester@example.org"]);
    let files = ["--next-version", "next.diff", "--reply", "reply.eml"];
    let (code, out, err) = world.review(&[&[THREAD], &files[..]].concat(), "");
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("Changelog and trailers"), "{out}");
    assert!(err.contains("next.diff: a draft"), "{err}");
    assert!(err.contains("reply.eml: a draft"), "{err}");
    let read = |name: &str| std::fs::read_to_string(world.path().join(name)).unwrap();
    assert!(read("next.diff").contains("+Reduce those races by reaping"));
    let reply = read("reply.eml");
    let head = "From: T Ester <tester@example.org>\nTo: zhongjinji <";
    assert!(reply.starts_with(head), "{reply}");

    let (code, out, _) = world.review(&[THREAD, "--next-version"], "");
    assert_eq!(code, Some(0));
    assert!(out.starts_with("--- v6-0002-"), "{out}");
    assert!(!out.contains("Changelog and trailers"), "{out}");
    let (code, _, err) = world.review(&[THREAD, "--reply", "--run", "nowhere"], "");
    assert_eq!(code, Some(2));
    assert!(err.contains("nowhere/run.json"), "{err}");
    let (code, _, err) = world.review(&[THREAD, "--reply", "--json"], "");
    assert_eq!(code, Some(2));
    assert!(
        err.contains("give --next-version and --reply a FILE"),
        "{err}"
    );
}

#[test]
fn a_tree_knows_its_commits_and_has_its_scripts() {
    let world = World::new();
    world.git(&["init", "-q", "linux"]);
    let commit = |subject: &str| {
        world.git(&["-C", "linux", "add", "-A"]);
        let args = ["-C", "linux", "commit", "-q", "--allow-empty", "-m"];
        world.git(&[&args[..], &[subject]].concat());
        world.git(&["-C", "linux", "rev-parse", "HEAD"])
    };
    let first = commit("mm: begin");
    let scripts = world.path().join("linux/scripts");
    std::fs::create_dir(&scripts).unwrap();
    let checkpatch = "print \"mm/x.c:7: ERROR:CODE_INDENT: spaces\\n\";\n";
    std::fs::write(scripts.join("checkpatch.pl"), checkpatch).unwrap();
    let maintainers = "print \"linux-mm\\@example.org\\n\";\n";
    std::fs::write(scripts.join("get_maintainer.pl"), maintainers).unwrap();
    commit("scripts: add some");
    let mail = |fixes: &str| {
        format!(
            "From: A U Thor <author@example.org>\nSubject: [PATCH] mm: x\n\nText.\n\n\
             Fixes: {fixes}\nSigned-off-by: A U Thor <author@example.org>\n---\n\
             diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
        )
    };
    let short = &first[..12];
    let good = format!("{short} (\"mm: begin\")");
    let table = [
        (good.clone(), None),
        (
            format!("{short} (\"mm: end\")"),
            Some("that commit is called \"mm: begin\""),
        ),
        (
            "000000000000 (\"mm: begin\")".to_owned(),
            Some("no such commit"),
        ),
    ];
    for (fixes, expected) in table {
        let args = ["-", "--json", "--kernel-tree", "linux"];
        let document = world.json(&args, &mail(&fixes));
        let lint = document["lint"].as_array().unwrap();
        let said = lint.iter().find(|one| one["rule"] == "fixes");
        let said = said.map(|one| one["text"].as_str().unwrap());
        match expected {
            None => assert_eq!(said, None, "{fixes}"),
            Some(words) => assert!(said.unwrap().contains(words), "{fixes}: {said:?}"),
        }
        let last = lint.last().unwrap();
        assert_eq!(last["rule"], "checkpatch/CODE_INDENT");
        assert_eq!(last["where"], "1/1, mm/x.c:7");
    }
    let args = ["-", "--reply", "--kernel-tree", "linux"];
    let (code, out, err) = world.review(&args, &mail(&good));
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("Cc: linux-mm@example.org\n"), "{out}");

    let (code, _, err) = world.review(&["-", "--kernel-tree", "nowhere"], "");
    assert_eq!(code, Some(2));
    assert!(err.contains("nowhere"), "{err}");
}

#[test]
fn b4_is_answered() {
    let world = World::new();
    let mails = std::fs::read_to_string(B4[0]).unwrap();
    let first = mails.find("\nFrom git@z").unwrap();
    let results = world.json(&["--b4"], &mails[..first]);
    let results = results.as_array().unwrap();
    assert_eq!(results.len(), 1);
    for key in ["tool", "status", "summary", "url", "details"] {
        assert!(results[0][key].is_string(), "{key}");
    }
    let cover = std::fs::read_to_string(B4[1]).unwrap();
    assert_eq!(world.json(&["--b4"], &cover), Value::Array(Vec::new()));
}

#[test]
fn what_b4_am_wrote_is_a_thread() {
    let world = World::new();
    let document = world.json(&[B4[0], B4[1], "--json"], "");
    let latest = &document["latest"];
    assert_eq!(latest["title"], "mm: write numbers out");
    assert_eq!(latest["patches"].as_array().unwrap().len(), 2);
    assert_eq!(latest["missing"], Value::Array(Vec::new()));
    assert!(rules(&document).contains(&("split-trailers", "error")));
}

#[test]
fn versions_are_set_side_by_side() {
    let world = World::new();
    let version = |version: u32, text: &str| {
        format!(
            "From {:040} Mon Sep 17 00:00:00 2001\nFrom: A U Thor <author@example.org>\n\
             Message-ID: <{version}@example.org>\nSubject: [PATCH v{version}] mm: x\n\n{text}\n\n\
             Signed-off-by: A U Thor <author@example.org>\n---\n\
             diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n-- \n\n",
            version
        )
    };
    let answer = format!(
        "From {:040} Mon Sep 17 00:00:00 2001\nFrom: B <b@example.org>\n\
         In-Reply-To: <1@example.org>\nSubject: Re: [PATCH v1] mm: x\n\n\
         Please say \"why it matters\" in the changelog.\n\n",
        9
    );
    std::fs::write(world.path().join("v1"), version(1, "Text.") + &answer).unwrap();
    let next = version(2, "Text, and why it matters.");
    std::fs::write(world.path().join("v2"), next).unwrap();
    let document = world.json(&["v1", "v2", "--json"], "");
    let reroll = &document["rerolls"][0];
    assert_eq!((&reroll["from"], &reroll["to"]), (&1.into(), &2.into()));
    let patch = &reroll["patches"][0];
    assert_eq!(patch["kind"], "changed");
    let changelog = patch["changelog"].as_str().unwrap();
    assert!(changelog.contains("+Text, and why"), "{changelog}");
    assert_eq!(reroll["requests"][0]["verdict"], "met");
    let (_, out, _) = world.review(&["v1", "v2"], "");
    assert!(out.contains("From v1 to v2\n  1 ! 1  mm: x"), "{out}");
    let met = "met: \"why it matters\" is in the changelog now";
    assert!(out.contains(met), "{out}");
}
