//! Holds the direction of the arrows in ARCHITECTURE.md: between crates by
//! `cargo metadata`, between the files of a crate by what they name.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod circles;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use circles::Crate;
use serde_json::Value;

/// For each crate, the crates of the workspace it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("series", &["results"]),
    ("kernel", &["results", "series"]),
    ("vm", &["results"]),
    ("mutate", &[]),
    ("results", &[]),
    ("evidence", &["results"]),
    ("kernel-tests", &["results"]),
    (
        "xtask",
        &["evidence", "kernel", "mutate", "results", "series", "vm"],
    ),
];

/// Crates that must stay pure.
const PURE: [&str; 4] = ["series", "mutate", "results", "evidence"];

/// Libraries that bring effects.
const IMPURE: &[&str] = &[
    "git2",
    "fs-err",
    "nix",
    "tempfile",
    "xshell",
    "signal-hook",
    "indicatif",
];

/// Modules of the standard library that bring effects.
const EFFECTS: &[&str] = &["env", "fs", "net", "os", "process", "thread"];

/// The packages of the workspace, as `cargo metadata` has them.
fn packages() -> BTreeMap<String, Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            (
                package["name"].as_str().unwrap().to_owned(),
                package.clone(),
            )
        })
        .collect()
}

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let normal = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|d| d["kind"].is_null())
            .map(|d| d["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let packages = packages();
    packages
        .iter()
        .map(|(name, package)| (name.clone(), normal(package)))
        .collect()
}

fn folder(package: &Value) -> PathBuf {
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    manifest.parent().unwrap().to_owned()
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

/// One of two files that name each other can't be read without the other.
#[test]
fn no_files_name_each_other_in_a_circle() {
    let circles: Vec<String> = packages()
        .iter()
        .flat_map(|(name, package)| {
            let circles = Crate::read(&folder(package)).circles();
            circles.into_iter().map(move |it| format!("{name}: {it}"))
        })
        .collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// A file that moved takes its line in ARCHITECTURE.md along.
#[test]
fn every_path_of_the_document_is_there() {
    const ROOTS: [&str; 6] = [
        "crates/",
        "docs/",
        "fuzz/",
        "kernel-tests/",
        "patches/",
        "xtask/",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let named = text.split('`').skip(1).step_by(2);
    let mut paths = named.filter(|name| {
        // NAME stands for a series' folder.
        ROOTS.iter().any(|start| name.starts_with(start)) && !name.contains("NAME")
    });
    assert!(paths.clone().count() > 50);
    let missing: Vec<&str> = paths
        .by_ref()
        .filter(|it| !root.join(it).exists())
        .collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn pure_crates_have_no_effects() {
    let found = dependencies();
    let packages = packages();
    for name in PURE {
        let impure: Vec<_> = found[name]
            .iter()
            .filter(|d| IMPURE.contains(&d.as_str()))
            .collect();
        assert!(impure.is_empty(), "{name} uses {impure:?}");
        let named = Crate::read(&folder(&packages[name]));
        let effects: Vec<String> = named
            .outside()
            .filter(|(_, path)| has_effects(path))
            .map(|(place, path)| format!("{name}/src/{place}: {}", path.join("::")))
            .collect();
        assert!(effects.is_empty(), "{effects:#?}");
    }
}

/// Dependencies with their features, as they are built for these arguments.
fn features(args: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--prefix=none", "--format={p} [{f}]"])
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| line.trim_end_matches(" (*)"));
    lines.map(str::to_owned).collect()
}

/// With other features for the tests, all that uses such a dependency is compiled
/// twice.
#[test]
fn the_tool_and_its_tests_are_built_of_the_same() {
    let tool = features(&["--package=xtask", "--edges=normal,build"]);
    let tests = features(&["--workspace"]);
    let other: Vec<_> = tool.difference(&tests).collect();
    assert!(
        other.is_empty(),
        "xtask/Cargo.toml lacks features: {other:#?}"
    );
}

fn has_effects(path: &[String]) -> bool {
    let path = path.strip_prefix(&[String::new()]).unwrap_or(path);
    matches!(path, [std, module, ..] if std == "std" && EFFECTS.contains(&module.as_str()))
}
