//! `--next-version` and `--reply`: drafts to look at and to go on from. They
//! are written and shown; nothing is sent.

use std::fmt::Write as _;
use std::path::Path;

use evidence::{Report, Status, render};
use series::draft::{self, Answer};
use series::lint::Finding;
use series::patch::Person;
use series::review::Review;

use super::tree::Tree;
use crate::cli;
use crate::exit::{Kind, Result, fail};
use crate::rundir;

/// The next version as a diff against the one there is.
pub fn next_version(review: &Review, args: &cli::Review) -> Result<String> {
    let measured = match &args.run {
        Some(folder) => Some(measured(folder)?),
        None => None,
    };
    let draft = draft::next_version(review, args.accept_conditional, measured.as_deref());
    Ok(draft.diff)
}

fn measured(folder: &Path) -> Result<String> {
    let text = render::changelog(&report(folder)?);
    if text.is_empty() {
        let folder = folder.display();
        return fail(Kind::Usage, format!("{folder}: the run has compared nothing"));
    }
    Ok(text)
}

fn report(folder: &Path) -> Result<Report> {
    Ok(evidence::analyse(&rundir::load(folder)?))
}

/// The answer to the last patch: with a run its report, else what was found
/// and what is open.
pub fn reply(
    review: &Review,
    args: &cli::Review,
    found: &[Finding],
    tree: Option<&Tree>,
) -> Result<String> {
    let series = review.series();
    let Some(patch) = series.patches.last() else {
        return fail(Kind::Usage, "the series has no patch to answer");
    };
    let (text, held) = match &args.run {
        Some(folder) => {
            let report = report(folder)?;
            let name = (report.series.name.as_str(), report.series.version.as_str());
            let text = format!(
                "I have tested this series with reaperlab. Its report:\n\n{}",
                render::markdown(&report)
            );
            eprintln!("the report is of {} {}; look whether that is this series", name.0, name.1);
            (text, report.status == Status::Passed && report.order.held)
        }
        None => (in_words(review, found), false),
    };
    let mut cc: Vec<Person> = series.replies.iter().map(|reply| reply.by.clone()).collect();
    if let Some(named) = tree.map(|tree| tree.maintainers(&series.patches)).transpose()? {
        cc.extend(named.into_iter().flatten());
    }
    let user = user();
    Ok(draft::answer(&Answer {
        to: patch,
        id: review.sources.last().and_then(|source| source.id.as_deref()),
        cc: &cc,
        from: user.as_ref(),
        text: &text,
        held,
    }))
}

/// Who git says the user is.
fn user() -> Option<Person> {
    let config = git2::Config::open_default().ok()?;
    Some(Person {
        name: config.get_string("user.name").ok()?,
        email: config.get_string("user.email").ok()?,
    })
}

fn in_words(review: &Review, found: &[Finding]) -> String {
    let mut text = String::new();
    for one in found {
        let said = format!("{}: {} ({})", one.place, one.text, one.source);
        text += &draft::wrapped(&said, "- ", "  ");
    }
    let open: Vec<_> = review.open().collect();
    if !open.is_empty() {
        let _ = writeln!(text, "\nStill open:\n");
        for one in open {
            let said = format!("{}: {:?}", one.by.name, one.quote);
            text += &draft::wrapped(&said, "- ", "  ");
        }
    }
    if text.is_empty() {
        text.push_str("Nothing to say of changelog and trailers.\n");
    }
    text
}
