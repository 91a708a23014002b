//! `cache`: what is kept between runs, how large it is, and less of it.

use std::fmt::Write;
use std::time::SystemTime;

use kernel::cache::{self, Entry};
use serde_json::{Value, json};

use super::{print, print_json, size};
use crate::cli::{Cache, CacheAction};
use crate::exit::{Classify, Kind, Result};

/// Lists or prunes.
pub fn run(args: &Cache) -> Result {
    let root = cache::Cache::default_root().kind(Kind::Infrastructure)?;
    let cache = cache::Cache::open(&root).kind(Kind::Infrastructure)?;
    match args.action {
        None | Some(CacheAction::List) => {
            let entries = cache.list().kind(Kind::Infrastructure)?;
            show(&entries, args.json, &root.display().to_string())
        }
        Some(CacheAction::Prune { max }) => {
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
