//! What holds of any log: however it comes, it says the same; nothing below a
//! pass has failed; and what is written of it passes only where it did.

use std::io::BufReader;

use results::ktap::{self, Report, Status, Test, Writer};
use results::record::Record;

/// Reads it, writes it and reads it again.
pub fn check(input: &[u8]) {
    let report = ktap::read(input).expect("bytes at hand");
    let in_pieces = ktap::read(BufReader::with_capacity(7, input)).expect("bytes at hand");
    assert_eq!(in_pieces, report);
    if report.status.is_ok() {
        let counts = report.counts;
        assert_eq!((counts.failed, counts.crashed), (0, 0));
        let lost = |test: &Test| matches!(test.status, Status::Failed | Status::Crashed);
        assert!(!report.tests.iter().any(lost), "{report:#?}");
    }
    written(&report);
    for line in String::from_utf8_lossy(input).lines() {
        if let Some(Ok(record)) = Record::from_line(line) {
            drop(record.to_line().expect("numbers that JSON can hold"));
        }
    }
}

fn written(report: &Report) {
    let mut log = Vec::new();
    let planned = u32::try_from(report.tests.len()).expect("few tests");
    let mut writer = Writer::new(&mut log, planned).expect("memory");
    for test in &report.tests {
        writer.tree(test).expect("memory");
    }
    let held = writer.finish().expect("memory");
    let again = ktap::read(log.as_slice()).expect("bytes at hand");
    let shown = String::from_utf8_lossy(&log);
    let passed = again.status.is_ok();
    assert!(held || !passed, "{shown}\n{again:#?}");
    // Deeper ones are cut.
    if held && planned > 0 && report.tests.iter().map(depth).max() < Some(30) {
        assert!(passed, "{shown}\n{again:#?}");
    }
}

fn depth(test: &Test) -> usize {
    1 + test.subtests.iter().map(depth).max().unwrap_or(0)
}
