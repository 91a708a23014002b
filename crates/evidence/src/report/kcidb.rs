//! KCIDB's schema 5.3, in which kernel CI systems exchange results: a checkout
//! and a build for each arm, a test for each scenario on it.

use serde_json::{Value, json};

use crate::analyse::model::Report;
use crate::analyse::scenarios::{ScenarioRow, Tally};
use crate::matrix::{Matrix, Stage};
use crate::run::ArmInfo;
use crate::words::one_line;
use results::Arm;

/// The name under which results are sent; also what their ids begin with.
const ORIGIN: &str = "reaperlab";

/// The matrix as one document.
///
/// # Errors
/// When it can't be written as JSON.
pub fn kcidb(matrix: &Matrix) -> serde_json::Result<String> {
    let (mut checkouts, mut builds, mut tests) = (Vec::new(), Vec::new(), Vec::new());
    for row in &matrix.cells {
        let Some(report) = &row.report else {
            // What was never built has no commit to be named by.
            let id = format!("{ORIGIN}:{}", safe(&row.cell.kernel));
            checkouts.push(json!({
                "id": id,
                "origin": ORIGIN,
                "comment": comment(row.cell.error.as_deref().unwrap_or_default()),
                "valid": !matches!(row.cell.ended, Some(Stage::Source | Stage::Apply)),
            }));
            if row.cell.ended == Some(Stage::Build) {
                builds.push(json!({
                    "id": format!("{id}-build"),
                    "checkout_id": id,
                    "origin": ORIGIN,
                    "architecture": "x86_64",
                    "status": "FAIL",
                }));
            }
            continue;
        };
        for arm in &report.kernel.arms {
            let checkout = format!("{ORIGIN}:{}", arm.commit);
            let build = format!("{ORIGIN}:{}-{}", arm.arm.as_str(), arm.image_sha);
            checkouts.push(checkout_of(report, arm, &checkout));
            builds.push(build_of(report, arm, &checkout, &build));
            tests.extend(
                report
                    .scenarios
                    .iter()
                    .filter_map(|row| test_of(report, arm.arm, row, &build)),
            );
            tests.extend(order_of(report, arm.arm, &build));
        }
    }
    let text = serde_json::to_string_pretty(&json!({
        "version": { "major": 5, "minor": 3 },
        "checkouts": checkouts,
        "builds": builds,
        "tests": tests,
    }))?;
    Ok(text + "\n")
}

fn checkout_of(report: &Report, arm: &ArmInfo, id: &str) -> Value {
    json!({
        "id": id,
        "origin": ORIGIN,
        "tree_name": comment(&report.kernel.name),
        "git_commit_hash": arm.commit,
        "git_commit_name": comment(&report.kernel.version),
        "comment": comment(&format!("{} {}, {}", report.series.name, report.series.version, arm.arm.as_str())),
        "start_time": report.started,
        "valid": true,
        "misc": { "tree": arm.tree, "prerequisites": arm.prerequisites },
    })
}

fn build_of(report: &Report, arm: &ArmInfo, checkout: &str, id: &str) -> Value {
    let mut build = json!({
        "id": id,
        "checkout_id": checkout,
        "origin": ORIGIN,
        "architecture": "x86_64",
        "compiler": comment(&report.compiler),
        "config_name": comment(&report.guest.flavour),
        "status": "PASS",
        "misc": { "config_sha1": arm.config_sha },
    });
    if let (Some(seconds), Value::Object(fields)) = (arm.built_s, &mut build) {
        fields.insert("duration".into(), json!(seconds));
    }
    build
}

fn test_of(report: &Report, arm: Arm, row: &ScenarioRow, build: &str) -> Option<Value> {
    let tally = match arm {
        Arm::Base => row.base,
        Arm::Patched => row.patched,
    };
    let status = status(tally)?;
    Some(test(
        report,
        arm,
        &safe(&row.name),
        status,
        row.why.as_deref().unwrap_or_default(),
        build,
    ))
}

/// None where it did not run on this arm.
fn status(tally: Tally) -> Option<&'static str> {
    let Tally {
        passed,
        failed,
        skipped,
        lost,
    } = tally;
    match () {
        () if failed > 0 => Some("FAIL"),
        () if lost > 0 => Some("MISS"),
        () if passed > 0 => Some("PASS"),
        () if skipped > 0 => Some("SKIP"),
        () => None,
    }
}

/// The order of the walk, as the patched arm's.
fn order_of(report: &Report, arm: Arm, build: &str) -> Option<Value> {
    let expected = report.order.expected?;
    (arm == Arm::Patched && expected.patched.is_some()).then(|| {
        let status = if report.order.held { "PASS" } else { "FAIL" };
        let words = report.order.words(report.names);
        test(report, arm, "order", status, &words, build)
    })
}

fn test(report: &Report, arm: Arm, path: &str, status: &str, why: &str, build: &str) -> Value {
    let guest = &report.guest;
    json!({
        "id": format!("{ORIGIN}:{}-{}-{}-{path}", safe(&report.started), safe(&report.kernel.name), arm.as_str()),
        "build_id": build,
        "origin": ORIGIN,
        "path": format!("{ORIGIN}.{path}"),
        "status": status,
        "comment": comment(why),
        "start_time": report.started,
        "environment": { "comment": format!(
            "QEMU {} {}, {} CPUs, {} MiB",
            report.qemu, report.accelerator.kind.acronym(), guest.cpus, guest.memory_mib
        ) },
    })
}

/// What an id or a path may hold.
fn safe(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.chars()
        .map(|c| if allowed(c) { c } else { '-' })
        .collect()
}

fn comment(text: &str) -> String {
    one_line(text)
}
