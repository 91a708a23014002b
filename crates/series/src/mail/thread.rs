//! All mails of an input at once.

use super::error::{Error, MAX_BYTES, MAX_MESSAGES};
use super::mailbox::Mails;
use super::message::Thread;
use super::raw::MAX_MAIL;
use crate::text::one_line;

/// Reads a thread in whichever of the known forms it is.
///
/// # Errors
/// [`Error`] where it is in none of them, empty, or larger than
/// [`MAX_BYTES`].
pub fn parse(input: &[u8]) -> Result<Thread, Error> {
    if input.len() > MAX_BYTES {
        return Err(Error::TooLarge {
            what: "bytes",
            limit: MAX_BYTES,
        });
    }
    let mut mails = Mails::new(input)?;
    let mut thread = Thread::default();
    while let Some(mail) = mails.next()? {
        if mail.is_cut() {
            return Err(Error::TooLarge {
                what: "bytes in one mail",
                limit: MAX_MAIL,
            });
        }
        thread.messages.extend(mail.read());
        if thread.messages.len() > MAX_MESSAGES {
            return Err(Error::TooLarge {
                what: "messages",
                limit: MAX_MESSAGES,
            });
        }
    }
    thread.announced = mails.announced();
    if thread.messages.is_empty() {
        return Err(Error::Unrecognised(
            "From …, but no mail behind it".to_owned(),
        ));
    }
    Ok(thread)
}

/// Reads files that belong together, as a folder of `git format-patch` has
/// them: in the order of their names, each in any form that [`parse`] reads.
///
/// # Errors
/// [`Error::File`] for the first file that can't be read, [`Error::Empty`]
/// where there is none.
pub fn parse_files(files: &[(String, Vec<u8>)]) -> Result<Thread, Error> {
    let mut files: Vec<_> = files.iter().collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    if files.iter().map(|file| file.1.len()).sum::<usize>() > MAX_BYTES {
        return Err(Error::TooLarge {
            what: "bytes",
            limit: MAX_BYTES,
        });
    }
    let mut all = Thread::default();
    for (name, bytes) in files {
        let thread = parse(bytes).map_err(|error| Error::File {
            name: one_line(name),
            error: Box::new(error),
        })?;
        all.messages.extend(thread.messages);
        all.announced = all.announced.or(thread.announced);
    }
    if all.messages.is_empty() {
        return Err(Error::Empty);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(input: &str) -> Vec<String> {
        let thread = parse(input.as_bytes()).unwrap();
        thread
            .messages
            .iter()
            .map(|one| format!("{}|{}", one.subject, one.decode(&one.body)))
            .collect()
    }

    const FROM: &str = "From a@b Fri Aug 29 14:55:50 2025\nFrom: A <a@b.c>\n";

    const GIT: &str =
        "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: A <a@b.c>\n";

    #[test]
    fn an_mbox_is_split_and_unquoted() {
        let prose = "From here on, at 12:30:45 of 2024\nit is prose.\n";
        let mbox = format!(
            "{FROM}Subject: one\n\n>From x\n>>From y\n{prose}\n{GIT}Subject: two\n\n>From z\n"
        );
        assert_eq!(
            bodies(&mbox),
            [
                format!("one|From x\n>From y\n{prose}\n"),
                "two|>From z\n".to_owned()
            ]
        );
        assert_eq!(bodies(&mbox.replace('\n', "\r\n")), bodies(&mbox));
    }

    #[test]
    fn a_carriage_return_of_the_file_stays() {
        let mail = "From: a@b\nSubject: x\n\nText\n+a\r\n";
        assert_eq!(bodies(mail), ["x|Text\n+a\r\n"]);
        let encoded = "From: a@b\nSubject: x\nContent-Transfer-Encoding: base64\n\nYQ0KYg0K\n";
        assert_eq!(bodies(encoded), ["x|a\nb\n"]);
    }

    #[test]
    fn mime_parts_become_one_text() {
        let mail = "From: =?utf-8?q?J=C3=B6rg?= <j@e.org>\nSubject: =?iso-8859-1?q?gr=FCn?=\n and\t folded\nMessage-ID: <1@x>\nReferences: <a@x> <b@x>\nIn-Reply-To: <c@x>\nContent-Type: multipart/mixed; boundary=\"o\"\n\nignored\n--o\nContent-Type: multipart/alternative; boundary=\"i\"\n\n--i\n\nplain=20\n--i\nContent-Type: text/html\n\n<b>html</b>\n--i--\n--o\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nW=F6rter=\n!\n--o\nContent-Type: application/octet-stream; name=a.patch\nContent-Transfer-Encoding: base64\n\nK3gK\n--o\nContent-Type: image/png\n\nno\n--o--\n";
        let thread = parse(mail.as_bytes()).unwrap();
        let [one] = &thread.messages[..] else {
            panic!("{thread:?}")
        };
        assert_eq!(one.subject, "gr\u{fc}n and folded");
        assert_eq!(one.from.as_ref().unwrap().name, "J\u{f6}rg");
        assert_eq!(one.id.as_deref(), Some("1@x"));
        assert_eq!(one.answers, ["c@x", "b@x", "a@x"]);
        assert_eq!(one.decode(&one.body), "plain=20\nW\u{f6}rter!\n+x\n");
        let html = "From: a@b\nSubject: x\nContent-Type: text/html\n\n<p>only <b>html</b></p>\n";
        assert_eq!(bodies(html)[0].trim(), "x|only html");
    }

    #[test]
    fn an_archives_text_is_split() {
        let text = "[PATCH] x\n\nA posted 3 patches 1\u{a0}month ago\n[PATCH] x\nPosted by A, B 2\u{a0}weeks, 1\u{a0}day ago\nbody\nPosted by nobody\nRe: [PATCH] x\nPosted by C D just now\nreply\n";
        let thread = parse(text.replace('\n', "\r\n").as_bytes()).unwrap();
        assert_eq!(thread.announced, Some(3));
        let read: Vec<String> = (thread.messages.iter())
            .map(|m| {
                format!(
                    "{}|{}|{}",
                    m.subject,
                    m.from.as_ref().unwrap().name,
                    m.decode(&m.body)
                )
            })
            .collect();
        assert_eq!(
            read,
            [
                "[PATCH] x|A, B|body\nPosted by nobody\n",
                "Re: [PATCH] x|C D|reply\n"
            ]
        );
    }

    #[test]
    fn files_are_read_in_the_order_of_their_names() {
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        let mail = |subject: &str| format!("From: a@b\nSubject: {subject}\n\nx\n");
        let thread = parse_files(&[file("2", &mail("two")), file("1", &mail("one"))]).unwrap();
        assert_eq!(thread.messages[0].subject, "one");
        let error =
            parse_files(&[file("1", &mail("one")), file("README\u{1b}", "Hello")]).unwrap_err();
        insta::assert_snapshot!(error, @r#"README: the input begins with "Hello" and is not mail"#);
        assert_eq!(parse_files(&[]), Err(Error::Empty));
    }
}
