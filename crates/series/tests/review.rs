//! Mail as lists have it, in every form: what a review makes of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;

use series::mail;
use series::review::{self, Review};

const THREAD: &[u8] = include_bytes!("../../../patches/oom-reaper-reverse/thread.txt");

fn review(mbox: &[u8]) -> Review {
    review::review(mail::parse(mbox).unwrap()).unwrap()
}

/// Version, patches with what they say and do, missing, trailers, warnings.
fn summary(review: &Review) -> String {
    let series = review.series();
    let mut out = format!("v{}", series.version);
    for (at, patch) in series.patches.iter().enumerate() {
        let added: Vec<String> = (patch.files.iter())
            .flat_map(|file| &file.hunks)
            .flat_map(|hunk| &hunk.lines)
            .filter(|line| line.kind == series::patch::LineKind::Added)
            .map(|line| String::from_utf8_lossy(&line.text).trim_end().to_owned())
            .collect();
        out += &format!(
            "\n  {}/{} {} by {}: {:?} {added:?}",
            patch.index, patch.total, patch.subject, patch.author, patch.body
        );
        for one in &review.trailers[at] {
            out += &format!("\n    {}: {} ({})", one.name, one.value, one.why());
        }
    }
    if !series.missing.is_empty() {
        out += &format!("\n  lacks {:?}", series.missing);
    }
    for warning in &series.warnings {
        out += &format!("\n  ! {warning}");
    }
    out
}

/// A mail of an mbox: who, more headers, subject, body.
fn mail(by: &str, head: &str, subject: &str, body: &str) -> String {
    format!(
        "From {by}@example.org Mon Sep 17 00:00:00 2001\nFrom: {by} <{by}@example.org>\n\
         Date: Fri, 29 Aug 2025 14:55:50 +0800\n{head}Subject: {subject}\n\n{body}\n\n"
    )
}

fn id(id: &str, answers: &str) -> String {
    let answers = match answers {
        "" => String::new(),
        _ => format!("In-Reply-To: <{answers}>\n"),
    };
    format!("Message-ID: <{id}>\n{answers}")
}

/// A patch's body, which adds that line.
fn body(text: &str, added: &str) -> String {
    format!(
        "{text}\n\nSigned-off-by: a <a@example.org>\n---\n mm/a.c | 1 +\n \
         1 file changed, 1 insertion(+)\n\ndiff --git a/mm/a.c b/mm/a.c\n\
         --- a/mm/a.c\n+++ b/mm/a.c\n@@ -1,2 +1,3 @@\n int one;\n+{added}\n int two;\n-- \n2.47.0\n"
    )
}

/// A patch and a review of it, each with those headers and encoded so.
fn pair(head: &str, encode: impl Fn(&str) -> String) -> Vec<u8> {
    let patch = encode(&body("Text of a paragraph that\ngoes on.", "int new;"));
    let answer = encode(
        "On Fri, 29 Aug 2025, a wrote:\n> Text of a paragraph that\n\nFine.\n\nReviewed-by: b <b@example.org>\n",
    );
    let with = |id: String| format!("{id}{head}");
    [
        mail("a", &with(id("1@a", "")), "[PATCH] mm: one", &patch),
        mail("b", &with(id("1@b", "1@a")), "Re: [PATCH] mm: one", &answer),
    ]
    .concat()
    .into_bytes()
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: String = (text.as_bytes().chunks(3))
        .flat_map(|chunk| {
            let bytes = [
                chunk[0],
                *chunk.get(1).unwrap_or(&0),
                *chunk.get(2).unwrap_or(&0),
            ];
            let bits = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
            let digit = move |at: usize| match at <= chunk.len() {
                true => char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]),
                false => '=',
            };
            (0..4).map(digit)
        })
        .collect();
    let lines: Vec<&str> = (0..digits.len())
        .step_by(76)
        .map(|at| &digits[at..digits.len().min(at + 76)])
        .collect();
    lines.join("\n")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

#[test]
fn every_form_of_one_mail_says_the_same() {
    let plain = || pair("", str::to_owned);
    let part = |kind: &str, text: &str| format!("--b\nContent-Type: {kind}\n\n{text}\n");
    let multipart = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n";
    let flowed = "Content-Type: text/plain; format=flowed\n";
    let forms: Vec<(&str, Vec<u8>)> = vec![
        ("plain", plain()),
        ("gzip", gzip(&plain())),
        (
            "CR LF",
            String::from_utf8(plain())
                .unwrap()
                .replace('\n', "\r\n")
                .into_bytes(),
        ),
        (
            "base64",
            pair("Content-Transfer-Encoding: base64\n", base64),
        ),
        (
            "quoted-printable",
            pair("Content-Transfer-Encoding: quoted-printable\n", |text| {
                text.replace('=', "=3D").replace("goes on", "go=\nes on")
            }),
        ),
        (
            "HTML beside text",
            pair(
                "Content-Type: multipart/alternative; boundary=b\n",
                |text| {
                    part("text/plain", text)
                        + &part("text/html", "<p>Acked-by: c &lt;c@example.org&gt;")
                        + "--b--\n"
                },
            ),
        ),
        // The mailer puts a blank before lines that begin with one, and breaks
        // others behind one.
        (
            "flowed",
            pair(flowed, |text| {
                text.replace("\n ", "\n  ")
                    .replace("paragraph that\n\n", "paragraph \n> that\n\n")
            }),
        ),
        ("called flowed", pair(flowed, str::to_owned)),
        (
            "attached",
            pair(multipart, |text| match text.split_once("---\n") {
                Some((text, diff)) => {
                    part("text/plain", text)
                        + &part("text/x-patch; name=one.PATCH", &format!("---\n{diff}"))
                        + "--b--\n"
                }
                None => part("text/plain", text) + "--b--\n",
            }),
        ),
        (
            "a file of git format-patch attached",
            pair(multipart, |text| {
                let file = format!(
                    "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n\
                     From: a <a@example.org>\nDate: Fri, 29 Aug 2025 14:55:50 +0800\n\
                     Subject: [PATCH] mm: one\n\n{text}"
                );
                match text.contains("---\n") {
                    true => {
                        part("text/plain", "Please see below.")
                            + &part(
                                "application/octet-stream; name=0001-mm-one.patch\nContent-Transfer-Encoding: base64",
                                &base64(&file),
                            )
                            + "--b--\n"
                    }
                    false => part("text/plain", text) + "--b--\n",
                }
            }),
        ),
        (
            "without In-Reply-To",
            String::from_utf8(plain())
                .unwrap()
                .replace("In-Reply-To: <1@a>\n", "")
                .into_bytes(),
        ),
        (
            "In-Reply-To nowhere",
            String::from_utf8(plain())
                .unwrap()
                .replace("In-Reply-To: <1@a>", "In-Reply-To: <gone@a>")
                .into_bytes(),
        ),
        (
            "without [PATCH] in the answer",
            String::from_utf8(plain())
                .unwrap()
                .replace("In-Reply-To: <1@a>\n", "")
                .replace("Re: [PATCH] ", "RE: ")
                .into_bytes(),
        ),
    ];
    let plain = summary(&review(&plain()));
    insta::assert_snapshot!(plain, @r##"
    v1
      1/1 mm: one by a <a@example.org>: "Text of a paragraph that\ngoes on." ["int new;"]
        Reviewed-by: b <b@example.org> (given to this patch)
    "##);
    for (form, mbox) in forms {
        let read = review::review(mail::parse(&mbox).unwrap());
        let read = read.map(|review| summary(&review));
        assert_eq!(read, Ok(plain.clone()), "{form}");
    }
}

#[test]
fn charsets_are_decoded_and_diffs_are_not() {
    let head = format!(
        "{}Content-Type: text/plain; charset=iso-8859-1\n",
        id("1@a", "")
    );
    let mbox = mail(
        "a",
        &head,
        "[PATCH] mm: one",
        &body("Gr\u{fc}\u{df}e.", "/* \u{fc} */"),
    );
    let latin1: Vec<u8> = mbox.chars().map(|c| c as u8).collect();
    let review = review(&latin1);
    let patch = &review.series().patches[0];
    assert_eq!(patch.body, "Gr\u{fc}\u{df}e.");
    assert_eq!(patch.files[0].hunks[0].lines[1].text, b"/* \xfc */\n");
}

#[test]
fn trailers_and_why_they_count() {
    let cover = mail("a", &id("0@a", ""), "[PATCH v2 0/2] mm: cover", "Text.");
    let old_cover = mail("a", &id("0@old", ""), "[PATCH 0/2] mm: cover", "Text.");
    let patch = |version: &str, n: u32, added: &str| {
        let tag = if version == "old" { "" } else { " v2" };
        mail(
            "a",
            &id(&format!("{n}@{version}"), &format!("0@{version}")),
            &format!("[PATCH{tag} {n}/2] mm: patch {n}"),
            &body("Text.", added),
        )
    };
    let answer = |by: &str, to: &str, text: &str| {
        mail(
            by,
            &id(&format!("{by}-{to}"), to),
            "Re: [PATCH] mm: whatever",
            text,
        )
    };
    let mbox = [
        old_cover,
        patch("old", 1, "int same;"),
        patch("old", 2, "int before;"),
        answer("k", "0@old", "Acked-by: k <k@example.org>"),
        answer("l", "1@old", "Reviewed-by: l <l@example.org>"),
        answer("m", "2@old", "Reviewed-by: m <m@example.org>"),
        cover,
        patch("a", 1, "int  same;"),
        patch("a", 2, "int after;"),
        answer("b", "0@a", "For both:\n\nAcked-by: b <b@example.org>"),
        answer(
            "c",
            "1@a",
            "With the typo fixed:\nReviewed-by: c <c@example.org>",
        ),
        answer(
            "d",
            "1@a",
            "> Tested-by: e <e@example.org>\n\nGood.\n\n> Acked-by: b <b@example.org>\n> Signed-off-by: a <a@example.org>\n\nYes.",
        ),
        answer("f", "1@a", "Good.\n-- \nf\nTested-by: f <f@example.org>"),
        answer(
            "g",
            "1@a",
            "Reviewed-by: h <h@example.org>\nFixes: 0123456789ab (\"mm: x\")",
        ),
        answer("i", "2@a", "No.\n\nNacked-by: i <i@example.org>"),
        answer(
            "j",
            "2@a",
            "Acked-by: J  <j@elsewhere.example.org>\nacked-by: J <J@elsewhere.example.org>",
        ),
        answer(
            "n",
            "b-0@a",
            "> Acked-by: b <b@example.org>\n\nSame here.\n\nAcked-by: n <n@example.org>",
        ),
        answer(
            "l",
            "2@a",
            "Reviewed-by: l <l@example.org>\nReviewed-by: m <m@example.org>",
        ),
    ];
    insta::assert_snapshot!(summary(&review(mbox.concat().as_bytes())), @r#"
    v2
      1/2 mm: patch 1 by a <a@example.org>: "Text." ["int  same;"]
        Acked-by: k <k@example.org> (given to v1, and the diff is the same)
        Reviewed-by: l <l@example.org> (given to v1, and the diff is the same)
        Acked-by: b <b@example.org> (given to the cover letter)
        Reviewed-by: c <c@example.org> (on a condition: With the typo fixed:)
        Tested-by: e <e@example.org> (only quoted; nobody in the thread gave it)
        Tested-by: f <f@example.org> (in a signature)
        Reviewed-by: h <h@example.org> (sent by g <g@example.org>, whom it does not name)
        Fixes: 0123456789ab ("mm: x") (given to this patch)
      2/2 mm: patch 2 by a <a@example.org>: "Text." ["int after;"]
        Acked-by: k <k@example.org> (given to v1, and the patch has changed since)
        Reviewed-by: m <m@example.org> (given to v1, and the patch has changed since)
        Acked-by: b <b@example.org> (given to the cover letter)
        Nacked-by: i <i@example.org> (an objection)
        Acked-by: J  <j@elsewhere.example.org> (given to this patch)
        Reviewed-by: l <l@example.org> (given to this patch)
    "#);
}

#[test]
fn patches_that_are_sent_again() {
    let patch = |version: &str, n: u32, answers: &str, added: &str| {
        let id = id(&format!("{n}@{version}"), answers);
        mail(
            "a",
            &id,
            &format!("[PATCH {version} {n}/2] mm: patch {n}"),
            &body("Text.", added),
        )
    };
    let in_answer = |by: &str, text: &str| {
        mail(
            by,
            &id("r@a", "2@v2"),
            "Re: [PATCH v2 1/2] mm: patch 1",
            &format!("{text}{}", body("Carried.", "int carried;")),
        )
    };
    let table = [
        (
            "as v2.1",
            vec![
                patch("v2", 1, "", "int one;"),
                patch("v2", 2, "1@v2", "int two;"),
                patch("v2.1", 2, "2@v2", "int three;"),
            ],
        ),
        (
            "some only",
            vec![
                patch("v2", 1, "", "int one;"),
                patch("v2", 2, "1@v2", "int two;"),
                patch("v3", 2, "2@v2", "int three;"),
            ],
        ),
        (
            "in an answer, where it is missing",
            vec![patch("v2", 2, "", "int two;"), in_answer("a", "")],
        ),
        (
            "behind scissors",
            vec![
                patch("v2", 2, "", "int two;"),
                in_answer("a", "> quote\nHere it is.\n-- >8 --\n"),
            ],
        ),
        (
            "in an answer of someone else",
            vec![patch("v2", 2, "", "int two;"), in_answer("b", "")],
        ),
        (
            "in an answer, though it is there",
            vec![
                patch("v2", 1, "", "int one;"),
                patch("v2", 2, "1@v2", "int two;"),
                in_answer("a", ""),
            ],
        ),
        (
            "a suggestion of someone else",
            vec![
                patch("v2", 2, "", "int two;"),
                mail(
                    "b",
                    &id("s@b", "2@v2"),
                    "[PATCH] mm: better",
                    &body("Better.", "int better;"),
                ),
                mail(
                    "c",
                    &id("s@c", "s@b"),
                    "Re: [PATCH] mm: better",
                    "Acked-by: c <c@example.org>",
                ),
            ],
        ),
    ];
    let read: Vec<String> = table
        .iter()
        .map(|(what, mails)| format!("{what}: {}", summary(&review(mails.concat().as_bytes()))))
        .collect();
    insta::assert_snapshot!(read.join("\n"), @r#"
    as v2.1: v2
      1/2 mm: patch 1 by a <a@example.org>: "Text." ["int one;"]
      2/2 mm: patch 2 by a <a@example.org>: "Text." ["int three;"]
      ! patch 2 was sent more than once; the last mail is used
    some only: v3
      1/2 mm: patch 1 by a <a@example.org>: "Text." ["int one;"]
      2/2 mm: patch 2 by a <a@example.org>: "Text." ["int three;"]
      ! only some patches were sent again; taken from version 2: 1
    in an answer, where it is missing: v2
      1/2 mm: patch 1 by a <a@example.org>: "Carried." ["int carried;"]
      2/2 mm: patch 2 by a <a@example.org>: "Text." ["int two;"]
      ! patch 1 was only sent in an answer, and is taken from it
    behind scissors: v2
      1/2 mm: patch 1 by a <a@example.org>: "Carried." ["int carried;"]
      2/2 mm: patch 2 by a <a@example.org>: "Text." ["int two;"]
      ! patch 1 was only sent in an answer, and is taken from it
    in an answer of someone else: v2
      2/2 mm: patch 2 by a <a@example.org>: "Text." ["int two;"]
      lacks [1]
    in an answer, though it is there: v2
      1/2 mm: patch 1 by a <a@example.org>: "Text." ["int one;"]
      2/2 mm: patch 2 by a <a@example.org>: "Text." ["int two;"]
      ! an answer has another patch 1; the one that was sent by itself is used
    a suggestion of someone else: v2
      2/2 mm: patch 2 by a <a@example.org>: "Text." ["int two;"]
      lacks [1]
      ! "[PATCH] mm: better" belongs to another series and is left out
    "#);
}

#[test]
fn points_are_open_until_the_author_answers() {
    let patch = mail(
        "a",
        &id("1@a", ""),
        "[PATCH] mm: one",
        &body("Text.", "int new;"),
    );
    let asked = mail(
        "b",
        &id("1@b", "1@a"),
        "Re: [PATCH] mm: one",
        "Why so?\n\nPlease drop it.\n",
    );
    let table = [
        ("no answer", String::new()),
        (
            "one is quoted",
            "On Friday, 29 Aug 2025 at 14:55:50, b wrote:\n> Why so?\n\nBecause.\n".to_owned(),
        ),
        ("on top", "Will do.\n".to_owned()),
        ("quoted without a word", "> Why so?\n".to_owned()),
    ];
    let read: Vec<String> = table
        .iter()
        .map(|(what, text)| {
            let answer = mail("a", &id("2@a", "1@b"), "Re: [PATCH] mm: one", text);
            let review = review([&patch[..], &asked, &answer].concat().as_bytes());
            let points = review.points.iter().map(|one| {
                format!(
                    "{} {:?} {:?} answered by {:?}",
                    one.by.name, one.kind, one.quote, one.answer
                )
            });
            format!("{what}: {}", points.collect::<Vec<_>>().join("; "))
        })
        .collect();
    insta::assert_snapshot!(read.join("\n"), @r##"
    no answer: b Question "Why so?" answered by None; b Request "Please drop it." answered by None
    one is quoted: b Question "Why so?" answered by Some("Because."); b Request "Please drop it." answered by None
    on top: b Question "Why so?" answered by Some("Will do."); b Request "Please drop it." answered by Some("Will do.")
    quoted without a word: b Question "Why so?" answered by None; b Request "Please drop it." answered by None
    "##);
}

#[test]
fn the_thread_of_this_series() {
    let review = review(THREAD);
    insta::assert_snapshot!(summary(&review), @r##"
    v6
      2/2 mm/oom_kill: The OOM reaper traverses the VMA maple tree in reverse order by zhongjinji <zhongjinji@honor.com>: "When a process is OOM killed without reaper delay, the oom reaper and the\nexit_mmap() thread likely run simultaneously. They traverse the vma's maple\ntree along the same path and may easily unmap the same vma, causing them to\ncompete for the pte spinlock.\n\nWhen a process exits, exit_mmap() traverses the vma's maple tree from low\nto high addresses. To reduce the chance of unmapping the same vma\nsimultaneously, the OOM reaper should traverse the vma's tree from high to\nlow address." ["\tMA_STATE(mas, &mm->mm_mt, ULONG_MAX, ULONG_MAX);", "\t/*", "\t * When two tasks unmap the same vma at the same time, they may contend", "\t * for the pte spinlock. To reduce the probability of unmapping the same vma", "\t * as exit_mmap, the OOM reaper traverses the vma maple tree in reverse order.", "\t */", "\tmas_for_each_rev(&mas, vma, 0) {"]
        Acked-by: Michal Hocko <mhocko@suse.com> (on a condition: Anyway, with a changelog clarified.)
        Reviewed-by: Liam R. Howlett <Liam.Howlett@oracle.com> (given to this patch)
        Reviewed-by: Lorenzo Stoakes <lorenzo.stoakes@oracle.com> (given to this patch)
      lacks [1]
      ! a blank line splits the trailers of patch 2: git sees only the last block and loses Reported-by: tianxiaobin <tianxiaobin@honor.com>, Reported-by: fengbaopeng <fengbaopeng@honor.com>
    "##);
    let accepted = review.counted(0, true).len();
    assert_eq!((review.counted(0, false).len(), accepted), (2, 3));
    let open: Vec<String> = review
        .open()
        .map(|one| format!("{}, {}: {}", one.by, one.kind.as_str(), one.quote))
        .collect();
    insta::assert_snapshot!(open.join("\n"), @r##"
    Michal Hocko <mhocko@suse.com>, request: The changelog could be improved because it is a bit confusing at this stage.
    Michal Hocko <mhocko@suse.com>, question: I haven't payed a close attention to previous discussion (sorry) but there are two Reported-bys without any actual problem statement (sure contention could happen but so what? What was the observed behavior).
    Michal Hocko <mhocko@suse.com>, request: Maybe you want to use that as a justiciation. My wording would be "Although the oom_reaper is delayed and it gives the oom victim chance to clean up its address space this might take a while especially for processes with a large address space footprint. In those cases oom_reaper might start racing with the dying task and compete for shared resources - e.g. page table lock contention has been observed. Reduce those races by reaping the oom victim from the other end of the address space."
    "##);
}
