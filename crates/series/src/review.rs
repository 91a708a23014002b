//! Where a series stands: its versions, what is missing, the trailers that
//! replies give to each patch, and the questions that are still open.

use crate::patch::Person;
use crate::series::{self, Series};
use crate::thread::Thread;

/// A series and what its reviewers said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Every version that can be read, the oldest first.
    pub versions: Vec<Series>,
    /// Which of them is looked at: the newest complete one, else the one that
    /// lacks least.
    pub latest: usize,
    /// Versions that can't be read, and why.
    pub unreadable: Vec<Unreadable>,
    /// For each patch of the latest version, in its order, the trailers that
    /// replies have for it.
    pub trailers: Vec<Vec<Collected>>,
    /// Questions, requests and objections on every version, as they came.
    pub points: Vec<Point>,
}

/// A version that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its number.
    pub version: u32,
    /// Why.
    pub error: series::Error,
}

/// A trailer in a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// `Acked-by`, as spelled.
    pub name: String,
    /// What stands behind the colon.
    pub value: String,
    /// Who sent the reply; the address is empty where nothing tells it.
    pub from: Person,
    /// The version that the reply is to.
    pub version: u32,
    /// The patch of that version; 0 is its cover letter.
    pub to_patch: u32,
    /// Whether it counts, and why.
    pub standing: Standing,
}

/// Whether a trailer counts for a patch of the latest version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It does: it was given to this patch.
    Given,
    /// It does: it was given to the cover letter.
    Cover,
    /// It does: it was given to an older version, and the diff is the same.
    Unchanged,
    /// It does once this condition is met. Recognised by its words, so a human
    /// decides.
    Conditional(String),
    /// It doesn't: the patch is another since the version that it was given to.
    Changed,
    /// It doesn't: it stands in a quote, and nobody in the mail gave it.
    Quoted,
    /// It doesn't: it stands in a signature.
    Signature,
    /// It doesn't: it names another person than the one who sent it.
    Foreign,
    /// It doesn't: it is an objection.
    Objection,
}

impl Standing {
    /// Whether it counts; a conditional one only where conditions are taken
    /// for met.
    pub fn counts(&self, accept_conditional: bool) -> bool {
        match self {
            Self::Given | Self::Cover | Self::Unchanged => true,
            Self::Conditional(_) => accept_conditional,
            Self::Changed | Self::Quoted | Self::Signature | Self::Foreign | Self::Objection => {
                false
            }
        }
    }
}

/// Something that a reviewer wants from the author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Who wrote it.
    pub by: Person,
    /// The version that the reply is to.
    pub version: u32,
    /// The patch of that version; 0 is its cover letter.
    pub to_patch: u32,
    /// What it is.
    pub kind: PointKind,
    /// The sentence, or the few that belong together, in the reviewer's words.
    pub quote: String,
    /// The line that it is about, where one is quoted right above it.
    pub about: Option<String>,
    /// What the author answered, where the author did.
    pub answer: Option<String>,
}

/// What a reviewer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointKind {
    /// An answer.
    Question,
    /// A change.
    Request,
    /// The patch gone.
    Objection,
}

impl Review {
    /// The version that is looked at.
    pub fn series(&self) -> &Series {
        &self.versions[self.latest]
    }

    /// What the author owes an answer: the points on the latest version and on
    /// those after it that have none.
    pub fn open(&self) -> impl Iterator<Item = &Point> {
        let version = self.series().version;
        self.points
            .iter()
            .filter(move |point| point.version >= version && point.answer.is_none())
    }
}

/// Reviews the series in a thread.
///
/// # Errors
/// [`series::Error`] where the thread has no series that can be read.
pub fn review(thread: &Thread) -> Result<Review, series::Error> {
    let latest = series::from_thread(thread)?;
    let trailers = latest.patches.iter().map(|_| Vec::new()).collect();
    Ok(Review {
        versions: vec![latest],
        latest: 0,
        unreadable: Vec::new(),
        trailers,
        points: Vec::new(),
    })
}
