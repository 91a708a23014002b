//! `cache`: what is kept between runs, how large it is, and less of it.

use std::fmt::Write;
use std::time::SystemTime;

use clap::{Args, Subcommand};
use kernel::cache::{self, Entry};
use serde_json::{Value, json};

use super::options::bytes;
use crate::exit::{Classify, Kind, Result};
use crate::output::{print, print_json, size};

/// `cache`'s options.
#[derive(Debug, Args)]
pub struct Options {
    /// What to do with it
    #[command(subcommand)]
    pub action: Option<Action>,
    /// One JSON document on standard output
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do with the cache.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// What there is and how large (the default)
    List,
    /// Remove the entries that were not used for the longest time, until the rest
    /// is small enough
    Prune {
        /// How much to keep, such as 20G; 0 removes everything
        #[arg(long, default_value = "20G", value_parser = bytes)]
        max: u64,
    },
}

/// Lists or prunes.
pub fn run(args: &Options) -> Result {
    let root = cache::Cache::default_root().kind(Kind::Infrastructure)?;
    let cache = cache::Cache::open(&root).kind(Kind::Infrastructure)?;
    match args.action {
        None | Some(Action::List) => {
            let entries = cache.list().kind(Kind::Infrastructure)?;
            show(&entries, args.json, &root.display().to_string())
        }
        Some(Action::Prune { max }) => {
            let removed = cache.prune(max).kind(Kind::Infrastructure)?;
            show(&removed, args.json, "removed")
        }
    }
}

fn show(entries: &[Entry], as_json: bool, what: &str) -> Result {
    let total: u64 = entries.iter().map(|e| e.bytes).sum();
    if as_json {
        let list: Vec<Value> = entries
            .iter()
            .map(|e| {
                json!({
                    "kind": e.kind,
                    "name": e.name,
                    "path": e.path,
                    "bytes": e.bytes,
                    "idle_s": idle(e).as_secs(),
                    "in_use": e.in_use,
                })
            })
            .collect();
        return print_json(&json!({ "entries": list, "bytes": total }));
    }
    let mut text = String::new();
    for entry in entries {
        let hours = idle(entry).as_secs() / 3600;
        let used = if entry.in_use {
            "in use".to_owned()
        } else {
            format!("{hours} h ago")
        };
        let kind = format!("{:?}", entry.kind).to_lowercase();
        let _ = writeln!(
            text,
            "{kind:<8} {:>10} {used:>10}  {}",
            size(entry.bytes),
            entry.name
        );
    }
    let _ = writeln!(
        text,
        "{}: {} in {} entries",
        what,
        size(total),
        entries.len()
    );
    print(&text)
}

fn idle(entry: &Entry) -> std::time::Duration {
    SystemTime::now()
        .duration_since(entry.last_used)
        .unwrap_or_default()
}
