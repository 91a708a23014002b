//! Where a kernel tree comes from, what a series does to it, and how it is
//! built.

pub mod apply;
pub mod build;
pub mod cache;
mod error;
pub mod process;
pub mod scripts;
pub mod source;
pub mod store;

pub use error::IoError;
