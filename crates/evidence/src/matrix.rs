//! One series on many kernels: a row for each, whatever became of it.

use serde::{Deserialize, Serialize};

use crate::analyse::comparison::Verdict;
use crate::analyse::model::{Report, Status};
use results::Arm;

/// The schema of a cell on disk and of `matrix.json`.
pub const SCHEMA: u32 = 1;

/// Where a cell ended that did not come to a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The kernel's source could not be had.
    Source,
    /// The series does not apply.
    Apply,
    /// An arm does not build.
    Build,
    /// No guest came up, or it could not be run.
    Boot,
}

impl Stage {
    /// The word in JSON and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Apply => "apply",
            Self::Build => "build",
            Self::Boot => "boot",
        }
    }
}

/// What is known of one kernel beside its run: `cell.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The series' name and version.
    pub series: String,
    /// What the user called the kernel.
    pub kernel: String,
    /// Its full version; none where its source could not be had.
    pub version: Option<String>,
    /// How the series fared, by `apply`'s words; none where it was not tried.
    pub applies: Option<String>,
    /// Functions and macros that the series calls and the tree lacks.
    #[serde(default)]
    pub missing_symbols: Vec<String>,
    /// The subjects of the patches that both arms got beside the series.
    #[serde(default)]
    pub prerequisites: Vec<String>,
    /// Where it ended; none where it came to a report.
    pub ended: Option<Stage>,
    /// Why, in words.
    pub error: Option<String>,
    /// The exit code that it calls for.
    pub exit_code: u8,
}

/// One row of the matrix.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What is known beside the run.
    #[serde(flatten)]
    pub cell: Cell,
    /// What the run says; none where there is none.
    #[serde(skip)]
    pub report: Option<Report>,
    /// The run's folder below the matrix's; none where there is none.
    pub run: Option<String>,
    /// How the run ended.
    pub status: Option<Status>,
    /// Scenarios that held on both arms, of all that ran.
    pub scenarios: Option<[usize; 2]>,
    /// Whether both arms proved the order that they must; none where none is
    /// expected.
    pub order: Option<bool>,
    /// The metrics that decide.
    pub metrics: Vec<Metric>,
}

/// A metric that decides, on one kernel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metric {
    pub metric: String,
    /// What a report calls it.
    pub label: String,
    /// Patched's median over base's.
    pub ratio: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<[f64; 2]>,
    pub verdict: Verdict,
}

impl Row {
    /// A row, with the report of its run and where that lies.
    pub fn new(cell: Cell, run: Option<(String, Report)>) -> Self {
        let (folder, report) = run.unzip();
        let of = report.as_ref();
        Self {
            status: of.map(|report| report.status),
            scenarios: of.map(|report| {
                let held = report.scenarios.iter().filter(|row| row.held()).count();
                [held, report.scenarios.len()]
            }),
            order: of.and_then(|report| report.order.expected.map(|_| report.order.held)),
            metrics: of.map(metrics).unwrap_or_default(),
            cell,
            run: folder,
            report,
        }
    }

    /// Whether both arms were booted and judged.
    pub fn boots(&self) -> bool {
        let both = |report: &Report| {
            let booted = |arm: Arm| {
                report
                    .rounds
                    .iter()
                    .any(|r| r.arm == arm && r.boot_s.is_some())
            };
            Arm::BOTH.into_iter().all(booted)
        };
        self.report.as_ref().is_some_and(both)
    }
}

fn metrics(report: &Report) -> Vec<Metric> {
    let primary = report.comparisons.iter().filter(|c| c.primary);
    primary
        .map(|c| Metric {
            metric: c.metric.clone(),
            label: c.label.clone(),
            ratio: c.ratio,
            interval: c.interval,
            verdict: c.verdict,
        })
        .collect()
}

/// One series on many kernels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Matrix {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The series' name and version.
    pub series: String,
    /// The kernels, in the order in which they were asked for.
    pub cells: Vec<Row>,
}

impl Matrix {
    /// A matrix of these rows.
    pub fn new(series: String, cells: Vec<Row>) -> Self {
        Self {
            schema: SCHEMA,
            series,
            cells,
        }
    }

    /// The exit code of all cells together: that of the worst. A series that is
    /// wrong anywhere is worse than one that was not put to the test.
    pub fn exit_code(&self) -> u8 {
        const WORST_FIRST: [u8; 7] = [130, 1, 4, 3, 2, 5, 6];
        let codes: Vec<u8> = self.cells.iter().map(|row| row.cell.exit_code).collect();
        let found = WORST_FIRST.into_iter().find(|code| codes.contains(code));
        found.unwrap_or(0)
    }
}
