//! Mail and patch text, read into a [`Series`] of patches, and written again.
//!
//! Bytes in, values out: this crate runs nothing, opens nothing and knows no
//! git. All that it reads is hostile.
//!
//! [`mail`] gives one mail after another, [`patch`] what a diff says,
//! [`parse`] the series that mails carry, [`review`] where that stands.

pub mod mail;
pub mod patch;
pub mod review;

mod pattern;
mod person;
mod series;
mod text;

pub use person::Person;
pub use series::{
    Commit, Error, Identity, Offer, Reply, Series, Shared, Warning, from_commits, from_thread,
    index, manifest, manifest_of, pack, parse,
};
