//! The reader of KTAP beside the kernel's own, `kunit.py`: taken from the tree
//! that the guests' tests build, on that tree's own logs, on logs that are cut
//! and on what the writer writes. Needs `python3`; imports the tree where the
//! cache lacks it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod lab;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use git2::{ObjectType, Repository, TreeWalkMode, TreeWalkResult};
use kernel::store::Store;
use results::ktap::{Counts, Outcome, Report, Status, Test, Writer, read};
use serde::Deserialize;

/// The kernel whose tool is asked.
const KERNEL: &str = "6.12";

/// What `kunit.py` made of a log.
#[derive(Debug, PartialEq, Deserialize)]
struct Said {
    status: Status,
    counts: Counts,
    tests: Vec<Node>,
}

/// A test's name, status and subtests.
#[derive(Debug, PartialEq, Deserialize)]
struct Node(String, Status, Vec<Node>);

impl Node {
    fn of(tests: &[Test]) -> Vec<Self> {
        let node = |test: &Test| Self(test.name.clone(), test.status, Self::of(&test.subtests));
        tests.iter().map(node).collect()
    }
}

impl Said {
    fn by(report: &Report) -> Self {
        Self {
            status: report.status,
            counts: report.counts,
            tests: Node::of(&report.tests),
        }
    }
}

/// `kunit.py` and its logs, out of the tree.
struct Kunit {
    folder: tempfile::TempDir,
}

impl Kunit {
    fn new() -> Self {
        let output = lab::xtask()
            .args(["apply", "--json", "--kernel", KERNEL])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{KERNEL} is not to be had: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let store = Store::open(&lab::cache()).unwrap();
        let prefix = format!("debian/{KERNEL}");
        let kernels = store.kernels().unwrap();
        let kernel = kernels.iter().rfind(|k| k.id.starts_with(&prefix)).unwrap();
        let repo = Repository::open_bare(store.path()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let found = Self { folder };
        std::fs::create_dir_all(found.tool()).unwrap();
        let path = Path::new("tools/testing/kunit");
        let tree = repo.find_tree(kernel.tree).unwrap();
        let tree = tree.get_path(path).unwrap().to_object(&repo).unwrap();
        tree.peel_to_tree()
            .unwrap()
            .walk(TreeWalkMode::PreOrder, |place, entry| {
                let path = found.tool().join(place).join(entry.name().unwrap());
                if entry.kind() == Some(ObjectType::Tree) {
                    std::fs::create_dir(path).unwrap();
                } else {
                    let blob = repo.find_blob(entry.id()).unwrap();
                    std::fs::write(path, blob.content()).unwrap();
                }
                TreeWalkResult::Ok
            })
            .unwrap();
        found
    }

    fn tool(&self) -> PathBuf {
        self.folder.path().join("tools/testing/kunit")
    }

    /// The tool's own logs, by name.
    fn logs(&self) -> BTreeMap<String, Vec<u8>> {
        let logs: BTreeMap<_, _> = std::fs::read_dir(self.tool().join("test_data"))
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                (name, std::fs::read(entry.path()).unwrap())
            })
            .collect();
        assert!(logs.len() > 20, "only {} logs", logs.len());
        logs
    }

    /// What it makes of logs, in their order; none where it gives up.
    fn parse<T: AsRef<[u8]>>(&self, logs: impl IntoIterator<Item = T>) -> Vec<Option<Said>> {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = logs
            .into_iter()
            .enumerate()
            .map(|(number, log)| {
                let path = folder.path().join(format!("{number}.log"));
                std::fs::write(&path, log).unwrap();
                path
            })
            .collect();
        let output = Command::new("python3")
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/kunit_oracle.py"
            ))
            .args(&paths)
            .env("PYTHONPATH", self.tool())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let said: Vec<Option<Said>> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said.len(), paths.len());
        said
    }
}

/// A status and the counts that are not zero.
fn brief(status: Status, counts: Counts) -> String {
    let c = counts;
    let text: Vec<String> = [
        (c.passed, "passed"),
        (c.failed, "failed"),
        (c.skipped, "skipped"),
        (c.crashed, "crashed"),
        (c.errors, "errors"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {word}"))
    .collect();
    format!("{}: {}", status.as_str(), text.join(", "))
}

#[test]
fn both_read_the_kernels_own_logs_alike() {
    let kunit = Kunit::new();
    let logs = kunit.logs();
    for ((name, log), theirs) in logs.iter().zip(kunit.parse(logs.values())) {
        let theirs = theirs.unwrap_or_else(|| panic!("{name}: kunit.py gave up"));
        let ours = read(log.as_slice()).unwrap();
        assert_eq!(
            brief(ours.status, ours.counts),
            brief(theirs.status, theirs.counts),
            "{name}: {ours:#?}"
        );
    }
}

/// Where a log is cut, the two may differ in one way only: what was reported
/// is counted alike, and ours says that something is missing. `kunit.py` takes
/// a suite whose own result is missing for passed, counts one missing subtest
/// less where the cut leaves it without a name, or fails itself.
#[test]
fn a_cut_log_reads_no_better_than_by_kunit() {
    let kunit = Kunit::new();
    let mut cuts = Vec::new();
    for (name, log) in kunit.logs() {
        for (at, _) in log.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            cuts.push((format!("{name} cut at {at}"), log[..=at].to_vec()));
        }
    }
    let reported = |c: Counts| (c.passed, c.failed, c.skipped);
    let theirs = kunit.parse(cuts.iter().map(|(_, log)| log));
    for ((name, log), theirs) in cuts.iter().zip(theirs) {
        let ours = read(log.as_slice()).unwrap();
        let agreed = theirs.as_ref().is_some_and(|theirs| {
            (theirs.status, theirs.counts) == (ours.status, ours.counts)
                || ours.status == Status::Crashed
                    && reported(theirs.counts) == reported(ours.counts)
        });
        let gave_up = theirs.is_none() && ours.status == Status::Crashed;
        assert!(agreed || gave_up, "{name}: {ours:#?}\n{theirs:#?}");
    }
}

/// A log, what `kunit.py` of 6.12 says of it, what ours says, and why ours is
/// right.
const DIFFERENCES: &[(&str, &str, &str, &str)] = &[
    (
        "KTAP version 1\n1..1\nok 1 a\nBail out! no memory\n",
        "passed: 1 passed",
        "crashed: 1 passed, 1 errors",
        "the program itself says that it could not go on",
    ),
    (
        "KTAP version 1\n1..1\nok 1 a\nnot ok 2 b\n",
        "passed: 1 passed",
        "failed: 1 passed, 1 failed, 1 errors",
        "a failure beyond the plan is a failure",
    ),
    (
        "KTAP version 1\n1..1\n  KTAP version 1\n  # Subtest: s\n  1..1\n  ok 1 a\nnot ok 1 s\n",
        "passed: 1 passed",
        "failed: 1 passed, 1 failed",
        "a suite may fail though its cases passed; 7.2's kunit.py counts it too",
    ),
    (
        "KTAP version 1\n1..1\n  # Subtest: s\n  1..1\n  ok 1 a\n",
        "passed: 1 passed, 1 errors",
        "crashed: 1 passed, 1 errors",
        "the suite never gave its result",
    ),
    (
        "KTAP version 1\n  KTAP version 1\n  1..1\n  ok 1 a\n",
        "gave up",
        "crashed: 1 passed, 1 errors",
        "reading behind the end is no way to say that the log is cut",
    ),
    (
        "KTAP version 1\n1..1\n  KTAP version 1\n  # Subtest: s\n  1..2\n  ok 1 s\n  not ok 2 t\nnot ok 1 s\n",
        "crashed: 2 crashed, 2 errors",
        "failed: 1 passed, 1 failed",
        "a case may be named as its suite; numbers and columns tell them apart",
    ),
    (
        "TAP version 13\n1..1\nok 1 a\nTAP version 13\n1..2\nok 1 b\nnot ok 2 c\n",
        "passed: 1 passed",
        "failed: 2 passed, 1 failed",
        "the log of a second program follows",
    ),
    (
        "TAP version 13\n1..1\n# selftests: mm: x\n# TAP version 13\n# 1..2\n# ok 1 a\nok 1 selftests: mm: x\n",
        "passed: 1 passed",
        "crashed: 1 crashed, 1 errors",
        "the program behind the runner's `# ` never came to its second test",
    ),
    (
        "TAP version 13\n1..2\nok 1 # SKIP a\nok 2 b\n",
        "crashed: 1 passed, 1 crashed, 2 errors",
        "passed: 1 passed, 1 skipped",
        "so kselftest's programs skip; 7.2's kunit.py reads it too",
    ),
    (
        "TAP version 13\n1..0 # SKIP no swap\n",
        "no-tests: 1 errors",
        "skipped: 1 skipped",
        "so kselftest's programs skip all they have",
    ),
    (
        "KTAP version 1\n1..2\nok 1 a#1\nnot ok 2 b#2\n",
        "crashed: 2 crashed, 2 errors",
        "failed: 1 passed, 1 failed",
        "a # that no space follows begins no directive",
    ),
    (
        "KTAP version 1\n1..1\nnot ok  1 a\n",
        "crashed: 1 crashed, 1 errors",
        "failed: 1 failed",
        "a space more hides no failure",
    ),
    (
        "KTAP version 1\n1..1\nnot ok 1\n",
        "crashed: 1 crashed, 1 errors",
        "failed: 1 failed",
        "a test needs no name; 7.2's kunit.py reads it too",
    ),
    (
        "1..2\nok 1 a\nnot ok 2 b\n",
        "no-tests: 1 errors",
        "failed: 1 passed, 1 failed, 1 errors",
        "the version line may be lost in the boot's noise",
    ),
    (
        "KTAP version 1[    1.0] random: crng init done\n1..1\nnot ok 1 a\n",
        "no-tests: 1 errors",
        "failed: 1 failed",
        "printk lands behind a line",
    ),
    (
        "\u{1b}[1mKTAP version 1\u{1b}[0m\n1..1\n\u{1b}[31mnot ok 1 a\u{1b}[0m\n",
        "no-tests: 1 errors",
        "failed: 1 failed",
        "consoles colour lines",
    ),
    (
        "vm kernel: KTAP version 1\nvm kernel: 1..2\nok 1 a\nvm kernel: not ok 2 b\n",
        "crashed: 1 failed, 1 crashed, 2 errors",
        "failed: 1 passed, 1 failed",
        "a line without the others' prefix is not to be cut",
    ),
];

#[test]
fn every_difference_has_its_reason() {
    let kunit = Kunit::new();
    let theirs = kunit.parse(DIFFERENCES.iter().map(|(log, ..)| log));
    for ((log, tool, reader, why), theirs) in DIFFERENCES.iter().zip(theirs) {
        let theirs = theirs.map_or("gave up".into(), |t| brief(t.status, t.counts));
        let report = read(log.as_bytes()).unwrap();
        assert_eq!(theirs, *tool, "kunit.py on {log:?}");
        assert_eq!(
            brief(report.status, report.counts),
            *reader,
            "{log:?}: {why}"
        );
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn outcome(&mut self) -> Outcome {
        match self.roll(4) {
            0 => Outcome::Fail,
            1 => Outcome::Skip("no CONFIG_SWAP: x (y)".into()),
            _ => Outcome::Pass,
        }
    }
}

/// Writes `count` tests, some of them with subtests.
fn write(ktap: &mut Writer<&mut Vec<u8>>, dice: &mut Dice, place: &str, count: u32, depth: u32) {
    for number in 1..=count {
        let name = format!("order/{place}{number} - #2, not ok");
        if dice.roll(3) == 0 {
            ktap.note("probe: a\nnot ok 9 quoted\n# Subtest: quoted\n1..9")
                .unwrap();
        }
        if depth == 0 || dice.roll(2) == 0 {
            ktap.test(&name, &dice.outcome()).unwrap();
            continue;
        }
        let below = 1 + dice.roll(3) as u32;
        ktap.begin(&name, below).unwrap();
        write(ktap, dice, &format!("{place}{number}."), below, depth - 1);
        // A suite that fails by itself is one of the differences.
        let skip = dice.roll(4) == 0;
        let own = if skip {
            Outcome::Skip("no swap".into())
        } else {
            Outcome::Pass
        };
        ktap.end(&own).unwrap();
    }
}

#[test]
fn both_read_what_the_writer_writes() {
    let kunit = Kunit::new();
    let logs: Vec<Vec<u8>> = (0..200)
        .map(|seed| {
            let mut dice = Dice(seed);
            let mut log = Vec::new();
            let count = 1 + dice.roll(4) as u32;
            let mut ktap = Writer::new(&mut log, count).unwrap();
            write(&mut ktap, &mut dice, "", count, 3);
            ktap.finish().unwrap();
            log
        })
        .collect();
    for (log, theirs) in logs.iter().zip(kunit.parse(&logs)) {
        let text = String::from_utf8_lossy(log);
        let ours = Said::by(&read(log.as_slice()).unwrap());
        assert_eq!(Some(ours), theirs, "{text}");
    }
}
