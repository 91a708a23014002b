//! What a review is.

use crate::patch::Trailer;
use crate::patch::format::{self, Source};
use crate::person::Person;
use crate::series::{Error, Series};

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
    /// For each of them the mail that it came in.
    pub sources: Vec<Source>,
    /// Questions, requests and objections on every version, as they came.
    pub points: Vec<Point>,
}

/// A version that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub version: u32,
    pub error: Error,
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

impl Collected {
    /// Why it counts, or why not.
    pub fn why(&self) -> String {
        let version = self.version;
        match &self.standing {
            Standing::Given => "given to this patch".to_owned(),
            Standing::Cover => "given to the cover letter".to_owned(),
            Standing::Unchanged => format!("given to v{version}, and the diff is the same"),
            Standing::Conditional(condition) => format!("on a condition: {condition}"),
            Standing::Changed => format!("given to v{version}, and the patch has changed since"),
            Standing::Quoted => "only quoted; nobody in the thread gave it".to_owned(),
            Standing::Signature => "in a signature".to_owned(),
            Standing::Foreign => format!("sent by {}, whom it does not name", self.from),
            Standing::Objection => "an objection".to_owned(),
        }
    }
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
    /// It doesn't: it stands in a quote, and nobody in the thread gave it.
    Quoted,
    /// It doesn't: it stands in a signature.
    Signature,
    /// It doesn't: it names another person than the one who sent it.
    Foreign,
    /// It doesn't: it is an objection.
    Objection,
}

impl Standing {
    /// The lower, the more of two that say the same is shown.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Given => 0,
            Self::Cover => 1,
            Self::Unchanged => 2,
            Self::Conditional(_) => 3,
            Self::Objection => 4,
            Self::Changed => 5,
            Self::Foreign => 6,
            Self::Quoted => 7,
            Self::Signature => 8,
        }
    }

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
    pub by: Person,
    /// The version that the reply is to.
    pub version: u32,
    /// The patch of that version; 0 is its cover letter.
    pub to_patch: u32,
    pub kind: PointKind,
    /// The sentence, or the few that belong together, in the reviewer's words.
    pub quote: String,
    /// The line that it is about, where one is quoted right above it.
    pub about: Option<String>,
    /// What the author answered, where the author did.
    pub answer: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointKind {
    Question,
    Request,
    Objection,
}

impl PointKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Request => "request",
            Self::Objection => "objection",
        }
    }
}

impl Review {
    /// The version that is looked at.
    pub fn series(&self) -> &Series {
        &self.versions[self.latest]
    }

    /// The trailers that count for a patch of that version, by its place in
    /// it.
    pub fn counted(&self, at: usize, accept_conditional: bool) -> Vec<Trailer> {
        let counted = self.trailers.get(at).into_iter().flatten();
        counted
            .filter(|one| one.standing.counts(accept_conditional))
            .map(|one| Trailer {
                name: one.name.clone(),
                value: one.value.clone(),
            })
            .collect()
    }

    /// The mbox that `git am` takes: each patch of that version with the
    /// trailers that count, and as its mail has it otherwise.
    ///
    /// A blank line inside the patch's own trailers stays: whoever mends it
    /// changes the changelog.
    ///
    /// # Errors
    /// [`Error::Unusable`] where nothing tells an author's address.
    pub fn am(&self, accept_conditional: bool) -> Result<Vec<u8>, Error> {
        let mut mbox = Vec::new();
        let patches = self.series().patches.iter().zip(&self.sources);
        for (at, (patch, source)) in patches.enumerate() {
            if patch.author.email.is_empty() {
                return Err(Error::Unusable {
                    subject: patch.subject.clone(),
                    why: "has an author whose address nothing in the mail tells",
                });
            }
            let trailers = self.counted(at, accept_conditional);
            mbox.extend(format::am(patch, source, &trailers));
        }
        Ok(mbox)
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
