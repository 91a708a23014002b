//! A matrix of invented cells, one of each fate.

#![allow(clippy::unwrap_used)]

mod fixture;

use evidence::matrix::{Cell, Matrix, Row, SCHEMA, Stage};
use evidence::{analyse, report};
use fixture::{log, run};
use results::ktap::{self, Outcome};

fn cell(kernel: &str, version: Option<&str>) -> Cell {
    Cell {
        schema: SCHEMA,
        series: "oom-reaper-reverse v6".into(),
        kernel: kernel.into(),
        version: version.map(String::from),
        applies: version.map(|_| "offset".into()),
        missing_symbols: Vec::new(),
        prerequisites: Vec::new(),
        ended: None,
        error: None,
        exit_code: 0,
    }
}

fn matrix() -> Matrix {
    let good = Cell {
        applies: Some("needs-prerequisite".into()),
        missing_symbols: vec!["mas_for_each_rev".into()],
        prerequisites: vec!["maple_tree: add mas_for_each_rev()".into()],
        ..cell("6.12", Some("6.12.117"))
    };
    let mut failing = run();
    for round in &mut failing.rounds {
        round.ktap = log(|w| {
            w.test("memcg-limit", &Outcome::Fail).unwrap();
            w.test("reap-order", &Outcome::Pass).unwrap();
        });
    }
    let failed = Cell {
        error: Some("memcg-limit failed on base".into()),
        exit_code: 1,
        ..cell("7.2", Some("7.2.13"))
    };
    let conflict = Cell {
        applies: Some("conflict".into()),
        ended: Some(Stage::Apply),
        error: Some("mm/oom_kill.c: line 517 is another\u{1b}[31m".into()),
        exit_code: 3,
        ..cell("5.15", Some("5.15.190"))
    };
    let unbuilt = Cell {
        ended: Some(Stage::Build),
        error: Some("mm/oom_kill.c:530: implicit declaration".into()),
        exit_code: 4,
        ..cell("6.1", Some("6.1.192"))
    };
    let lost = Cell {
        ended: Some(Stage::Source),
        error: Some("no package linux-source-9.9".into()),
        exit_code: 5,
        ..cell("9.9", None)
    };
    let rows = vec![
        Row::new(good, Some(("6.12".into(), analyse(&run())))),
        Row::new(failed, Some(("7.2".into(), analyse(&failing)))),
        Row::new(conflict, None),
        Row::new(unbuilt, None),
        Row::new(lost, None),
    ];
    Matrix::new("oom-reaper-reverse v6".into(), rows)
}

#[test]
fn on_a_terminal() {
    insta::assert_snapshot!(report::matrix::terminal(&matrix()), @"
    oom-reaper-reverse v6

    Kernels
    kernel    applies             builds  boots  scenarios  order
    6.12.117  needs-prerequisite  yes     yes    3/4        held
    7.2.13    offset              yes     yes    1/4        held
    5.15.190  conflict            -       -      -          -
    6.1.192   offset              no      -      -          -
    9.9       -                   -       -      -          -

    What decides
    kernel    (1)                  (2)
    6.12.117  0.05 [0.04, 0.07] +  0.91 [0.65, 1.05] ?
    7.2.13    0.05 [0.04, 0.07] ?  0.91 [0.65, 1.05] ?
    (1) contended page-table-lock entries, patched / base [95 %]
    (2) reaper + exit_mmap (unprobed), patched / base [95 %]
    + improved, = no change, ! regressed, ? can't be told
    6.12: both arms got maple_tree: add mas_for_each_rev() for mas_for_each_rev
    7.2: memcg-limit failed on base
    5.15: ended at apply: mm/oom_kill.c: line 517 is another [31m
    6.1: ended at build: mm/oom_kill.c:530: implicit declaration
    9.9: ended at source: no package linux-source-9.9
    note: Measured under emulation (QEMU TCG): times do not carry over to hardware; counts, the order of
      the walk and the sign of a change do.
    note: Patch 1/2 of the series is missing: the series was tested without it.
    ");
}

#[test]
fn in_mail() {
    let text = report::matrix::markdown(&matrix());
    assert!(text.lines().all(|line| line.len() <= 72), "{text}");
    assert!(text.contains("Measured under emulation"));
}

#[test]
fn the_worst_cell_decides() {
    let mut matrix = matrix();
    assert_eq!(matrix.exit_code(), 1);
    matrix.cells.remove(1);
    assert_eq!(matrix.exit_code(), 4);
    matrix.cells.truncate(1);
    assert_eq!(matrix.exit_code(), 0);
}

#[test]
fn as_a_page() {
    let page = report::matrix::html(&matrix());
    assert!(page.contains("<a href=\"6.12/report.html\">6.12.117</a>"));
    assert!(!page.contains('\u{1b}') && !page.contains("<script"));
}

#[test]
fn as_json() {
    let json = serde_json::to_value(matrix()).unwrap();
    let first = &json["cells"][0];
    assert_eq!(first["kernel"], "6.12");
    assert_eq!(first["applies"], "needs-prerequisite");
    assert_eq!(first["order"], true);
    assert_eq!(first["metrics"][0]["verdict"], "improved");
    assert_eq!(json["cells"][2]["ended"], "apply");
}

#[test]
fn as_ktap_and_junit() {
    let text = report::matrix::ktap(&matrix()).unwrap();
    let read = ktap::read(text.as_bytes()).unwrap();
    assert_eq!(read.tests.len(), 5, "{text}");
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    let ok: Vec<bool> = read.tests.iter().map(|test| test.status.is_ok()).collect();
    assert_eq!(ok, [true, false, false, false, false]);
    let xml = report::matrix::junit(&matrix()).unwrap();
    assert!(xml.contains("failures=\"3\" errors=\"1\""), "{xml}");
}

#[test]
fn for_kernel_ci() {
    let document: serde_json::Value =
        serde_json::from_str(&report::kcidb(&matrix()).unwrap()).unwrap();
    let ids = |list: &str| -> Vec<String> {
        let all = document[list].as_array().unwrap();
        all.iter()
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    // Two arms of two runs, and three that were never built.
    assert_eq!(ids("checkouts").len(), 7);
    assert_eq!(ids("builds").len(), 5);
    let build = &document["builds"][0];
    assert!(ids("checkouts").contains(&build["checkout_id"].as_str().unwrap().to_owned()));
    let failed = document["tests"].as_array().unwrap().iter();
    let mut failed = failed.filter(|test| test["status"] == "FAIL");
    assert!(failed.any(|test| test["path"] == "reaperlab.memcg-limit"));
}
