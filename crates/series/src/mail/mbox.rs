//! An mbox, one mail at a time.

use std::borrow::Cow;
use std::io::{self, BufRead};
use std::sync::LazyLock;

use regex::bytes::Regex as BytesRegex;

use super::error::Error;
use super::gzip::error;
use super::lines::{is_header, is_separator};
use super::raw::{Inner, MAX_MAIL, RawMail};
use crate::pattern::bytes_regex;

/// Of a mail that is too large this much is kept, for its headers.
const KEPT: usize = 64 << 10;
/// A longer line separates no mails.
const SEPARATOR: usize = 1000;

/// An mbox. Of its dialects, mboxrd quotes every line that would pass for a
/// separator; git quotes none.
pub(super) struct Mbox<'a> {
    input: Box<dyn BufRead + 'a>,
    /// The mail that was handed out last.
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
    pub(super) fn new(input: Box<dyn BufRead + 'a>, separator: Vec<u8>) -> Self {
        Self {
            input,
            mail: Vec::new(),
            held: separator,
            begun: None,
            separator: Some(0),
            cut: false,
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<RawMail<'_>>, Error> {
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

    fn lend(&mut self, by_git: bool) -> RawMail<'_> {
        RawMail(Inner::Raw {
            bytes: Cow::Borrowed(&self.mail),
            quoted: !by_git,
            cut: std::mem::take(&mut self.cut),
        })
    }
}

static BY_GIT: LazyLock<BytesRegex> = LazyLock::new(|| bytes_regex(r"\AFrom [0-9a-f]{40,64} "));

/// Appends a line with its newline, at most so much of it. Gives its whole
/// length, 0 at the end.
pub(super) fn read_line(
    input: &mut dyn BufRead,
    into: &mut Vec<u8>,
    most: usize,
) -> Result<usize, Error> {
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
