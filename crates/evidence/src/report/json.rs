//! `report.json` and `run.json`.

use serde::Serialize;

use crate::analyse::comparison::{Comparison, with_text};
use crate::analyse::model::{Report, Status};
use crate::analyse::order::OrderProof;
use crate::run::Run;

/// `report.json`.
///
/// # Errors
/// When a map in [`crate::run::KernelInfo::apply`] can't be written as JSON.
pub fn json(report: &Report) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

/// `run.json`: the run, without its rounds' raw output, and what was found.
/// Reading it back gives the [`Run`]; the findings are made anew.
///
/// # Errors
/// As [`json`].
pub fn run_json(run: &Run, report: &Report) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct File<'a> {
        #[serde(flatten)]
        run: &'a Run,
        status: Status,
        reasons: &'a [String],
        order: &'a OrderProof,
        #[serde(serialize_with = "with_text")]
        comparisons: &'a [Comparison],
    }
    let file = File {
        run,
        status: report.status,
        reasons: &report.reasons,
        order: &report.order,
        comparisons: &report.comparisons,
    };
    Ok(serde_json::to_string_pretty(&file)? + "\n")
}
