//! Holds the direction of the arrows in ARCHITECTURE.md, read from
//! `cargo metadata`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// For each crate, the crates of the workspace it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("series", &["results"]),
    ("kernel", &["results", "series"]),
    ("vm", &["results"]),
    ("results", &[]),
    ("evidence", &["results"]),
    ("kernel-tests", &["results"]),
    ("xtask", &["evidence", "kernel", "results", "series", "vm"]),
];

/// Libraries that bring effects into crates that must stay pure.
const IMPURE: &[&str] = &[
    "git2",
    "fs-err",
    "nix",
    "tempfile",
    "xshell",
    "signal-hook",
    "indicatif",
];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut found = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let normal = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|d| d["kind"].is_null())
            .map(|d| d["name"].as_str().unwrap().to_owned())
            .collect();
        found.insert(package["name"].as_str().unwrap().to_owned(), normal);
    }
    found
}

#[test]
fn data_flows_one_way() {
    let found = dependencies();
    let ours: BTreeSet<&str> = found.keys().map(String::as_str).collect();
    let known: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        ours, known,
        "a new crate needs a place in ARCHITECTURE.md and here"
    );
    for (name, allowed) in ALLOWED {
        let used: BTreeSet<&str> = found[*name]
            .iter()
            .map(String::as_str)
            .filter(|d| ours.contains(d))
            .collect();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        assert!(
            used.is_subset(&allowed),
            "{name} uses {used:?}, may use {allowed:?}"
        );
    }
}

#[test]
fn pure_crates_have_no_effects() {
    let found = dependencies();
    for name in ["series", "results", "evidence"] {
        let impure: Vec<_> = found[name]
            .iter()
            .filter(|d| IMPURE.contains(&d.as_str()))
            .collect();
        assert!(impure.is_empty(), "{name} uses {impure:?}");
    }
}
