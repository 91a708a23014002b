//! Run folders of earlier versions are still read.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod kept;

use std::path::{Path, PathBuf};
use std::process::Command;

use kept::copy;
use serde_json::Value;

fn old() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/run-schema-1")
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_run_of_schema_1_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    copy(&old(), &run);
    let before = read(&run.join("run.json"));
    assert_eq!(before["schema"], 1);

    let output = kept::report(&run);
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    let report = read(&run.join("report.json"));
    assert_eq!(report["status"], "passed");
    assert_eq!(report["order"]["base"], "ascending");
    assert_eq!(report["order"]["patched"], "descending");
    let purposes: Vec<&str> = report["rounds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|round| round["purpose"].as_str().unwrap())
        .collect();
    let [probed, correctness, unprobed] = ["probed", "correctness", "unprobed"]
        .map(|purpose| purposes.iter().filter(|it| **it == purpose).count());
    assert_eq!((probed, correctness, unprobed), (4, 2, 4));
    // The samples are what they were. What decides has changed: times where
    // nothing was probed, and not by so few boots.
    let probed = |document: &Value, unprobed: &str| -> Vec<(String, Value)> {
        let list = document["comparisons"].as_array().unwrap().iter();
        let list = list.filter(|one| one[unprobed] == false && one["walker"].is_null());
        let mut all: Vec<_> = list
            .map(|one| (one["metric"].to_string(), one["base"]["median"].clone()))
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    };
    assert_eq!(probed(&report, "unprobed"), probed(&before, "bare"));
    let deciding: Vec<_> = report["comparisons"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["primary"] == true)
        .map(|one| [&one["metric"], &one["unprobed"], &one["verdict"]].map(ToString::to_string))
        .collect();
    let open = r#""inconclusive""#;
    assert_eq!(
        deciding,
        [
            [r#""contended-entries""#, "false", open],
            [r#""sum-to-gone""#, "true", open],
            [r#""mrelease""#, "true", open],
        ]
    );
    assert_eq!(read(&run.join("run.json"))["schema"], 2);
}

/// A run that did not record which metric a changelog's words mean is looked up by
/// the titles of its series.
#[test]
fn claims_are_read_by_the_manifest_of_the_same_series() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    copy(&old(), &run);
    let mut document = read(&run.join("run.json"));
    document.as_object_mut().unwrap().remove("claims");
    std::fs::write(run.join("run.json"), document.to_string()).unwrap();
    let claims = folder.path().join("claims.txt");
    let table =
        "| Metric | without | with |\n|---|---|---|\n| Total running time | 167.1 | 132.6 |\n";
    std::fs::write(&claims, table).unwrap();

    let measured = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("compare")
            .arg(&run)
            .arg("--claims")
            .arg(&claims)
            .arg("--json")
            .args(more)
            .output()
            .unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = document["checks"].as_array().unwrap().iter();
        checks.filter(|check| check["measured"].is_number()).count()
    };
    assert_eq!(measured(&[]), 1);
    assert_eq!(measured(&["--manifest", "none"]), 0);
    assert_eq!(measured(&["--manifest", "patches/oom-reaper-reverse"]), 1);
}
