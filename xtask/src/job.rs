//! What every command has at hand: the cache folder, the cancel token and the
//! progress.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use kernel::cache::Cache;
use kernel::process::{Invocation, Runner, Stream};
use tempfile::TempDir;
use vm::process::{self, Cancel, Exit};

use crate::exit::{Advise, Classify, Kind, Result, fail};
use crate::home;
use crate::progress::Progress;

/// The command at work.
pub struct Job {
    /// The user's cache folder for this tool.
    pub cache: PathBuf,
    /// Cancelled by Ctrl-C.
    pub cancel: Cancel,
    /// Tells the user how far it is.
    pub progress: Progress,
    /// Nothing is fetched: what is not here is missing.
    pub offline: bool,
    opened: OnceLock<Cache>,
}

impl Job {
    /// A job on the user's cache.
    pub fn new(cancel: &Cancel, offline: bool) -> Result<Self> {
        if !home::is_known() {
            return fail(
                Kind::Infrastructure,
                "the files that belong to this program are not beside it",
            )
            .hint("run cargo xtask in a checkout, or there `cargo xtask install` again");
        }
        Ok(Self {
            cache: Cache::default_root().kind(Kind::Infrastructure)?,
            cancel: cancel.clone(),
            progress: Progress::new(),
            offline,
            opened: OnceLock::new(),
        })
    }

    /// The cache, opened once.
    pub fn opened(&self) -> Result<&Cache> {
        if let Some(cache) = self.opened.get() {
            return Ok(cache);
        }
        let cache = Cache::open(&self.cache).kind(Kind::Infrastructure)?;
        Ok(self.opened.get_or_init(|| cache))
    }

    /// A folder for what is needed for a moment. Where this command is killed, the next
    /// one removes it.
    pub fn temporary(&self) -> Result<TempDir> {
        self.opened()?.temporary().kind(Kind::Infrastructure)
    }

    /// Runs programs until this job is cancelled.
    pub fn programs(&self) -> Programs {
        Programs::new(&self.cancel)
    }

    /// Runs one program, hands over its lines, and returns its exit code.
    pub fn run_program(
        &self,
        program: &str,
        args: &[String],
        on_line: &mut dyn FnMut(&str),
    ) -> Result<i32> {
        self.run_program_in(Path::new("."), program, args, &[], on_line)
    }

    /// The same in another folder, with these variables set.
    pub fn run_program_in(
        &self,
        dir: &Path,
        program: &str,
        args: &[String],
        env: &[(OsString, OsString)],
        on_line: &mut dyn FnMut(&str),
    ) -> Result<i32> {
        let invocation = Invocation {
            program: program.into(),
            args: args.iter().map(OsString::from).collect(),
            dir: dir.into(),
            env: env.to_vec(),
        };
        match self
            .programs()
            .run(&invocation, &mut |_, line| on_line(line))
        {
            Ok(code) => Ok(code),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                fail(Kind::Interrupted, "interrupted")
            }
            Err(error) => Err(anyhow::Error::new(error).context(format!("can't run {program}")))
                .kind(Kind::Infrastructure),
        }
    }

    /// Fails where the job was cancelled.
    pub fn alive(&self) -> Result {
        if self.cancel.cancelled() {
            fail(Kind::Interrupted, "interrupted")
        } else {
            Ok(())
        }
    }
}

/// The process code of the crate `vm`, as the crate `kernel` asks for it.
pub struct Programs(Cancel);

impl Programs {
    /// Runs programs until this token is cancelled.
    pub fn new(cancel: &Cancel) -> Self {
        Self(cancel.clone())
    }
}

/// Longer than any build: what bounds a build is the user's patience, and a
/// build that never ends is ended all the same.
const DEADLINE: Duration = Duration::from_secs(4 * 3600);

impl Runner for Programs {
    fn run(
        &self,
        invocation: &Invocation,
        on_line: &mut dyn FnMut(Stream, &str),
    ) -> io::Result<i32> {
        let invocation = process::Invocation {
            program: invocation.program.clone(),
            args: invocation.args.clone(),
            dir: Some(invocation.dir.clone()),
            env: invocation.env.clone(),
        };
        let exit = process::run(&invocation, Some(DEADLINE), &self.0, &mut |stream, line| {
            let stream = match stream {
                process::Stream::Out => Stream::Out,
                process::Stream::Err => Stream::Err,
            };
            on_line(stream, line);
        })?;
        match exit {
            Exit::Code(code) => Ok(code),
            Exit::Signal(signal) => Ok(128 + signal),
            Exit::Deadline => Err(io::Error::new(io::ErrorKind::TimedOut, "took over 4 hours")),
            Exit::Cancelled => Err(io::ErrorKind::Interrupted.into()),
        }
    }

    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}
