//! Where the walkers wait.

use results::record::{Unit, Walker};

use crate::analyse::model::Report;
use crate::analyse::stacks::{StackRow, Waits};
use crate::report::document::{Block, Cell, Column, Reach, Row, Section, Table};
use crate::words::{significant, value};

/// Stacks in a table of plain text.
const MOST: usize = 6;

pub(crate) fn section(report: &Report) -> Option<Section<'_>> {
    if report.stacks.is_empty() {
        return None;
    }
    let legend = "Waits for spinlocks and their time, per repetition on average. The function that \
                  takes the lock stands first.";
    let table = Table {
        columns: vec![
            Column::text("who waits, and where"),
            Column::number(report.names[0]),
            Column::number(report.names[1]),
        ],
        rows: report.stacks.iter().map(row).collect(),
        text_rows: Some(MOST),
        ..Table::default()
    };
    let blocks = vec![Block::Legend(legend.into()), Block::Table(table)];
    Some(Section::new("Where the walkers wait", blocks).reach(Reach::InFull))
}

fn row(row: &StackRow) -> Row {
    let who = match row.walker {
        Walker::Reaper => "reaper",
        Walker::Exit => "exit",
    };
    let waits = |waits: Waits| {
        let time = value(Unit::Us, waits.wait_us.round());
        Cell::from(format!("{}, {time}", significant(waits.entries)))
    };
    let stack = format!("{who}: {}", row.frames.join(" \u{2190} "));
    Row::new(vec![stack.into(), waits(row.base), waits(row.patched)])
}
