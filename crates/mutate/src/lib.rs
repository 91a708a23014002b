//! Wrong versions of C functions: the small mistakes that people make, each made
//! alone, so that a suite can be asked which of them it sees.
//!
//! [`Source`] reads a file of the kernel's, [`Source::mistakes`] makes the mistakes,
//! and [`all_in_one`] writes one source that holds them all and makes the one that is
//! chosen while it runs. What a compiler rejects is told by its line there. What a
//! kernel needs beside that source is in [`kernel`]. [`Source::marks`] and [`marked`] do
//! the same without any mistake, to know which statements are come to.
//!
//! Absent on purpose: compiling, booting, and any judgement of what is caught.

mod combine;
pub mod kernel;
mod marks;
mod model;
mod read;
mod rules;

pub use combine::{Combined, all_in_one, marked};
pub use marks::Marked;
pub use model::{Kind, Mark, Mistake};
pub use read::{ReadError, Source};
