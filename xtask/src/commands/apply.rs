//! `apply`: the series against kernels, no build.

use std::fmt::Write;

use clap::Args;
use kernel::apply::Verdict;
use serde_json::json;
use vm::process::Cancel;

use super::options::{Kernels, Series};
use crate::exit::{Failure, Kind, Result};
use crate::job::Job;
use crate::kernels;
use crate::output::{print, print_json};

/// `apply`'s options.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    series: Series,
    #[command(flatten)]
    kernels: Kernels,
    /// Fetch nothing: use only what is here already
    #[arg(long)]
    offline: bool,
    /// One JSON document on standard output
    #[arg(long)]
    json: bool,
}

/// Says for each kernel how the series fares. Ends with 3 where it can't be
/// put to the test on one of them.
pub fn run(args: &Options, cancel: &Cancel) -> Result {
    let job = Job::new(cancel, args.offline)?;
    let origin = args.series.origin()?;
    let series = origin.load()?;
    let store = kernels::store(&job)?;
    let mut trees = Vec::new();
    for name in &origin.kernels(&args.kernels.names)? {
        trees.push(kernels::apply(&job, &store, &series, name)?);
    }
    let manifest = &series.manifest;
    if args.json {
        print_json(&json!({
            "series": {
                "name": manifest.name,
                "version": manifest.version,
                "patches": series.patches.iter().map(|p| p.subject.as_str()).collect::<Vec<_>>(),
                "missing": manifest.missing,
                "notes": series.notes(),
            },
            "kernels": trees.iter().map(|tree| &tree.report).collect::<Vec<_>>(),
        }))?;
    } else {
        let mut text = format!("{} v{}\n", manifest.name, manifest.version);
        for note in series.notes() {
            let _ = writeln!(text, "  {note}");
        }
        for tree in &trees {
            let _ = writeln!(text, "{}", kernels::in_words(&tree.report));
            for patch in &tree.report.patches {
                let _ = writeln!(text, "  {:<18} {}", patch.verdict.as_str(), patch.subject);
                for hunk in &patch.hunks {
                    let moved = match hunk.offset {
                        0 => String::new(),
                        offset => format!(" at {offset:+} lines"),
                    };
                    let fuzz = match hunk.fuzz {
                        0 => String::new(),
                        fuzz => format!(" with fuzz {fuzz}"),
                    };
                    let word = hunk.verdict.as_str();
                    let _ = writeln!(text, "    {word:<16} {}{moved}{fuzz}", hunk.file);
                }
            }
        }
        print(&text)?;
    }
    let refused: Vec<_> = trees
        .iter()
        .filter(|t| t.arms.is_none() && t.report.verdict != Verdict::AlreadyApplied)
        .map(kernels::refusal)
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = refused.iter().map(ToString::to_string).collect();
    let mut hints: Vec<String> = refused.into_iter().flat_map(|one| one.hints).collect();
    hints.dedup();
    Err(Failure {
        hints,
        ..Failure::new(Kind::Apply, anyhow::Error::msg(texts.join("\n")))
    })
}
