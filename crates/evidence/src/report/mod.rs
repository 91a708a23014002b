//! Reports: the same judgement as a terminal's table, as mail, as a page, as
//! JSON and as JUnit's XML. Every function returns the text.
//!
//! What a report says is built once, as a document of sections ([`sections`]);
//! a terminal, mail and a page draw it.

mod document;
mod html;
mod json;
mod junit;
mod kcidb;
mod markdown;
pub mod matrix;
mod sections;
mod svg;
mod table;
mod terminal;

pub use json::{json, run_json};
pub use junit::junit;
pub use kcidb::kcidb;

use crate::analyse::model::Report;
use crate::between::Change;
use crate::calibrate::Calibration;
use crate::claims::{Check, Claims};
use crate::run::Run;
use crate::words::{ascii, one_line, wrap};
use document::{Document, Section};
use sections::{between, calibration, changelog, claims};

/// Columns of text that a reply takes.
const MAIL: usize = 72;

/// The answer, the comparisons and the scenarios, at most 100 columns wide.
pub fn terminal(report: &Report) -> String {
    terminal::draw(&sections::document(report, None), terminal::WIDTH)
}

/// `report.md`: plain text in 72 columns.
pub fn markdown(report: &Report) -> String {
    markdown::draw(&sections::document(report, None))
}

/// What an answer to the mail says of it, in 72 columns: the answer, what decides,
/// what did not hold, and what it ran on.
pub fn reply(report: &Report) -> String {
    markdown::draw(&sections::reply(report))
}

/// `report.html`. The run gives the raw samples and walks for the charts.
pub fn html(run: &Run, report: &Report) -> String {
    html::draw(&sections::document(report, Some(run)))
}

/// What may be pasted into a changelog; nothing where nothing was compared.
pub fn changelog(report: &Report) -> String {
    match changelog::blocks(report) {
        blocks if blocks.is_empty() => String::new(),
        blocks => markdown::blocks(&blocks),
    }
}

/// The figures of a changelog, what a reader would ask of them, and what was
/// measured.
pub fn claims(claims: &Claims, checks: &[Check]) -> String {
    let document = Document {
        title: String::new(),
        sections: vec![Section::untitled(claims::blocks(claims, checks))],
    };
    terminal::draw(&document, MAIL)
}

/// What changed from one run to another; nothing where nothing decides in both.
pub fn changes(found: &[Change]) -> String {
    let line = |of: &Change| {
        let text = ascii(&one_line(&between::words(of)));
        wrap(&text, terminal::WIDTH, "  ") + "\n"
    };
    found.iter().map(line).collect()
}

/// What a run's verdicts are worth.
pub fn calibration(found: &[Calibration]) -> String {
    let line = |of: &Calibration| {
        let text = ascii(&one_line(&calibration::words(of)));
        wrap(&text, MAIL, "  ") + "\n"
    };
    found.iter().map(line).collect()
}
