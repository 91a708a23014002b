//! Mails, read as the series that they carry: which version, which patches,
//! what is missing, and what was answered.

mod answer;
mod commits;
mod error;
mod folder;
mod identity;
pub mod index;
mod mail;
pub mod manifest;
mod model;
mod people;
mod read;
mod read_patch;
mod union;
mod versions;

pub use commits::{Commit, from_commits};
pub use error::Error;
pub use folder::{manifest as manifest_of, pack};
pub use identity::{Identity, Shared};
pub use model::{Offer, Reply, Series, Warning};
pub use read::{from_thread, parse};

pub(crate) use answer::{Answer, Paragraph, line_hash, offer};
pub(crate) use mail::Mail;
pub(crate) use versions::{Version, Versions};
