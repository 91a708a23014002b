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
    assert!(err.contains("next.diff: draft written"), "{err}");
    assert!(err.contains("reply.eml: draft written"), "{err}");
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
    assert!(err.contains("nowhere has no run"), "{err}");
    let (code, _, err) = world.review(&[THREAD, "--reply", "--json"], "");
    assert_eq!(code, Some(2));
    assert!(
        err.contains("--json already writes to standard output\nhint: give --reply a file"),
        "{err}"
    );
}

#[test]
fn standard_output_takes_one_thing() {
    let world = World::new();
    let (code, mbox, err) = world.review(&[THREAD, "--am", "-"], "");
    assert_eq!(code, Some(0), "{err}");
    assert!(
        err.starts_with("standard output: 1 patch of v6, 2 trailers added"),
        "{err}"
    );
    let (code, _, err) = world.review(&[THREAD, "--am", "am.mbox"], "");
    assert_eq!(code, Some(0), "{err}");
    let file = world.path().join("am.mbox");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), mbox);
    std::fs::remove_file(file).unwrap();
    for option in ["--next-version", "--reply"] {
        let alone = world.review(&[THREAD, option], "");
        assert_eq!(world.review(&[THREAD, option, "-"], ""), alone);
        let (code, out, err) = world.review(&[THREAD, "--am", "-", option], "");
        assert_eq!((code, out.as_str()), (Some(2), ""));
        assert!(
            err.contains("--am already writes to standard output"),
            "{err}"
        );
    }
    assert_eq!(std::fs::read_dir(world.path()).unwrap().count(), 0);
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
    let sent = format!("To: B <b@example.org>\n{}", mail(&good));
    let (code, out, err) = world.review(&args, &sent);
    assert_eq!(code, Some(0), "{err}");
    let cc = "Cc: B <b@example.org>, linux-mm@example.org\n";
    assert!(out.contains(cc), "{out}");

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

#[test]
fn the_thread_at_a_glance() {
    let world = World::new();
    let (code, out, _) = world.review(&[THREAD], "");
    assert_eq!(code, Some(0));
    let until = out.find("\n\nChangelog and trailers").unwrap();
    insta::assert_snapshot!(&out[..until], @r##"
    mm/oom_kill: The OOM reaper traverses the VMA maple tree in reverse order
    v6 by zhongjinji <zhongjinji@honor.com>, Fri, 29 Aug 2025 14:55:50 +0800
    1 of 2 patches, 3 answers

    1/2 is missing

    2/2 mm/oom_kill: The OOM reaper traverses the VMA maple tree in reverse
        order
      ? Acked-by: Michal Hocko <mhocko@suse.com>
          on a condition: Anyway, with a changelog clarified.
      + Reviewed-by: Liam R. Howlett <Liam.Howlett@oracle.com>
      + Reviewed-by: Lorenzo Stoakes <lorenzo.stoakes@oracle.com>

    Not answered yet
      ? Michal Hocko, request on 2/2
          The changelog could be improved because it is a bit confusing at this
          stage.
      ? Michal Hocko, question on 2/2
          I haven't payed a close attention to previous discussion (sorry) but
          there are two Reported-bys without any actual problem statement (sure
          contention could happen but so what? What was the observed behavior).
      ? Michal Hocko, request on 2/2
          Maybe you want to use that as a justiciation. My wording would be
          "Although the oom_reaper is delayed and it gives the oom victim chance
          to clean up its address space this might take a while especially for
          processes with a large address space footprint. In those cases
          oom_reaper might start racing with the dying task and compete for
          shared resources - e.g. page table lock contention has been observed.
          Reduce those races by reaping the oom victim from the other end of the
          address space."
    "##);
    // A command stays in one line: it is copied.
    let (text, command) = out.split_once("\nTest it:\n").unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{out}");
    let command = command.trim();
    assert_eq!(
        command,
        format!("cargo xtask patch-test --series {THREAD} --rounds 0")
    );

    let document = world.json(&[THREAD, "--json"], "");
    assert_eq!(document["versions"], serde_json::json!([6]));
    let latest = serde_json::to_string_pretty(&document["latest"]).unwrap();
    insta::assert_snapshot!(latest, @r##"
    {
      "missing": [
        1
      ],
      "patches": [
        {
          "author": "zhongjinji <zhongjinji@honor.com>",
          "date": "Fri, 29 Aug 2025 14:55:50 +0800",
          "index": 2,
          "not_counted": [],
          "subject": "mm/oom_kill: The OOM reaper traverses the VMA maple tree in reverse order",
          "trailers": [
            {
              "condition": "Anyway, with a changelog clarified.",
              "conditional": true,
              "from": "Michal Hocko <mhocko@suse.com>",
              "name": "Acked-by",
              "value": "Michal Hocko <mhocko@suse.com>",
              "version": 6,
              "why": "on a condition: Anyway, with a changelog clarified."
            },
            {
              "condition": null,
              "conditional": false,
              "from": "Liam R. Howlett <Liam.Howlett@oracle.com>",
              "name": "Reviewed-by",
              "value": "Liam R. Howlett <Liam.Howlett@oracle.com>",
              "version": 6,
              "why": "given to this patch"
            },
            {
              "condition": null,
              "conditional": false,
              "from": "Lorenzo Stoakes <lorenzo.stoakes@oracle.com>",
              "name": "Reviewed-by",
              "value": "Lorenzo Stoakes <lorenzo.stoakes@oracle.com>",
              "version": 6,
              "why": "given to this patch"
            }
          ]
        }
      ],
      "title": "mm/oom_kill: The OOM reaper traverses the VMA maple tree in reverse order",
      "total": 2,
      "version": 6,
      "warnings": [
        "a blank line splits the trailers of patch 2: git sees only the last block and loses Reported-by: tianxiaobin <tianxiaobin@honor.com>, Reported-by: fengbaopeng <fengbaopeng@honor.com>"
      ]
    }
    "##);
    let open = document["open_points"].as_array().unwrap();
    assert!(
        open.iter()
            .all(|one| one["by"] == "Michal Hocko <mhocko@suse.com>")
    );
    let quotes: Vec<&str> = open
        .iter()
        .map(|one| one["quote"].as_str().unwrap())
        .collect();
    assert!(
        quotes[0].starts_with("The changelog could be improved"),
        "{quotes:?}"
    );
    assert!(
        quotes[1].contains("What was the observed behavior"),
        "{quotes:?}"
    );
    assert!(
        quotes[2].contains("Reduce those races by reaping"),
        "{quotes:?}"
    );
}

/// A mail of an mbox with a patch, or with an answer.
fn mail(by: &str, head: &str, subject: &str, body: &str) -> String {
    format!(
        "From {by}@example.org Mon Sep 17 00:00:00 2001\nFrom: {by} <{by}@example.org>\n\
         Date: Fri, 29 Aug 2025 14:55:50 +0800\n{head}Subject: {subject}\n\n{body}\n\n"
    )
}

fn patch(id: &str, subject: &str, diff: &str) -> String {
    let body = format!("Text.\n\nSigned-off-by: a <a@example.org>\n---\n{diff}");
    mail("a", &format!("Message-ID: <{id}>\n"), subject, &body)
}

const CHANGE: &str = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n-- \n2.47.0\n";

fn answer(to: &str, text: &str) -> String {
    let head = format!("Message-ID: <b-{to}>\nIn-Reply-To: <{to}>\n");
    mail("b", &head, "Re: [PATCH] whatever", text)
}

#[test]
fn mail_is_read_from_every_place() {
    let world = World::new();
    let parts = [
        patch("1@a", "[PATCH v2] mm: x", CHANGE),
        answer("1@a", "Reviewed-by: b <b@example.org>"),
    ];
    let mbox = parts.concat();
    let write = |name: &str, bytes: &[u8]| {
        let path = world.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(mbox.as_bytes()).unwrap();
    write("mbox", mbox.as_bytes());
    write("mbox.gz", &gz.finish().unwrap());
    for (folder, mail) in ["cur/1:2,S", "new/2"].iter().zip(&parts) {
        // A maildir's files have no separator.
        let (_, mail) = mail.split_once('\n').unwrap();
        write(&format!("maildir/{folder}"), mail.as_bytes());
    }
    std::fs::create_dir(world.path().join("maildir/tmp")).unwrap();
    write("folder/0001-x.patch", parts[0].as_bytes());
    write("folder/answers.mbox", parts[1].as_bytes());
    let whole = world.json(&["mbox", "--json"], "");
    assert_eq!(
        whole["latest"]["patches"][0]["trailers"][0]["name"],
        "Reviewed-by"
    );
    for place in ["mbox.gz", "maildir", "folder", "-"] {
        assert_eq!(world.json(&[place, "--json"], &mbox), whole, "{place}");
    }
    write("maildir/cur/3:2,", b"\0\0");
    let (code, out, err) = world.review(&["maildir", "--json"], "");
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), whole);
    assert_eq!(
        err.matches("warning: 3:2, is left out: ").count(),
        1,
        "{err}"
    );
    let both = ["folder/0001-x.patch", "folder/answers.mbox", "--json"];
    assert_eq!(world.json(&both, ""), whole);

    let (code, _, err) = world.review(&["nowhere"], "");
    assert_eq!(
        (code, err.as_str()),
        (Some(2), "error: nowhere is neither a file nor a folder\n")
    );
    let (code, _, err) = world.review(&["-"], "Dear list,\n");
    assert_eq!(code, Some(2));
    assert!(
        err.starts_with("error: standard input: the input begins with"),
        "{err}"
    );
}

#[test]
fn of_several_series_one_is_named() {
    let world = World::new();
    let mbox = [
        patch("1@a", "[PATCH] mm: one", CHANGE),
        patch("2@a", "[PATCH v3] mm: another", CHANGE),
        answer("2@a", "Acked-by: b <b@example.org>"),
    ];
    let mbox = mbox.concat();
    let (code, out, err) = world.review(&["-"], &mbox);
    assert_eq!(code, Some(2));
    insta::assert_snapshot!(format!("{out}{err}"), @r##"
    mm: one
        v1 by a, 1 patch, 1 mail
        1@a
    mm: another
        v3 by a, 1 patch, 2 mails
        2@a
    error: standard input: 2 series found
    hint: choose one with --series: a message id, or words of its title
    "##);
    for which in [
        "2@a",
        "<b-2@a>",
        "https://lore.example.org/all/2@a/",
        "ANOTHER",
    ] {
        let document = world.json(&["-", "--json", "--series", which], &mbox);
        assert_eq!(document["latest"]["title"], "mm: another", "{which}");
    }
    let (code, out, _) = world.review(&["-", "--json"], &mbox);
    assert_eq!(code, Some(2));
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["series"][1]["id"], "2@a");
    let (code, out, err) = world.review(&["-", "--series", "lunch"], &mbox);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.contains("no series has a mail with the id"), "{err}");
}

#[test]
fn git_am_takes_what_is_written() {
    let world = World::new();
    world.git(&["init", "-q", "tree"]);
    std::fs::write(world.path().join("tree/x"), "a\n").unwrap();
    world.git(&["-C", "tree", "add", "x"]);
    world.git(&["-C", "tree", "commit", "-q", "-m", "base"]);
    let mbox = [
        patch("1@a", "[PATCH] mm: one", CHANGE),
        answer(
            "1@a",
            "With that fixed:\nAcked-by: b <b@example.org>\n\nFine.\n\nTested-by: b <b@example.org>",
        ),
    ];
    let mbox = mbox.concat();
    let table = [
        (
            vec![],
            "Tested-by: b <b@example.org>",
            "1 trailer added; 1 with a condition left out",
        ),
        (
            vec!["--accept-conditional"],
            "Acked-by: b <b@example.org>\nTested-by: b <b@example.org>",
            "2 trailers added\n",
        ),
    ];
    for (args, trailers, said) in table {
        let args = [&["-", "--am", "am.mbox"], &args[..]].concat();
        let (code, _, err) = world.review(&args, &mbox);
        assert_eq!(code, Some(0), "{err}");
        assert!(err.contains(said), "{err}");
        world.git(&["-C", "tree", "am", "-q", "../am.mbox"]);
        assert_eq!(
            world.git(&["-C", "tree", "log", "-1", "--format=%an <%ae>%n%aD%n%B"]),
            format!(
                "a <a@example.org>\nFri, 29 Aug 2025 14:55:50 +0800\nmm: one\n\nText.\n\n\
                 Signed-off-by: a <a@example.org>\n{trailers}"
            )
        );
        world.git(&["-C", "tree", "reset", "-q", "--hard", "HEAD~1"]);
    }
}

#[test]
fn a_hostile_mail_is_refused_or_shown_harmless() {
    let world = World::new();
    let change = |path: &str| {
        CHANGE
            .replace("a/x", &format!("a/{path}"))
            .replace("b/x", &format!("b/{path}"))
    };
    let hunks: String = (1..=100_000)
        .map(|n| format!("@@ -{n} +{n} @@\n-x\n+y\n"))
        .collect();
    let table = [
        (change("../../outside"), "leaves the tree by `..`"),
        (change("/etc/outside"), "is absolute"),
        (
            change(".git/hooks/post-checkout"),
            "a repository's own `.git`",
        ),
        (
            change("mm/\u{1b}[2Jx"),
            "has control or invisible characters",
        ),
        (
            format!("--- a/x\n+++ b/x\n{hunks}"),
            "more than 50000 hunks",
        ),
    ];
    for (diff, why) in table {
        let args = [
            "-",
            "--am",
            "am.mbox",
            "--next-version",
            "next.diff",
            "--reply",
            "reply.eml",
        ];
        let (code, out, err) = world.review(&args, &patch("1@a", "[PATCH] mm: x", &diff));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains(why), "{err}");
        assert!(
            err.len() < 1000 && !err.contains(|c: char| c.is_control() && c != '\n'),
            "{err:?}"
        );
        let advice = err.lines().nth(1).unwrap_or_default();
        assert!(
            err.lines().count() == 2 && advice.starts_with("hint: "),
            "{err:?}"
        );
    }
    assert_eq!(std::fs::read_dir(world.path()).unwrap().count(), 0);

    // A link is no patch of ours to test, and is written as it came.
    let link = "diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+../outside\n";
    let args = ["-", "--am", "am.mbox"];
    let (code, _, err) = world.review(&args, &patch("1@a", "[PATCH] mm: x", link));
    assert_eq!(code, Some(0), "{err}");
    let written = std::fs::read_to_string(world.path().join("am.mbox")).unwrap();
    assert!(written.contains(link), "{written}");

    // What can be shown is shown without what a terminal would obey.
    let evil = "=?UTF-8?q?=1B[31mEvil=C2=9B=E2=80=AE?=";
    let mbox = [
        patch("1@a", &format!("[PATCH] mm: {evil}"), CHANGE)
            .replace("From: a <", &format!("From: {evil} <")),
        answer(
            "1@a",
            "Why \u{1b}]0;title\u{7} so\u{202e}?\n\nAcked-by: b\u{1b}[2J <b@example.org>",
        ),
    ];
    for args in [&["-"][..], &["-", "--json"]] {
        let (code, out, err) = world.review(args, &mbox.concat());
        assert_eq!(code, Some(0), "{err}");
        let obeyed = |c: char| c.is_control() && c != '\n' || c == '\u{202e}' && args.len() == 1;
        assert!(
            !out.contains(obeyed) && !err.contains(obeyed),
            "{out:?} {err:?}"
        );
        assert!(out.contains("Evil"), "{out}");
    }
}
