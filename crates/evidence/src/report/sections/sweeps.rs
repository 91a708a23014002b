//! Where a series helps and where it costs, as one thing is varied.

use results::record::Unit;

use crate::analyse::model::Report;
use crate::analyse::sweep::{Point, Sweep, SweptMetric};
use crate::report::document::{Block, Cell, Charts, Column, Figure, Row, Section, Swatch, Table};
use crate::report::svg::{Chart, sweep_key};
use crate::words::{ratio_words, significant, value};

pub(crate) fn section(report: &Report) -> Option<Section<'_>> {
    if report.sweeps.is_empty() {
        return None;
    }
    let figures = report.sweeps.iter().map(|sweep| Figure {
        heading: sweep.scenario.clone(),
        chart: Chart::Sweep(sweep),
        key: sweep_key(sweep)
            .map(|(class, mark, label)| Swatch::new(class, mark, label))
            .collect(),
        caption: sweep.axis.clone(),
    });
    let mut blocks = vec![Block::Charts(Charts {
        key: Swatch::arms(),
        figures: figures.collect(),
        legend: "Above: medians of counts, base and patched. Below: patched / base, with \
                 its 95 % interval; below 1 the series helps."
            .into(),
    })];
    blocks.extend(report.sweeps.iter().filter_map(table).map(Block::Table));
    let legend = "Sweeps show where, and decide nothing: with so many points one interval in \
                  twenty misses 1 by chance.";
    blocks.push(Block::Legend(legend.into()));
    Some(Section::new("Where it helps and where it costs", blocks))
}

fn table(sweep: &Sweep) -> Option<Table> {
    let shown: Vec<&SweptMetric> = sweep.metrics.iter().filter(|m| m.shown).collect();
    let points = shown.iter().flat_map(|metric| &metric.points);
    let mut at: Vec<f64> = points.map(|point| point.at).collect();
    at.sort_by(f64::total_cmp);
    at.dedup();
    let heads = shown
        .iter()
        .map(|metric| Column::numbers(format!("{}, {}", metric.label, meaning(metric.unit))));
    let row = |at: f64| {
        let cells = shown.iter().map(|metric| {
            let point = metric.points.iter().find(|point| point.at == at);
            Cell::from(point.map_or_else(|| "-".into(), |point| words(metric.unit, point)))
        });
        Row::new(
            std::iter::once(significant(at).into())
                .chain(cells)
                .collect(),
        )
    };
    (!at.is_empty()).then(|| Table {
        caption: Some(format!("{}: {}", sweep.scenario, sweep.axis)),
        columns: std::iter::once(Column::text("at")).chain(heads).collect(),
        rows: at.into_iter().map(row).collect(),
        numbered: true,
        ..Table::default()
    })
}

/// Counts as they are, times as a ratio.
fn words(unit: Unit, point: &Point) -> String {
    if unit == Unit::Us && point.ratio.is_some() {
        return ratio_words(point.ratio, point.interval);
    }
    let [base, patched] = [&point.base, &point.patched].map(|arm| value(unit, arm.median));
    format!("{base} -> {patched}")
}

fn meaning(unit: Unit) -> &'static str {
    if unit == Unit::Us {
        "patched / base"
    } else {
        "base -> patched"
    }
}
