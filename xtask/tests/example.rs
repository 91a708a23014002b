//! `docs/example`: a kept run of this series, and what today's code says of it.
//! `UPDATE_EXAMPLE=1 cargo test -p xtask --test example` draws it again.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod kept;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What lies beside the run.
const REPORTS: [&str; 3] = ["report.md", "report.html", "report.json"];
const PICTURE: &str = "terminal.svg";

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/example")
}

#[test]
fn the_example_is_what_this_code_draws() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    kept::copy(&example().join("run"), &run);
    let output = kept::report(&run);
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

/// The figures at the top of README are those of the example.
#[test]
fn readme_quotes_the_example() {
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let readme = read(example().join("../../README.md"));
    let (_, section) = readme.split_once("## What it says of that series").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let section = section.split_whitespace().collect::<Vec<_>>().join(" ");
    let report: Value = serde_json::from_str(&read(example().join("report.json"))).unwrap();
    let comparisons = report["comparisons"].as_array().unwrap();
    let of = |scenario: &str, metric: &str, unprobed: bool| {
        let mut found = comparisons.iter().filter(|one| {
            one["metric"] == metric
                && one["unprobed"] == unprobed
                && one["walker"].is_null()
                && one["scenario"] == scenario
        });
        found.next().unwrap()
    };
    let number = |value: &Value| value.as_f64().unwrap();
    let contended = of("mrelease-exit-race", "contended-entries", false);
    // As reports round it: `LABEL: BASE -> PATCHED, ratio …`.
    let text = contended["text"].as_str().unwrap();
    let (base, patched) = text.split_once(" -> ").unwrap();
    let base = base.rsplit(' ').next().unwrap();
    let patched = patched.split(',').next().unwrap();
    let ratio = |time: &Value| {
        let ends = [&time["ratio"], &time["interval"][0], &time["interval"][1]];
        let [ratio, low, high] = ends.map(|value| format!("{:.2}", number(value)));
        format!("{ratio} [{low}, {high}]")
    };
    let scenarios = report["scenarios"].as_array().unwrap();
    let held = scenarios.iter().filter(|row| row["verdict"] == "held");
    for quoted in [
        format!("from {base} to {patched} in a race"),
        format!("down {:.1} %", 100.0 * (1.0 - number(&contended["ratio"]))),
        format!(
            "({} + {} boots)",
            contended["base"]["boots"], contended["patched"]["boots"]
        ),
        format!("{} of {} scenarios hold", held.count(), scenarios.len()),
        format!(
            "both walkers' times is {}",
            ratio(of("mrelease-exit-race", "sum-to-gone", true))
        ),
        format!(
            "half of its memory is back is {}",
            ratio(of("late-reaper", "memory-back", true))
        ),
    ] {
        assert!(section.contains(&quoted), "{quoted:?} is not in: {section}");
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
