//! The reader against the kernel's own `kunit_parser.py`, on that tool's test
//! data. Needs a kernel tree, so it is run by hand:
//!
//! `KERNEL_TREE=… cargo test -p results --test kunit -- --ignored --nocapture`

#![allow(clippy::unwrap_used)]

use std::{env, fs, path::PathBuf, process::Command, time::Instant};

use results::ktap::{Report, read};
use serde_json::{Value, json};

const ORACLE: &str = r"
import contextlib, io, json, sys, time
import kunit_parser, kunit_printer
with open(sys.argv[1], errors='backslashreplace') as log, io.StringIO() as quiet:
    kunit_printer.stdout._output = quiet
    begun = time.monotonic()
    test = kunit_parser.parse_run_tests(log)
    took = time.monotonic() - begun
names = {'SUCCESS': 'passed', 'FAILURE': 'failed', 'SKIPPED': 'skipped', 'TEST_CRASHED': 'crashed',
         'NO_TESTS': 'no-tests', 'FAILURE_TO_PARSE_TESTS': 'no-tests'}
c = test.counts
print(json.dumps({'status': names[test.status.name], 'took': took, 'counts': {
    'passed': c.passed, 'failed': c.failed, 'skipped': c.skipped, 'crashed': c.crashed, 'errors': c.errors}}))
";

fn tool() -> Option<PathBuf> {
    env::var_os("KERNEL_TREE").map(|tree| PathBuf::from(tree).join("tools/testing/kunit"))
}

fn oracle(tool: &PathBuf, log: &PathBuf) -> Value {
    let output = Command::new("python3")
        .args(["-c", ORACLE])
        .arg(log)
        .env("PYTHONPATH", tool)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn ours(report: &Report) -> Value {
    json!({ "status": report.status, "counts": report.counts })
}

#[test]
#[ignore = "needs KERNEL_TREE and python3"]
fn agrees_with_kunit_parser() {
    let tool = tool().expect("KERNEL_TREE names a kernel tree");
    let mut compared = 0;
    for entry in fs::read_dir(tool.join("test_data")).unwrap() {
        let path = entry.unwrap().path();
        let mut theirs = oracle(&tool, &path);
        theirs.as_object_mut().unwrap().remove("took");
        let report = read(fs::read(&path).unwrap().as_slice()).unwrap();
        assert_eq!(ours(&report), theirs, "{}: {report:#?}", path.display());
        compared += 1;
    }
    assert!(compared > 20, "only {compared} logs");
}

#[test]
#[ignore = "needs KERNEL_TREE and python3, and takes a minute"]
fn is_faster_than_kunit_parser() {
    let tool = tool().expect("KERNEL_TREE names a kernel tree");
    let file = temporary();
    let megabytes: usize = env::var("MEGABYTES").map_or(10, |text| text.parse().unwrap());
    let mut log = String::from("KTAP version 1\n");
    let mut suite = 0;
    while log.len() < megabytes << 20 {
        suite += 1;
        log.push_str(&format!(
            "    KTAP version 1\n    # Subtest: suite_{suite}\n    1..50\n"
        ));
        for case in 1..=50 {
            log.push_str(&format!(
                "    # case_{case}: initializing\n    ok {case} case_{case}\n"
            ));
        }
        log.push_str(&format!("ok {suite} suite_{suite}\n"));
    }
    fs::write(&file, &log).unwrap();
    let begun = Instant::now();
    let report = read(std::io::BufReader::new(fs::File::open(&file).unwrap())).unwrap();
    let took = begun.elapsed().as_secs_f64();
    let theirs = oracle(&tool, &file);
    fs::remove_file(&file).unwrap();
    assert_eq!(report.counts.passed, suite * 50);
    assert_eq!(theirs["counts"]["passed"], suite * 50);
    println!(
        "{megabytes} MB: {took:.3} s against {:.3} s",
        theirs["took"].as_f64().unwrap()
    );
}

fn temporary() -> PathBuf {
    env::temp_dir().join(format!("reaperlab-ktap-{}.log", std::process::id()))
}
