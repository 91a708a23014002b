//! `review`: a mail thread, for those who answer it.

use ::series::review::{Collected, Point, Review, Standing};
use serde_json::{Value, json};

use super::{print, print_json};
use crate::cli;
use crate::exit::{Classify, Kind, Result, fail};
use crate::input;

/// Reviews a thread and writes what was asked for.
pub fn run(args: &cli::Review) -> Result {
    if args.b4 {
        return not_yet("--b4");
    }
    let thread = input::thread(&args.threads)?;
    let review = ::series::review::review(&thread).kind(Kind::Usage)?;
    if args.am.is_some() {
        return not_yet("--am");
    }
    if args.next_version.is_some() {
        return not_yet("--next-version");
    }
    if args.reply.is_some() {
        return not_yet("--reply");
    }
    if args.json {
        return print_json(&document(&review));
    }
    print(&text(&review))
}

fn not_yet(option: &str) -> Result {
    fail(Kind::Usage, format!("{option} is not there yet"))
}

/// The document of `--json`.
fn document(review: &Review) -> Value {
    let series = review.series();
    let patches: Vec<Value> = series
        .patches
        .iter()
        .zip(&review.trailers)
        .map(|(patch, trailers)| {
            json!({
                "index": patch.index,
                "subject": patch.subject,
                "trailers": trailers.iter().map(trailer).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "versions": review.versions.iter().map(|one| one.version).collect::<Vec<_>>(),
        "latest": {
            "version": series.version,
            "title": series.title,
            "patches": patches,
            "missing": series.missing,
        },
        "lint": [],
        "open_points": review.open().map(point).collect::<Vec<_>>(),
    })
}

fn trailer(one: &Collected) -> Value {
    json!({
        "name": one.name,
        "value": one.value,
        "from": one.from.to_string(),
        "conditional": matches!(one.standing, Standing::Conditional(_)),
    })
}

fn point(one: &Point) -> Value {
    json!({
        "by": one.by.to_string(),
        "quote": one.quote,
    })
}

/// What a terminal shows.
fn text(review: &Review) -> String {
    let series = review.series();
    format!("{} v{}\n", series.title, series.version)
}
