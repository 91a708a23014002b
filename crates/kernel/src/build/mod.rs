//! Building kernels: every arm once, and of the second only what differs.
//!
//! # What keeps incremental builds right
//!
//! make compares time stamps, and kbuild compares the command lines it wrote
//! down. Hence:
//!
//! 1. Every arm is compiled from the same source folder and in the same object
//!    folder, `objects/FAMILY/live`: both paths are written into the objects'
//!    `.cmd` files, and one object built under another path (objtool's are) is
//!    enough to rebuild all that depend on it. A finished `live` is renamed to
//!    its key, and copied back, time stamps kept, to start the next arm. A
//!    family is what must agree for that: source folder, compiler, make
//!    arguments. The configuration need not: kbuild notes for each object the
//!    options that it depends on.
//! 2. While make runs, the source folder holds exactly the arm's tree. Its lock
//!    is held from the switch to the end.
//! 3. Before make runs, every source file is dated by comparison with the tree
//!    of the copied objects: one that differs is newer than every one of these
//!    objects, one that does not is older than any. What the folder held in
//!    between, and when it was written, does not matter: a header that another
//!    arm had changed compiles nothing when it is back. An interrupted build
//!    notes what it began with, so that it is dated again in the same way.
//! 4. An object folder is copied from only when its make ended well. One that
//!    was interrupted is only continued for the same key, and without what was
//!    written in its last minute, since a killed compiler leaves half a file
//!    with a new time stamp. A `live` whose make ended well and that is not kept
//!    (an edit that is tried out, a mutant) is gone on with as if it were a copy
//!    of itself.
//!
//! Modules that are no part of the tree are compiled from nothing each time, in
//! a folder of their own within `live`: they are small, and what they depend on
//! is all of the kernel.

mod builder;
mod configure;
mod copy;
pub mod diagnose;
mod error;
mod folder;
pub mod inspect;
pub mod kconfig;
mod kept;
mod kernel;
mod make;
mod modules;
mod objects;
mod recipe;
pub mod selftests;
mod target;
mod toolchain;

pub use builder::{Builder, Event};
pub use error::BuildError;
pub use folder::Folder;
pub use kept::{Meta, Module};
pub use kernel::Built;
pub use target::{Source, Target};
pub use toolchain::Toolchain;
