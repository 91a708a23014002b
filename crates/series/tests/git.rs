//! Git itself as the oracle: what it writes is read and written back, and
//! what is written is taken by it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use series::patch::{self, FileDiff, LineKind, format};
use series::{mail, review};

const THREAD: &[u8] = include_bytes!("../../../patches/oom-reaper-reverse/thread.txt");

/// A repository that knows nothing of the machine's configuration.
struct Repo(tempfile::TempDir);

impl Repo {
    fn new() -> Self {
        let repo = Self(tempfile::tempdir().unwrap());
        repo.git(&["init", "-q", "-b", "main"]);
        repo
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, args: &[&str], input: &[u8]) -> (bool, Vec<u8>) {
        let mut child = Command::new("git")
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Jörg Example")
            .env("GIT_AUTHOR_EMAIL", "joerg@example.org")
            .env("GIT_AUTHOR_DATE", "Fri, 29 Aug 2025 14:55:50 +0800")
            .env("GIT_COMMITTER_NAME", "committer")
            .env("GIT_COMMITTER_EMAIL", "committer@example.org")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // All inputs are far smaller than a pipe holds or read at once.
        child.stdin.take().unwrap().write_all(input).unwrap();
        let out = child.wait_with_output().unwrap();
        let mut text = out.stdout;
        if !out.status.success() {
            text.extend(out.stderr);
        }
        (out.status.success(), text)
    }

    fn feed(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        let (success, out) = self.run(args, input);
        assert!(success, "git {args:?}: {}", String::from_utf8_lossy(&out));
        out
    }

    fn git(&self, args: &[&str]) -> Vec<u8> {
        self.feed(args, b"")
    }

    fn text(&self, args: &[&str]) -> String {
        String::from_utf8(self.git(args)).unwrap()
    }

    fn write(&self, path: &str, content: &[u8]) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.feed(
            &["commit", "-q", "--allow-empty", "-F", "-"],
            message.as_bytes(),
        );
    }
}

fn numbered(count: usize, prefix: &str) -> String {
    (1..=count).map(|n| format!("{prefix} {n}\n")).collect()
}

/// Two commits that differ in every way a diff can show.
fn zoo() -> Repo {
    let repo = Repo::new();
    let lines = numbered(60, "line");
    for (path, content) in [
        ("plain.c", lines.as_bytes()),
        (
            "function.c",
            format!("int first(void)\n{{\n{}}}\n", numbered(30, "\tcall();")).as_bytes(),
        ),
        ("old name.c", numbered(40, "renamed").as_bytes()),
        ("pure.c", numbered(20, "pure").as_bytes()),
        ("source.c", numbered(50, "copied").as_bytes()),
        ("script.sh", b"#!/bin/sh\n"),
        ("script2.sh", b"#!/bin/sh\necho one\n"),
        ("no-newline-before", b"one\ntwo"),
        ("no-newline-after", b"one\ntwo\n"),
        ("no-newline-both", b"one\ntwo"),
        ("crlf.txt", b"one\r\ntwo\r\nthree\r\n"),
        ("latin1.c", b"/* Gr\xfc\xdfe */\nint a;\n"),
        ("gone.c", b"a\nb\n"),
        ("gone-empty.c", b""),
        ("dir/with blank.c", b"x\n"),
        ("dir/gr\u{fc}n \"q\".c", b"x\n"),
        ("dashes.sql", b"-- comment\n-- two\nselect;\n"),
        ("blank.c", b"\n\n\n\nx\n\n\n"),
    ] {
        repo.write(path, content);
    }
    repo.commit("before");
    repo.write(
        "plain.c",
        lines
            .replace("line 7\n", "line seven\n")
            .replace("line 50\n", "")
            .as_bytes(),
    );
    let function = fs::read_to_string(repo.path().join("function.c")).unwrap();
    repo.write(
        "function.c",
        function.replace("call(); 20\n", "call(20);\n").as_bytes(),
    );
    let renamed = fs::read_to_string(repo.path().join("old name.c")).unwrap();
    fs::remove_file(repo.path().join("old name.c")).unwrap();
    repo.write(
        "new name.c",
        renamed.replace("renamed 5\n", "renamed five\n").as_bytes(),
    );
    fs::rename(repo.path().join("pure.c"), repo.path().join("dir/pure.c")).unwrap();
    let copied = fs::read_to_string(repo.path().join("source.c")).unwrap();
    repo.write(
        "copy.c",
        copied.replace("copied 9\n", "copied nine\n").as_bytes(),
    );
    repo.write("no-newline-before", b"one\ntwo\nthree\n");
    repo.write("no-newline-after", b"one\nthree");
    repo.write("no-newline-both", b"zero\ntwo");
    repo.write("crlf.txt", b"one\r\n2\r\nthree\r\n");
    repo.write("latin1.c", b"/* Gr\xfc\xdfe */\nint \xe4;\n");
    repo.write("script2.sh", b"#!/bin/sh\necho two\n");
    repo.write("created.c", b"a\nb\n");
    repo.write("created-empty.c", b"");
    repo.write("dir/with blank.c", b"y\n");
    repo.write("dir/gr\u{fc}n \"q\".c", b"y\n");
    repo.write("dashes.sql", b"-- two\nselect;\n-- \n");
    repo.write("blank.c", b"\n\n\n\ny\n\n\n");
    fs::remove_file(repo.path().join("gone.c")).unwrap();
    fs::remove_file(repo.path().join("gone-empty.c")).unwrap();
    repo.git(&["add", "-A"]);
    repo.git(&["update-index", "--chmod=+x", "script.sh", "script2.sh"]);
    repo.git(&["commit", "-q", "-m", "after"]);
    repo
}

#[test]
fn every_diff_of_git_is_written_back_byte_for_byte() {
    let repo = zoo();
    for options in [
        &["-M"][..],
        &["--no-renames"],
        &["-C", "--find-copies-harder"],
        &["-M", "--full-index"],
        &["-M", "-U0"],
        &["-M", "-U10"],
        &["-M", "--abbrev=12", "-W"],
    ] {
        let mut args = vec!["diff"];
        args.extend(options);
        args.extend(["HEAD~1", "HEAD"]);
        let diff = repo.git(&args);
        let files = patch::parse(&diff).unwrap();
        assert!(files.len() > 15, "{options:?}: {} files", files.len());
        let written = patch::diff(&files);
        assert_eq!(
            String::from_utf8_lossy(&written),
            String::from_utf8_lossy(&diff),
            "{options:?}"
        );
        assert!(written == diff, "{options:?}: not the same bytes");
        // Backwards too: what was new is deleted, and so on.
        let end = args.len();
        args.swap(end - 2, end - 1);
        let diff = repo.git(&args);
        assert!(
            patch::diff(&patch::parse(&diff).unwrap()) == diff,
            "{options:?}, backwards"
        );
    }
}

#[test]
fn a_plain_diff_becomes_one_that_git_applies_alike() {
    let repo = zoo();
    let diff = repo.git(&[
        "diff",
        "--no-renames",
        "HEAD~1",
        "HEAD",
        "--",
        "plain.c",
        "gone.c",
        "created.c",
    ]);
    // Without git's own lines, as `diff -u` writes it.
    let plain: Vec<u8> = diff
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| {
            let git = [&b"diff "[..], b"index ", b"new file", b"deleted file"];
            !git.iter().any(|start| line.starts_with(start))
        })
        .flatten()
        .copied()
        .collect();
    let files = patch::parse(&plain).unwrap();
    let shape: Vec<_> = files
        .iter()
        .map(|f| (f.old_path.is_some(), f.new_path.is_some()))
        .collect();
    assert_eq!(shape, [(false, true), (true, false), (true, true)]);
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    repo.feed(&["apply", "--index"], &plain);
    let expected = repo.git(&["write-tree"]);
    repo.git(&["reset", "-q", "--hard"]);
    repo.git(&["clean", "-qfd"]);
    // Without modes git wants a `new file mode`, so the hunks are what is compared.
    let again = patch::parse(&diff).unwrap();
    assert_eq!(
        files.iter().map(|file| &file.hunks).collect::<Vec<_>>(),
        again.iter().map(|file| &file.hunks).collect::<Vec<_>>()
    );
    repo.feed(&["apply", "--index"], &patch::diff(&again));
    assert_eq!(repo.git(&["write-tree"]), expected);
}

/// A file that a diff's hunks fit, and the same file after them.
fn images(file: &FileDiff) -> (Vec<u8>, Vec<u8>) {
    let (mut old, mut new, mut line) = (Vec::new(), Vec::new(), 1);
    for hunk in &file.hunks {
        while line < hunk.old_start {
            let filler = format!("filler {line}\n");
            old.extend(filler.as_bytes());
            new.extend(filler.as_bytes());
            line += 1;
        }
        for one in &hunk.lines {
            if one.kind != LineKind::Added {
                old.extend(&one.text);
                line += 1;
            }
            if one.kind != LineKind::Removed {
                new.extend(&one.text);
            }
        }
    }
    (old, new)
}

#[test]
fn the_threads_patch_is_what_git_am_makes_of_it() {
    let series = series::parse(THREAD).unwrap();
    let [patch] = &series.patches[..] else {
        panic!("one patch")
    };
    let (old, new) = images(&patch.files[0]);
    let repo = Repo::new();
    repo.write("mm/oom_kill.c", &old);
    repo.commit("base");
    repo.feed(&["am", "-q"], &format::patch(patch));
    assert_eq!(fs::read(repo.path().join("mm/oom_kill.c")).unwrap(), new);
    assert_eq!(
        repo.text(&["log", "-1", "--format=%an <%ae>"]).trim(),
        "zhongjinji <zhongjinji@honor.com>"
    );
    assert_eq!(
        repo.text(&["log", "-1", "--format=%aD"]).trim(),
        "Fri, 29 Aug 2025 14:55:50 +0800"
    );
    let commit = repo.text(&["cat-file", "commit", "HEAD"]);
    assert_eq!(commit.split_once("\n\n").unwrap().1, patch.message);

    // Git sees one trailer of three.
    let seen = repo.feed(&["interpret-trailers", "--parse"], patch.message.as_bytes());
    assert_eq!(seen, b"Signed-off-by: zhongjinji <zhongjinji@honor.com>\n");
    assert_eq!(patch.trailers.len(), 3);
}

/// Commits with the messages that people write.
const MESSAGES: &[&str] = &[
    "mm: one line only",
    "mm: short\n\nA body.\n\nSigned-off-by: A B <a@b.c>",
    "mm: gr\u{fc}ne W\u{e4}lder, a subject that is not ASCII and so long that its encoded words must be folded\n\n\u{dc}ber den W\u{f6}rtern.\n\nReported-by: J\u{f6}rg <j@e.org>\nCloses: https://example.org/1\nSigned-off-by: J\u{f6}rg <j@e.org>",
    "mm/very_long: a subject that goes on and on, far behind the column where a mail header is folded, and further\n\n  indented\n\n\ttabbed\n\n* list\n  more: of it",
    "subsys: dots... and (brackets) [not at the start] trailing.\n\nFixes: 0123456789ab (\"mm: thing\")\nSigned-off-by: A. B. Person, Jr. <a@b.c>\n[someone: changed it]\nSigned-off-by: C <c@d.e>",
    "mm: last block is prose\n\nNote: this is not only\na trailer block but text",
    "mm: inner header\n\nFrom: here the text begins as a header would.\n\nMore.",
];

#[test]
fn what_format_patch_writes_is_read_and_taken_by_am_again() {
    let repo = Repo::new();
    repo.write("a.c", b"start\n");
    repo.commit("base");
    for (n, message) in MESSAGES.iter().enumerate() {
        repo.write("a.c", numbered(n + 1, "line").as_bytes());
        repo.commit(message);
    }
    let mbox = repo.git(&[
        "format-patch",
        "--stdout",
        "-v3",
        "--no-signature",
        "--root",
        "main~7..main",
    ]);
    let series = series::parse(&mbox).unwrap();
    assert_eq!(
        (series.version, series.total, series.missing.len()),
        (3, 7, 0)
    );
    assert_eq!(series.warnings, []);

    // As a folder of files, whatever order they come in.
    repo.git(&["format-patch", "-q", "-v3", "-o", "out", "main~7..main"]);
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(repo.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect();
    files.sort_by(|one, other| other.0.cmp(&one.0));
    assert_eq!(
        series::from_thread(mail::parse_files(&files).unwrap()).unwrap(),
        series
    );

    let copy = Repo::new();
    copy.write("a.c", b"start\n");
    copy.commit("base");
    for (n, (patch, message)) in series.patches.iter().zip(MESSAGES).enumerate() {
        let commit = format!("main~{}", MESSAGES.len() - 1 - n);
        let show = |format: &str| repo.text(&["log", "-1", &format!("--format={format}"), &commit]);
        assert_eq!(patch.author.name, show("%an").trim());
        assert_eq!(patch.author.email, show("%ae").trim());
        assert_eq!(patch.date.as_deref(), Some(show("%aD").trim()));
        // The mail's in-body header is taken for one, by git too.
        if !message.contains("From: here") {
            assert_eq!(patch.message.trim_end(), show("%B").trim_end());
        }
        copy.feed(&["am", "-q"], &format::patch(patch));
        let made = copy.text(&["log", "-1", "--format=%an%n%ae%n%aD%n%T%n%B"]);
        let Some(date) = &patch.date else {
            panic!("no date")
        };
        let tree = show("%T");
        assert_eq!(
            made.trim_end(),
            format!(
                "{}\n{}\n{date}\n{}\n{}",
                patch.author.name,
                patch.author.email,
                tree.trim(),
                patch.message
            )
            .trim_end()
        );
    }
    // The names and the text of the files, as git has them.
    repo.git(&["format-patch", "-q", "-o", "named", "main~7..main"]);
    let mut names: Vec<_> = fs::read_dir(repo.path().join("named"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        series
            .patches
            .iter()
            .map(format::file_name)
            .collect::<Vec<_>>()
    );
    let plain = repo.git(&[
        "format-patch",
        "--stdout",
        "-v3",
        "--zero-commit",
        "--signature=reaperlab",
        "-N",
        "-1",
        "main~5",
    ]);
    let again = series::parse(&plain).unwrap();
    assert_eq!(
        String::from_utf8(format::patch(&again.patches[0])).unwrap(),
        String::from_utf8(plain).unwrap()
    );
}

/// Author, date, tree and message of a commit.
fn commit(repo: &Repo, which: &str) -> Vec<u8> {
    let mut text = repo.git(&["log", "-1", "--format=%an%n%ae%n%aD%n%T%n%B", which]);
    text.truncate(text.trim_ascii_end().len());
    text
}

#[test]
fn what_am_gives_is_the_mails_commit_and_the_trailers() {
    // Whatever a diff can show, and whatever a message can hold.
    let mut repos = vec![zoo()];
    // Of a changelog that begins as a header git itself makes no commit.
    for message in MESSAGES.iter().filter(|m| !m.contains("From: here")) {
        let repo = Repo::new();
        repo.write("a.c", b"start\nFrom here\n");
        repo.commit("base");
        repo.write("a.c", b"start\nFrom there\n");
        repo.commit(message);
        repos.push(repo);
    }
    let given = "Reviewed-by: J\u{f6}rg Example <joerg@example.org>";
    let held = "Acked-by: C <c@example.org>";
    let from = "From x@example.org Mon Sep 17 00:00:00 2001\n";
    let answers = format!(
        "{from}Message-ID: <1@b>\nIn-Reply-To: <1@a>\nFrom: joerg@example.org\nSubject: Re: x\n\n{given}\n\n\
         {from}Message-ID: <1@c>\nIn-Reply-To: <1@a>\nFrom: C <c@example.org>\nSubject: Re: x\n\n\
         With that fixed:\n{held}\n"
    );
    for repo in &repos {
        let mail = repo.git(&[
            "format-patch",
            "--stdout",
            "-1",
            "--add-header=Message-ID: <1@a>",
        ]);
        let mbox = [&mail[..], answers.as_bytes()].concat();
        let review = review::review(mail::parse(&mbox).unwrap()).unwrap();
        // git takes its own mails only with their carriage returns kept.
        repo.git(&["checkout", "-qf", "-B", "theirs", "HEAD~1"]);
        repo.feed(&["am", "-q", "--keep-cr"], &mail);
        let theirs = commit(repo, "theirs");
        for (accept, added) in [(false, vec![given]), (true, vec![given, held])] {
            repo.git(&["checkout", "-qf", "-B", "ours", "theirs~1"]);
            repo.feed(&["am", "-q"], &review.am(accept).unwrap());
            let ours = commit(repo, "ours");
            let more = ours.strip_prefix(&theirs[..]);
            let more = more.map(|more| String::from_utf8_lossy(more).trim().to_owned());
            assert_eq!(
                more,
                Some(added.join("\n")),
                "{}",
                String::from_utf8_lossy(&ours)
            );
            let message = repo.git(&["log", "-1", "--format=%B"]);
            let seen = repo.feed(&["interpret-trailers", "--parse"], &message);
            let seen = String::from_utf8(seen).unwrap();
            assert!(seen.ends_with(&format!("{}\n", added.join("\n"))), "{seen}");
        }
    }
}

#[test]
fn am_takes_the_thread_of_this_series() {
    let review = review::review(mail::parse(THREAD).unwrap()).unwrap();
    let mbox = review.am(false).unwrap();
    // The diff stands in it as it stands in the thread.
    let find = |text: &[u8], what: &str| {
        let text = String::from_utf8(text.to_vec()).unwrap();
        let start = text.find(what).unwrap();
        let end = start + text[start..].find("-- \n2.17.1\n").unwrap();
        text[start..end].to_owned()
    };
    assert_eq!(find(&mbox, "---\n mm/"), find(THREAD, "---\n mm/"));

    let repo = Repo::new();
    let hunks = &review.series().patches[0].files[0].hunks;
    let mut file = Vec::new();
    for hunk in hunks {
        while file.iter().filter(|byte| **byte == b'\n').count() + 1 < hunk.old_start as usize {
            file.push(b'\n');
        }
        for line in hunk
            .lines
            .iter()
            .filter(|line| line.kind != LineKind::Added)
        {
            file.extend_from_slice(&line.text);
        }
    }
    repo.write("mm/oom_kill.c", &file);
    repo.commit("base");
    repo.feed(&["am", "-q"], &mbox);
    let patch = &review.series().patches[0];
    let made = repo.text(&["log", "-1", "--format=%an <%ae>%n%aD%n%B"]);
    let trailers = "Reviewed-by: Liam R. Howlett <Liam.Howlett@oracle.com>\nReviewed-by: Lorenzo Stoakes <lorenzo.stoakes@oracle.com>";
    assert_eq!(
        made.trim_end(),
        format!(
            "{}\nFri, 29 Aug 2025 14:55:50 +0800\n{}{trailers}",
            patch.author, patch.message
        )
    );
}

#[test]
fn the_diffstat_is_gits() {
    let repo = Repo::new();
    repo.write("a.c", b"");
    repo.write("some/folder/with/a/name.c", numbered(3, "x").as_bytes());
    repo.write(
        "some/folder/with/a/path/that/is/longer/than/fits/name.c",
        b"a\n",
    );
    repo.commit("base");
    repo.write("a.c", numbered(200, "y").as_bytes());
    repo.write("some/folder/with/a/name.c", numbered(1, "x").as_bytes());
    repo.write(
        "some/folder/with/a/path/that/is/longer/than/fits/name.c",
        b"b\nc\n",
    );
    repo.commit("mm: change");
    let mail = repo.git(&["format-patch", "--stdout", "-1"]);
    let ours = format::patch(&series::parse(&mail).unwrap().patches[0]);
    let last = |mail: &[u8]| {
        let text = String::from_utf8_lossy(mail).into_owned();
        let stat = text
            .split("---\n")
            .nth(1)
            .unwrap()
            .split("diff --git")
            .next()
            .unwrap();
        stat.to_owned()
    };
    assert_eq!(last(&ours), last(&mail));
}

#[test]
fn mails_are_read_as_git_mailinfo_reads_them() {
    let diff = "---\n a | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\ndiff --git a/a b/a\nindex 1234567..89abcde 100644\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+y\n-- \n2.47\n\n";
    let latin1 = b"From: =?iso-8859-1?q?J=F6rg?= <j@e.org>\nSubject: [PATCH] mm: x\nDate: Fri, 29 Aug 2025 14:55:50 +0800\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\nGr\xfc\xdfe.\n";
    let mails: Vec<Vec<u8>> = vec![
        format!("From: A <a@b.c>\nDate: Fri, 29 Aug 2025 14:55:50 +0800\nSubject: [PATCH v2 1/1] [mm]  mm: folded\n subject: here\n\nBody.  \n\n\n\nMore.\n{diff}").into(),
        format!("From: list <l@b.c>\nDate: Fri, 29 Aug 2025 14:55:50 +0800\nSubject: [PATCH] mm: x\n\nFrom: The Author <t@a.u>\nSubject: mm: other\nDate: Sat, 30 Aug 2025 01:02:03 -0300\n\nBody.\nSigned-off-by: x <y@z>\n{diff}").into(),
        format!("From: =?UTF-8?q?J=C3=B6rg?= <j@e.org>\nDate: Fri, 29 Aug 2025 14:55:50 +0800\nSubject: =?UTF-8?B?W1BBVENIXSBtbTogw7w=?=\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC soft=\n break =3D\n{}", diff.replace('=', "=3D")).into(),
        [&latin1[..], diff.as_bytes()].concat(),
        format!("From: \"Liam R. X\" <l@e.org>\nDate: 1 Jan 2024 00:00:00 +0000\nSubject: [PATCH] mm: a\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"XX\"\n\npreamble\n--XX\nContent-Type: text/plain\n\nText.\n--XX\nContent-Type: text/x-patch; name=a.patch\nContent-Disposition: attachment; filename=a.patch\n\n{diff}\n--XX--\nepilogue\n").into(),
    ];
    for mail in mails {
        let repo = Repo::new();
        let info = repo.feed(&["mailinfo", "msg", "patch"], &mail);
        let info = String::from_utf8(info).unwrap();
        let field = |name: &str| {
            let found = info.lines().find_map(|line| line.strip_prefix(name));
            found.unwrap_or_default().trim().to_owned()
        };
        let body = repo.feed(&["stripspace"], &fs::read(repo.path().join("msg")).unwrap());
        let body = String::from_utf8(body).unwrap();
        let series = series::parse(&mail).unwrap();
        let patch = &series.patches[0];
        assert_eq!(patch.author.name, field("Author:"), "{info}");
        assert_eq!(patch.author.email, field("Email:"));
        assert_eq!(patch.subject, field("Subject:"));
        let expected = format!("{}\n\n{body}", field("Subject:"));
        assert_eq!(patch.message.trim_end(), expected.trim_end());
        let date = patch.date.clone().unwrap();
        assert_eq!(
            jiff::fmt::rfc2822::parse(&date).unwrap().timestamp(),
            jiff::fmt::rfc2822::parse(&field("Date:"))
                .unwrap()
                .timestamp()
        );
        let gits = patch::parse(&fs::read(repo.path().join("patch")).unwrap()).unwrap();
        assert_eq!(patch.files, gits);
    }
}

#[test]
fn trailers_are_those_of_git_interpret_trailers() {
    let repo = Repo::new();
    for text in [
        "Body.\n\nSigned-off-by: A <a@b>\n",
        "Body.\n\nFixes: 0123456789ab (\"x: y\")\nCc: <stable@vger.kernel.org> # 6.1\nSigned-off-by: A <a@b>\n",
        "Body.\n\nLink: https://example.org/a\n  b\nSigned-off-by: A <a@b>\n",
        "Body.\n\nSigned-off-by: A <a@b>\n[b: changed]\nSigned-off-by: B <b@b>\n",
        "Body.\n\nThis line and: that\nis prose\n",
        "Body.\n\nprose\nprose\nprose\nprose\nSigned-off-by: A <a@b>\n",
        "Body without any.\n",
        "Signed-off-by: A <a@b>\n",
    ] {
        let diff = "---\ndiff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+y\n";
        let mail = format!("From: A <a@b>\nSubject: [PATCH] mm: x\n\n{text}{diff}");
        let series = series::parse(mail.as_bytes()).unwrap();
        let ours: String = (series.patches[0].trailers.iter())
            .map(|trailer| format!("{}: {}\n", trailer.name, trailer.value))
            .collect();
        let message = series.patches[0].message.as_bytes();
        let gits = repo.feed(&["interpret-trailers", "--parse"], message);
        assert_eq!(ours, String::from_utf8(gits).unwrap(), "{text}");
    }
}

/// A commit of a made-up series: its subject, and the lines that it writes
/// over, each as file, line and text.
type Edit = (&'static str, usize, String);

#[derive(Clone)]
struct Made {
    subject: String,
    body: String,
    edits: Vec<Edit>,
}

fn made(subject: &str, edits: &[(&'static str, usize, usize)]) -> Made {
    let lines = |(file, from, count): &(&'static str, usize, usize)| -> Vec<Edit> {
        (*from..from + count)
            .map(|line| {
                (
                    *file,
                    line,
                    format!("{subject} writes line {line} of {file}"),
                )
            })
            .collect()
    };
    Made {
        subject: format!("mm: {subject}"),
        body: format!("Change what {subject} needs."),
        edits: edits.iter().flat_map(lines).collect(),
    }
}

const FILES: [&str; 4] = ["mm/a.c", "mm/b.c", "mm/c.c", "kernel/d.c"];

/// Commits a series on the branch's start, and reads it back as mail.
fn committed(repo: &Repo, branch: &str, commits: &[Made]) -> series::Series {
    repo.git(&["checkout", "-q", "-B", branch, "start"]);
    for commit in commits {
        for (file, at, text) in &commit.edits {
            let path = repo.path().join(file);
            let old = fs::read_to_string(&path).unwrap();
            let mut lines: Vec<&str> = old.lines().collect();
            lines[*at] = text;
            repo.write(file, (lines.join("\n") + "\n").as_bytes());
        }
        repo.commit(&format!("{}\n\n{}", commit.subject, commit.body));
    }
    series::parse(&repo.git(&["format-patch", "--stdout", "start"])).unwrap()
}

/// A place in the older version, a mark, and a place in the newer.
type Row = (Option<u32>, char, Option<u32>);

/// Each line's places and mark, as `git range-diff` prints them.
fn range_diff(repo: &Repo) -> Vec<Row> {
    let text = repo.text(&["range-diff", "--no-color", "-s", "start..v1", "start..v2"]);
    text.lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let place = |word: &str| word.trim_end_matches(':').parse().ok();
            (
                place(words[0]),
                words[2].chars().next().unwrap(),
                place(words[3]),
            )
        })
        .collect()
}

/// Both opinions of a reroll: ours, and that of `git range-diff`.
fn opinions(repo: &Repo, old: &[Made], new: &[Made]) -> [Vec<Row>; 2] {
    let old = committed(repo, "v1", old);
    let new = committed(repo, "v2", new);
    let ours = review::reroll::compare(&old, &new)
        .iter()
        .map(|one| (one.old, one.kind.mark(), one.new))
        .collect();
    [ours, range_diff(repo)]
}

fn start() -> Repo {
    let repo = Repo::new();
    for file in FILES {
        repo.write(file, numbered(80, file).as_bytes());
    }
    repo.commit("start");
    repo.git(&["branch", "start"]);
    repo
}

#[test]
fn rerolls_are_paired_as_git_range_diff_pairs_them() {
    let repo = start();
    let one = made("one", &[("mm/a.c", 10, 6)]);
    let two = made("two", &[("mm/b.c", 10, 6), ("mm/a.c", 60, 2)]);
    let three = made("three", &[("mm/c.c", 5, 12)]);
    let four = made("four", &[("kernel/d.c", 40, 4)]);
    let renamed = Made {
        subject: "mm: another name".into(),
        ..two.clone()
    };
    let reworded = Made {
        body: "Say why.".into(),
        ..one.clone()
    };
    let mut amended = three.clone();
    amended.edits[2].2 = "another line".into();
    amended.edits.push(("mm/c.c", 30, "one more".into()));
    let both = Made {
        subject: "mm: renamed and amended".into(),
        ..amended.clone()
    };
    let wide = made(
        "wide",
        &[("mm/a.c", 10, 10), ("mm/b.c", 10, 10), ("mm/c.c", 40, 3)],
    );
    let part = |name: &str, file: &str| {
        let mut part = Made {
            subject: format!("mm: {name}"),
            ..wide.clone()
        };
        part.edits.retain(|edit| edit.0 == file);
        part
    };
    let (first, second, third) = (
        part("wide", "mm/a.c"),
        part("wide, second part", "mm/b.c"),
        part("wide, third part", "mm/c.c"),
    );
    let rewritten = Made {
        subject: three.subject.clone(),
        ..made("new", &[("kernel/d.c", 1, 9)])
    };
    let all = vec![one.clone(), two.clone(), three.clone(), four.clone()];
    let table: [(&str, Vec<Made>, Vec<Made>); 13] = [
        ("the same", all.clone(), all.clone()),
        (
            "reordered",
            all.clone(),
            vec![four.clone(), two.clone(), one.clone(), three.clone()],
        ),
        (
            "dropped",
            all.clone(),
            vec![one.clone(), three.clone(), four.clone()],
        ),
        ("added", vec![one.clone(), three.clone()], all.clone()),
        (
            "renamed",
            all.clone(),
            vec![one.clone(), renamed.clone(), three.clone(), four.clone()],
        ),
        (
            "reworded",
            vec![one.clone(), two.clone()],
            vec![reworded.clone(), two.clone()],
        ),
        (
            "amended",
            all.clone(),
            vec![one.clone(), two.clone(), amended.clone(), four.clone()],
        ),
        (
            "renamed and amended",
            all.clone(),
            vec![both.clone(), one.clone(), two.clone()],
        ),
        (
            "split in two",
            vec![wide.clone(), four.clone()],
            vec![first.clone(), second.clone(), four.clone()],
        ),
        (
            "split in three",
            vec![wide.clone()],
            vec![third.clone(), first.clone(), second.clone()],
        ),
        (
            "squashed",
            vec![first.clone(), second.clone(), third.clone()],
            vec![wide.clone()],
        ),
        (
            "rewritten",
            all.clone(),
            vec![one.clone(), two.clone(), rewritten],
        ),
        (
            "all of it",
            all.clone(),
            vec![both, four, renamed, first, reworded],
        ),
    ];
    let mut seen = String::new();
    for (name, old, new) in table {
        let [ours, gits] = opinions(&repo, &old, &new);
        assert_eq!(ours, gits, "{name}");
        let marks: String = ours.iter().map(|one| one.1).collect();
        seen += &format!("{name}: {marks}\n");
    }
    insta::assert_snapshot!(seen, @r"
    the same: ====
    reordered: ====
    dropped: =<==
    added: =>=>
    renamed: =!==
    reworded: !=
    amended: ==!=
    renamed and amended: !==<
    split in two: !>=
    split in three: >!>
    squashed: !<<
    rewritten: ==<<>
    all of it: <!=!>>
    ");
}

/// Rerolls made up by a seeded generator.
#[test]
fn made_up_rerolls_are_paired_as_git_range_diff_pairs_them() {
    let repo = start();
    let mut state = 6_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for case in 0..15 {
        let old: Vec<Made> = (0..2 + random(5))
            .map(|at| {
                let edits: Vec<_> = (0..1 + random(3))
                    .map(|_| (FILES[random(4)], random(60), 1 + random(12)))
                    .collect();
                made(&format!("patch {case}.{at}"), &edits)
            })
            .collect();
        let mut new = old.clone();
        for _ in 0..1 + random(3) {
            let at = random(new.len());
            match random(6) {
                0 if new.len() > 1 => {
                    new.remove(at);
                }
                1 => {
                    let edits = [(FILES[random(4)], random(60), 1 + random(12))];
                    new.insert(at, made(&format!("fresh {case}.{at}"), &edits));
                }
                2 => {
                    let other = random(new.len());
                    new.swap(at, other);
                }
                3 => new[at].subject += ", renamed",
                4 => {
                    let edit = random(new[at].edits.len());
                    new[at].edits[edit].2 += " otherwise";
                }
                _ => {
                    let half = new[at].edits.len() / 2;
                    let rest = new[at].edits.split_off(half.max(1));
                    if !rest.is_empty() {
                        let subject = format!("{}, second part", new[at].subject);
                        new.insert(
                            at + 1,
                            Made {
                                subject,
                                edits: rest,
                                ..old[0].clone()
                            },
                        );
                    }
                }
            }
        }
        let [ours, gits] = opinions(&repo, &old, &new);
        assert_eq!(ours, gits, "case {case}");
    }
}
