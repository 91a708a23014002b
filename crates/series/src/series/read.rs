//! A thread, read as the series that it carries.

use super::error::Error;
use super::mail::Mail;
use super::model::Series;
use super::versions::Versions;
use crate::mail::{self, Thread};

/// Reads a series out of whatever [`mail::parse`] reads.
///
/// # Errors
/// [`Error`] where it is no mail, has no patch, or a patch is refused.
pub fn parse(input: &[u8]) -> Result<Series, Error> {
    from_thread(mail::parse(input)?)
}

/// Reads the newest complete version of the series in a thread; where none is
/// complete, the one that lacks least, and of those the newest.
///
/// # Errors
/// [`Error`] where the thread has no patch, or one of that version is refused.
pub fn from_thread(thread: Thread) -> Result<Series, Error> {
    let mails: Vec<Mail> = thread.messages.into_iter().map(Mail::from).collect();
    let versions = Versions::find(&mails)?;
    versions.read(versions.chosen, thread.announced)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mail with a patch to a file of that name, or without a diff.
    fn mail(head: &str, subject: &str, body: &str, file: &str) -> String {
        let diff = match file {
            "" => String::new(),
            _ => format!("---\n--- a/{file}\n+++ b/{file}\n@@ -1 +1 @@\n-x\n+y\n"),
        };
        let from = "From a@b Mon Sep 17 00:00:00 2001\nFrom: A <a@b.c>\nDate: Fri, 29 Aug 2025 14:55:50 +0800";
        format!("{from}\n{head}Subject: {subject}\n\n{body}\n{diff}\n")
    }

    /// Version, title, places and files, missing, replies, warnings.
    fn read(mails: &[String]) -> String {
        let series = from_thread(mail::parse(mails.concat().as_bytes()).unwrap()).unwrap();
        let patches: Vec<String> = (series.patches.iter())
            .map(|patch| format!("{}/{} {}", patch.index, patch.total, patch.files[0].path()))
            .collect();
        let replies: Vec<String> = (series.replies.iter())
            .map(|reply| format!("to {}: {}", reply.to_patch, reply.body))
            .collect();
        let warnings: Vec<String> = series.warnings.iter().map(ToString::to_string).collect();
        format!(
            "v{} {:?} has {patches:?}, lacks {:?}; {replies:?}; {warnings:?}",
            series.version, series.title, series.missing
        )
    }

    #[test]
    fn the_newest_complete_version_is_read() {
        let old = [
            mail("", "[PATCH v5 0/2] cover five", "", ""),
            mail("Message-ID: <5.1@x>\n", "[PATCH v5 1/2] one", "", "one"),
            mail("", "[PATCH v5 2/2] two", "", "two"),
        ];
        let new = mail("", "[PATCH v6 2/2] two", "", "two");
        insta::assert_snapshot!(read(&[old.concat(), new.clone()]), @r#"
    v5 "cover five" has ["1/2 one", "2/2 two"], lacks []; []; ["version 6 is not complete in this thread, so version 5 is used"]
    "#);
        let rest = mail("", "[PATCH v6 1/2] one", "", "one");
        insta::assert_snapshot!(read(&[old.concat(), new.clone(), rest]), @r#"
    v6 "one" has ["1/2 one", "2/2 two"], lacks []; []; []
    "#);
        // None is complete.
        insta::assert_snapshot!(read(&[old[2].clone(), new]), @r#"
    v6 "two" has ["2/2 two"], lacks [1]; []; []
    "#);
        // A half is more than a third.
        let third = mail("", "[PATCH v7 1/3] one", "", "one");
        insta::assert_snapshot!(read(&[old[2].clone(), third]), @r#"
    v5 "two" has ["2/2 two"], lacks [1]; []; ["version 7 is not complete in this thread, so version 5 is used"]
    "#);
    }

    #[test]
    fn odd_numbers() {
        let one = mail("", "[PATCH] one", "", "one");
        let two = mail("", "[PATCH] two", "", "two");
        insta::assert_snapshot!(read(&[one.clone(), two.clone()]), @r#"
    v1 "one" has ["1/2 one", "2/2 two"], lacks []; []; []
    "#);
        let numbered = mail("", "[PATCH 1/2] three", "", "three");
        let again = mail("", "[PATCH 1/2] three again", "", "four");
        insta::assert_snapshot!(read(&[one, numbered, two, again]), @r#"
    v1 "three again" has ["1/2 four"], lacks [2]; []; ["\"one\" has no number in a numbered series and is left out", "\"two\" has no number in a numbered series and is left out", "patch 1 was sent more than once; the last mail is used"]
    "#);
    }

    #[test]
    fn a_version_may_have_another_title() {
        let v1 = mail("Message-ID: <1@x>\n", "[PATCH] one word", "", "one");
        let to_v1 = "Message-ID: <2@x>\nIn-Reply-To: <1@x>\n";
        let v2 = |head: &str| mail(head, "[PATCH v2] name it well", "", "two");
        insta::assert_snapshot!(read(&[v1.clone(), v2(to_v1)]), @r#"v2 "name it well" has ["1/1 two"], lacks []; []; []"#);
        // Behind an answer of somebody else.
        let answer = mail(
            "Message-ID: <r@x>\nIn-Reply-To: <1@x>\n",
            "Re: [PATCH] one word",
            "Name it.",
            "",
        );
        let answer = answer.replace("A <a@b.c>", "R <r@b.c>");
        insta::assert_snapshot!(read(&[v1.clone(), answer, v2("In-Reply-To: <r@x>\n")]), @r#"v2 "name it well" has ["1/1 two"], lacks []; []; []"#);
        // Of somebody else, or no higher.
        let other = v2(to_v1).replace("A <a@b.c>", "B <b@b.c>");
        insta::assert_snapshot!(read(&[v1.clone(), other]), @r#"v1 "one word" has ["1/1 one"], lacks []; []; ["\"[PATCH v2] name it well\" belongs to another series and is left out"]"#);
        insta::assert_snapshot!(read(&[v1, mail(to_v1, "[PATCH] and this", "", "two")]), @r#"v1 "one word" has ["1/1 one"], lacks []; []; ["\"[PATCH] and this\" belongs to another series and is left out"]"#);
        // Three patches in one; and the mend of one of three.
        let series = [
            mail("Message-ID: <0@x>\n", "[PATCH 0/2] cover", "", ""),
            mail(
                "Message-ID: <1@x>\nIn-Reply-To: <0@x>\n",
                "[PATCH 1/2] one",
                "",
                "one",
            ),
            mail("In-Reply-To: <0@x>\n", "[PATCH 2/2] two", "", "two"),
        ]
        .concat();
        insta::assert_snapshot!(read(&[series.clone(), v2("In-Reply-To: <0@x>\n")]), @r#"v2 "name it well" has ["1/1 two"], lacks []; []; []"#);
        insta::assert_snapshot!(read(&[series, v2(to_v1)]), @r#"v1 "cover" has ["1/2 one", "2/2 two"], lacks []; []; ["\"[PATCH v2] name it well\" belongs to another series and is left out"]"#);
    }

    #[test]
    fn each_patch_may_have_an_author_of_its_own() {
        let by = |who: &str, head: &str, subject: &str, file: &str| {
            mail(head, subject, "", file).replace("A <a@b.c>", &format!("{who} <{who}@b.c>"))
        };
        // As `git format-patch --cover-letter --thread` writes others' commits.
        let threaded = [
            by("a", "Message-ID: <0@x>\n", "[PATCH 0/2] cover", ""),
            by(
                "b",
                "Message-ID: <1@x>\nIn-Reply-To: <0@x>\n",
                "[PATCH 1/2] one",
                "one",
            ),
            by(
                "c",
                "Message-ID: <2@x>\nIn-Reply-To: <0@x>\n",
                "[PATCH 2/2] two",
                "two",
            ),
        ];
        insta::assert_snapshot!(read(&threaded), @r#"v1 "cover" has ["1/2 one", "2/2 two"], lacks []; []; []"#);
        let loose = threaded
            .each_ref()
            .map(|mail| mail.replace("In-Reply-To: <0@x>\n", ""));
        insta::assert_snapshot!(read(&loose), @r#"v1 "cover" has ["1/2 one", "2/2 two"], lacks []; []; []"#);
        // What a reviewer sends instead has the same places.
        let instead = |number: &str| {
            let head = format!("Message-ID: <r{number}@x>\nIn-Reply-To: <0@x>\n");
            by(
                "r",
                &head,
                &format!("[PATCH {number}/2] better {number}"),
                "three",
            )
        };
        let both = [threaded.concat(), instead("1"), instead("2")];
        insta::assert_snapshot!(read(&both), @r#"v1 "cover" has ["1/2 one", "2/2 two"], lacks []; []; ["\"[PATCH 1/2] better 1\" belongs to another series and is left out", "\"[PATCH 2/2] better 2\" belongs to another series and is left out"]"#);
    }

    #[test]
    fn a_cover_letter_may_lack_its_number() {
        let parts = [
            mail("In-Reply-To: <0@x>\n", "[PATCH 1/2] one", "", "one"),
            mail("In-Reply-To: <0@x>\n", "[PATCH 2/2] two", "", "two"),
        ]
        .concat();
        let cover = |head: &str, tag: &str| mail(head, &format!("[{tag}] cover"), "Hello", "");
        let id = "Message-ID: <0@x>\n";
        insta::assert_snapshot!(read(&[cover(id, "PATCHSET v2 for-6.20"), parts.clone()]), @r#"v1 "cover" has ["1/2 one", "2/2 two"], lacks []; []; []"#);
        insta::assert_snapshot!(read(&[cover(id, "PATCH v2"), parts.clone()]), @r#"v1 "cover" has ["1/2 one", "2/2 two"], lacks []; []; []"#);
        insta::assert_snapshot!(read(&[cover("", "PATCHSET v2"), parts.clone()]), @r#"v1 "cover" has ["1/2 one", "2/2 two"], lacks []; []; []"#);
        // Called a patch, and answered by none.
        insta::assert_snapshot!(read(&[cover("Message-ID: <9@x>\n", "PATCH v2"), parts]), @r#"v1 "one" has ["1/2 one", "2/2 two"], lacks []; []; ["\"[PATCH v2] cover\" has no diff and is left out"]"#);
    }

    #[test]
    fn a_patch_without_a_number_may_be_sent_twice() {
        let one = |id: &str, file: &str| mail(id, "[PATCH v2] one", "", file);
        let twice = [
            one("Message-ID: <1@x>\n", "a"),
            one("Message-ID: <2@x>\n", "a"),
        ];
        insta::assert_snapshot!(read(&twice), @r#"v2 "one" has ["1/1 a"], lacks []; []; ["patch 1 was sent more than once; the last mail is used"]"#);
        let differ = [
            one("Message-ID: <1@x>\n", "a"),
            one("Message-ID: <2@x>\n", "b"),
        ];
        insta::assert_snapshot!(read(&differ), @r#"v2 "one" has ["1/2 a", "2/2 b"], lacks []; []; []"#);
    }

    #[test]
    fn the_last_summary_is_the_patchs() {
        let summary = |files: u32| {
            format!(" {files} files changed, 1 insertion(+), 1 deletion(-)\n")
                .replace("1 files", "1 file")
        };
        let patch = |note: &str| mail("", "[PATCH] one", &format!("---\n{note}"), "one");
        let all = format!("The whole work is\n{}\n", summary(9));
        insta::assert_snapshot!(read(&[patch(&format!("{all}{}", summary(1)))]), @r#"v1 "one" has ["1/1 one"], lacks []; []; []"#);
        insta::assert_snapshot!(read(&[patch(&format!("{}{all}", summary(1)))]), @r#"v1 "one" has ["1/1 one"], lacks []; []; []"#);
        let cut = mail::parse(
            patch(&format!(
                "{}{}",
                summary(1).replace("1 i", "2 i"),
                summary(9)
            ))
            .as_bytes(),
        );
        let error = from_thread(cut.unwrap()).unwrap_err();
        insta::assert_snapshot!(error, @r#""[PATCH] one" changes 1 of the 9 files in its diffstat"#);
    }

    #[test]
    fn answers_find_their_patch() {
        let reply = "In-Reply-To: <1@x>\n";
        insta::assert_snapshot!(read(&[
            mail("Message-ID: <0@x>\n", "[PATCH 0/2] cover", "", ""),
            mail("Message-ID: <1@x>\n", "[PATCH 1/2] one", "", "one"),
            mail("Message-ID: <2@x>\n", "[PATCH 2/2] two", "", "two"),
            mail("", "Re: [PATCH 0/2] cover", "by number", ""),
            mail(reply, "Re: something else", "by id", ""),
            mail(reply, "[PATCH 2/2] two", "> quote\nwithout Re:", ""),
            mail("", "Re: two", "by title", ""),
            mail("", "Re: [PATCH v2 2/2] two", "to another version", ""),
            mail("", "Re: lunch", "to another mail", ""),
        ]), @r#"
    v1 "cover" has ["1/2 one", "2/2 two"], lacks []; ["to 0: by number", "to 1: by id", "to 1: without Re:", "to 2: by title"]; []
    "#);
    }
}
