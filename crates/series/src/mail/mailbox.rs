//! Mail as it comes, one message at a time: of an mbox of any length no more
//! is held than the message at hand, and a gzip is inflated on the way.

use std::borrow::Cow;
use std::io::{BufRead, Read};

use super::archive::archive;
use super::error::{Error, MAX_BYTES};
use super::gzip::{error, inflated};
use super::lines::{is_separator, lines};
use super::mbox::{Mbox, read_line};
use super::message::Message;
use super::mime;
use super::raw::{Inner, RawMail};
use crate::text::{lossy, one_line};

/// The mails of one input.
pub struct Mails<'a> {
    form: Form<'a>,
    announced: Option<u32>,
}

enum Form<'a> {
    Mbox(Mbox<'a>),
    Lone(Option<Vec<u8>>),
    Archive(std::vec::IntoIter<Message>),
}

impl<'a> Mails<'a> {
    /// Looks at the first line, and at all of what is no mbox.
    ///
    /// # Errors
    /// [`Error`] where it is in none of the known forms, empty, too large, or
    /// can't be read.
    pub fn new(input: impl BufRead + 'a) -> Result<Self, Error> {
        let mut input: Box<dyn BufRead + 'a> = Box::new(input);
        if input.fill_buf().map_err(error)?.starts_with(b"\x1f\x8b") {
            input = Box::new(inflated(input));
        }
        skip_blanks(&mut *input)?;
        let mut first = Vec::new();
        read_line(
            &mut Read::take(&mut *input, MAX_BYTES as u64 + 1),
            &mut first,
            usize::MAX,
        )?;
        if is_separator(&first) {
            return Ok(Self {
                form: Form::Mbox(Mbox::new(input, first)),
                announced: None,
            });
        }
        let room = (MAX_BYTES as u64 + 1).saturating_sub(first.len() as u64);
        input.take(room).read_to_end(&mut first).map_err(error)?;
        if first.len() > MAX_BYTES {
            return Err(Error::TooLarge {
                what: "bytes",
                limit: MAX_BYTES,
            });
        }
        Self::whole(first)
    }

    fn whole(input: Vec<u8>) -> Result<Self, Error> {
        let Some(first) = lines(&input).next() else {
            return Err(Error::Empty);
        };
        if let Some(thread) = archive(&input)? {
            return Ok(Self {
                form: Form::Archive(thread.messages.into_iter()),
                announced: thread.announced,
            });
        }
        if first.starts_with(b"diff --git ") || first.starts_with(b"--- ") {
            return Err(Error::BareDiff);
        }
        if mime::head(&input).is_none() {
            let shown = &first[..first.len().min(80)];
            return Err(Error::Unrecognised(one_line(&lossy(shown))));
        }
        Ok(Self {
            form: Form::Lone(Some(input)),
            announced: None,
        })
    }

    /// How many patches an archive says were posted, where it says so.
    pub fn announced(&self) -> Option<u32> {
        self.announced
    }

    /// The next mail.
    ///
    /// # Errors
    /// [`Error`] where it can't be read.
    #[expect(
        clippy::should_implement_trait,
        reason = "a mail is lent until the next one is asked for"
    )]
    pub fn next(&mut self) -> Result<Option<RawMail<'_>>, Error> {
        Ok(match &mut self.form {
            Form::Mbox(mbox) => mbox.next()?,
            Form::Lone(raw) => raw.take().map(|raw| {
                RawMail(Inner::Raw {
                    bytes: Cow::Owned(raw),
                    quoted: false,
                    cut: false,
                })
            }),
            Form::Archive(messages) => messages.next().map(|one| RawMail(Inner::Read(one))),
        })
    }
}

/// Skips a byte order mark and blank lines.
fn skip_blanks(input: &mut dyn BufRead) -> Result<(), Error> {
    if input
        .fill_buf()
        .map_err(error)?
        .starts_with(b"\xef\xbb\xbf")
    {
        input.consume(3);
    }
    loop {
        let bytes = input.fill_buf().map_err(error)?;
        let blanks = bytes.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let all = blanks == bytes.len();
        let ended = bytes.is_empty();
        input.consume(blanks);
        if ended || !all {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};

    use super::super::raw::MAX_MAIL;
    use super::*;

    fn subjects(input: impl BufRead) -> Result<Vec<String>, Error> {
        let mut mails = Mails::new(input)?;
        let mut found = Vec::new();
        while let Some(mail) = mails.next()? {
            let cut = if mail.is_cut() { " (cut)" } else { "" };
            found.extend(mail.head().map(|head| head.subject + cut));
        }
        Ok(found)
    }

    fn mail(subject: &str, body: &str) -> String {
        format!(
            "From a@b Fri Aug 29 14:55:50 2025\nFrom: A <a@b.c>\nSubject: {subject}\n\n{body}\n"
        )
    }

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gz.write_all(bytes).unwrap();
        gz.finish().unwrap()
    }

    #[test]
    fn a_separator_needs_a_header_behind_it() {
        let prose = "From here on, at 12:30:45 of 2024\nFrom there on, at 12:30:45 of 2024\nprose";
        let twice = "From a@b Fri Aug 29 14:55:50 2025\n".to_owned();
        let table = [
            (mail("one", prose) + &mail("two", ""), "one, two"),
            (twice.clone() + &mail("one", ""), "one"),
            (mail("one", "") + &twice, "one"),
            (twice, ""),
            (format!("\u{feff}\n \n{}", mail("one", "")), "one"),
        ];
        for (input, expected) in table {
            let found = subjects(input.as_bytes()).unwrap().join(", ");
            assert_eq!(found, expected, "{input:?}");
            // However the bytes come.
            let slowly = BufReader::with_capacity(1, input.as_bytes());
            if !input.starts_with('\u{feff}') {
                assert_eq!(subjects(slowly).unwrap().join(", "), expected, "{input:?}");
            }
        }
    }

    #[test]
    fn a_gzip_is_inflated() {
        let (one, two) = (mail("one", ""), mail("two", ""));
        let gz = [gzipped(one.as_bytes()), gzipped(two.as_bytes())].concat();
        assert_eq!(subjects(&gz[..]).unwrap(), ["one", "two"]);
        let cut = subjects(&gz[..gz.len() - 4]).unwrap_err();
        assert!(cut.to_string().contains("cut off or damaged"), "{cut}");
    }

    #[test]
    fn a_mail_that_is_too_large_is_cut_and_the_next_is_whole() {
        let large = vec![b'x'; MAX_MAIL];
        let (before, after) = (mail("large", ""), mail("small", ""));
        for newline in ["", "\n"] {
            let input = before
                .as_bytes()
                .chain(&large[..])
                .chain(newline.as_bytes())
                .chain(&large[..])
                .chain(&b"\n"[..])
                .chain(after.as_bytes());
            assert_eq!(subjects(input).unwrap(), ["large (cut)", "small"]);
        }
    }
}
