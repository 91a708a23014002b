//! One series on many kernels.

use crate::analyse::comparison::Verdict;
use crate::matrix::{Matrix, Metric, Row as Kernel, Stage};
use crate::report::document::{Block, Cell, Column, Document, Row, Section, Table, Tone};
use crate::words::ratio_words;

pub(crate) fn document(matrix: &Matrix) -> Document<'_> {
    let mut blocks = vec![
        Block::Caveats(caveats(matrix)),
        Block::Table(kernels(matrix)),
    ];
    if let Some(table) = metrics(matrix) {
        blocks.push(Block::Table(table));
        let legend = "+ improved, = no change, ! regressed, ? can't be told";
        blocks.push(Block::Paragraph(legend.into()));
    }
    blocks.push(Block::Items(
        matrix.cells.iter().flat_map(reasons).collect(),
    ));
    Document {
        title: matrix.series.clone(),
        sections: vec![Section::untitled(blocks)],
    }
}

/// What limits the figures of any of the runs, each once.
fn caveats(matrix: &Matrix) -> Vec<String> {
    let reports = matrix.cells.iter().filter_map(|row| row.report.as_ref());
    let mut seen: Vec<String> = Vec::new();
    for caveat in reports.flat_map(|report| &report.caveats) {
        if !seen.contains(caveat) {
            seen.push(caveat.clone());
        }
    }
    seen
}

/// A kernel's name, which leads to the report of its run.
fn name(row: &Kernel) -> Cell {
    let version = row.cell.version.as_ref().unwrap_or(&row.cell.kernel);
    Cell {
        link: row.run.as_ref().map(|run| format!("{run}/report.html")),
        ..Cell::from(version.as_str())
    }
}

fn kernels(matrix: &Matrix) -> Table {
    let heads = ["kernel", "applies", "builds", "boots", "scenarios", "order"];
    Table {
        caption: Some("Kernels".into()),
        columns: heads.map(Column::text).into(),
        rows: matrix.cells.iter().map(kernel).collect(),
        ..Table::default()
    }
}

fn kernel(row: &Kernel) -> Row {
    let ended = |stage: Stage| row.cell.ended == Some(stage);
    let answer = |answer: Option<bool>, words: [&str; 2]| match answer {
        Some(true) => Cell::from(words[0]).toned(Tone::Good),
        Some(false) => Cell::from(words[1]).toned(Tone::Bad),
        None => Cell::from("-").toned(Tone::Open),
    };
    let placed = !ended(Stage::Source) && !ended(Stage::Apply);
    let built = placed && !ended(Stage::Build);
    let applies = Cell::from(row.cell.applies.as_deref().unwrap_or("-"));
    let scenarios = row.scenarios;
    let scenarios = scenarios.map_or_else(|| "-".into(), |[held, all]| format!("{held}/{all}"));
    Row::new(vec![
        name(row),
        applies.toned(if ended(Stage::Apply) {
            Tone::Bad
        } else {
            Tone::Open
        }),
        answer(placed.then_some(built), ["yes", "no"]),
        answer(built.then(|| row.boots()), ["yes", "no"]),
        Cell::from(scenarios).toned(Tone::Open),
        answer(row.order, ["held", "NOT held"]),
    ])
}

/// The metrics that decide, as the kernel with the most of them names them.
fn metrics(matrix: &Matrix) -> Option<Table> {
    let all = matrix.cells.iter().map(|row| row.metrics.as_slice());
    let named = all.max_by_key(|metrics| metrics.len())?;
    let measured = matrix.cells.iter().filter(|row| !row.metrics.is_empty());
    let heads = named
        .iter()
        .map(|metric| Column::numbers(format!("{}, patched / base [95 %]", metric.label)));
    let row = |row: &Kernel| {
        let cells = named.iter().map(|named| {
            let found = row.metrics.iter().find(|m| m.metric == named.metric);
            Cell::from(found.map_or_else(|| "-".into(), words))
        });
        Row::new(std::iter::once(name(row)).chain(cells).collect())
    };
    (!named.is_empty()).then(|| Table {
        caption: Some("What decides".into()),
        columns: std::iter::once(Column::text("kernel"))
            .chain(heads)
            .collect(),
        rows: measured.map(row).collect(),
        numbered: true,
        ..Table::default()
    })
}

/// The ratio, and the verdict in one character.
fn words(metric: &Metric) -> String {
    let ratio = ratio_words(metric.ratio, metric.interval);
    let sign = match metric.verdict {
        Verdict::Improved => '+',
        Verdict::Regressed => '!',
        Verdict::NoChange => '=',
        Verdict::Inconclusive | Verdict::NotTested => '?',
    };
    format!("{ratio} {sign}")
}

/// What a reader asks of a row: why it failed, what it needed.
fn reasons(row: &Kernel) -> Vec<String> {
    let cell = &row.cell;
    let mut all = Vec::new();
    if !cell.prerequisites.is_empty() {
        all.push(format!(
            "{}: both arms got {} for {}",
            cell.kernel,
            cell.prerequisites.join("; "),
            cell.missing_symbols.join(", ")
        ));
    }
    if let Some(error) = &cell.error {
        let ended = cell
            .ended
            .map(|stage| format!("ended at {}: ", stage.as_str()));
        all.push(format!(
            "{}: {}{error}",
            cell.kernel,
            ended.unwrap_or_default()
        ));
    }
    all
}
