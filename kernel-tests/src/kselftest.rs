//! Programs of the kernel's own tests: where they lie, and how they are run.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::failure::{Failure, ResultExt};
use crate::procfs;

/// The first argument of a process that is to be one of these programs.
pub const ARGUMENT: &str = "kselftest";

/// Where the host packs the programs.
const ROOT: &str = "/selftests";

/// More output than any of them has.
const MAX_OUTPUT: u64 = 1 << 20;

/// Where a program lies in the guest.
pub fn program(name: &str) -> PathBuf {
    Path::new(ROOT).join(name)
}

/// Becomes the program, as killable as any; returns only what hindered it.
pub fn exec(program: &str) -> Failure {
    if let Err(failure) = procfs::write("/proc/self/oom_score_adj", "0") {
        return failure;
    }
    Failure::System {
        doing: format!("starting {program}"),
        source: Command::new(program).exec(),
    }
}

/// Runs a program in a folder to its end; what it said on both streams.
pub fn run(name: &str, folder: &Path) -> Result<(Vec<u8>, ExitStatus), Failure> {
    let program = program(name);
    let doing = || format!("running {}", program.display());
    let (reader, writer) = io::pipe().while_doing(doing)?;
    let mut child = Command::new("/proc/self/exe")
        .arg(ARGUMENT)
        .arg(&program)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(writer.try_clone().while_doing(doing)?)
        .stderr(writer)
        .spawn()
        .while_doing(doing)?;
    let mut output = Vec::new();
    // One that says more than that dies of a closed pipe.
    let read = reader.take(MAX_OUTPUT).read_to_end(&mut output);
    let ended = child.wait().while_doing(doing)?;
    read.while_doing(doing)?;
    Ok((output, ended))
}
