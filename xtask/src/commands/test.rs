//! `test` and `ci`: the project's own tests, guests of both arms among them.

use clap::Args;
use results::Arm;
use vm::process::Cancel;

use super::build;
use super::options::{self, Setup};
use crate::exit::{Kind, Result, fail};
use crate::flavour::Flavour;
use crate::host::{self, Use};
use crate::job::{Job, workspace};
use crate::output::print;

/// `test`'s and `ci`'s options.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    setup: Setup,
}

/// How much to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Formatting, lints and tests.
    Tests,
    /// The checks on licences and advisories too.
    All,
}

/// Runs them, the quick ones first.
pub fn run(args: &Options, cancel: &Cancel, extent: Extent) -> Result {
    let job = Job::new(cancel, args.setup.offline)?;
    host::ensure(&job, Use::Tests, args.setup.install())?;
    cargo(&job, &["fmt", "--all", "--check"])?;
    cargo(
        &job,
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "--deny=warnings",
        ],
    )?;
    if extent == Extent::All {
        deny(&job)?;
    }
    // The guests' tests need both kernels; built here, one sees how far it is.
    let (series, kernel) = (options::SERIES, options::KERNEL.to_owned());
    build::kernels(&job, series, &[kernel], Flavour::Lean, &Arm::BOTH)?;
    cargo(&job, &["test", "--workspace", "--locked"])
}

fn deny(job: &Job) -> Result {
    if host::which("cargo-deny").is_none() {
        job.progress
            .note("cargo-deny is not installed: licences and advisories are not checked");
        return Ok(());
    }
    cargo(job, &["deny", "check"])
}

fn cargo(job: &Job, args: &[&str]) -> Result {
    let name = format!("cargo {}", args.join(" "));
    job.progress.note(&format!("$ {name}"));
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
    let mut gone = Ok(());
    let code = job.run_program_in(workspace(), &program, &args, &[], &mut |line| {
        if gone.is_ok() {
            gone = print(&format!("{line}\n"));
        }
    })?;
    gone?;
    if code == 0 {
        Ok(())
    } else {
        fail(Kind::Judgement, format!("{name} ended with {code}"))
    }
}
