//! One mail that has not been read yet.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::bytes::Regex as BytesRegex;

use super::body::has_diff;
use super::message::Message;
use super::mime;
use crate::pattern::bytes_regex;

/// The largest mail, in bytes. Of a larger one only the headers are kept.
pub const MAX_MAIL: usize = 32 << 20;

/// One mail, not yet read.
pub struct RawMail<'a>(pub(super) Inner<'a>);

pub(super) enum Inner<'a> {
    Raw {
        bytes: Cow<'a, [u8]>,
        quoted: bool,
        cut: bool,
    },
    Read(Message),
}

impl RawMail<'_> {
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
            Inner::Read(message) => has_diff(&message.body),
        }
    }
}

static QUOTED_FROM: LazyLock<BytesRegex> = LazyLock::new(|| bytes_regex(r"(?m)^>(>*From )"));

fn unquoted(raw: &[u8]) -> Cow<'_, [u8]> {
    QUOTED_FROM.replace_all(raw, &b"$1"[..])
}
