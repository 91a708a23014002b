//! Input that is cut, mangled, of another kind, or meant to do harm: one
//! clear error each, and never a panic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Read, Write};

use proptest::prelude::*;
use series::index::Index;
use series::mail::Mails;
use series::patch::{self, format};
use series::{mail, manifest};

#[path = "../../../fuzz/properties/mail.rs"]
mod properties;

const THREAD: &[u8] = include_bytes!("../../../patches/oom-reaper-reverse/thread.txt");

const HEADERS: &str = "From: A <a@b.c>\nDate: Fri, 29 Aug 2025 14:55:50 +0800\nSubject: [PATCH 1/1] mm: x\n\nBody.\n---\n";

fn mail(diff: &str) -> String {
    format!("{HEADERS}{diff}")
}

fn error_of(input: &[u8]) -> String {
    match series::parse(input) {
        Ok(series) => panic!("accepted as {:?}", series.title),
        Err(error) => error.to_string(),
    }
}

/// A change of one line of a file.
fn change(path: &str) -> String {
    format!("diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-x\n+y\n")
}

#[test]
fn what_is_no_series_gets_one_clear_error() {
    let thread = String::from_utf8(THREAD.to_vec()).unwrap();
    let cut = |at: &str| thread[..thread.find(at).unwrap()].to_owned();
    let both = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+y\n";
    let table = [
        ("nothing", String::new()),
        ("blanks", " \n\n".to_owned()),
        ("prose", "Dear list,\nhere is a patch.\n".to_owned()),
        ("a bare diff", both.to_owned()),
        (
            "a mail without a patch",
            "From: a@b.c\nSubject: lunch?\n\nToday?\n".to_owned(),
        ),
        (
            "headers only",
            "From: a@b.c\nSubject: [PATCH] mm: x\n".to_owned(),
        ),
        ("a patch without a diff", mail("")),
        (
            "an mbox without a mail",
            "From a@b Mon Sep 17 00:00:00 2001\n\nx\n".to_owned(),
        ),
        (
            "no author",
            format!("Subject: [PATCH] mm: x\n\n---\n{both}"),
        ),
        (
            "no subject",
            format!("From: a@b.c\nSubject: [PATCH]\n\n---\n{both}"),
        ),
        ("cut in the changelog", cut("simultaneously, the OOM")),
        ("cut in the diffstat", cut(" 1 file changed")),
        ("cut in a diff's headers", cut("--- a/mm/oom_kill.c")),
        ("cut before a hunk", cut("@@ -516")),
        ("cut in a hunk", cut("+\tMA_STATE")),
        ("cut in a line", cut("_for_each_rev(&mas")),
        (
            "cut between files",
            mail(&format!(
                " 2 files changed, 2 insertions(+), 2 deletions(-)\n{both}"
            )),
        ),
        (
            "a NUL in the changelog",
            mail(both).replace("Body.", "Bo\0dy."),
        ),
    ];
    let errors: Vec<String> = table
        .iter()
        .map(|(what, input)| {
            let error = series::parse(input.as_bytes()).unwrap_err();
            format!("{what}: {error}\n  hint: {}", error.hint().unwrap())
        })
        .collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    nothing: the input is empty
      hint: give an archive's plain text of the thread, an mbox, or files that `git format-patch` wrote
    blanks: the input is empty
      hint: give an archive's plain text of the thread, an mbox, or files that `git format-patch` wrote
    prose: the input begins with "Dear list," and is not mail
      hint: give an archive's plain text of the thread, an mbox, or files that `git format-patch` wrote
    a bare diff: the input is only a diff, without author, date and changelog
      hint: commit it and give the file that `git format-patch` writes
    a mail without a patch: no patch in 1 message(s), the first of which is "lunch?"
      hint: give the thread, or the mails, that carry the patches
    headers only: "[PATCH] mm: x" is called a patch but has no diff
      hint: give the mail, or the thread, that carries the patch
    a patch without a diff: "[PATCH 1/1] mm: x" is called a patch but has no diff
      hint: give the mail, or the thread, that carries the patch
    an mbox without a mail: the input begins with "From …, but no mail behind it" and is not mail
      hint: give an archive's plain text of the thread, an mbox, or files that `git format-patch` wrote
    no author: "[PATCH] mm: x" does not say who wrote it; no commit can be made of it
      hint: get the mail again as it was sent
    no subject: "[PATCH]" has no subject behind its `[PATCH]`; no commit can be made of it
      hint: get the mail again as it was sent
    cut in the changelog: "[PATCH v6 2/2] mm/oom_kill: The OOM reaper traverses the VMA maple tree in reverse order" is called a patch but has no diff
      hint: give the mail, or the thread, that carries the patch
    cut in the diffstat: "[PATCH v6 2/2] mm/oom_kill: The OOM reaper traverses the VMA maple tree in reverse order" is called a patch but has no diff
      hint: give the mail, or the thread, that carries the patch
    cut in a diff's headers: "[PATCH v6 2/2] mm/oom_kill: The OOM reaper traverses the VMA maple tree in reverse order": line 5: a changed file without a hunk ("a/mm/oom_kill.c b/mm/oom_kill.c")
      hint: the patch was cut off, damaged or edited by hand; get it again as it was sent
    cut before a hunk: "[PATCH v6 2/2] mm/oom_kill: The OOM reaper traverses the VMA maple tree in reverse order": "mm/oom_kill.c", hunk 1 (line 8): ---/+++ without a hunk behind them
      hint: the patch was cut off, damaged or edited by hand; get it again as it was sent
    cut in a hunk: "[PATCH v6 2/2] mm/oom_kill: The OOM reaper traverses the VMA maple tree in reverse order": "mm/oom_kill.c", hunk 1 (line 9): its header promises 7 more line(s)
      hint: the patch was cut off, damaged or edited by hand; get it again as it was sent
    cut in a line: "[PATCH v6 2/2] mm/oom_kill: The OOM reaper traverses the VMA maple tree in reverse order": "mm/oom_kill.c", hunk 2 (line 18): its header promises 7 more line(s)
      hint: the patch was cut off, damaged or edited by hand; get it again as it was sent
    cut between files: "[PATCH 1/1] mm: x" changes 1 of the 2 files in its diffstat
      hint: the mail was cut off; get it again as it was sent
    a NUL in the changelog: "[PATCH 1/1] mm: x" has a NUL byte in its changelog; no commit can be made of it
      hint: get the mail again as it was sent
    "#);
}

#[test]
fn what_a_diff_must_not_do_is_refused() {
    let git = |extended: &str| format!("diff --git a/a b/a\n{extended}");
    let hunk = |header: &str, lines: &str| format!("--- a/a\n+++ b/a\n{header}\n{lines}");
    let table = [
        change("../../etc/passwd"),
        change("mm/../../x"),
        change("/etc/passwd"),
        "--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1 @@\n-x\n+y\n".to_owned(),
        change(".git/hooks/post-checkout"),
        change("mm/.GIT/config"),
        change(".git./config"),
        change("git~1/config"),
        change("mm//x"),
        change("./x"),
        change("mm\\x"),
        change("mm/\u{1b}[2Jx"),
        change("mm/\u{202e}c.x"),
        change("mm/.g\u{200c}it/x"),
        git("--- \"a/\\056\\056/x\"\n+++ \"b/\\056\\056/x\"\n@@ -1 +1 @@\n-x\n+y\n"),
        git("--- \"a/a\\q\"\n+++ \"b/a\\q\"\n@@ -1 +1 @@\n-x\n+y\n"),
        git("--- \"a/\\377\"\n+++ \"b/\\377\"\n@@ -1 +1 @@\n-x\n+y\n"),
        "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n".to_owned(),
        "--- a/a\n+++ b/b\n@@ -1 +1 @@\n-x\n+y\n".to_owned(),
        "--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-x\n+y\n".to_owned(),
        git("--- a/b\n+++ b/b\n@@ -1 +1 @@\n-x\n+y\n"),
        git("new file mode 100666\n"),
        git("new file mode 040000\n"),
        git("index 1234567\n"),
        git("index 1234567..89abcde 100644\n"),
        git("new file mode 100644\nindex 0000000..89abcde\n"),
        git("deleted file mode 100644\nindex 89abcde..0000000\n"),
        git("rename from a\nrename to b\nindex 1234567..89abcde 100644\n"),
        git("rename from a\n"),
        git("rename from ../a\nrename to b\n"),
        git("similarity index 1000%\nrename from a\nrename to b\n"),
        git("new file mode 100644\nrename from a\nrename to b\n"),
        "Binary files a/../a and b/a differ\n".to_owned(),
        "Binary files a/a differ\n".to_owned(),
        "diff --git a/mm/x.c\nb/mm/x.c\n".to_owned(),
        "diff --git a/mm/x.c\n b/mm/x.c\nindex 1234567..89abcde 100644\n".to_owned(),
        hunk("@@ -1,2 +1,2 @@", " x\n-a line that\nis long\n+y\n"),
        hunk("@@ -1 +1 @@ int a_long(int one,", "int two)\n-x\n+y\n"),
        "diff --git a/a b/b\n".to_owned(),
        "diff --cc a\n".to_owned(),
        "@@ -1 +1 @@\n-x\n+y\n".to_owned(),
        git("@@ -1 +1 @@\n-x\n+y\n"),
        hunk("@@ -1,2 +1,2 @@", "-x\n+y\n"),
        hunk("@@ -1,2 +1,2 @@", "-x\n+y\n-- \n2.17.1\n"),
        hunk("@@ -1 +1 @@", "-x\n+y"),
        hunk("@@ -1 +1 @@", "-x\n+y\n+z\n"),
        hunk("@@ -1 +1 @@", "-x\n+y\n z\n"),
        hunk("@@ -1 +1 @@", "-x\n-y\n"),
        hunk(
            "@@ -1,2 +1 @@",
            "-x\n\\ No newline at end of file\n-y\n+z\n",
        ),
        hunk("@@ -1 +1 @@", "-x\n+y\n@@ -1 +1 @@\n-x\n+y\n"),
        hunk("@@ -9 +9 @@", "-x\n+y\n@@ -1 +1 @@\n-x\n+y\n"),
        hunk("@@ -0,1 +1 @@", "-x\n+y\n"),
        hunk("@@ -1 +99999999999 @@", "-x\n+y\n"),
        hunk("@@ -4294967295,2 +1 @@", "-x\n-x\n+y\n"),
        hunk("@@ -1 +4294967295 @@", "-x\n+y\n"),
        hunk("@@ +1 -1 @@", "-x\n+y\n"),
        "--- /dev/null\n+++ b/a\n@@ -1 +1 @@\n-x\n+y\n".to_owned(),
        "--- a/a\n+++ /dev/null\n@@ -1 +1 @@\n-x\n+y\n".to_owned(),
    ];
    let errors: Vec<String> = table
        .iter()
        .map(|diff| match patch::parse(diff.as_bytes()) {
            Ok(files) => panic!("accepted: {diff}\n{files:#?}"),
            Err(error) => error.to_string(),
        })
        .collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    line 1: the path "../../etc/passwd" leaves the tree by `..`
    line 1: the path "mm/../../x" leaves the tree by `..`
    line 1: the path "/etc/passwd" is absolute
    line 1: the path "/etc/passwd" is absolute
    line 1: the path ".git/hooks/post-checkout" reaches into a repository's own `.git`
    line 1: the path "mm/.GIT/config" reaches into a repository's own `.git`
    line 1: the path ".git./config" reaches into a repository's own `.git`
    line 1: the path "git~1/config" reaches into a repository's own `.git`
    line 1: the path "mm//x" has an empty component
    line 1: the path "./x" has a component `.`
    line 1: the path "mm\\x" has a backslash, which some systems take for a separator
    line 1: the path "mm/\u{1b}[2Jx" has control or invisible characters
    line 1: the path "mm/\u{202e}c.x" has control or invisible characters
    line 1: the path "mm/.g\u{200c}it/x" has control or invisible characters
    line 2: the path "../x" leaves the tree by `..`
    line 2: the path "\"a/a\\q\"" has broken quotes
    line 2: the path "�" is not UTF-8
    line 1: the path "a" has no leading `a/` or `b/` to strip
    line 1: two names, but neither a rename nor a copy ("--- a/a")
    line 1: names no file ("--- /dev/null")
    line 1: the names in ---/+++ differ from these ("a/a b/a")
    line 2: "a" has mode 100666, which is unknown
    line 2: "a" has mode 040000, which is a folder
    line 2: not a pair of blob ids ("index 1234567")
    line 1: a changed file without a hunk ("a/a b/a")
    line 1: a changed file without a hunk ("a/a b/a")
    line 1: a changed file without a hunk ("a/a b/a")
    line 1: a changed file without a hunk ("a/a b/a")
    line 1: a rename or copy names only one side ("a/a b/a")
    line 2: the path "../a" leaves the tree by `..`
    line 2: not a percentage ("similarity index 1000%")
    line 1: a file that is new or deleted and something else ("a/a b/a")
    line 1: the path "../a" leaves the tree by `..`
    line 1: "a/a" is changed as a binary file
    line 1: the sender's mailer wrapped this line of the diff ("diff --git a/mm/x.c")
    line 1: the sender's mailer wrapped this line of the diff ("diff --git a/mm/x.c")
    line 5: the sender's mailer wrapped this line of the diff ("-a line that")
    line 3: the sender's mailer wrapped this line of the diff ("@@ -1 +1 @@ int a_long(int one,")
    line 1: two names, but neither a rename nor a copy ("a/a b/b")
    line 1: a merge's combined diff can't be applied ("diff --cc a")
    line 1: a hunk without a file before it ("@@ -1 +1 @@")
    line 1: hunks without ---/+++ ("a/a b/a")
    "a", hunk 1 (line 3): its header promises 2 more line(s)
    "a", hunk 1 (line 3): its header promises 1 more line(s)
    "a", hunk 1 (line 3): its header promises 1 more line(s)
    "a", hunk 1 (line 6): it is longer than its header says
    "a", hunk 1 (line 6): it is longer than its header says
    "a", hunk 1 (line 5): its lines don't add up to what its header says
    "a", hunk 1 (line 6): a line follows the one without a newline
    "a", hunk 2 (line 6): it overlaps the hunk before it, or comes before it
    "a", hunk 2 (line 6): it overlaps the hunk before it, or comes before it
    "a", hunk 1 (line 3): it has lines, but starts at line 0
    "a", hunk 1 (line 3): its header can't be read
    "a", hunk 1 (line 3): its line numbers are out of range
    "a", hunk 1 (line 3): its line numbers are out of range
    "a", hunk 1 (line 3): its header can't be read
    "a", hunk 1 (line 3): it has lines on a side where there is no file
    "a", hunk 1 (line 3): it has lines on a side where there is no file
    "#);
}

#[test]
fn size_is_bounded() {
    let one = change("a");
    let error = |text: &str| patch::parse(text.as_bytes()).unwrap_err().to_string();
    assert!(error(&one.repeat(patch::MAX_FILES + 1)).contains("10000 files"));
    let hunks: String = (1..=100_000)
        .map(|n| format!("@@ -{n} +{n} @@\n-x\n+y\n"))
        .collect();
    assert!(error(&format!("--- a/a\n+++ b/a\n{hunks}")).contains("50000 hunks"));
    let lines = patch::MAX_LINES + 1;
    let many = format!(
        "--- a/a\n+++ b/a\n@@ -0,0 +1,{lines} @@\n{}",
        "+\n".repeat(lines)
    );
    assert!(error(&many).contains("1000000 lines"));
    let long = format!(
        "--- a/a\n+++ b/a\n@@ -0,0 +1 @@\n+{}\n",
        "x".repeat(patch::MAX_LINE)
    );
    assert!(error(&long).contains("bytes in one line"));
    assert!(error(&change(&"a/".repeat(3000))).contains("longer than any file system"));
    assert!(error(&change(&"a".repeat(300))).contains("255 bytes"));

    let large = vec![b'x'; mail::MAX_BYTES + 1];
    assert!(matches!(
        mail::parse(&large),
        Err(mail::Error::TooLarge { .. })
    ));
    let long = mail(&one).replace("Body.", &"Body.\n".repeat(200_000));
    assert!(error_of(long.as_bytes()).contains("a changelog of more than 1 MiB"));
    let many = format!("{}{}", "X: y\n".repeat(100_000), mail(&one));
    assert!(error_of(many.as_bytes()).contains("is not mail"));
    // A number of patches that nobody sends is no number.
    let mail = mail(&one).replace("1/1", "1/4294967295");
    assert_eq!(
        series::parse(mail.as_bytes()).unwrap().missing,
        [] as [u32; 0]
    );
}

#[test]
fn a_deep_or_broken_mime_tree_ends() {
    let mut mail = String::from("From: a@b.c\nSubject: [PATCH] mm: x\n");
    for depth in 0..1000 {
        mail += &format!("Content-Type: multipart/mixed; boundary=\"b{depth}\"\n\n--b{depth}\n");
    }
    error_of(mail.as_bytes());
    let parts = "--b\nContent-Type: text/plain\n\nx\n".repeat(10_000);
    error_of(
        format!(
            "From: a@b.c\nSubject: [PATCH] x\nContent-Type: multipart/mixed; boundary=b\n\n{parts}"
        )
        .as_bytes(),
    );
}

/// A gigabyte of one letter, made as it is read.
fn gigabyte() -> impl BufRead {
    BufReader::with_capacity(1 << 16, std::io::repeat(b'x').take(1 << 30))
}

#[test]
fn a_line_of_a_gigabyte_is_read_past_or_refused() {
    let separator = "From a@b Mon Sep 17 00:00:00 2001\n";
    let large = format!("{separator}From: a@b.c\nSubject: large\n\n");
    let small = format!("\n{separator}{}", mail(&change("a")));
    let input = (large.as_bytes()).chain(gigabyte()).chain(small.as_bytes());
    let mut mails = Mails::new(input).unwrap();
    let first = mails.next().unwrap().unwrap();
    assert!(first.is_cut());
    let second = mails.next().unwrap().unwrap();
    assert_eq!(second.read()[0].subject, "[PATCH 1/1] mm: x");
    assert!(mails.next().unwrap().is_none());

    // As a header, as a lone mail, and as nothing at all.
    let header = format!("{separator}From: a@b.c\nSubject: ");
    let mut mails = Mails::new((header.as_bytes()).chain(gigabyte())).unwrap();
    let mail = mails.next().unwrap().unwrap();
    assert!(mail.is_cut());
    for start in ["From: a@b.c\nSubject: large\n\n", ""] {
        let error = Mails::new(start.as_bytes().chain(gigabyte())).map(|_| ());
        assert!(error.unwrap_err().to_string().contains("67108864 bytes"));
    }
}

#[test]
fn a_gzip_that_grows_without_measure_is_refused() {
    let bomb = |head: &str| {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gz.write_all(head.as_bytes()).unwrap();
        for _ in 0..200 {
            gz.write_all(&[b'x'; 1 << 20]).unwrap();
        }
        gz.finish().unwrap()
    };
    let count = |input: &[u8]| {
        let mut mails = Mails::new(input)?;
        while mails.next()?.is_some() {}
        Ok::<_, mail::Error>(())
    };
    let error = |input: &[u8]| count(input).unwrap_err().to_string();
    let mbox = "From a@b Mon Sep 17 00:00:00 2001\nFrom: a@b.c\nSubject: x\n\n";
    assert!(error(&bomb(mbox)).contains("more than 200 times its size"));
    assert!(error(&bomb("")).contains("more than 200 times its size"));
    // A gzip in a gzip is no mail.
    let mut outer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    outer.write_all(&bomb(mbox)).unwrap();
    assert!(error(&outer.finish().unwrap()).contains("is not mail"));
}

/// A mail of an mbox; each is from someone else.
fn answer(n: u32, head: &str, subject: &str, text: &str) -> String {
    format!(
        "From a@b Mon Sep 17 00:00:00 2001\nMessage-ID: <{n}@a>\n{head}From: a{n} <a{n}@b.c>\nSubject: {subject}\n\n{text}\n\n"
    )
}

#[test]
fn many_versions_are_not_multiplied() {
    let review = |mails: &mut dyn Iterator<Item = String>| {
        let mbox: String = mails.collect();
        series::review::review(mail::parse(mbox.as_bytes()).unwrap())
    };
    let body = format!("Body.\n---\n{}", change("a"));
    // Each lacks thousands of patches.
    let lacking = |n| answer(n, "", &format!("[PATCH v{n} 1/9999] mm: x"), &body);
    let error = review(&mut (1..2000).map(lacking)).err().unwrap();
    let said = "more than 100000 patches in all versions";
    assert!(error.to_string().contains(said), "{error}");
    // Each sends one patch again, and has the other of the version before.
    let again = |n| {
        let head = format!("In-Reply-To: <{}@a>\n", n - 1);
        answer(n, &head, &format!("[PATCH v{n} 1/2] mm: x"), &body)
    };
    let long = format!("Body.\n---\n{}", change("b")).replace('x', &"x".repeat(1 << 17));
    let second = answer(1000, "", "[PATCH 2/2] mm: y", &long).replace("a1000", "a1");
    let first = answer(1, "", "[PATCH 1/2] mm: x", &body);
    let mut mails = [first, second].into_iter().chain((2..1000).map(again));
    let error = review(&mut mails).err().unwrap();
    let said = "more than 67108864 bytes in all versions";
    assert!(error.to_string().contains(said), "{error}");
    // Patches of others in the same thread.
    let ours = (1..1000).map(|n| answer(n, "", &format!("[PATCH v{n}] mm: x"), &body));
    let others = (1000..1900).map(|n| answer(n, "", &format!("[PATCH] mm: y{n}"), &body));
    let review = review(&mut ours.chain(others)).unwrap();
    let warnings = review.versions.iter().map(|one| one.warnings.len());
    assert!(warnings.sum::<usize>() < 10_000);
}

#[test]
fn a_mailbox_that_is_all_of_one_kind_ends() {
    let body = format!("Body.\n---\n{}", change("a"));
    let reviewed = |mbox: String| {
        let mut index = Index::default();
        let mut mails = Mails::new(mbox.as_bytes()).unwrap();
        while let Some(mail) = mails.next().unwrap() {
            index.add(&mail).unwrap();
        }
        let _ = index.series(None);
        let thread = mail::parse(mbox.as_bytes()).unwrap();
        let _ = series::review::review(thread);
    };
    let many = 5000;
    // Versions; patches with answers to the cover letter; the same question;
    // the author's answers to it; references to all.
    reviewed(
        (1..many)
            .map(|n| answer(n, "", &format!("[PATCH v{n} 1/1] mm: x"), &body))
            .collect(),
    );
    let patches = (1..many).map(|n| answer(n, "", &format!("[PATCH {n}/{many}] mm: x{n}"), &body));
    let to_cover = (1..many).map(|n| {
        answer(
            many + n,
            "",
            &format!("Re: [PATCH 0/{many}] mm: x"),
            &format!("Acked-by: a{0} <a{0}@b.c>", many + n),
        )
    });
    reviewed(patches.chain(to_cover).collect());
    let asked = (2..many).map(|n| answer(n, "In-Reply-To: <1@a>\n", "Re: x", "Why?"));
    let answers = (2..many).map(|n| {
        answer(n, "In-Reply-To: <1@a>\n", "Re: x", "> Why?\n\nBecause.")
            .replace(&format!("From: a{n} <a{n}@"), "From: a1 <a1@")
    });
    let patch = answer(1, "", "[PATCH] mm: x", &body);
    reviewed(
        [patch.clone()]
            .into_iter()
            .chain(asked)
            .chain(answers)
            .collect(),
    );
    let chain: String = (1..1000).map(|n| format!(" <{n}@a>\n")).collect();
    reviewed(
        (1..1000)
            .map(|n| answer(n, &format!("References:{chain}"), "[PATCH] mm: x", &body))
            .collect(),
    );
}

#[test]
fn what_names_say_can_be_shown() {
    let mail = mail(&change("a"))
        .replace("A <a@b.c>", "=?UTF-8?q?=1B[31mEvil=0A=3Cx=3E?= <a@b.c>")
        .replace("mm: x", "mm: =?UTF-8?q?=1B]0;title=07x?=");
    let series = series::parse(mail.as_bytes()).unwrap();
    let patch = &series.patches[0];
    assert!(
        !format!("{}{}{}", patch.author.name, patch.subject, series.title)
            .contains(char::is_control)
    );
    let again = series::parse(&format::patch(patch)).unwrap();
    assert_eq!(again.patches[0], *patch);
}

/// The thread with some of its bytes changed, removed, doubled or cut off.
fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let edit = (0..THREAD.len(), 0..400_usize, prop_oneof![
        Just(Vec::new()),
        proptest::collection::vec(any::<u8>(), 0..8),
        "(\n|\t| |-|\\+|@@ -1,3 \\+1,4 @@\n|diff --git a/a b/a\n|--- |>|From |\\[PATCH v7 1/3\\] |Posted by |On |wrote:\n|\\\\ No){0,6}".prop_map(String::into_bytes),
    ]);
    (
        proptest::collection::vec(edit, 0..12),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(edits, end)| {
            let mut text = THREAD.to_vec();
            for (at, removed, inserted) in edits {
                let at = at.min(text.len());
                let end = (at + removed % 40).min(text.len());
                text.splice(at..end, inserted);
            }
            let cut = end.index(4 * text.len() + 1);
            text.truncate(cut.max(text.len() / 8));
            text
        })
}

/// A mail of pieces that mean something to one of the parsers.
fn mailish() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"From: A B <a@b.c>\n".to_vec()),
        Just(b"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n".to_vec()),
        Just(b"From x@y Mon Sep 17 00:00:00 2001\n".to_vec()),
        Just(b"Subject: [PATCH v2 1/2] mm: =?utf-8?q?x=C3=BC?=\n".to_vec()),
        Just(b"Date: Fri, 31 Feb 2025 25:61:61 +9999\n".to_vec()),
        Just(b"In-Reply-To: <a@b>\n".to_vec()),
        Just(b"Content-Type: multipart/mixed; boundary=\"=b\"\n".to_vec()),
        Just(b"Content-Type: message/rfc822\n".to_vec()),
        Just(b"Content-Type: text/plain; charset=utf-7\n".to_vec()),
        Just(b"Content-Type: text/html; charset=iso-2022-jp\n".to_vec()),
        Just(b"Content-Transfer-Encoding: quoted-printable\n".to_vec()),
        Just(b"Content-Transfer-Encoding: base64\n".to_vec()),
        Just(b"--=b\n".to_vec()),
        Just(b"--=b--\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"=3D=\n=C3\n".to_vec()),
        Just(b"---\n".to_vec()),
        Just(b"> quoted\n".to_vec()),
        Just(b"On Fri, Aug 29, 2025 at 02:55:50PM +0800, A B wrote:\n".to_vec()),
        Just(b"* A B <a@b.c> [250829 02:56]:\n".to_vec()),
        Just(b"With that fixed,\nReviewed-by: A B <a@b.c>\n".to_vec()),
        Just(b" 1 file changed, 1 insertion(+)\n".to_vec()),
        Just(change("mm/a.c").into_bytes()),
        Just(b"diff --git \"a/\\303\\274\" \"b/\\303\\274\"\nnew file mode 100644\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

#[test]
fn many_of_anything_end() {
    let thread = String::from_utf8(THREAD.to_vec()).unwrap();
    let lines = ["Reported-by: A <a@b.c>", "Fixes: x", "X-a: b", "5% of"];
    for line in lines {
        let many = format!("{line}\n").repeat(20_000);
        properties::check(
            thread
                .replace("Signed-off-by: z", &format!("{many}Signed-off-by: z"))
                .as_bytes(),
        );
    }
    let many = "My wording would be\n\"x\n".repeat(20_000);
    properties::check(
        thread
            .replace("Anyway, with", &format!("{many}Anyway, with"))
            .as_bytes(),
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mangled_thread_never_panics(input in mangled()) {
        properties::check(&input);
        let _ = patch::parse(&input);
    }

    #[test]
    fn a_mangled_mail_never_panics(input in mailish()) {
        properties::check(&input);
        properties::check(&[HEADERS.as_bytes(), &input].concat());
        let _ = patch::parse(&input);
        let _ = mail::parse_files(&[("b".to_owned(), input.clone()), ("a".to_owned(), input)]);
    }

    #[test]
    fn a_mangled_manifest_never_panics(text in "(name|version|= ?|\"[a-z./>=0-9, ]{0,9}\"|6|\n|\\[\\[?(probe|variant|expect.order|measure)\\]?\\]|\\[1\\]|.){0,30}") {
        if let Ok(manifest) = manifest::parse(&text) {
            prop_assert_eq!(manifest::parse(&manifest.to_toml().unwrap()), Ok(manifest));
        }
    }

    #[test]
    fn every_diff_reads_back(sides in proptest::collection::vec((0..3_u8, "[a-zäß\r ]{0,5}"), 1..20), start in 1..1000_u32) {
        let mut lines: Vec<patch::Line> = (sides.iter())
            .map(|(side, text)| patch::Line {
                kind: match side {
                    0 => patch::LineKind::Context,
                    1 => patch::LineKind::Removed,
                    _ => patch::LineKind::Added,
                },
                text: format!("{text}\n").into_bytes(),
            })
            .collect();
        let count = |kind| lines.iter().filter(|line| line.kind != kind).count() as u32;
        let (old_lines, new_lines) = (count(patch::LineKind::Added), count(patch::LineKind::Removed));
        // The last line, which ends all sides that it is on.
        let last = lines.last_mut().unwrap();
        if last.kind == patch::LineKind::Context {
            last.text.pop();
        }
        let hunk = patch::Hunk { old_start: start, old_lines, new_start: start, new_lines, section: String::new(), lines };
        let file = patch::FileDiff {
            old_path: Some("a".to_owned()),
            new_path: Some("a".to_owned()),
            hunks: vec![hunk],
            ..patch::FileDiff::default()
        };
        prop_assert_eq!(patch::parse(&patch::diff(std::slice::from_ref(&file))), Ok(vec![file]));
    }
}
