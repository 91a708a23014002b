//! How each scenario ended on each arm.

use crate::analyse::model::Report;
use crate::analyse::scenarios::{ScenarioRow, Tally};
use crate::report::document::{Block, Cell, Column, Row, Section, Table, Tone};

pub(crate) fn section(report: &Report) -> Option<Section<'_>> {
    let rows = &report.scenarios;
    if rows.is_empty() {
        return None;
    }
    let reasons = rows.iter().filter(|row| !row.held());
    let table = Table {
        columns: vec![
            Column::text("scenario"),
            Column::text(report.names[0]),
            Column::text(report.names[1]),
            Column::text("why").page_only(),
        ],
        rows: rows.iter().map(row).collect(),
        text_notes: reasons
            .filter_map(|row| Some(format!("{}: {}", row.name, row.why.as_ref()?)))
            .collect(),
        ..Table::default()
    };
    Some(Section::new("Scenarios", vec![Block::Table(table)]))
}

/// The scenarios that did not hold, a line each; nothing where all did.
pub(crate) fn what_did_not_hold(report: &Report) -> Option<Section<'_>> {
    let lines: Vec<String> = (report.scenarios.iter())
        .filter(|row| !row.held())
        .map(|row| match &row.why {
            Some(why) => format!("{}: {why}", row.findings().join(", ")),
            None => row.findings().join(", "),
        })
        .collect();
    (!lines.is_empty()).then(|| Section::new("Scenarios", vec![Block::Items(lines)]))
}

fn row(row: &ScenarioRow) -> Row {
    Row::new(vec![
        Cell::from(row.name.as_str()),
        tally(row.base),
        tally(row.patched),
        row.why.as_deref().unwrap_or_default().into(),
    ])
}

fn tally(tally: Tally) -> Cell {
    let tone = if tally.failed > 0 {
        Tone::Bad
    } else if tally.passed > 0 && tally.lost == 0 {
        Tone::Good
    } else {
        Tone::Open
    };
    Cell::from(tally.words()).toned(tone)
}
