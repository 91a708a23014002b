//! A matrix for the terminal, mail and a page, and in the forms that other
//! programs read.

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};
use results::ktap::{Outcome, Writer};

use super::sections::matrix::document;
use crate::analyse::model::Report;
use crate::analyse::scenarios::{ScenarioRow, ScenarioVerdict};
use crate::matrix::{Matrix, Row};
use crate::words::{ascii, one_line};

/// The tables, at most 100 columns wide, and why some kernels have no figures.
pub fn terminal(matrix: &Matrix) -> String {
    let document = document(matrix);
    let tables = super::terminal::draw(&document, super::terminal::WIDTH);
    format!("{}\n\n{tables}", ascii(&one_line(&document.title)))
}

/// The same for a mail: 72 columns.
pub fn markdown(matrix: &Matrix) -> String {
    super::markdown::draw(&document(matrix))
}

/// A page, with a link to each run's own report.
pub fn html(matrix: &Matrix) -> String {
    super::html::draw(&document(matrix))
}

/// One suite, a case a kernel.
///
/// # Errors
/// When the XML can't be written.
pub fn junit(matrix: &Matrix) -> Result<String, quick_junit::SerializeError> {
    let mut junit = Junit::new(one_line(&matrix.series));
    let mut suite = TestSuite::new("kernels");
    for row in &matrix.cells {
        let status = match judged(row) {
            Judged::Held => TestCaseStatus::success(),
            Judged::Failed(why) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(one_line(&why));
                status
            }
            Judged::Broken(why) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
                status.set_message(one_line(&why));
                status
            }
        };
        suite.add_test_case(TestCase::new(one_line(&row.cell.kernel), status));
    }
    junit.add_test_suite(suite);
    junit.to_string()
}

/// A test a kernel, with its scenarios as parts.
///
/// # Errors
/// Never in practice: it writes to memory.
pub fn ktap(matrix: &Matrix) -> std::io::Result<String> {
    let mut log = Vec::new();
    let planned = u32::try_from(matrix.cells.len()).unwrap_or(u32::MAX);
    let mut writer = Writer::new(&mut log, planned)?;
    for row in &matrix.cells {
        let parts = row.report.as_ref().map(scenarios).unwrap_or_default();
        let outcome = match judged(row) {
            Judged::Held => Outcome::Pass,
            Judged::Failed(why) | Judged::Broken(why) => {
                writer.note(&one_line(&why))?;
                Outcome::Fail
            }
        };
        let name = one_line(&row.cell.kernel);
        if parts.is_empty() {
            writer.test(&name, &outcome)?;
            continue;
        }
        writer.begin(&name, u32::try_from(parts.len()).unwrap_or(u32::MAX))?;
        for (name, outcome) in parts {
            writer.test(&name, &outcome)?;
        }
        writer.end(&outcome)?;
    }
    writer.finish()?;
    Ok(String::from_utf8_lossy(&log).into_owned())
}

fn scenarios(report: &Report) -> Vec<(String, Outcome)> {
    let part = |row: &ScenarioRow| {
        let why = row.why.as_deref().map(one_line).unwrap_or_default();
        let outcome = match row.verdict {
            ScenarioVerdict::Held => Outcome::Pass,
            ScenarioVerdict::Failed => Outcome::Fail,
            ScenarioVerdict::DidNotRun | ScenarioVerdict::NotJudged => Outcome::Skip(why),
        };
        (one_line(&row.name), outcome)
    };
    report.scenarios.iter().map(part).collect()
}

/// What a row comes to.
enum Judged {
    Held,
    Failed(String),
    Broken(String),
}

fn judged(row: &Row) -> Judged {
    let why = || row.cell.error.clone().unwrap_or_default();
    match row.cell.exit_code {
        0 => Judged::Held,
        1 | 3 | 4 => Judged::Failed(why()),
        _ => Judged::Broken(why()),
    }
}
