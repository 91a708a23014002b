//! What a changelog claims, beside what was measured.

use crate::analyse::model::Report;
use crate::claims::{Check, Claims, Finding};
use crate::report::document::{Block, Cell, Column, Row, Section, Table};
use crate::words::ratio_words;

pub(crate) fn section(report: &Report) -> Option<Section<'_>> {
    let claimed = report.claims.as_ref()?;
    let blocks = blocks(&claimed.claims, &claimed.checks);
    Some(Section::new("What the changelog claims", blocks))
}

/// The figures of a changelog, what a reader would ask of them, and what was
/// measured.
pub(crate) fn blocks(claims: &Claims, checks: &[Check]) -> Vec<Block<'static>> {
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
    Row::new(vec![
        Cell::from(check.label.as_str()),
        ratio_words(Some(check.claimed), None).into(),
        ratio_words(check.measured, check.interval).into(),
        check.verdict.as_str().into(),
    ])
}
