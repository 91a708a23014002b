//! `ktap` and `triage`: one log, read.

use std::fmt::Write;
use std::io::{BufReader, Read};

use clap::Args;
use results::console;
use results::ktap::{self, Test};

use crate::exit::{Classify, Kind, Result, fail};
use crate::output::{print, print_json};

/// A log to read.
#[derive(Debug, Args)]
pub struct Options {
    /// The file, or - for standard input
    pub file: String,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// Reads a KTAP log. Ends with 1 unless all passed or was skipped.
pub fn ktap(args: &Options) -> Result {
    let report =
        ktap::read(BufReader::with_capacity(1 << 16, open(&args.file)?)).kind(Kind::Usage)?;
    if args.json {
        print_json(&report)?;
    } else {
        let mut text = String::new();
        for test in &report.tests {
            outline(test, 0, &mut text);
        }
        for problem in &report.problems {
            let _ = writeln!(text, "problem: {problem}");
        }
        let c = report.counts;
        let _ = writeln!(
            text,
            "{}: {} passed, {} failed, {} skipped, {} crashed, {} errors",
            report.status.as_str(),
            c.passed,
            c.failed,
            c.skipped,
            c.crashed,
            c.errors
        );
        print(&text)?;
    }
    if report.status.is_ok() {
        return Ok(());
    }
    fail(
        Kind::Judgement,
        format!("{}: {}", args.file, report.status.as_str()),
    )
}

fn outline(test: &Test, depth: usize, text: &mut String) {
    let why = test
        .why
        .as_ref()
        .map_or(String::new(), |why| format!(" ({why})"));
    let _ = writeln!(
        text,
        "{:<8} {}{}{why}",
        test.status.as_str(),
        "  ".repeat(depth),
        test.name
    );
    for subtest in &test.subtests {
        outline(subtest, depth + 1, text);
    }
}

/// Classifies a kernel console. Ends with 1 unless it is clean.
pub fn triage(args: &Options) -> Result {
    let report = vm::console::triage(open(&args.file)?).kind(Kind::Usage)?;
    if args.json {
        print_json(&report)?;
    } else {
        let mut text = String::new();
        for event in &report.events {
            let _ = writeln!(
                text,
                "{:>8}  {:<12} {}",
                event.line, event.kind, event.title
            );
        }
        let _ = writeln!(text, "{}", report.verdict);
        print(&text)?;
    }
    if report.verdict == console::Kind::Clean {
        return Ok(());
    }
    fail(
        Kind::Judgement,
        format!("{}: {}", args.file, report.verdict),
    )
}

fn open(file: &str) -> Result<Box<dyn Read>> {
    if file == "-" {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    Ok(Box::new(fs_err::File::open(file).kind(Kind::Usage)?))
}
