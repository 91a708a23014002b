//! A series in a kernel's repository of the user's: a range of commits, a
//! branch, one commit, or what is not committed yet.
//!
//! Read by libgit2, which runs no program: no hook, no external diff, no
//! filter, no monitor of the file system, whatever the repository's own
//! configuration asks for. Nothing is written to the repository.

mod commits;
mod named;
mod text;
mod watched;
mod work_tree;

pub use named::{also_a_branch, find};
pub use watched::Watched;
