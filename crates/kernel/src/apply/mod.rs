//! A series on a kernel, in memory: no checkout, one commit a patch.
//!
//! A commit's author, author date and message are what `git am` would write.
//! Its committer is `reaperlab` at the author's date, so that the same input
//! makes the same commit id everywhere and at any time.

mod arms;
mod code;
mod files;
mod hint;
mod hunks;
mod image;
mod known;
mod merge;
mod names;
mod patch;
mod prerequisites;
mod report;
mod there;

pub use arms::{Arms, Prepared, arms};
pub use names::uses;
pub use patch::{Applied, ApplyError, apply};
pub use prerequisites::Prerequisite;
pub use report::{HunkReport, PatchReport, Report, Verdict};
