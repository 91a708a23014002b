//! Mail in the forms that people have it in, read into a [`Thread`], or one
//! mail after another.
//!
//! Three forms are told apart by their first lines, gzipped or not: the plain
//! text that a web archive renders of a thread, an mbox (`git format-patch`
//! writes one too), and a lone message. Bodies stay bytes, because a patch may touch
//! files in any encoding; only the transfer encoding is undone.

mod archive;
mod body;
mod encode;
mod error;
mod gzip;
mod lines;
mod mailbox;
mod mbox;
mod message;
mod mime;
mod raw;
mod subject;
mod thread;

pub use error::{Error, MAX_BYTES};
pub use mailbox::Mails;
pub use message::{Message, Thread};
pub use raw::{MAX_MAIL, RawMail};
pub use thread::{parse, parse_files};

pub(crate) use body::{InnerHeaders, changelog_end, has_diff, inner_headers, stripspace};
pub(crate) use encode::{address, encoded, header, quoted_printable};
pub(crate) use error::MAX_MESSAGES;
pub(crate) use message::Layout;
pub(crate) use subject::Subject;
