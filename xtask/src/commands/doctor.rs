//! `doctor`: what this host has, lacks and how to get it.

use std::fmt::Write;

use clap::Args;
use serde_json::json;
use vm::process::Cancel;

use super::options::Setup;
use crate::exit::{Advise, Kind, Result, fail};
use crate::home;
use crate::host;
use crate::job::Job;
use crate::output::{print, print_json};

/// `doctor`'s options.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    setup: Setup,
    /// One JSON document on standard output
    #[arg(long)]
    json: bool,
}

/// Looks, installs with `--setup`, and fails where something is missing still.
pub fn run(args: &Options, cancel: &Cancel) -> Result {
    let job = Job::new(cancel, args.setup.offline)?;
    if args.setup.setup {
        host::ensure(&job, host::Use::Work, args.setup.install())?;
    }
    let findings = host::inspect(&job.cache, host::Use::Work);
    let missing: Vec<_> = findings
        .iter()
        .filter(|f| f.found.is_none())
        .map(|f| f.package)
        .collect();
    let accelerator = crate::machine::remembered(&job);
    if args.json {
        print_json(&json!({
            "findings": findings,
            "missing": missing,
            "accelerator": accelerator,
            "cache": job.cache,
        }))?;
    } else {
        let mut text = String::new();
        for f in &findings {
            let state = match &f.found {
                Some(path) => path.display().to_string(),
                None => format!("missing: {} (package {})", f.why, f.package),
            };
            let _ = writeln!(text, "{:<20} {state}", f.name);
        }
        let _ = writeln!(text, "{:<20} {accelerator}", "accelerator");
        let _ = writeln!(text, "{:<20} {}", "cache", job.cache.display());
        print(&text)?;
    }
    if missing.is_empty() {
        return Ok(());
    }
    fail(
        Kind::Infrastructure,
        format!("missing packages: {}", missing.join(" ")),
    )
    .hint(format!(
        "install them, or run `{}`",
        home::line("doctor --setup")
    ))
}
