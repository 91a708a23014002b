//! Mail as it comes, one message at a time: of an mbox of any length no more
//! is held than the message at hand, and a gzip is inflated on the way.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::LazyLock;

use flate2::bufread::MultiGzDecoder;
use regex::bytes::Regex as BytesRegex;

use crate::mime;
use crate::thread::{
    self, Error, MAX_BYTES, Message, bytes_regex, clean, is_header, is_separator, lines, text_of,
};

/// The largest mail, in bytes. Of a larger one only the headers are kept.
pub const MAX_MAIL: usize = 32 << 20;
/// What a gzip may grow to, in bytes.
pub const MAX_INFLATED: u64 = 4 << 30;
/// Beyond this size a gzip may not grow further than so many times: mail
/// comes to a tenth, while a bomb comes to a thousandth.
const FREE: u64 = 64 << 20;
const MAX_RATIO: u64 = 200;
/// Of a mail that is too large this much is kept, for its headers.
const KEPT: usize = 64 << 10;
/// A longer line separates no mails.
const SEPARATOR: usize = 1000;

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

/// One mail, not yet read.
pub struct Mail<'a>(Inner<'a>);

enum Inner<'a> {
    Raw {
        bytes: Cow<'a, [u8]>,
        quoted: bool,
        cut: bool,
    },
    Read(Message),
}

impl Mail<'_> {
    /// Whether it is larger than [`MAX_MAIL`], so that only its headers are
    /// here.
    pub fn is_cut(&self) -> bool {
        matches!(self.0, Inner::Raw { cut: true, .. })
    }

    /// Reads it, and the files of `git format-patch` that are attached to it.
    /// Nothing where it is no mail.
    pub fn read(&self) -> Vec<Message> {
        match &self.0 {
            Inner::Raw { bytes, quoted, .. } if *quoted => mime::read(&unquoted(bytes)),
            Inner::Raw { bytes, .. } => mime::read(bytes),
            Inner::Read(message) => vec![message.clone()],
        }
    }

    /// Reads its headers alone.
    pub(crate) fn head(&self) -> Option<Message> {
        match &self.0 {
            Inner::Raw { bytes, .. } => mime::head(bytes),
            Inner::Read(message) => Some(Message {
                body: Vec::new(),
                ..message.clone()
            }),
        }
    }

    /// Whether it may have a patch, whatever its subject says.
    pub(crate) fn may_have_diff(&self) -> bool {
        match &self.0 {
            Inner::Raw { bytes, .. } => mime::may_have_diff(bytes),
            Inner::Read(message) => crate::changelog::has_diff(&message.body),
        }
    }
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
            let inflated = Inflated {
                gz: MultiGzDecoder::new(Counted { input, count: 0 }),
                size: 0,
            };
            input = Box::new(BufReader::with_capacity(64 << 10, inflated));
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
        if let Some(thread) = thread::archive(&input)? {
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
            return Err(Error::Unrecognised(clean(&text_of(shown))));
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
    pub fn next(&mut self) -> Result<Option<Mail<'_>>, Error> {
        Ok(match &mut self.form {
            Form::Mbox(mbox) => mbox.next()?,
            Form::Lone(raw) => raw.take().map(|raw| {
                Mail(Inner::Raw {
                    bytes: Cow::Owned(raw),
                    quoted: false,
                    cut: false,
                })
            }),
            Form::Archive(messages) => messages.next().map(|one| Mail(Inner::Read(one))),
        })
    }
}

/// An mbox. Of its dialects, mboxrd quotes every line that would pass for a
/// separator; git quotes none.
struct Mbox<'a> {
    input: Box<dyn BufRead + 'a>,
    /// The mail that was lent last.
    mail: Vec<u8>,
    /// What was read since.
    held: Vec<u8>,
    /// Whether a mail has begun, and whether git wrote its separator.
    begun: Option<bool>,
    /// Where in `held` the line stands that separates mails if a header
    /// follows.
    separator: Option<usize>,
    cut: bool,
}

impl<'a> Mbox<'a> {
    fn new(input: Box<dyn BufRead + 'a>, separator: Vec<u8>) -> Self {
        Self {
            input,
            mail: Vec::new(),
            held: separator,
            begun: None,
            separator: Some(0),
            cut: false,
        }
    }

    fn next(&mut self) -> Result<Option<Mail<'_>>, Error> {
        loop {
            if self.separator.is_none() {
                if self.held.len() > MAX_MAIL {
                    self.cut = true;
                }
                if self.begun.is_none() {
                    self.held.clear();
                } else if self.cut {
                    self.held.truncate(KEPT);
                }
            }
            let at = self.held.len();
            let most = if self.cut { SEPARATOR } else { MAX_MAIL + 1 };
            if read_line(&mut *self.input, &mut self.held, most)? == 0 {
                self.separator = None;
                std::mem::swap(&mut self.mail, &mut self.held);
                self.held.clear();
                let begun = self.begun.take();
                return Ok(begun.map(|by_git| self.lend(by_git)));
            }
            let line = &self.held[at..];
            if let Some(start) = self.separator.take()
                && is_header(line)
            {
                let by_git = BY_GIT.is_match(&self.held[start..at]);
                std::mem::swap(&mut self.mail, &mut self.held);
                self.held.clear();
                self.held.extend_from_slice(&self.mail[at..]);
                self.mail.truncate(start);
                if let Some(before) = self.begun.replace(by_git) {
                    return Ok(Some(self.lend(before)));
                }
            } else if is_separator(line) {
                self.separator = Some(at);
            }
        }
    }

    fn lend(&mut self, by_git: bool) -> Mail<'_> {
        Mail(Inner::Raw {
            bytes: Cow::Borrowed(&self.mail),
            quoted: !by_git,
            cut: std::mem::take(&mut self.cut),
        })
    }
}

static BY_GIT: LazyLock<BytesRegex> = LazyLock::new(|| bytes_regex(r"\AFrom [0-9a-f]{40,64} "));
static QUOTED_FROM: LazyLock<BytesRegex> = LazyLock::new(|| bytes_regex(r"(?m)^>(>*From )"));

fn unquoted(raw: &[u8]) -> Cow<'_, [u8]> {
    QUOTED_FROM.replace_all(raw, &b"$1"[..])
}

/// Appends a line with its newline, at most so much of it. Gives its whole
/// length, 0 at the end.
fn read_line(input: &mut dyn BufRead, into: &mut Vec<u8>, most: usize) -> Result<usize, Error> {
    let mut length = 0;
    loop {
        let bytes = match input.fill_buf() {
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => continue,
            bytes => bytes.map_err(error)?,
        };
        let end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
        let taken = end.unwrap_or(bytes.len());
        let room = most.saturating_sub(length).min(taken);
        into.extend_from_slice(&bytes[..room]);
        input.consume(taken);
        length += taken;
        if end.is_some() || taken == 0 {
            return Ok(length);
        }
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

fn error(error: io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(GzipFault(why)) => Error::Gzip(why.clone()),
        None => Error::Read(error.to_string()),
    }
}

/// What is wrong with a gzip.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct GzipFault(String);

/// Counts what is taken from an input.
struct Counted<R> {
    input: R,
    count: u64,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(into)?;
        self.count += read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.count += amount as u64;
        self.input.consume(amount);
    }
}

/// A gzip that is inflated, as long as it stays within measure.
struct Inflated<R> {
    gz: MultiGzDecoder<Counted<R>>,
    size: u64,
}

impl<R: BufRead> Read for Inflated<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let fault = |why: String| io::Error::other(GzipFault(why));
        let read = self
            .gz
            .read(into)
            .map_err(|error| fault(format!("is cut off or damaged ({error}); fetch it again")))?;
        self.size += read as u64;
        if self.size > MAX_INFLATED {
            return Err(fault(format!(
                "holds more than {} GiB; save only the thread of the series",
                MAX_INFLATED >> 30
            )));
        }
        if self.size > FREE && self.size / MAX_RATIO > self.gz.get_ref().count {
            return Err(fault(format!(
                "grows to more than {MAX_RATIO} times its size, which no mail does; look at \
                 where it came from"
            )));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

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
    fn a_mail_beyond_all_measure_is_cut_and_the_next_is_whole() {
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
