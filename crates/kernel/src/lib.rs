//! Where a kernel tree comes from, what a series does to it, and how it is
//! built.

pub mod apply;
mod archive;
pub mod build;
pub mod cache;
pub mod checkout;
pub mod checkpatch;
pub mod config;
mod hunks;
pub mod import;
pub mod maintainers;
mod pack;
pub mod process;
pub mod release;
pub mod selftests;
pub mod source;
pub mod store;
pub mod symbols;
