//! What a run came to: its reports, and the command's exit code.

use std::path::Path;

use evidence::run::Run;
use evidence::{Report, Status, report};

use super::folder;
use crate::exit::{Advise, Classify, Kind, Result, fail};

/// Writes every report of a run into its folder.
pub fn write(place: &Path, run: &Run) -> Result<Report> {
    let report = evidence::analyse(run);
    let files = [
        (
            "run.json",
            report::run_json(run, &report).kind(Kind::Infrastructure)?,
        ),
        (
            "report.json",
            report::json(&report).kind(Kind::Infrastructure)?,
        ),
        ("report.md", report::markdown(&report)),
        ("report.html", report::html(run, &report)),
        (
            "junit.xml",
            report::junit(&report).kind(Kind::Infrastructure)?,
        ),
    ];
    for (name, text) in files {
        folder::write(&place.join(name), text.as_bytes())?;
    }
    Ok(report)
}

/// The exit code that a report calls for.
pub fn judge(report: &Report, require_conclusion: bool) -> Result {
    let reasons = report.reasons.join("; ");
    match report.status {
        Status::Failed => fail(Kind::Judgement, reasons),
        Status::Infrastructure => fail(Kind::Infrastructure, reasons),
        Status::NotJudged => fail(Kind::Inconclusive, reasons),
        Status::Passed if require_conclusion && !report.conclusive => fail(
            Kind::Inconclusive,
            "the primary metrics came to no conclusion",
        )
        .hint("run more --rounds"),
        Status::Passed => Ok(()),
    }
}
