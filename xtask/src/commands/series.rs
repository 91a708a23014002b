//! `series`: a folder under `patches/` from a thread, an mbox or patch files.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::exit::{Advise, Classify, Kind, Result, fail};
use crate::home::workspace;
use crate::input;
use crate::output::{print, print_json};

/// `series`' options.
#[derive(Debug, Args)]
pub struct Options {
    /// mbox, thread text, patch file, folder of patches, or - for standard input
    pub source: String,
    /// The folder to make [default: patches/NAME]
    #[arg(long)]
    pub into: Option<PathBuf>,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Makes the folder.
pub fn run(args: &Options) -> Result {
    let series = input::series(&args.source)?;
    let files = ::series::pack(&series).kind(Kind::Usage)?;
    let folder: PathBuf = args
        .into
        .clone()
        .unwrap_or_else(|| workspace().join("patches").join(&series.name));
    if folder.join(::series::manifest::FILE).exists() {
        return fail(
            Kind::Usage,
            format!("{} already has a manifest", folder.display()),
        )
        .hint("name another folder with --into");
    }
    fs_err::create_dir_all(&folder).kind(Kind::Infrastructure)?;
    for (name, bytes) in &files {
        crate::run::folder::write(&folder.join(name), bytes)?;
    }
    let warnings: Vec<String> = series.warnings.iter().map(ToString::to_string).collect();
    if args.json {
        return print_json(&json!({
            "folder": folder,
            "name": series.name,
            "version": series.version,
            "patches": series.patches.iter().map(|p| &p.subject).collect::<Vec<_>>(),
            "missing": series.missing,
            "warnings": warnings,
        }));
    }
    let mut text = format!(
        "{}: {} v{}\n",
        folder.display(),
        series.title,
        series.version
    );
    for patch in &series.patches {
        let _ = writeln!(text, "  {}/{} {}", patch.index, patch.total, patch.subject);
    }
    for index in &series.missing {
        let _ = writeln!(text, "  {index}/{} is missing from the input", series.total);
    }
    for warning in warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    print(&text)
}
