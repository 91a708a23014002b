//! Every sample of what decides.

use crate::analyse::model::Report;
use crate::analyse::samples::{Key, Samples};
use crate::report::document::{Block, Charts, Figure, Reach, Section, Swatch};
use crate::report::svg::Chart;
use crate::run::Run;

/// Charts beyond these are left out.
const MOST: usize = 12;

pub(crate) fn section<'a>(run: &Run, report: &'a Report) -> Option<Section<'a>> {
    let all = Samples::of(run);
    // Where nothing is named as primary, everything is worth a look.
    let any_primary = report.comparisons.iter().any(|c| c.primary);
    let shown = report
        .comparisons
        .iter()
        .filter(|c| c.shown || !any_primary);
    let figures = shown.filter_map(|c| {
        let key = Key {
            scenario: c.scenario.clone(),
            unprobed: c.unprobed,
            metric: c.metric.clone(),
            walker: c.walker,
        };
        Some(Figure {
            heading: c.label.clone(),
            chart: Chart::Samples(c, all.get(&key)?.clone()),
            key: Vec::new(),
            caption: c.scenario.clone(),
        })
    });
    let figures: Vec<Figure<'_>> = figures.take(MOST).collect();
    (!figures.is_empty()).then(|| {
        let charts = Charts {
            key: Swatch::arms(),
            figures,
            legend:
                "One column a boot; the short bar is what the boot comes to (a rate for counts, \
                     a median for times), the long line and the figure the middle boot\u{2019}s. \
                     Where samples span more than a factor of 20 the scale is logarithmic and \
                     zeros lie on the bottom line."
                    .into(),
        };
        Section::new("Every sample", vec![Block::Charts(charts)]).reach(Reach::Page)
    })
}
