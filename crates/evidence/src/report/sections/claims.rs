//! What a changelog claims, beside what was measured.

use crate::analyse::model::Report;
use crate::claims::{Check, Claims, Finding};
use crate::report::document::{Block, Cell, Column, Row, Section, Table};
use crate::words::{interval_text, ratio_text};

pub(in crate::report) fn section(report: &Report) -> Option<Section<'_>> {
    let claimed = report.claims.as_ref()?;
    let blocks = blocks(&claimed.claims, &claimed.checks);
    Some(Section::new("What the changelog claims", blocks))
}

/// The figures of a changelog, what a reader would ask of them, and what was
/// measured.
pub(in crate::report) fn blocks(claims: &Claims, checks: &[Check]) -> Vec<Block<'static>> {
    if claims.rows.is_empty() && claims.figures.is_empty() && claims.findings.is_empty() {
        return vec![Block::Paragraph(
            "The changelog claims nothing in figures.".into(),
        )];
    }
    let mut blocks = vec![Block::Items(claims.findings.iter().map(finding).collect())];
    if !checks.is_empty() {
        blocks.push(Block::Table(Table {
            caption: Some("With the patch, as a share of without:".into()),
            columns: vec![
                Column::text("claim"),
                Column::number("claimed"),
                Column::numbers("measured [95 %]"),
                Column::text("verdict"),
            ],
            rows: checks.iter().map(row).collect(),
            ..Table::default()
        }));
    }
    blocks
}

fn finding(finding: &Finding) -> String {
    match finding.line {
        Some(line) => format!("line {line}: {}", finding.text),
        None => finding.text.clone(),
    }
}

fn row(check: &Check) -> Row {
    let measured = match (check.measured, check.interval) {
        (Some(measured), Some(ends)) => {
            format!("{} {}", ratio_text(measured), interval_text(ends))
        }
        (Some(measured), None) => ratio_text(measured),
        _ => "-".into(),
    };
    Row::new(vec![
        Cell::from(check.label.as_str()),
        ratio_text(check.claimed).into(),
        measured.into(),
        check.verdict.as_str().into(),
    ])
}
