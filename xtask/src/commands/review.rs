//! `review`: a mail thread, for those who answer it.

mod text;

use ::series::index::Found;
use ::series::review::{self, Collected, Point, Review, Standing};
use serde_json::{Value, json};

use super::{print, print_json};
use crate::cli;
use crate::exit::{Classify, Kind, Result, fail};
use crate::input::{self, Mailboxes, Mails};
use crate::rundir;

/// Reviews a thread and writes what was asked for.
pub fn run(args: &cli::Review) -> Result {
    if args.b4 {
        return not_yet("--b4");
    }
    let mails = match input::mailboxes(&args.threads, args.series.as_deref())? {
        Mailboxes::One(mails) => mails,
        Mailboxes::Several(found) => return choose(args, &found),
    };
    let Mails {
        mails,
        announced,
        too_large,
    } = mails;
    if too_large > 0 {
        eprintln!(
            "warning: {too_large} mail(s) of more than {} MiB are left out",
            ::series::mailbox::MAX_MAIL >> 20
        );
    }
    let review = review::of_mails(&mails, announced).kind(Kind::Usage)?;
    if let Some(file) = &args.am {
        let mbox = review.am(args.accept_conditional).kind(Kind::Usage)?;
        rundir::write(file, &mbox)?;
        eprintln!("{}", text::am(&review, file, args.accept_conditional));
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
    print(&text::review(&review, text::Paint::for_stdout()))
}

fn not_yet(option: &str) -> Result {
    fail(Kind::Usage, format!("{option} is not there yet"))
}

/// Shows which series there are, where one has to be named.
fn choose(args: &cli::Review, found: &[Found]) -> Result {
    let mail = args.threads.join(", ");
    if found.is_empty() {
        let what = match &args.series {
            Some(which) => format!(
                "{mail}: no series has a mail with the id, or a title with the words {which:?}"
            ),
            None => format!("{mail}: no patch in it; give the thread that carries the patches"),
        };
        return fail(Kind::Usage, what);
    }
    if args.json {
        let series: Vec<Value> = found
            .iter()
            .map(|one| {
                json!({
                    "title": one.title,
                    "versions": one.versions,
                    "patches": one.patches,
                    "mails": one.mails.len(),
                    "by": one.by.as_ref().map(ToString::to_string),
                    "date": one.date,
                    "id": one.id,
                })
            })
            .collect();
        print_json(&json!({ "series": series }))?;
    } else {
        print(&text::list(found))?;
    }
    fail(
        Kind::Usage,
        format!(
            "{mail}: {} series; name one with --series, by a message id or words of its title",
            found.len()
        ),
    )
}

/// The document of `--json`.
fn document(review: &Review) -> Value {
    let series = review.series();
    let patches: Vec<Value> = series
        .patches
        .iter()
        .zip(&review.trailers)
        .map(|(patch, collected)| {
            let counts = |one: &&Collected| one.standing.counts(true);
            let others = collected.iter().filter(|one| !counts(one));
            json!({
                "index": patch.index,
                "subject": patch.subject,
                "author": patch.author.to_string(),
                "date": patch.date,
                "trailers": collected.iter().filter(counts).map(trailer).collect::<Vec<_>>(),
                "not_counted": others.map(trailer).collect::<Vec<_>>(),
            })
        })
        .collect();
    let unreadable: Vec<Value> = (review.unreadable.iter())
        .map(|one| json!({ "version": one.version, "error": one.error.to_string() }))
        .collect();
    let warnings: Vec<String> = series.warnings.iter().map(ToString::to_string).collect();
    json!({
        "versions": review.versions.iter().map(|one| one.version).collect::<Vec<_>>(),
        "latest": {
            "version": series.version,
            "title": series.title,
            "total": series.total,
            "patches": patches,
            "missing": series.missing,
            "warnings": warnings,
        },
        "unreadable": unreadable,
        "lint": [],
        "open_points": review.open().map(point).collect::<Vec<_>>(),
    })
}

fn trailer(one: &Collected) -> Value {
    let condition = match &one.standing {
        Standing::Conditional(condition) => Some(condition),
        _ => None,
    };
    json!({
        "name": one.name,
        "value": one.value,
        "from": one.from.to_string(),
        "conditional": condition.is_some(),
        "condition": condition,
        "version": one.version,
        "why": one.why(),
    })
}

fn point(one: &Point) -> Value {
    json!({
        "by": one.by.to_string(),
        "quote": one.quote,
        "kind": one.kind.as_str(),
        "version": one.version,
        "patch": one.to_patch,
        "about": one.about,
    })
}
