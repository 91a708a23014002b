//! The whole pipeline on real kernels in real guests: `cargo xtask test --tier
//! guests`. Two kernels are built where the tests' cache lacks them; where
//! something is missing the tests fail and say so.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod lab;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use serde_json::{Value, json};

/// Guests are timed: two at once would measure each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Names the run that a process belongs to: a guest inherits it.
const MARK: &str = "REAPERLAB_TEST_RUN";

fn xtask(run: &Path) -> Command {
    let mut command = lab::xtask();
    command.env(MARK, run);
    command
}

fn patch_test(out: &Path, args: &[&str]) -> Output {
    let _one = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    xtask(out)
        .args(["patch-test", "--out"])
        .arg(out)
        .args(args)
        .output()
        .unwrap()
}

fn said_by(output: &Output) -> String {
    format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn read_json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// The QEMUs of this run. Whatever else runs on this host is none of ours.
fn guests_of(run: &Path) -> Vec<PathBuf> {
    let mark = format!("{MARK}={}", run.display());
    let is_ours = |process: &PathBuf| {
        let read = |file| std::fs::read(process.join(file)).unwrap_or_default();
        read("comm").starts_with(b"qemu-system")
            && read("environ")
                .split(|b| *b == 0)
                .any(|variable| variable == mark.as_bytes())
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .map(|entry| entry.path())
        .filter(is_ours)
        .collect()
}

/// Every guest is a child of the command, which has ended.
fn no_guest_is_left(run: &Path) {
    assert_eq!(
        guests_of(run),
        Vec::<PathBuf>::new(),
        "outlived their command"
    );
}

#[test]
fn the_series_is_judged_on_both_arms() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let output = patch_test(&out, &["--rounds", "2", "--seed", "7"]);
    assert_eq!(output.status.code(), Some(0), "{}", said_by(&output));

    let report = read_json(&out.join("report.json"));
    assert_eq!(report["order"]["base"], "ascending", "the positive control");
    assert_eq!(report["order"]["patched"], "descending");
    assert_eq!(report["order"]["held"], true);
    let run = read_json(&out.join("run.json"));
    for round in run["rounds"].as_array().unwrap() {
        assert_eq!(round["status"], "ok", "{round}");
        assert_eq!(round["console_verdict"], "clean", "{round}");
    }
    for file in ["report.md", "report.html", "junit.xml"] {
        let text = std::fs::read_to_string(out.join(file)).unwrap();
        assert!(text.contains("order"), "{file} says nothing of the order");
    }

    // The reports are a function of the run folder.
    let before = std::fs::read(out.join("report.html")).unwrap();
    let again = xtask(&out).arg("report").arg(&out).output().unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", said_by(&again));
    assert_eq!(std::fs::read(out.join("report.html")).unwrap(), before);
    no_guest_is_left(&out);
}

fn fault(name: &str, code: i32, status: &str) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let output = patch_test(
        &out,
        &[
            "--rounds",
            "1",
            "--scenario",
            "mrelease-errors",
            "--scenario",
            "memcg-limit",
            "--fault",
            name,
        ],
    );
    assert_eq!(output.status.code(), Some(code), "{}", said_by(&output));
    let run = read_json(&out.join("run.json"));
    let rounds = run["rounds"].as_array().unwrap();
    let faulty: Vec<_> = rounds.iter().filter(|r| r["status"] != "ok").collect();
    assert_eq!(faulty.len(), 1, "{}", said_by(&output));
    assert_eq!(faulty[0]["status"], status);
    // What came before the fault is kept.
    let kernel = run["kernel"]["name"].as_str().unwrap();
    let index = faulty[0]["index"].as_u64().unwrap();
    let ktap = out
        .join(kernel)
        .join("patched")
        .join(format!("{index:03}"))
        .join("ktap.log");
    let ktap = std::fs::read_to_string(ktap).unwrap();
    assert!(ktap.contains("ok 1 "), "{ktap}");
    // What came behind it was judged all the same, but for what QEMU's own end
    // may have hit.
    let report = read_json(&out.join("report.json"));
    for row in report["scenarios"].as_array().unwrap() {
        let real = !row["name"].as_str().unwrap().starts_with("fault-");
        let hit = status == "qemu-died" && row["patched"]["lost"] == 1;
        assert!(!real || hit || row["patched"]["passed"] != 0, "{row}");
    }
    no_guest_is_left(&out);
}

/// A wrong patch is caught, and one that only looks wrong is not.
#[test]
fn mutants_are_told_from_their_equivalents() {
    let _one = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../patches/mutants");
    let patches = folder.path().join("patches");
    std::fs::create_dir(&patches).unwrap();
    let mut equivalents = 0;
    for entry in std::fs::read_dir(shipped).unwrap().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let name = entry.file_name();
        let equivalent = text.contains("\nEquivalent: ");
        let wanted = name.to_str().unwrap().contains("upwards-again") || equivalent;
        if wanted && !(equivalent && equivalents > 0) {
            equivalents += usize::from(equivalent);
            std::fs::copy(entry.path(), patches.join(name)).unwrap();
        }
    }
    let out = folder.path().join("run");
    let output = xtask(&out)
        .args(["mutants", "--json", "--scenario", "order", "--dir"])
        .arg(&patches)
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said_by(&output));
    let score: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&score["caught"], &score["equivalent"], &score["total"]),
        (&1.into(), &1.into(), &2.into()),
        "{score}"
    );
    no_guest_is_left(&out);
}

/// One kernel holds mistakes; a guest makes the one to which a scenario comes.
#[test]
fn a_generated_mistake_is_caught_and_one_out_of_reach_is_told() {
    let _one = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let output = xtask(&out)
        .args(["mutants", "--generate", "--file", "mm/oom_kill.c", "--json"])
        .args(["--mutant", "__oom_reap_task_mm-return-early-1"])
        .args(["--mutant", "oom_killer_disable-return-early-1"])
        .args(["--scenario", "order", "--out"])
        .arg(&out)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said_by(&output));
    let score: Value = serde_json::from_slice(&output.stdout).unwrap();
    let counts = ["caught", "not_reached", "survived", "refused", "total"];
    assert_eq!(counts.map(|key| &score[key]), [1, 1, 0, 0, 2], "{score}");
    no_guest_is_left(&out);
}

#[test]
fn a_guest_that_stood_still_is_booted_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let chosen = ["--scenario", "memcg-limit", "--scenario", "sysrq-f"];
    let stops = ["--rounds", "0", "--fault", "stop-qemu"];
    let output = patch_test(&out, &[chosen, stops].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said_by(&output));
    let run = read_json(&out.join("run.json"));
    let lost = run["lost_boots"].as_array().unwrap();
    let lost: Vec<_> = lost.iter().map(|it| (&it["arm"], &it["lost_to"])).collect();
    assert_eq!(lost, [(&json!("patched"), &json!("host"))]);
    let rounds = run["rounds"].as_array().unwrap();
    let arms: Vec<_> = rounds
        .iter()
        .map(|it| (&it["arm"], &it["status"]))
        .collect();
    let [base, patched] = ["base", "patched"].map(|arm| json!(arm));
    let ok = json!("ok");
    assert_eq!(arms.len(), 2, "{run}");
    assert!(
        arms.contains(&(&base, &ok)) && arms.contains(&(&patched, &ok)),
        "{run}"
    );
    no_guest_is_left(&out);
}

#[test]
fn a_panic_is_named() {
    fault("panic", 1, "panic");
}

/// A fault's own scenario stands behind the first one; what comes after it is
/// left to a fresh guest.
#[test]
fn a_timeout_is_named_and_the_rest_goes_on() {
    fault("slow", 1, "timeout");
}

#[test]
fn a_hang_is_named() {
    fault("hang", 1, "hang");
}

#[test]
fn what_is_not_put_back_fails_the_scenario() {
    fault("leave", 1, "failed");
}

#[test]
fn a_cut_log_does_not_pass() {
    fault("cut", 5, "cut");
}

#[test]
fn a_dead_qemu_is_named() {
    fault("kill-qemu", 5, "qemu-died");
}

#[test]
fn an_interrupt_ends_the_guest_and_keeps_the_rounds() {
    let _one = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut child = xtask(&out)
        .args([
            "patch-test",
            "--rounds",
            "1",
            "--scenario",
            "mrelease-exit-race",
            "--out",
        ])
        .arg(&out)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // The first boot has ended and is kept; the second one is up or about to be.
    let mut said = Vec::new();
    loop {
        let line = lines
            .next()
            .unwrap_or_else(|| panic!("it ended early: {said:?}"))
            .unwrap();
        let first_is_over = line.contains("boot 1 of") && line.contains(" passed,");
        said.push(line);
        if first_is_over {
            break;
        }
    }
    while guests_of(&out).is_empty() && child.try_wait().unwrap().is_none() {}
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let resume = format!(
        "resume with: cargo xtask patch-test --resume {}",
        out.display()
    );
    assert_eq!(lines.last().unwrap().unwrap(), resume);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    no_guest_is_left(&out);
    let kept = read_json(&out.join("run.json"))["rounds"][0].clone();
    assert_eq!(kept["status"], "ok", "{kept}");

    // What was broken off goes on from there, with the options that it had.
    let output = xtask(&out)
        .args(["patch-test", "--resume"])
        .arg(&out)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said_by(&output));
    let run = read_json(&out.join("run.json"));
    let rounds = run["rounds"].as_array().unwrap();
    assert_eq!(rounds[0], kept);
    let ended = rounds.iter().all(|round| round["status"] == "ok");
    assert!(ended && rounds.len() > 2, "{}", said_by(&output));
}
