//! Where the two walkers are, against time.

use crate::report::document::{Block, Charts, Figure, Reach, Section, Swatch};
use crate::report::svg::{Axes, Chart, collision_words, shown};
use crate::run::Run;

pub(crate) fn section(run: &Run) -> Option<Section<'_>> {
    let shown = shown(run);
    if shown.is_empty() {
        return None;
    }
    let axes = Axes::of(&shown);
    let figures = shown.into_iter().map(|one| Figure {
        heading: one.arm.as_str().to_owned(),
        caption: format!(
            "Round {}, {}, repetition {}: {}.",
            one.round,
            one.walk.scenario,
            one.walk.repetition,
            collision_words(one.walk)
        ),
        key: Vec::new(),
        chart: Chart::Walk(one, axes),
    });
    let charts = Charts {
        key: vec![
            Swatch::new("reaper", '\u{25cf}', "reaper"),
            Swatch::new("exit", '\u{2715}', "the victim\u{2019}s own exit"),
        ],
        figures: figures.collect(),
        legend: "Each line joins the ranges in the order in which a walker enters them; its marks \
                 only tell the two apart. Upwards is the rank of the range\u{2019}s first address \
                 among all that this walk saw, not the address itself, so that a sparse address \
                 space does not collapse. Both arms have the same axes. Rounds with such a trace \
                 are not timed."
            .into(),
    };
    let blocks = vec![Block::Charts(charts)];
    Some(Section::new("Where the two walkers are", blocks).reach(Reach::Page))
}
