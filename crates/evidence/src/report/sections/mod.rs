//! What a run's report says: a section a file. This is the list of them.
//!
//! A new one has its file, its `mod` and its place in [`document`]. What it shows is
//! a field of `analyse::model::Report`; which forms show it is its `Reach`. The
//! sections of a matrix, of a calibration and of two runs are drawn by
//! `report/matrix.rs` and `report/mod.rs`.

pub(super) mod answer;
pub(super) mod between;
pub(super) mod calibration;
pub(super) mod changelog;
pub(super) mod claims;
pub(super) mod comparisons;
pub(super) mod coverage;
pub(super) mod matrix;
pub(super) mod probe_costs;
pub(super) mod provenance;
pub(super) mod rounds;
pub(super) mod samples;
pub(super) mod scenarios;
pub(super) mod stacks;
pub(super) mod sweeps;
pub(super) mod walks;

use crate::analyse::model::Report;
use crate::report::document::{Document, Section};
use crate::run::{Question, Run};

/// What goes into an answer to the mail.
pub(super) fn reply(report: &Report) -> Document<'_> {
    let sections = [
        Some(answer::answer(report)),
        answer::details(report),
        scenarios::what_did_not_hold(report),
        Some(provenance::in_a_sentence(report)),
    ];
    titled(report, sections)
}

/// The report. Charts of raw samples and walks need the run itself.
pub(super) fn document<'a>(report: &'a Report, run: Option<&'a Run>) -> Document<'a> {
    let sections = [
        Some(answer::answer(report)),
        answer::details(report),
        comparisons::section(report),
        // Only where somebody asked for an order.
        run.filter(|run| run.question == Question::Expectations)
            .and_then(walks::section),
        run.and_then(|run| samples::section(run, report)),
        sweeps::section(report),
        stacks::section(report),
        probe_costs::section(report),
        claims::section(report),
        changelog::section(report),
        scenarios::section(report),
        coverage::section(report),
        rounds::section(report),
        Some(provenance::section(report)),
    ];
    titled(report, sections)
}

fn titled<'a>(
    report: &Report,
    sections: impl IntoIterator<Item = Option<Section<'a>>>,
) -> Document<'a> {
    let (series, kernel) = (&report.series, &report.kernel);
    Document {
        title: format!("{} {} on {}", series.name, series.version, kernel.name),
        sections: sections.into_iter().flatten().collect(),
    }
}
