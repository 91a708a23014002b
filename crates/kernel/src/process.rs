//! How this crate runs programs: through whoever calls it, who alone knows
//! about deadlines, process groups and Ctrl-C.

use std::ffi::OsString;
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// A program, its arguments and where to run it. No shell sees any of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The program, looked up in `PATH`.
    pub program: OsString,
    pub args: Vec<OsString>,
    pub dir: PathBuf,
    /// Variables set beside the inherited ones.
    pub env: Vec<(OsString, OsString)>,
}

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

pub trait Runner {
    /// Runs one, hands over its lines as they come (ended by a newline or a
    /// carriage return, without it, invalid UTF-8 replaced), and returns its
    /// exit code (128 + n after signal n).
    ///
    /// # Errors
    /// When it can't be started ([`io::ErrorKind::NotFound`] where there is no
    /// such program) or the run was cancelled ([`io::ErrorKind::Interrupted`]).
    fn run(
        &self,
        invocation: &Invocation,
        on_line: &mut dyn FnMut(Stream, &str),
    ) -> io::Result<i32>;

    /// Whether to stop: long work that is not a program asks between steps.
    fn cancelled(&self) -> bool;

    /// The same as an answer to a [`Watch`](crate::store::Watch).
    fn go_on(&self) -> ControlFlow<()> {
        if self.cancelled() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}
