//! One file per command.

mod apply;
mod boot;
mod build;
mod cache;
mod doctor;
mod each_commit;
mod log;
mod matrix;
mod mutants;
mod patch_test;
mod report;
mod review;
mod series;
mod test;

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use vm::process::Cancel;

use crate::cli::Command;
use crate::exit::{Classify, Kind, Result};
use crate::job::Job;

/// Runs a command.
pub fn run(command: Command, cancel: &Cancel) -> Result {
    match command {
        Command::PatchTest(args) => {
            let args = patch_test::resumed(args)?;
            patch_test::run(Job::new(args.shared.clone(), cancel)?, &args)
        }
        Command::Matrix(args) => matrix::run(*args, cancel),
        Command::Apply(shared) => apply::run(Job::new(shared, cancel)?),
        Command::Build(args) if args.each_commit => {
            each_commit::run(Job::new(args.shared, cancel)?)
        }
        Command::Build(args) => build::run(Job::new(args.shared, cancel)?, args.arm),
        Command::Boot(args) => boot::run(Job::new(args.shared, cancel)?, args.arm, &args.command),
        Command::Compare(args) => report::compare(&args),
        Command::Report(args) => report::run(&args),
        Command::Series(args) => series::run(&args),
        Command::Review(args) => review::run(&args, cancel),
        Command::Mutants(args) => mutants::run(Job::new(args.shared.clone(), cancel)?, &args),
        Command::Ktap(args) => log::ktap(&args),
        Command::Triage(args) => log::triage(&args),
        Command::Cache(args) => cache::run(&args),
        Command::Doctor(shared) => doctor::run(Job::new(shared, cancel)?),
        Command::Test(shared) => test::run(Job::new(shared, cancel)?, test::Extent::Tests),
        Command::Ci(shared) => test::run(Job::new(shared, cancel)?, test::Extent::All),
    }
}

/// Text on standard output. A reader that went away is no failure.
fn print(text: &str) -> Result {
    printed(|out| out.write_all(text.as_bytes()))
}

/// One JSON document on standard output.
fn print_json(value: &impl Serialize) -> Result {
    printed(|out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        out.write_all(b"\n")
    })
}

fn printed(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).kind(Kind::Infrastructure)
        }
        _ => Ok(()),
    }
}

/// Bytes as a person reads them.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS.get(unit).copied().unwrap_or("TiB"))
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes() {
        assert_eq!(size(512), "0.5 KiB");
        assert_eq!(size(3 << 30), "3.0 GiB");
        assert_eq!(size(5 << 50), "5120.0 TiB");
    }
}
