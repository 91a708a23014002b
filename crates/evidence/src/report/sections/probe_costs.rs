//! What the probes cost.

use crate::analyse::model::Report;
use crate::analyse::probes::ProbeCost;
use crate::report::document::{Block, Section};
use crate::words::{ratio_words, value};

/// The costs worth a line: of what decides, and of its unprobed counterparts.
pub(crate) fn section(report: &Report) -> Option<Section<'_>> {
    let shown = report.probe_costs.iter().filter(|cost| cost.shown);
    let costs: Vec<String> = shown.map(words).collect();
    (!costs.is_empty()).then(|| Section::new("What the probes cost", vec![Block::Items(costs)]))
}

/// Such as `reap, base: unprobed 10 ms, probed 11 ms, ratio 1.10 [1.02, 1.20]`.
fn words(cost: &ProbeCost) -> String {
    format!(
        "{}, {}: unprobed {}, probed {}, ratio {}",
        cost.label,
        cost.arm.as_str(),
        value(cost.unit, cost.unprobed),
        value(cost.unit, cost.probed),
        ratio_words(Some(cost.ratio), cost.interval),
    )
}
