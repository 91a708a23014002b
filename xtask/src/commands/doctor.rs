//! `doctor`: what this host has, lacks and how to get it.

use std::fmt::Write;

use serde_json::json;

use super::{print, print_json};
use crate::exit::{Kind, Result, fail};
use crate::host;
use crate::job::Job;

/// Looks, installs with `--setup`, and fails where something is missing still.
pub fn run(job: Job) -> Result {
    if job.options.setup {
        host::ensure(&job, host::Use::Work)?;
    }
    let findings = host::inspect(&job.cache, host::Use::Work);
    let missing: Vec<_> = findings
        .iter()
        .filter(|f| f.found.is_none())
        .map(|f| f.package)
        .collect();
    let accelerator = crate::machine::remembered(&job);
    if job.options.json {
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
        format!(
            "install {} or run `cargo xtask doctor --setup`",
            missing.join(" ")
        ),
    )
}
