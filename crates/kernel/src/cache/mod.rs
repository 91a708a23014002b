//! What was built once, found again by what went into it.
//!
//! ```text
//! kernels/KEY/{bzImage,config,meta.json}   built kernels, and their modules
//! configs/KEY.json                         resolved configurations
//! objects/FAMILY/{live,KEY}                object folders (see the module `build`)
//! sources/NAME                             source folders
//! selftests/KEY/{FOLDER-NAME,meta.json}    the kernel's own tests, compiled
//! kernels.git                              imported trees (see the module `store`)
//! locks, logs, tmp
//! ```
//!
//! An entry is made in `tmp` and renamed to its place, and moved to `tmp` before
//! it is removed: it is there whole or not at all. A kernel's lock is held
//! shared by whoever boots it and exclusively by whoever builds or removes it;
//! the time stamp of the lock file is the entry's last use. Lock files stay.

mod error;
mod files;
mod folder;
mod lock;
mod prune;

pub use error::CacheError;
pub(crate) use files::{children, file_name, hash, read_json};
pub use folder::Cache;
pub use lock::Lock;
pub(crate) use lock::{Mode, hold, in_use, store_dir};
pub use prune::{Entry, Kind};
