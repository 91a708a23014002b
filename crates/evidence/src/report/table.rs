//! Tables as plain text.

use super::document::{Kind, Table};
use crate::words::{ascii, one_line, wrap};

/// The table without its caption, its notes below, in so many columns.
pub(super) fn text(table: &Table, width: usize) -> String {
    let shown: Vec<usize> = (0..table.columns.len())
        .filter(|at| !table.columns[*at].page_only)
        .collect();
    let clean = |text: &str| ascii(&one_line(text));
    let marks = table.rows.iter().any(|row| row.marked);
    let head = shown.iter().enumerate().map(|(nth, at)| {
        if table.numbered && nth > 0 {
            format!("({nth})")
        } else {
            clean(&table.columns[*at].head)
        }
    });
    let mut rows: Vec<Vec<String>> = vec![head.collect()];
    if marks {
        rows[0][0].insert_str(0, "  ");
    }
    for row in table
        .rows
        .iter()
        .take(table.text_rows.unwrap_or(usize::MAX))
    {
        let cells = shown.iter().filter_map(|at| row.cells.get(*at));
        let mut cells: Vec<String> = cells.map(|cell| clean(&cell.text)).collect();
        if let (true, Some(first)) = (marks, cells.first_mut()) {
            first.insert_str(0, if row.marked { "* " } else { "  " });
        }
        rows.push(cells);
    }
    let right: Vec<bool> = shown
        .iter()
        .map(|at| table.columns[*at].kind == Kind::Number)
        .collect();
    let mut text = columns(&rows, width, &right);
    if table.numbered {
        for (nth, at) in shown.iter().enumerate().skip(1) {
            let line = format!("({nth}) {}", clean(&table.columns[*at].head));
            text.push('\n');
            text.push_str(&wrap(&line, width, "    "));
        }
    }
    for note in table.text_notes.iter().chain(&table.notes) {
        text.push('\n');
        text.push_str(&wrap(&clean(note), width, "  "));
    }
    text
}

/// Columns two spaces apart. The first one takes what the others leave and
/// is wrapped to it.
fn columns(rows: &[Vec<String>], width: usize, right: &[bool]) -> String {
    let length = |text: &str| text.chars().count();
    let count = right.len();
    let widest = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| length(cell))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(widest).collect();
    let others: usize = widths.iter().skip(1).map(|w| w + 2).sum();
    let first = widths
        .first()
        .copied()
        .unwrap_or(0)
        .min(width.saturating_sub(others).max(12));
    let mut lines = Vec::new();
    for row in rows {
        let Some((label, cells)) = row.split_first() else {
            continue;
        };
        let lead: String = label.chars().take_while(|c| *c == ' ').collect();
        let label = wrap(label, first.saturating_sub(length(&lead)), "    ");
        let mut label_lines = label.lines();
        let head = format!("{lead}{}", label_lines.next().unwrap_or_default());
        let mut line = format!("{head:first$}");
        for (at, cell) in cells.iter().enumerate() {
            let width = widths.get(at + 1).copied().unwrap_or(0);
            if right.get(at + 1) == Some(&true) {
                line.push_str(&format!("  {cell:>width$}"));
            } else {
                line.push_str(&format!("  {cell:width$}"));
            }
        }
        lines.push(line.trim_end().to_owned());
        lines.extend(label_lines.map(|rest| format!("{lead}{rest}")));
    }
    lines.join("\n")
}
