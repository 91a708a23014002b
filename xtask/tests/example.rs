//! `docs/example`: a kept run of this series, and what today's code says of it.
//! `UPDATE_EXAMPLE=1 cargo test -p xtask --test example` draws it again.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What lies beside the run.
const REPORTS: [&str; 3] = ["report.md", "report.html", "report.json"];
const PICTURE: &str = "terminal.svg";

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/example")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[test]
fn the_example_is_what_this_code_draws() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    copy(&example().join("run"), &run);
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("report")
        .arg(&run)
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        !shown.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut drawn = REPORTS.map(|name| (name, std::fs::read_to_string(run.join(name)).unwrap()));
    drawn.sort();
    let picture = (PICTURE, terminal("cargo xtask patch-test", &shown));
    for (name, text) in drawn.into_iter().chain([picture]) {
        let kept = example().join(name);
        if std::env::var_os("UPDATE_EXAMPLE").is_some() {
            std::fs::write(&kept, &text).unwrap();
        }
        let kept = std::fs::read_to_string(kept).unwrap_or_default();
        let differs = kept
            .lines()
            .zip(text.lines())
            .find(|(one, other)| one != other);
        assert!(
            kept == text,
            "docs/example/{name} is not what this code draws; the first line that differs: \
             {differs:?}; UPDATE_EXAMPLE=1 draws it again"
        );
    }
}

/// A terminal after a command, as a picture.
fn terminal(command: &str, shown: &str) -> String {
    // Of the font at this size, in pixels.
    const LINE: usize = 18;
    const COLUMN: f64 = 8.4;
    let lines: Vec<String> = std::iter::once(format!("$ {command}"))
        .chain(shown.trim_end().lines().map(str::to_owned))
        .collect();
    let columns = lines.iter().map(|line| line.chars().count()).max();
    let width = (columns.unwrap_or(0) as f64 * COLUMN) as usize + 32;
    let height = lines.len() * LINE + 28;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"A terminal after {command}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1b1f24\"/>\n\
         <g font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"14\" \
         fill=\"#d8dee4\" xml:space=\"preserve\">\n"
    );
    for (row, line) in lines.iter().enumerate() {
        let y = 26 + row * LINE;
        let text = line
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let _ = writeln!(svg, "<text x=\"16\" y=\"{y}\">{text}</text>");
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}
