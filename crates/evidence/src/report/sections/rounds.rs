//! Each boot.

use results::Arm;

use crate::analyse::model::{Report, RoundRow};
use crate::report::document::{Block, Cell, Column, Reach, Row, Section, Table, Tone};

pub(crate) fn section(report: &Report) -> Option<Section<'_>> {
    let mut columns = vec![
        Column::text("round"),
        Column::text("arm"),
        Column::text("ended"),
        Column::text("console"),
        Column::number("boot"),
        Column::number("in all"),
    ];
    let mut rows: Vec<Row> = report.rounds.iter().map(row).collect();
    if report.turns.is_some() {
        columns.push(Column::number("void repetitions"));
        for (row, round) in rows.iter_mut().zip(&report.rounds) {
            row.cells.push(void(round));
        }
    }
    let table = Table {
        columns,
        rows,
        ..Table::default()
    };
    (!report.rounds.is_empty())
        .then(|| Section::new("Rounds", vec![Block::Table(table)]).reach(Reach::Page))
}

/// How many of its repetitions the host made void.
fn void(round: &RoundRow) -> Cell {
    match round.turns {
        0 => "\u{2013}".into(),
        turns => format!("{} of {turns}", round.void_turns).into(),
    }
}

fn row(round: &RoundRow) -> Row {
    let seconds = |s: f64| format!("{s:.1} s");
    let tone = match round.arm {
        Arm::Base => Tone::Base,
        Arm::Patched => Tone::Patched,
    };
    Row::new(vec![
        Cell::from(round.index.to_string()),
        Cell {
            tone: Some(tone),
            sign: Some('\u{25a0}'),
            ..Cell::from(format!("{}{}", round.arm.as_str(), round.how))
        },
        round.status.as_str().into(),
        round.console_verdict.to_string().into(),
        round
            .boot_s
            .map_or_else(|| "\u{2013}".into(), seconds)
            .into(),
        seconds(round.wall_s).into(),
    ])
}
