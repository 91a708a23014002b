//! Runs that are kept in the repository. They are real, without their consoles and
//! most of their traces of walks.

use std::path::Path;
use std::process::{Command, Output};

/// A copy that commands may write to.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let place = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &place),
            false => drop(std::fs::copy(entry.path(), place).unwrap()),
        }
    }
}

/// Has all reports of a run written again.
pub fn report(run: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("report").arg(run).output().unwrap()
}
