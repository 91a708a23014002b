//! Where a kernel tree comes from, what a series does to it, and how it is
//! built.

pub mod build;
pub mod cache;
pub mod config;
pub mod process;
