//! Scripts of the tree under test, run on a patch.

pub mod checkpatch;
pub mod maintainers;
