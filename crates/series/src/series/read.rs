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
