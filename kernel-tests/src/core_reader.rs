//! Who is handed a core dump and does not read it.

use std::io::stdin;
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::failure::{Failure, ResultExt};

/// The first argument of a process that is to be one.
pub const ARGUMENT: &str = "core-reader";

/// The `core_pattern` that has the kernel start one for each dump.
pub fn pattern() -> Result<String, Failure> {
    let program = std::env::current_exe().while_doing(|| "finding this program".into())?;
    Ok(format!("|{} {ARGUMENT}", program.display()))
}

/// Waits until the dump has ended.
pub fn main() -> Result<(), Failure> {
    let stdin = stdin();
    // The end of the other side is told unasked.
    let mut pipe = [PollFd::new(stdin.as_fd(), PollFlags::empty())];
    poll(&mut pipe, PollTimeout::NONE)
        .map(drop)
        .while_doing(|| "waiting for the end of a core dump".into())
}
