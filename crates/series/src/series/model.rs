//! What a series is, and what its reader should know of it.

use std::fmt;

use super::identity::Identity;
use crate::patch::Patch;
use crate::person::Person;

/// The most patches of a series; its numbers have four digits at most.
pub(super) const MAX_PATCHES: u32 = 9_999;

/// One version of a patch series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// A short name made of the title, fit for a folder.
    pub name: String,
    /// The cover letter's subject, or the first patch's.
    pub title: String,
    /// The reroll, from 1.
    pub version: u32,
    /// How many patches it says it has.
    pub total: u32,
    /// Those that are there, by their place.
    pub patches: Vec<Patch>,
    /// The places of those that are not.
    pub missing: Vec<u32>,
    /// The answers to this version, in the thread's order.
    pub replies: Vec<Reply>,
    /// What a reader should know about how it was read.
    pub warnings: Vec<Warning>,
    /// What all its versions in the input are called.
    pub identity: Identity,
}

/// An answer to a patch or to the cover letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Who wrote it; the address is empty where nothing tells it.
    pub by: Person,
    /// When, as RFC 2822.
    pub date: Option<String>,
    /// Which patch it answers; 0 is the cover letter.
    pub to_patch: u32,
    /// What it says itself: without quotes, the line that introduces them, and
    /// the signature.
    pub body: String,
    pub trailers: Vec<Offer>,
}

/// A trailer in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// `Acked-by`, as spelled.
    pub name: String,
    /// What stands behind the colon.
    pub value: String,
    /// The sentence that makes it conditional ("with a changelog clarified").
    /// Recognised by its words, so a human decides; none where it is plain.
    pub condition: Option<String>,
}

/// Something about a series that is not as it should be, yet does not stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A newer version is less complete than the one used.
    NewerIncomplete { version: u32, used: u32 },
    /// A patch was sent twice; the later mail is used.
    Resent { index: u32 },
    /// A patch is taken from an answer, since none was sent by itself.
    FromAnswer { index: u32 },
    /// An answer has a patch that was also sent by itself; that one is used.
    InAnswer { index: u32 },
    /// A version that sends only some patches again, as answers to those of the
    /// version before, from which the others are taken.
    Partial {
        from: u32,
        /// The places of those that are taken from it.
        indices: Vec<u32>,
    },
    /// A patch in the thread that belongs to another series.
    OtherSeries { subject: String },
    /// A mail that is called a patch and has no diff, among others that have.
    NoDiff { subject: String },
    /// A patch without a number stands in a series that has numbers.
    Unnumbered { subject: String },
    /// The archive says another number of patches than the subjects.
    Announced {
        /// What the archive says.
        announced: u32,
        /// What the subjects say.
        total: u32,
    },
    /// No source tells the author's address.
    NoAddress { name: String },
    /// No source tells when it was sent.
    NoDate { index: u32 },
    /// The date comes from a reply's words and lacks its time zone.
    DateInexact { index: u32 },
    /// A blank line stands inside the trailers.
    SplitTrailers {
        index: u32,
        /// The trailers that git's tools don't see for it.
        lost: Vec<String>,
    },
    /// The diffstat counts other lines than the diff has.
    Diffstat { index: u32 },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewerIncomplete { version, used } => write!(
                f,
                "version {version} is not complete in this thread, so version {used} is used"
            ),
            Self::Resent { index } => {
                write!(
                    f,
                    "patch {index} was sent more than once; the last mail is used"
                )
            }
            Self::FromAnswer { index } => {
                write!(
                    f,
                    "patch {index} was only sent in an answer, and is taken from it"
                )
            }
            Self::InAnswer { index } => write!(
                f,
                "an answer has another patch {index}; the one that was sent by itself is used"
            ),
            Self::Partial { from, indices } => {
                let places: Vec<String> = indices.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "only some patches were sent again; taken from version {from}: {}",
                    places.join(", ")
                )
            }
            Self::OtherSeries { subject } => {
                write!(f, "{subject:?} belongs to another series and is left out")
            }
            Self::NoDiff { subject } => {
                write!(f, "{subject:?} has no diff and is left out")
            }
            Self::Unnumbered { subject } => {
                write!(
                    f,
                    "{subject:?} has no number in a numbered series and is left out"
                )
            }
            Self::Announced { announced, total } => {
                write!(
                    f,
                    "the archive counts {announced} patches, the subjects {total}"
                )
            }
            Self::NoAddress { name } => {
                write!(f, "the thread does not have the address of {name}")
            }
            Self::NoDate { index } => {
                write!(f, "the thread does not say when patch {index} was sent")
            }
            Self::DateInexact { index } => {
                write!(
                    f,
                    "the date of patch {index} is taken from a reply, without its time zone"
                )
            }
            Self::SplitTrailers { index, lost } => write!(
                f,
                "a blank line splits the trailers of patch {index}: git sees only the last \
                 block and loses {}",
                lost.join(", ")
            ),
            Self::Diffstat { index } => write!(
                f,
                "the diffstat of patch {index} counts other lines than its diff has; \
                 the diff was edited by hand or damaged"
            ),
        }
    }
}
