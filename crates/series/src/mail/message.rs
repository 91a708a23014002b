//! One mail that has been read, and a thread of them.

use mail_parser::decoders::charsets::map::charset_decoder;

use crate::person::Person;

/// Messages, in the order of the input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thread {
    pub(crate) messages: Vec<Message>,
    /// How many patches the archive says were posted, where it says so.
    pub(crate) announced: Option<u32>,
}

/// One mail. Header texts are decoded, on one line, and without control
/// characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The subject with its `Re:` and `[PATCH …]`.
    pub subject: String,
    /// The sender; the address is empty where an archive does not show it.
    pub(crate) from: Option<Person>,
    /// When it was sent, as RFC 2822.
    pub(crate) date: Option<String>,
    /// Its message id, without angle brackets.
    pub(crate) id: Option<String>,
    /// The ids that it answers, the nearest first.
    pub(crate) answers: Vec<String>,
    /// To whom it was sent, copies too.
    pub(crate) to: Vec<Person>,
    /// The text parts one after another, transfer encoding undone.
    pub(crate) body: Vec<u8>,
    /// The charset of the text, where the mail names one.
    pub(crate) charset: Option<String>,
    /// How its lines are meant.
    pub(crate) layout: Layout,
}

/// How the lines of a text are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Layout {
    #[default]
    Fixed,
    /// `format=flowed` (RFC 3676): a line that ends in a blank goes on.
    Flowed {
        /// The blank at the end belongs to the mark, not to the text.
        delsp: bool,
    },
}

impl Message {
    /// Decodes bytes of this message's body: by its charset, else as UTF-8,
    /// else as Latin-1, which is how git guesses.
    pub(crate) fn decode(&self, bytes: &[u8]) -> String {
        let decoder = self
            .charset
            .as_deref()
            .filter(|name| !name.eq_ignore_ascii_case("us-ascii"))
            .and_then(|name| charset_decoder(name.as_bytes()));
        match (decoder, str::from_utf8(bytes)) {
            (Some(decode), _) => decode(bytes),
            (None, Ok(text)) => text.to_owned(),
            (None, Err(_)) => bytes.iter().map(|byte| char::from(*byte)).collect(),
        }
    }
}
