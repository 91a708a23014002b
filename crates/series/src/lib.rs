//! Mail and patch text, read into a [`patch::Patch`] series.

pub mod patch;
