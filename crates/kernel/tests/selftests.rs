//! The kernel's own tests, compiled from a small tree whose makefile "compiles"
//! by copying.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod lab;

use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use kernel::build::selftests::{Selftest, Selftests};
use kernel::build::{BuildError, Toolchain};
use kernel::cache::{Cache, Kind};
use kernel::process::{Invocation, Runner, Stream};
use kernel::store::Oid;
use lab::Lab;

/// Shows the flags, and fails as a compiler does.
const MAKEFILE: &str = r#"
$(OUTPUT)/%: %.c ../kselftest.h
	@if grep -q BROKEN $<; then echo "$<:1:2: error: broken" >&2; exit 1; fi
	@cat $^ > $@ && echo '$(notdir $(LDFLAGS)) $(FLAGS)' >> $@
"#;

/// Runs programs for real, and remembers what was made.
#[derive(Default)]
struct Direct(Mutex<Vec<String>>);

impl Runner for Direct {
    fn run(
        &self,
        invocation: &Invocation,
        on_line: &mut dyn FnMut(Stream, &str),
    ) -> io::Result<i32> {
        if invocation.args.iter().any(|arg| arg == "make") {
            let target = invocation.args.last().unwrap().to_string_lossy();
            let name = target.rsplit('/').next().unwrap();
            self.0.lock().unwrap().push(name.to_owned());
        }
        let (reader, writer) = io::pipe()?;
        let mut child = Command::new(&invocation.program)
            .args(&invocation.args)
            .current_dir(&invocation.dir)
            .env("FLAGS", "of the caller")
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn()?;
        for line in BufReader::new(reader).lines() {
            on_line(Stream::Out, &line?);
        }
        Ok(child.wait()?.code().unwrap_or(137))
    }

    fn cancelled(&self) -> bool {
        false
    }
}

struct Bench {
    lab: Lab,
    cache: Cache,
    runner: Direct,
    toolchain: Toolchain,
}

impl Bench {
    fn new() -> Self {
        let lab = Lab::new();
        lab.write("tools/testing/selftests/kselftest.h", "header 1\n");
        lab.write("tools/testing/selftests/mm/Makefile", MAKEFILE);
        lab.write("tools/testing/selftests/mm/reap.c", "reap\n");
        lab.write("tools/testing/selftests/cgroup/Makefile", MAKEFILE);
        lab.write("tools/testing/selftests/cgroup/kill.c", "kill\n");
        lab.write("mm/oom_kill.c", "1\n");
        let tools = lab.dir.path().join("tools");
        fs_err::create_dir(&tools).unwrap();
        for tool in ["gcc", "ld"] {
            let path = tools.join(tool);
            fs_err::write(&path, format!("#!/bin/sh\necho {tool} 12\n")).unwrap();
            fs_err::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        Self {
            cache: Cache::open(&lab.dir.path().join("cache")).unwrap(),
            runner: Direct::default(),
            toolchain: Toolchain {
                path: format!("{}:/usr/bin:/bin", tools.display()).into(),
                jobs: 1,
            },
            lab,
        }
    }

    fn ensure(&self, commit: Oid, names: &[&str]) -> Result<Vec<Selftest>, BuildError> {
        let selftests = Selftests {
            store: &self.lab.store,
            cache: &self.cache,
            runner: &self.runner,
            toolchain: &self.toolchain,
        };
        selftests.ensure(commit, names, &mut || {})
    }

    /// Each test of the work tree in words, and what was made to have them.
    fn have(&self, names: &[&str]) -> (Vec<String>, Vec<String>) {
        let tests = self.ensure(self.lab.import().commit, names).unwrap();
        let words = tests.iter().map(|test| match &test.program {
            Ok(bytes) => format!("{}: {}", test.name, String::from_utf8_lossy(bytes)),
            Err(why) => format!("{}: {why}", test.name),
        });
        (
            words.collect(),
            std::mem::take(&mut self.runner.0.lock().unwrap()),
        )
    }
}

const BOTH: [&str; 2] = ["mm/reap", "cgroup/kill"];

#[test]
fn tests_are_made_once_for_what_goes_into_them() {
    let bench = Bench::new();
    let (first, made) = bench.have(&BOTH);
    assert_eq!(
        first,
        [
            "mm/reap: reap\nheader 1\n-static -s buffering.c \n",
            "cgroup/kill: kill\nheader 1\n-static -s buffering.c \n"
        ],
        "made by the tree's makefile, statically, without the caller's flags"
    );
    assert_eq!(made, ["reap", "kill"]);

    bench.lab.write("mm/oom_kill.c", "2\n");
    assert_eq!(
        bench.have(&BOTH),
        (first, vec![]),
        "an arm that differs elsewhere"
    );

    bench
        .lab
        .write("tools/testing/selftests/kselftest.h", "header 2\n");
    let (second, made) = bench.have(&BOTH);
    assert!(second[0].contains("header 2"), "{second:?}");
    assert_eq!(made, ["reap", "kill"]);

    let kinds: Vec<_> = bench.cache.list().unwrap().iter().map(|e| e.kind).collect();
    assert_eq!(kinds, [Kind::Selftests, Kind::Selftests, Kind::Store]);
    bench.cache.prune(0).unwrap();
    assert_eq!(bench.have(&BOTH), (second, made), "after pruning");
}

#[test]
fn a_damaged_program_is_made_again() {
    let bench = Bench::new();
    let (first, _) = bench.have(&BOTH);
    let entry = bench.cache.list().unwrap().remove(0);
    fs_err::write(entry.path.join("mm-reap"), "other").unwrap();
    assert_eq!(bench.have(&BOTH).0, first);
}

#[test]
fn one_that_is_missing_or_broken_does_not_stop_the_others() {
    let bench = Bench::new();
    bench
        .lab
        .write("tools/testing/selftests/mm/reap.c", "BROKEN\n");
    let names = ["mm/reap", "cgroup/none", "cgroup/kill"];
    let (tests, made) = bench.have(&names);
    assert_eq!(
        tests[..2],
        [
            "mm/reap: it does not compile: reap.c:1: broken",
            "cgroup/none: the tree has none"
        ]
    );
    assert!(tests[2].contains("kill\n"));
    assert_eq!(made, ["reap", "kill"]);
    assert_eq!(
        bench.have(&names).1,
        ["reap", "kill"],
        "what failed is tried again"
    );
    assert_eq!(bench.have(&["mm/none"]).1, [""; 0]);
}

#[test]
fn a_missing_compiler_is_named() {
    let mut bench = Bench::new();
    bench.toolchain.path = bench.lab.work().into();
    let commit = bench.lab.import().commit;
    let error = bench.ensure(commit, &BOTH).unwrap_err();
    assert!(matches!(error, BuildError::Tool { .. }), "{error}");
}
