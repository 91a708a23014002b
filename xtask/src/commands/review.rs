//! `review`: a mail thread, for those who answer it.

mod b4;
mod drafts;
mod text;
mod tree;

use std::path::PathBuf;

use ::series::Series;
use ::series::index::Found;
use ::series::review::lint::{self, Finding, History};
use ::series::review::reroll::{self, Reroll};
use ::series::review::{Collected, Point, Review, Standing};
use clap::Args;
use serde_json::{Value, json};
use vm::process::Cancel;

use crate::exit::{Advise, Kind, Result, fail};
use crate::home;
use crate::input::{self, Mailboxes};
use crate::output::{is_stdout, print, print_json, printed};
use crate::run::folder;
use tree::Tree;

/// `review`'s options.
#[derive(Debug, Args)]
pub struct Options {
    /// Mail: mbox, gzipped or not, maildir, thread text, folder of patches, or -
    /// for standard input. Several are read as one
    #[arg(value_name = "THREAD", required_unless_present = "b4")]
    pub threads: Vec<String>,
    /// Which series, where the mail has several: the message id of one of its
    /// mails, or words of its title
    #[arg(long, value_name = "WHICH")]
    pub series: Option<String>,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
    /// Write an mbox for git am, with the trailers of the replies added; - for
    /// standard output
    #[arg(long, value_name = "FILE")]
    pub am: Option<PathBuf>,
    /// Accept trailers that have a condition (for example "Acked-by, with X
    /// fixed")
    #[arg(long)]
    pub accept_conditional: bool,
    /// Draft the next version as a diff, on standard output or into
    /// this file
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "absent, alone, or with a file")]
    pub next_version: Option<Option<PathBuf>>,
    /// Draft the reply, on standard output or into this file
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "absent, alone, or with a file")]
    pub reply: Option<Option<PathBuf>>,
    /// The run folder whose findings go into the drafts
    #[arg(long, value_name = "FOLDER", value_parser = home::run_folder)]
    pub run: Option<PathBuf>,
    /// The kernel's git repository: for Fixes tags, and for its own
    /// checkpatch.pl and get_maintainer.pl
    #[arg(long, value_name = "GITDIR")]
    pub kernel_tree: Option<PathBuf>,
    /// Run as an external check of b4: one mail on standard input, a JSON list of
    /// findings on standard output
    #[arg(long, conflicts_with_all = ["threads", "series", "json", "am", "next_version", "reply"])]
    pub b4: bool,
}

/// Reviews a thread and writes what was asked for.
pub fn run(args: &Options, cancel: &Cancel) -> Result {
    let tree = args.kernel_tree.as_deref();
    let tree = tree.map(|path| Tree::open(path, cancel)).transpose()?;
    let tree = tree.as_ref();
    let shown = on_stdout(args)?;
    if args.b4 {
        return print_json(&b4::results(&input::stdin()?, &|series| {
            findings(series, tree)
        })?);
    }
    let mails = match input::mailboxes(&args.threads, args.series.as_deref())? {
        Mailboxes::One(mails) => mails,
        Mailboxes::Several(found) => return choose(args, &found),
    };
    if mails.cut() > 0 {
        eprintln!(
            "warning: {} mail(s) of more than {} MiB are left out",
            mails.cut(),
            ::series::mail::MAX_MAIL >> 20
        );
    }
    let review = mails.review().map_err(input::refused)?;
    if let Some(file) = &args.am {
        let mbox = review.am(args.accept_conditional).map_err(input::refused)?;
        if is_stdout(file) {
            printed(|out| out.write_all(&mbox))?;
        } else {
            folder::write(file, &mbox)?;
        }
        eprintln!("{}", text::am(&review, file, args.accept_conditional));
    }
    let found = findings(review.series(), tree)?;
    let report = drafts::report(args.run.as_deref())?;
    if report
        .as_ref()
        .is_some_and(|one| !drafts::is_of(one, review.series()))
    {
        eprintln!("warning: the run is of another version or other patches");
    }
    if let Some(to) = &args.next_version {
        let text = drafts::next_version(&review, args.accept_conditional, report.as_ref())?;
        drafts::write(to.as_deref(), &text)?;
    }
    if let Some(to) = &args.reply {
        let named = match tree {
            Some(tree) => tree.maintainers(&review.series().patches)?,
            None => None,
        };
        let (named, user) = (named.unwrap_or_default(), drafts::user());
        let text = drafts::reply(&review, &found, report.as_ref(), named, user.as_ref())?;
        drafts::write(to.as_deref(), &text)?;
    }
    if shown.is_some_and(|what| what != JSON) {
        return Ok(());
    }
    let rerolls = reroll::rerolls(&review);
    if args.json {
        return print_json(&document(&review, &found, &rerolls));
    }
    let paint = text::Paint::for_stdout();
    print(&text::review(&review, &found, &rerolls, paint))?;
    print(&format!("\nTest it:\n  {}\n", test_line(args)))
}

/// The command that tests what was just read.
fn test_line(args: &Options) -> String {
    let read_by_patch_test = match args.threads.as_slice() {
        [one] if args.series.is_none() && one != "-" => Some(one.as_str()),
        _ => None,
    };
    let patch_test = |file| {
        let file = shell_words::quote(file);
        home::line(&format!("patch-test --series {file} --rounds 0"))
    };
    match read_by_patch_test {
        Some(file) => patch_test(file),
        None => {
            let again = std::env::args().skip(1);
            let review = shell_words::join(again.chain(["--am".into(), "am.mbox".into()]));
            format!("{} && {}", home::line(&review), patch_test("am.mbox"))
        }
    }
}

const JSON: &str = "--json";

/// What goes onto standard output in place of the review.
fn on_stdout(args: &Options) -> Result<Option<&'static str>> {
    let draft = |to: &Option<Option<PathBuf>>| {
        to.as_ref()
            .is_some_and(|file| file.as_deref().is_none_or(is_stdout))
    };
    let options = [
        (JSON, args.json),
        ("--am", args.am.as_deref().is_some_and(is_stdout)),
        ("--next-version", draft(&args.next_version)),
        ("--reply", draft(&args.reply)),
    ];
    let mut asked = options.into_iter().filter(|(_, asked)| *asked);
    match (asked.next(), asked.next()) {
        (Some((one, _)), Some((other, _))) => fail(
            Kind::Usage,
            format!("{one} already writes to standard output"),
        )
        .hint(format!("give {other} a file")),
        (one, _) => Ok(one.map(|(option, _)| option)),
    }
}

/// What is found in the patches of a series, by our rules and, where there is
/// a tree, by its own.
fn findings(series: &Series, tree: Option<&Tree>) -> Result<Vec<Finding>> {
    let with_history = tree.filter(|tree| tree.has_history());
    let lookup = with_history.map(|tree| move |id: &str| tree.commit(id));
    let history: Option<History> = lookup.as_ref().map(|lookup| lookup as _);
    let mut found = lint::series(series, history);
    let Some(tree) = tree else {
        return Ok(found);
    };
    if history.is_none() {
        eprintln!("note: the tree has no history: commits named in Fixes: are not looked up");
    }
    match tree.checkpatch(&series.patches)? {
        Some(said) => found.extend(said),
        None => eprintln!("note: the tree has no scripts/checkpatch.pl"),
    }
    Ok(found)
}

/// Shows which series there are, where one has to be named.
fn choose(args: &Options, found: &[Found]) -> Result {
    let named: Vec<&str> = (args.threads.iter())
        .map(|place| match place.as_str() {
            "-" => "standard input",
            place => place,
        })
        .collect();
    let mail = named.join(", ");
    if found.is_empty() {
        return match &args.series {
            Some(which) => fail(
                Kind::Usage,
                format!(
                    "{mail}: no series has a mail with the id, or a title with the words {which:?}"
                ),
            ),
            None => fail(Kind::Usage, format!("{mail}: no patch found"))
                .hint("give the thread that has the patches"),
        };
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
    fail(Kind::Usage, format!("{mail}: {} series found", found.len()))
        .hint("choose one with --series: a message id, or words of its title")
}

/// The document of `--json`.
fn document(review: &Review, found: &[Finding], rerolls: &[Reroll]) -> Value {
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
        "lint": found,
        "rerolls": rerolls,
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
