//! Every metric, base against patched.

use crate::analyse::comparison::{Comparison, Verdict, boots_words};
use crate::analyse::model::Report;
use crate::report::document::{Block, Cell, Column, Row, Section, Table, Tone};
use crate::words::{ratio_words, significant, value};

pub(crate) fn section(report: &Report) -> Option<Section<'_>> {
    if report.comparisons.is_empty() {
        return None;
    }
    let mut legend = format!(
        "Counts are rates per repetition, times medians, both of the middle boot; warm-ups are \
         left out. The ratio is patched / base with its 95 % interval, block by block: a block \
         is a boot of each arm beside each other. Test and interval are one: ranks within \
         blocks, exchanged within blocks. Metrics marked * decide, at the looks' shares of 5 %: \
         counts in probed boots, times in unprobed ones. A change below {} % counts as none{}. \
         No other metric is tested.",
        significant(report.margin * 100.0),
        own_margins(report)
    );
    if report.comparisons.iter().any(|c| c.unprobed) {
        legend.push_str(" Unprobed: measured in boots without any probe.");
    }
    let groups = report.comparisons.chunk_by(|a, b| {
        let boots = |c: &Comparison| (c.base.boots, c.patched.boots);
        a.scenario == b.scenario && boots(a) == boots(b)
    });
    let mut blocks = vec![Block::Legend(legend)];
    blocks.extend(groups.map(|group| Block::Table(table(group, report.names))));
    Some(Section::new("Base against patched", blocks))
}

/// Margins that some metrics that decide have of their own.
fn own_margins(report: &Report) -> String {
    let of = report.comparisons.iter().filter(|c| c.primary);
    of.filter(|c| c.margin != report.margin)
        .map(|c| format!(", of {} below {} %", c.label, significant(c.margin * 100.0)))
        .collect()
}

fn table(group: &[Comparison], names: [&str; 2]) -> Table {
    let caption = group.first().map(|first| {
        let [base, patched] = [first.base.boots, first.patched.boots];
        format!("{} ({base}+{patched} boots)", first.scenario)
    });
    Table {
        caption,
        columns: vec![
            Column::text("metric"),
            Column::number(names[0]),
            Column::number(names[1]),
            Column::numbers("ratio [95 %]"),
            Column::numbers("samples").page_only(),
            Column::text("verdict"),
        ],
        rows: group.iter().map(row).collect(),
        text_notes: group
            .iter()
            .filter(|c| c.shown)
            .filter_map(|c| Some(format!("{}: {}", c.label, boots_words(c.rounds_needed?))))
            .collect(),
        ..Table::default()
    }
}

fn row(c: &Comparison) -> Row {
    let better = if c.lower_is_better {
        '\u{25bc}'
    } else {
        '\u{25b2}'
    };
    let worse = if c.lower_is_better {
        '\u{25b2}'
    } else {
        '\u{25bc}'
    };
    let (tone, sign) = match c.verdict {
        Verdict::Improved => (Tone::Good, better),
        Verdict::Regressed => (Tone::Bad, worse),
        Verdict::NoChange => (Tone::Same, '='),
        Verdict::Inconclusive => (Tone::Open, '?'),
        Verdict::NotTested => (Tone::Open, ' '),
    };
    Row {
        marked: c.primary,
        cells: vec![
            Cell::from(c.label.as_str()),
            value(c.unit, c.base.level).into(),
            value(c.unit, c.patched.level).into(),
            ratio_words(c.ratio, c.interval).into(),
            format!("{}+{}", c.base.samples, c.patched.samples).into(),
            Cell {
                tone: Some(tone),
                sign: Some(sign),
                note: c.rounds_needed.map(boots_words),
                ..Cell::from(c.verdict.as_str())
            },
        ],
    }
}
