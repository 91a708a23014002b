//! A matrix as a table for the terminal and mail, as a page, and in the forms
//! that other programs read.

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};
use results::ktap::{Outcome, Writer};

use super::html::{STYLE, escape};
use super::markdown::Out;
use super::terminal::columns;
use crate::analyse::comparison::Verdict;
use crate::analyse::model::Report;
use crate::analyse::scenarios::ScenarioRow;
use crate::matrix::{Matrix, Metric, Row, Stage};
use crate::words::{ascii, interval_text, one_line, ratio_text, wrap};

const TERMINAL: usize = 100;
const MAIL: usize = 68;

/// The table, at most 100 columns wide, and why some kernels have no row of
/// figures.
pub fn terminal(matrix: &Matrix) -> String {
    ascii(&format!(
        "{}\n\n{}\n",
        one_line(&matrix.series),
        text(matrix, TERMINAL)
    ))
}

/// The same for a mail: 72 columns.
pub fn markdown(matrix: &Matrix) -> String {
    let mut out = Out::new();
    out.heading(&one_line(&matrix.series), '=');
    for caveat in caveats(matrix) {
        out.paragraph(caveat);
    }
    out.block(&text(matrix, MAIL));
    out.end()
}

/// What limits the figures of any of the runs, each once.
fn caveats(matrix: &Matrix) -> Vec<&str> {
    let reports = matrix.cells.iter().filter_map(|row| row.report.as_ref());
    let mut seen: Vec<&str> = Vec::new();
    for caveat in reports.flat_map(|report| &report.caveats) {
        if !seen.contains(&caveat.as_str()) {
            seen.push(caveat);
        }
    }
    seen
}

/// The columns beside the metrics that decide.
const HEAD: [&str; 6] = ["kernel", "applies", "builds", "boots", "scenarios", "order"];

/// The cells of a row under [`HEAD`].
fn cells(row: &Row) -> [String; 6] {
    let ended = |stage: Stage| row.cell.ended == Some(stage);
    let yes = |so: bool| if so { "yes" } else { "no" }.to_owned();
    let applies = match &row.cell.applies {
        Some(word) => one_line(word),
        None => "-".into(),
    };
    let unbuilt = ended(Stage::Source) || ended(Stage::Apply);
    let builds = if unbuilt {
        "-".into()
    } else {
        yes(!ended(Stage::Build))
    };
    let boots = if unbuilt || ended(Stage::Build) {
        "-".into()
    } else {
        yes(row.boots())
    };
    let scenarios = row
        .scenarios
        .map_or_else(|| "-".into(), |[held, all]| format!("{held}/{all}"));
    let order = row.order.map_or_else(
        || "-".into(),
        |held| if held { "held" } else { "NOT held" }.into(),
    );
    let version = row.cell.version.as_ref().unwrap_or(&row.cell.kernel);
    [one_line(version), applies, builds, boots, scenarios, order]
}

/// The metrics that decide, as the first row that has any names them.
fn named(matrix: &Matrix) -> &[Metric] {
    let all = matrix.cells.iter().map(|row| row.metrics.as_slice());
    all.max_by_key(|metrics| metrics.len()).unwrap_or_default()
}

fn metric_words(row: &Row, metric: &str) -> String {
    match row.metrics.iter().find(|m| m.metric == metric) {
        None => "-".into(),
        Some(m) => {
            let ratio = match (m.ratio, m.interval) {
                (Some(ratio), Some(ends)) => {
                    format!("{} {}", ratio_text(ratio), interval_text(ends))
                }
                (Some(ratio), None) => ratio_text(ratio),
                (None, _) => "-".into(),
            };
            format!("{ratio} {}", sign(m.verdict))
        }
    }
}

/// A verdict in one character.
fn sign(verdict: Verdict) -> char {
    match verdict {
        Verdict::Improved => '+',
        Verdict::Regressed => '!',
        Verdict::NoChange => '=',
        Verdict::Inconclusive => '?',
    }
}

fn text(matrix: &Matrix, width: usize) -> String {
    let mut table = vec![HEAD.map(str::to_owned).to_vec()];
    table.extend(matrix.cells.iter().map(|row| cells(row).to_vec()));
    let mut text = columns(&table, width, &[false; 6]);
    let metrics = named(matrix);
    if !metrics.is_empty() {
        let head = (1..=metrics.len()).map(|n| format!("({n})"));
        let mut table = vec![std::iter::once("kernel".to_owned()).chain(head).collect()];
        for row in matrix.cells.iter().filter(|row| !row.metrics.is_empty()) {
            let kernel = row.cell.version.as_ref().unwrap_or(&row.cell.kernel);
            let words = metrics.iter().map(|m| metric_words(row, &m.metric));
            table.push(
                std::iter::once(one_line(kernel))
                    .chain(words)
                    .collect::<Vec<_>>(),
            );
        }
        text.push_str("\n\n");
        text.push_str(&columns(&table, width, &vec![false; metrics.len() + 1]));
        for (metric, n) in metrics.iter().zip(1..) {
            let line = format!("({n}) {}, patched / base [95 %]", one_line(&metric.label));
            text.push('\n');
            text.push_str(&wrap(&line, width, "    "));
        }
        text.push_str("\n+ improved, = no change, ! regressed, ? can't be told");
    }
    for row in &matrix.cells {
        for why in reasons(row) {
            let line = format!("{}: {}", one_line(&row.cell.kernel), one_line(&why));
            text.push_str("\n\n");
            text.push_str(&wrap(&line, width, "  "));
        }
    }
    text
}

/// What a reader asks of a row: why it failed, what it needed.
fn reasons(row: &Row) -> Vec<String> {
    let mut all = Vec::new();
    if !row.cell.prerequisites.is_empty() {
        all.push(format!(
            "both arms got {} for {}",
            row.cell.prerequisites.join("; "),
            row.cell.missing_symbols.join(", ")
        ));
    }
    if let (Some(stage), Some(error)) = (row.cell.ended, &row.cell.error) {
        all.push(format!("ended at {}: {error}", stage.as_str()));
    } else if let Some(error) = &row.cell.error {
        all.push(error.clone());
    }
    all
}

/// A page: the table, with a link to each run's own report.
pub fn html(matrix: &Matrix) -> String {
    let title = escape(&one_line(&matrix.series));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    for caveat in caveats(matrix) {
        page.push_str(&format!(
            "<p class=\"caveat\">{}</p>\n",
            escape(&one_line(caveat))
        ));
    }
    page.push_str("<table class=\"cards\">\n<thead><tr>");
    let metrics = named(matrix);
    let heads = HEAD
        .into_iter()
        .chain(metrics.iter().map(|m| m.label.as_str()));
    for head in heads {
        page.push_str(&format!("<th>{}</th>", escape(&one_line(head))));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in &matrix.cells {
        let cells = cells(row);
        let kernel = escape(&cells[0]);
        let link = match &row.run {
            // A folder's name is safe as a link once it is escaped.
            Some(run) => format!("<a href=\"{}/report.html\">{kernel}</a>", escape(run)),
            None => kernel,
        };
        page.push_str(&format!("<tr><th scope=\"row\">{link}</th>"));
        for (head, cell) in HEAD.iter().zip(&cells).skip(1) {
            let class = match cell.as_str() {
                "no" | "NOT held" | "conflict" => "bad",
                "yes" | "held" => "good",
                _ => "open",
            };
            page.push_str(&format!(
                "<td data-l=\"{head}\"><span class=\"{class}\">{}</span></td>",
                escape(cell)
            ));
        }
        for metric in metrics {
            page.push_str(&format!(
                "<td class=\"n\" data-l=\"{}\">{}</td>",
                escape(&one_line(&metric.label)),
                escape(&metric_words(row, &metric.metric))
            ));
        }
        page.push_str("</tr>\n");
    }
    page.push_str(
        "</tbody>\n</table>\n<p class=\"small\">Ratios of medians, patched / base, with 95 % \
         intervals: + improved, = no change, ! regressed, ? can\u{2019}t be told.</p>\n<ul>\n",
    );
    for row in &matrix.cells {
        for why in reasons(row) {
            let line = format!("{}: {}", row.cell.kernel, why);
            page.push_str(&format!("<li>{}</li>\n", escape(&one_line(&line))));
        }
    }
    page.push_str("</ul>\n</main>\n</body>\n</html>\n");
    page
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
        let failed = row.base.failed + row.patched.failed > 0;
        let outcome = match (row.held(), failed) {
            (true, _) => Outcome::Pass,
            (false, true) => Outcome::Fail,
            (false, false) => Outcome::Skip(why),
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
