//! Sweeps as tables of plain text.

use results::record::Unit;

use super::terminal::columns;
use crate::analyse::sweep::{Point, Sweep, SweptMetric};
use crate::words::{interval_text, one_line, ratio_text, significant, value, wrap};

/// A heading and a table for each sweep that has points.
pub(super) fn tables(sweeps: &[Sweep], width: usize) -> impl Iterator<Item = (String, String)> {
    sweeps.iter().filter_map(move |sweep| {
        let shown: Vec<&SweptMetric> = sweep.metrics.iter().filter(|m| m.shown).collect();
        let points = at(&shown);
        (!points.is_empty()).then(|| {
            let heading = format!("{}: {}", sweep.scenario, sweep.axis);
            let mut table = vec![
                std::iter::once("at".to_owned())
                    .chain((1..=shown.len()).map(|n| format!("({n})")))
                    .collect::<Vec<_>>(),
            ];
            table.extend(points.into_iter().map(|at| {
                let cells = shown.iter().map(|metric| cell(metric, at));
                std::iter::once(significant(at)).chain(cells).collect()
            }));
            let mut text = columns(&table, width, &vec![false; shown.len() + 1]);
            for (metric, n) in shown.iter().zip(1..) {
                text.push('\n');
                let line = format!("({n}) {}, {}", one_line(&metric.label), meaning(metric));
                text.push_str(&wrap(&line, width, "    "));
            }
            (wrap(&one_line(&heading), width, "  "), text)
        })
    })
}

/// Every value of what was varied, each once.
fn at(shown: &[&SweptMetric]) -> Vec<f64> {
    let mut all: Vec<f64> = shown.iter().flat_map(|m| &m.points).map(|p| p.at).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

fn cell(metric: &SweptMetric, at: f64) -> String {
    metric
        .points
        .iter()
        .find(|point| point.at == at)
        .map_or_else(|| "-".into(), |point| words(metric.unit, point))
}

/// Counts as they are, times as a ratio.
pub(super) fn words(unit: Unit, point: &Point) -> String {
    match (unit, point.ratio, point.interval) {
        (Unit::Us, Some(ratio), Some(ends)) => {
            format!("{} {}", ratio_text(ratio), interval_text(ends))
        }
        (Unit::Us, Some(ratio), None) => ratio_text(ratio),
        _ => format!(
            "{} -> {}",
            value(unit, point.base.median),
            value(unit, point.patched.median)
        ),
    }
}

pub(super) fn meaning(metric: &SweptMetric) -> &'static str {
    if metric.unit == Unit::Us {
        "patched / base"
    } else {
        "base -> patched"
    }
}
