//! Guests booted with virtme-ng, each with a deadline.
//!
//! virtme-ng composes the machine; QEMU runs as our own child, so that its
//! exit status is the true one and nothing outlives us. The guest's results
//! come over a channel of their own as lines whose meaning only the caller
//! knows; its console is kept apart and [triaged](console).

mod accelerator;
mod boot;
mod clock;
pub mod console;
mod error;
pub mod initramfs;
mod lines;
mod machine;
mod plug;
pub mod process;
mod virtme;

pub use accelerator::{Want, accelerator};
pub use boot::{Cpus, End, Link, Outcome, Progress, boot, boot_session};
pub use error::Error;
pub use machine::{Deadlines, Gdb, Guest, Root, Session};
pub use plug::{Plugs, Stream};
pub use virtme::{Versions, Virtme};
