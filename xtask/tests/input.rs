//! What users give the commands, good and bad: one clear error, its exit code,
//! and nothing written outside the cache. No kernel is built here; the trees
//! are small folders.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

struct World {
    _folder: tempfile::TempDir,
    root: PathBuf,
}

impl World {
    /// A cache of its own and a tree that looks like a kernel's.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let tree = root.join("linux");
        for (path, text) in [
            (
                "Makefile",
                "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 3\nEXTRAVERSION =\n",
            ),
            (".gitignore", "/*\n"),
            ("include/linux/list.h", "#define list_walk(x) x\n"),
            ("mm/reap.c", "one\ntwo\nthree\nfour\nfive\nsix\nseven\n"),
        ] {
            let path = tree.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self {
            _folder: folder,
            root,
        }
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args(args)
            .current_dir(&self.root)
            .env("REAPERLAB_CACHE", self.root.join("cache"))
            .env_remove("REAPERLAB_KERNEL_ORG")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null");
        command
    }

    fn apply(&self, mail: &str) -> Output {
        std::fs::write(self.root.join("series.patch"), mail).unwrap();
        self.run(&[
            "apply",
            "--series",
            "series.patch",
            "--kernel",
            "linux",
            "--json",
        ])
    }
}

/// A mail that changes one line of a file.
fn mail(path: &str, old: &str, new: &str) -> String {
    format!(
        "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n\
         From: A U Thor <author@example.org>\n\
         Date: Fri, 29 Aug 2025 14:55:50 +0800\n\
         Subject: [PATCH] mm: change a line\n\n\
         Because.\n\n\
         Signed-off-by: A U Thor <author@example.org>\n---\n\
         \u{20}{path} | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n\
         diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n\
         @@ -2,3 +2,3 @@\n two\n-{old}\n+{new}\n four\n-- \n2.39.0\n"
    )
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn refused(output: &Output, code: i32, word: &str) {
    let text = said(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert_eq!(text.matches("error:").count(), 1, "{text}");
    assert!(text.contains(word), "{text:?} does not say {word:?}");
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn apply_says_what_a_series_does() {
    let world = World::new();
    let output = world.apply(&mail("mm/reap.c", "three", "drei"));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["kernels"][0]["verdict"], "clean");
    assert_eq!(
        json["kernels"][0]["patches"][0]["hunks"][0]["file"],
        "mm/reap.c"
    );
    assert_eq!(json["series"]["patches"][0], "mm: change a line");
    assert_eq!(json["series"]["missing"], serde_json::json!([]));
}

#[test]
fn what_does_not_apply_is_shown() {
    let world = World::new();
    let output = world.apply(&mail("mm/reap.c", "elephant", "drei"));
    refused(&output, 3, "mm: change a line");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["kernels"][0]["verdict"], "conflict");
}

#[test]
fn a_patch_for_another_project_does_not_apply() {
    let world = World::new();
    refused(
        &world.apply(&mail("src/parser.py", "three", "drei")),
        3,
        "src/parser.py",
    );
}

#[test]
fn a_symbol_that_looks_missing_is_a_note() {
    let world = World::new();
    let output = world.apply(&mail("mm/reap.c", "three", "\tx = list_walk_back(three);"));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let kernel = &json["kernels"][0];
    assert_eq!(kernel["verdict"], "clean");
    assert_eq!(kernel["missing_symbols"], serde_json::json!([]));
    let note = kernel["notes"][0].as_str().unwrap();
    assert!(note.contains("list_walk_back"), "{note}");
}

/// The thread in the repository, and later versions of its series by mail.
#[test]
fn a_mail_of_a_known_series_uses_its_manifest() {
    let world = World::new();
    let titled = |subject: &str, head: &str| {
        mail("mm/reap.c", "four", "FOUR").replace(
            "Subject: [PATCH] mm: change a line\n",
            &format!("{head}Subject: {subject}\n"),
        )
    };
    let notes = |args: &[&str]| {
        let args = [&["apply", "--kernel", "linux", "--json"], args].concat();
        let output = world.run(&args);
        let report: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
        report["series"].clone()
    };
    let found = "patches/oom-reaper-reverse is of the same series: both have ";
    let title = "mm/oom_kill: The OOM reaper traverses the VMA maple tree in reverse order";
    let retitled = "mm/oom_kill: something else";
    let old = "In-Reply-To: <20250829065550.29571-1-zhongjinji@honor.com>\n";
    for (name, text, shared) in [
        (
            "title",
            titled(&format!("[PATCH v7] {title}"), ""),
            "the title",
        ),
        (
            "case and prefix",
            titled(
                "[RFC PATCH mm-new v11 2/3] mm, oom: the oom reaper traverses the VMA maple tree in reverse order",
                "",
            ),
            "the title",
        ),
        (
            "answer",
            titled(&format!("[PATCH v7] {retitled}"), old),
            "the message id",
        ),
    ] {
        std::fs::write(world.root.join("new.mbox"), text).unwrap();
        let series = notes(&["--series", "new.mbox"]);
        let said = series["notes"][0].as_str().unwrap();
        assert!(
            said.starts_with(&format!("{found}{shared}")),
            "{name}: {said}"
        );
        assert_eq!(series["name"], "oom-reaper-reverse", "{name}");
        // The patches are those of the mail.
        assert!(!series["patches"][0].as_str().unwrap().is_empty(), "{name}");

        let without = notes(&["--series", "new.mbox", "--manifest", "none"]);
        assert_ne!(without["name"], "oom-reaper-reverse", "{name}");
    }
    std::fs::write(
        world.root.join("new.mbox"),
        titled(&format!("[PATCH] {retitled}"), ""),
    )
    .unwrap();
    let other = notes(&["--series", "new.mbox"]);
    assert!(
        !other["notes"].to_string().contains("same series"),
        "{other}"
    );
    let named = [
        "--series",
        "new.mbox",
        "--manifest",
        "patches/oom-reaper-reverse",
    ];
    assert_eq!(notes(&named)["name"], "oom-reaper-reverse");
}

#[test]
fn hostile_and_broken_input_is_refused() {
    let world = World::new();
    let whole = mail("mm/reap.c", "three", "drei");
    let cut = &whole[..whole.find("+drei").unwrap()];
    for (name, input, word, code) in [
        ("cut in its hunk", cut.to_owned(), "mm/reap.c", 2),
        (
            "upwards",
            mail("../../etc/passwd", "three", "drei"),
            "passwd",
            2,
        ),
        (
            "absolute",
            whole.replace("mm/reap.c", "/etc/passwd"),
            "passwd",
            2,
        ),
        ("into git", mail(".git/config", "three", "drei"), ".git", 2),
        ("no mail", "hello".to_owned(), "not mail", 2),
        ("empty", String::new(), "empty", 2),
        (
            "binary",
            whole.split("--- a/").next().unwrap().to_owned()
                + "GIT binary patch\nliteral 4\nLcmZQzWMT#Y01f~L\n\nliteral 0\nHcmV?d00001\n\n-- \n2.39.0\n",
            "binary",
            3,
        ),
    ] {
        let output = world.apply(&input);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "{name}: {text}");
        assert_eq!(text.matches("error:").count(), 1, "{name}: {text}");
        assert!(
            text.contains(word),
            "{name}: {text:?} does not say {word:?}"
        );
        // What can be read has a verdict.
        assert_eq!(output.stdout.is_empty(), code == 2, "{name}");
    }
    let left: Vec<_> = std::fs::read_dir(&world.root)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|name| !["linux", "cache", "series.patch"].contains(&name.as_str()))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn unknown_kernels_are_refused() {
    let world = World::new();
    std::fs::write(
        world.root.join("series.patch"),
        mail("mm/reap.c", "three", "drei"),
    )
    .unwrap();
    let command = |kernel: &str| {
        world.command(&[
            "apply",
            "--series",
            "series.patch",
            "--offline",
            "--kernel",
            kernel,
        ])
    };
    let apply = |kernel: &str| command(kernel).output().unwrap();
    refused(&apply("no-such-thing"), 2, "no-such-thing");
    refused(&apply("debian:sid"), 2, "debian:sid");
    refused(&apply("git:linux#HEAD"), 2, "linux");
    refused(&apply("release:6.17-rc3"), 2, "git:PATH#v6.17-rc3");
    refused(&apply("release:linux"), 2, "does not name a release");
    refused(&apply("6.12"), 5, "--offline");
    refused(&apply("release:6.17"), 5, "--offline");
    let plain = command("release:6.17")
        .env("REAPERLAB_KERNEL_ORG", "http://mirror.example.org")
        .output()
        .unwrap();
    refused(&plain, 2, "https://");
}

#[test]
fn a_folder_is_made_from_a_thread() {
    let world = World::new();
    let thread =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../patches/oom-reaper-reverse/thread.txt");
    let output = world.run(&[
        "series",
        thread.to_str().unwrap(),
        "--into",
        "made",
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["missing"], serde_json::json!([1]));
    assert_eq!(json["version"], 6);
    // What it made is a series in turn.
    let output = world.run(&["apply", "--series", "made", "--kernel", "linux", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["series"]["missing"], serde_json::json!([1]));
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn logs_are_read() {
    let world = World::new();
    std::fs::write(
        world.root.join("ktap.log"),
        "KTAP version 1\n1..2\nok 1 a\n",
    )
    .unwrap();
    let output = world.run(&["ktap", "ktap.log", "--json"]);
    assert_eq!(output.status.code(), Some(1), "a missing result is no pass");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["status"], "crashed");
    assert_eq!(json["counts"]["passed"], 1);

    for (log, code) in [
        ("KTAP version 1\n1..1\nok 1 a\n", 0),
        ("KTAP version 1\n1..1\nok 1 a # SKIP no swap\n", 0),
        ("KTAP version 1\n1..1\nnot ok 1 a\n", 1),
        ("KTAP version 1\n1..0\n", 1),
        ("no test was run\n", 1),
        ("", 1),
    ] {
        std::fs::write(world.root.join("ktap.log"), log).unwrap();
        for args in [&["ktap", "ktap.log"][..], &["ktap", "ktap.log", "--json"]] {
            let output = world.run(args);
            assert_eq!(output.status.code(), Some(code), "{log:?}");
        }
    }
    refused(&world.run(&["ktap", "absent.log"]), 2, "absent.log");
    refused(&world.run(&["ktap", "."]), 2, "directory");
    refused(&world.run(&["ktap"]), 2, "FILE");

    let panic = "[    1.0] Kernel panic - not syncing: Attempted to kill init!\n";
    std::fs::write(world.root.join("console.log"), panic).unwrap();
    let output = world.run(&["triage", "console.log", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["verdict"], "panic");
    assert_eq!(json["events"][0]["line"], 1);
}

#[test]
fn a_missing_tool_is_one_message_with_its_package() {
    let world = World::new();
    std::fs::write(
        world.root.join("series.patch"),
        mail("mm/reap.c", "three", "drei"),
    )
    .unwrap();
    let empty = world.root.join("empty");
    std::fs::create_dir(&empty).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args([
            "patch-test",
            "--series",
            "series.patch",
            "--kernel",
            "linux",
        ])
        .current_dir(&world.root)
        .env("REAPERLAB_CACHE", world.root.join("cache"))
        .env("PATH", &empty)
        .output()
        .unwrap();
    refused(&output, 5, "qemu-system-x86");
    assert!(said(&output).contains("--setup"));
}

/// Cells that fail do not stop each other, are not tried again, and are joined
/// wherever they were run.
#[test]
fn a_matrix_of_kernels_that_fail() {
    let world = World::new();
    let mail = mail("mm/reap.c", "nine", "ten");
    std::fs::write(world.root.join("series.patch"), mail).unwrap();
    let args = "matrix --series series.patch --kernel linux --kernel nowhere --out all";
    let args: Vec<&str> = args.split(' ').collect();
    let first = world.run(&args);
    assert_eq!(first.status.code(), Some(3), "{}", said(&first));
    let read = |path: &str| std::fs::read_to_string(world.root.join(path)).unwrap();
    let matrix: Value = serde_json::from_str(&read("all/matrix.json")).unwrap();
    let cell = |nth: usize, key: &str| matrix["cells"][nth][key].clone();
    assert_eq!(
        (cell(0, "ended"), cell(0, "applies")),
        ("apply".into(), "conflict".into())
    );
    assert_eq!(
        (cell(1, "ended"), cell(1, "exit_code")),
        ("source".into(), 2.into())
    );
    for name in [
        "matrix.md",
        "matrix.html",
        "matrix.ktap",
        "junit.xml",
        "kcidb.json",
    ] {
        assert!(!read(&format!("all/{name}")).is_empty(), "{name}");
    }

    // A cell that has its end is not begun again.
    std::fs::write(
        world.root.join("all/linux/cell.json"),
        read("all/nowhere/cell.json"),
    )
    .unwrap();
    let same = " --series series.patch --kernel linux --kernel nowhere";
    let others = " --kernel linux --series series.patch";
    for (options, why) in [
        ("", "nowhere, nowhere"),
        (same, "nowhere, nowhere"),
        (others, "begun"),
    ] {
        let args = format!("matrix --resume all{options}");
        let again = world.run(&args.split(' ').collect::<Vec<_>>());
        refused(&again, 2, why);
    }

    // Elsewhere, each by itself.
    for (kernel, code) in [("linux", 3), ("nowhere", 2)] {
        let args =
            format!("matrix cell --series series.patch --kernel {kernel} --out parts/{kernel}");
        let one = world.run(&args.split(' ').collect::<Vec<_>>());
        assert_eq!(one.status.code(), Some(code), "{}", said(&one));
    }
    let args = [
        "matrix",
        "merge",
        "parts/linux",
        "parts/nowhere",
        "--out",
        "joined",
    ];
    let joined = world.run(&args);
    assert_eq!(joined.status.code(), Some(3), "{}", said(&joined));
    let mut parts: Value = serde_json::from_str(&read("joined/matrix.json")).unwrap();
    assert_eq!(parts["cells"].take(), matrix["cells"]);
}

/// A task that died with its node leaves nothing behind; what joins the others
/// must not pass it over.
#[test]
fn a_planned_cell_that_left_nothing_is_lost() {
    let world = World::new();
    let mail = mail("mm/reap.c", "nine", "ten");
    std::fs::write(world.root.join("series.patch"), mail).unwrap();
    let args = "matrix --series series.patch --kernel linux --kernel 6.1 --offline --out all";
    world.run(&args.split(' ').collect::<Vec<_>>());
    std::fs::remove_dir_all(world.root.join("all/6.1")).unwrap();
    // As a task of a batch system does it.
    std::fs::remove_dir_all(world.root.join("all/linux")).unwrap();
    let args = "matrix cell --plan all/plan.json --index 0";
    let task = world.run(&args.split(' ').collect::<Vec<_>>());
    refused(&task, 3, "does not apply to linux");
    let joined = world.run(&["matrix", "merge", "all", "--json"]);
    assert_eq!(joined.status.code(), Some(3), "{}", said(&joined));
    let matrix: Value = serde_json::from_slice(&joined.stdout).unwrap();
    let cells = matrix["cells"].as_array().unwrap();
    let found: Vec<_> = cells
        .iter()
        .map(|cell| (cell["kernel"].as_str().unwrap(), &cell["exit_code"]))
        .collect();
    assert_eq!(found, [("6.1", &5.into()), ("linux", &3.into())]);
    let why = cells[0]["error"].as_str().unwrap();
    assert!(why.contains("left no cell.json"), "{why}");
}

#[test]
fn a_plan_names_the_kernels() {
    let world = World::new();
    let plan = world.run(&["matrix", "plan", "--kernel", "6.1", "--kernel", "7.2"]);
    assert_eq!(plan.status.code(), Some(0), "{}", said(&plan));
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!(plan["include"][1]["kernel"], "7.2");
    let gitlab = world.run(&["matrix", "plan", "--form", "gitlab"]);
    let gitlab: Value = serde_json::from_slice(&gitlab.stdout).unwrap();
    assert_eq!(gitlab[0]["KERNEL"].as_array().map(Vec::len), Some(4));
}

/// What no commit can mend ends a bisection.
#[test]
fn a_bisection_stops_at_bad_input() {
    let world = World::new();
    let args = "patch-test --bisect-run --series nothing.patch --kernel linux";
    let output = world.run(&args.split(' ').collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(128), "{}", said(&output));
}

/// The request that a run was begun with decides what may stand beside --resume.
#[test]
fn what_is_resumed_is_what_was_begun() {
    let world = World::new();
    let request = |extent: &str| {
        format!(
            r#"{{"series": "series.patch", "kernel": "linux", "flavour": "lean", "arm": null,
                "aa": false, "rounds": 3, "minutes": null, "repeat": 1, "shuffle": false,
                "seed": null, "sweep": false, "scenarios": [], "claims": null,
                "guest": {{"accel": "auto", "cpus": 2, "memory_mib": 1024}},
                "extent": "{extent}", "require_conclusion": false}}"#
        )
    };
    for (folder, text) in [
        ("run", request("whole")),
        ("cell", request("brief")),
        ("damaged", "{".to_owned()),
    ] {
        std::fs::create_dir(world.root.join(folder)).unwrap();
        std::fs::write(world.root.join(folder).join("request.json"), text).unwrap();
    }
    let same = "--series series.patch --kernel linux --rounds 3";
    for (args, said) in [
        ("run --rounds 4", "rounds 3, not 4"),
        ("run --cpus 2", "rounds 3, not null"),
        ("cell", "is a cell of a matrix"),
        ("damaged", "is damaged"),
        ("nowhere", "nowhere has no run"),
        // What agrees goes on to the series, which is not there.
        ("run", "series.patch is not a file"),
        (&format!("run {same}"), "series.patch is not a file"),
    ] {
        let line = format!("patch-test --resume {args}");
        refused(&world.run(&line.split(' ').collect::<Vec<_>>()), 2, said);
    }
}
