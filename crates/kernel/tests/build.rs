//! Builds of a small tree under the real make, which decides by its own time
//! stamps what is compiled: the tree's makefile "compiles" by copying, so that
//! an image is the concatenation of what went into it, and a stale object shows.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use git2::ObjectType;
use kernel::IoError;
use kernel::build::diagnose::Cause;
use kernel::build::inspect::Checker;
use kernel::build::kconfig::{Fragment, Request};
use kernel::build::{BuildError, Builder, Built, Event, Source, Target, Toolchain};
use kernel::cache::{Cache, CacheError, Kind};
use kernel::process::{Invocation, Runner, Stream};
use kernel::store::{Oid, Store, StoreError};

const MAKEFILE: &str = r#"
sources := $(sort $(wildcard *.c))
objects := $(sources:%.c=$(O)/%.o)
image := $(O)/arch/x86/boot/bzImage

tinyconfig:
	@echo 'CONFIG_DEFAULT=y' > $(O)/.config

# Knows the options that Kconfig lists, and nothing else.
olddefconfig:
	@grep -wFf Kconfig $(O)/.config > $(O)/.new; mv $(O)/.new $(O)/.config

bzImage: $(image)
	@env | sort > $(O)/environment
	@mkdir -p $(O)/include/config && echo 6.12.0-test > $(O)/include/config/kernel.release

# As kbuild's command files do: an object that is gone changes the command.
$(O)/objects: FORCE
	@echo '$(objects)' | cmp -s - $@ || echo '$(objects)' > $@

$(image): $(objects) $(O)/objects Makefile
	@mkdir -p $(@D) && cat $(objects) > $@
	@cp $@ $(O)/vmlinux.symvers

# As kbuild's fixdep does: only what names an option depends on one.
$(patsubst %.c,$(O)/%.o,$(shell grep -l CONFIG_ $(sources))): $(O)/.config

$(O)/%.o: %.c all.h
	@echo '  CC      $@'
	@if grep -n BROKEN $<; then echo "$(CURDIR)/$<:1:2: error: broken" >&2; exit 1; fi
	@if grep -q SLOW $<; then echo half > $@; until test -e ../go; do sleep 0.01; done; fi
	@if grep -q LAST $<; then until test -s $(O)/b.o; do sleep 0.01; done; fi
	@cat all.h $< > $@
	@echo 'deps $(CURDIR)/$< $(CURDIR)/all.h' > $(O)/.$*.o.cmd

# One object alone.
%.o: %.c
	@if test "$(W)" = 1; then echo "  CC      $@"; fi
	@cp $< $(O)/$@
	@sed -n '/UNUSED/=' $< | sed 's|.*|$(CURDIR)/$<:&:1: warning: unused|' >&2

modules_prepare:
	@mkdir -p $(O)/scripts && touch $(O)/scripts/module.lds

# A module shows the kernel whose symbols it was linked against.
modules: $(O)/scripts/module.lds $(O)/Module.symvers
	@for c in $(M)/*.c; do \
		echo "  CC [M]  $${c%.c}.o"; \
		if grep -n BROKEN $$c; then echo "$$c:1:2: error: broken" >&2; exit 1; fi; \
		cat $(O)/Module.symvers $$c > $${c%.c}.ko; \
	done

FORCE:
"#;

fn cancelled(error: &BuildError) -> bool {
    matches!(error, BuildError::Io(IoError::Cancelled))
}

type Files = BTreeMap<&'static str, String>;

/// The trees of a repository: each is named after what it holds.
struct Tree {
    dir: PathBuf,
    trees: BTreeMap<Oid, Files>,
    /// Give every file written this time instead of the present.
    written: Option<SystemTime>,
    /// Fail to write any.
    fails: Option<io::ErrorKind>,
}

impl Tree {
    fn new(dir: &Path) -> Self {
        Self {
            dir: dir.into(),
            trees: BTreeMap::new(),
            written: None,
            fails: None,
        }
    }

    /// A tree that differs from the first one in the named files.
    fn arm(&mut self, name: &str, changes: &[(&'static str, &str)]) -> Target {
        let mut files: Files = ["a.c", "b.c", "c.c", "all.h"]
            .map(|f| (f, format!("{f}\n")))
            .into();
        files.insert("Makefile", MAKEFILE.into());
        files.insert("Kconfig", "CONFIG_DEFAULT\nCONFIG_SMP\n".into());
        for (file, text) in changes {
            files.insert(file, format!("{text}\n"));
        }
        let tree = Oid::hash_object(ObjectType::Blob, name.as_bytes()).unwrap();
        self.trees.insert(tree, files);
        Target {
            name: name.into(),
            commit: tree,
            tree,
        }
    }

    /// What the image of an arm must be.
    fn image(&self, arm: &Target) -> String {
        let files = &self.trees[&arm.tree];
        let sources = files.iter().filter(|(name, _)| name.ends_with(".c"));
        sources
            .map(|(_, text)| format!("{}{text}", files["all.h"]))
            .collect()
    }
}

impl Source for Tree {
    fn dir(&self) -> &Path {
        &self.dir
    }

    fn switch(&mut self, arm: &Target) -> Result<(), StoreError> {
        self.fails
            .map_or(Ok(()), |kind| Err(io::Error::from(kind)))?;
        fs_err::create_dir_all(&self.dir)?;
        let files = &self.trees[&arm.tree];
        for entry in fs_err::read_dir(&self.dir)? {
            let path = entry?.path();
            if !files.contains_key(path.file_name().unwrap().to_str().unwrap()) {
                fs_err::remove_file(path)?;
            }
        }
        for (name, text) in files {
            let path = self.dir.join(name);
            if fs_err::read_to_string(&path).ok().as_deref() != Some(text) {
                fs_err::write(&path, text)?;
                if let Some(written) = self.written {
                    fs_err::File::open(&path)?.set_modified(written)?;
                }
            }
        }
        Ok(())
    }

    fn changed(&mut self, tree: Oid, other: Oid) -> Result<Vec<PathBuf>, StoreError> {
        let (one, two) = (
            &self.trees[&tree],
            self.trees
                .get(&other)
                .ok_or(io::Error::from(io::ErrorKind::NotFound))?,
        );
        let names = one.keys().chain(two.keys());
        Ok(names
            .filter(|n| one.get(*n) != two.get(*n))
            .map(PathBuf::from)
            .collect())
    }
}

/// Runs programs for real, remembers the makes, and stops one at a line.
#[derive(Default)]
struct Direct {
    makes: Mutex<Vec<String>>,
    stop_at: Option<&'static str>,
    stopped: AtomicBool,
    env: Vec<(&'static str, &'static str)>,
}

impl Direct {
    fn makes(&self) -> Vec<String> {
        std::mem::take(&mut self.makes.lock().unwrap())
    }
}

impl Runner for Direct {
    fn run(
        &self,
        invocation: &Invocation,
        on_line: &mut dyn FnMut(Stream, &str),
    ) -> io::Result<i32> {
        if invocation.args.iter().any(|arg| arg == "make") {
            let target = invocation
                .args
                .last()
                .unwrap()
                .to_string_lossy()
                .into_owned();
            self.makes.lock().unwrap().push(target);
        }
        let (reader, writer) = io::pipe()?;
        let mut child = Command::new(&invocation.program)
            .args(&invocation.args)
            .current_dir(&invocation.dir)
            .envs(invocation.env.iter().map(|(name, value)| (name, value)))
            .envs(self.env.iter().copied())
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn()?;
        for line in BufReader::new(reader).lines() {
            let line = line?;
            on_line(Stream::Out, &line);
            if self.stop_at.is_some_and(|stop| line.contains(stop)) {
                // As hard as it gets: nobody cleans up.
                self.stopped.store(true, Ordering::SeqCst);
                child.kill()?;
                child.wait()?;
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        Ok(child.wait()?.code().unwrap_or(137))
    }

    fn cancelled(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}

struct Lab {
    folder: tempfile::TempDir,
    cache: Cache,
    tree: Tree,
    runner: Direct,
    toolchain: Toolchain,
    requests: Vec<Request>,
    modules: Vec<PathBuf>,
    keep_objects: bool,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("lab").tempdir().unwrap();
        // A compiler that only has a name; the rest is the host's.
        let tools = folder.path().join("tools");
        fs_err::create_dir(&tools).unwrap();
        for tool in ["gcc", "ld"] {
            let path = tools.join(tool);
            fs_err::write(&path, format!("#!/bin/sh\necho {tool} 12; echo more\n")).unwrap();
            fs_err::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:/usr/bin:/bin", tools.display());
        Self {
            cache: Cache::open(&folder.path().join("cache")).unwrap(),
            tree: Tree::new(&folder.path().join("source")),
            runner: Direct::default(),
            toolchain: Toolchain {
                path: path.into(),
                jobs: 2,
            },
            requests: requests("CONFIG_SMP=y\n"),
            modules: Vec::new(),
            keep_objects: true,
            folder,
        }
    }

    /// A kernel that takes modules, and one module of this source.
    fn with_module(source: &str) -> (Self, Target, Target) {
        let mut lab = Self::new();
        lab.requests = requests("CONFIG_SMP=y\nCONFIG_MODULES=y\n");
        let kconfig = ("Kconfig", "CONFIG_DEFAULT\nCONFIG_SMP\nCONFIG_MODULES");
        let base = lab.tree.arm("base", &[kconfig]);
        let patched = lab.tree.arm("patched", &[kconfig, ("b.c", "patched")]);
        let module = lab.folder.path().join("helper");
        fs_err::create_dir(&module).unwrap();
        fs_err::write(module.join("Kbuild"), "obj-m := helper.o\n").unwrap();
        lab.modules.push(module);
        lab.write_module(source);
        (lab, base, patched)
    }

    fn write_module(&self, source: &str) {
        fs_err::write(self.folder.path().join("helper/helper.c"), source).unwrap();
    }

    fn ensure(&mut self, arms: &[&Target]) -> (Result<Vec<Built>, BuildError>, Vec<String>) {
        let arms: Vec<_> = arms.iter().copied().cloned().collect();
        let mut events = Vec::new();
        let builder = Builder {
            cache: &self.cache,
            runner: &self.runner,
            toolchain: &self.toolchain,
            requests: &self.requests,
            modules: &self.modules,
            keep_objects: self.keep_objects,
        };
        let built = builder.ensure(&mut self.tree, &arms, &mut |arm, event| {
            events.push(match event {
                Event::Object { name, total, .. } => {
                    format!("{}: {name} of {total:?}", arm.name)
                }
                event => format!("{}: {event:?}", arm.name),
            });
        });
        (built, events)
    }

    /// The objects compiled to have these kernels, all of them verified.
    fn compiled(&mut self, arms: &[&Target]) -> Vec<String> {
        let (built, events) = self.ensure(arms);
        for (arm, built) in arms.iter().zip(built.unwrap()) {
            let image = fs_err::read_to_string(&built.image).unwrap();
            assert_eq!(image, self.tree.image(arm), "{}: stale objects", arm.name);
        }
        let object = |event: &String| Some(event.split_once(".o of")?.0.to_owned());
        let mut objects: Vec<_> = events.iter().filter_map(object).collect();
        objects.sort();
        objects
    }

    fn forget_kernels(&self) {
        fs_err::remove_dir_all(self.cache.root().join("kernels")).unwrap();
        fs_err::create_dir(self.cache.root().join("kernels")).unwrap();
    }
}

fn requests(text: &str) -> Vec<Request> {
    Fragment::parse("t.config", text).unwrap().requests
}

#[test]
fn the_second_arm_compiles_what_differs_and_the_second_run_nothing() {
    let mut lab = Lab::new();
    let base = lab.tree.arm("base", &[]);
    let patched = lab.tree.arm("patched", &[("b.c", "patched")]);
    lab.toolchain.jobs = 1;
    let (built, events) = lab.ensure(&[&base, &patched]);
    let built = built.unwrap();
    insta::assert_debug_snapshot!(events, @r#"
    [
        "base: Preparing",
        "base: Configuring",
        "base: Preparing",
        "base: Started { total: Some(4) }",
        "base: a.o of Some(4)",
        "base: b.o of Some(4)",
        "base: c.o of Some(4)",
        "base: Ready { cached: false }",
        "patched: Preparing",
        "patched: Started { total: Some(10) }",
        "patched: b.o of Some(10)",
        "patched: Ready { cached: false }",
    ]
    "#);
    assert_eq!(
        lab.runner.makes(),
        ["tinyconfig", "olddefconfig", "bzImage", "bzImage"]
    );
    assert_eq!(
        built.iter().map(|b| b.meta.objects).collect::<Vec<_>>(),
        [3, 1]
    );
    assert_eq!(built[0].meta.release, "6.12.0-test");
    assert_eq!(built[0].meta.compiler, "gcc 12; ld 12");
    assert_eq!(
        fs_err::read_to_string(&built[0].config).unwrap(),
        "CONFIG_DEFAULT=y\nCONFIG_SMP=y\n"
    );

    let (again, events) = lab.ensure(&[&base, &patched]);
    assert!(again.unwrap().iter().all(|built| built.cached));
    assert!(lab.runner.makes().is_empty());
    insta::assert_debug_snapshot!(events, @r#"
    [
        "base: Ready { cached: true }",
        "patched: Ready { cached: true }",
    ]
    "#);
}

#[test]
fn no_order_of_builds_leaves_a_stale_object() {
    for keep_objects in [true, false] {
        let mut lab = Lab::new();
        lab.keep_objects = keep_objects;
        let arms = [
            lab.tree.arm("0", &[]),
            lab.tree.arm("1", &[("b.c", "one")]),
            lab.tree.arm("2", &[("b.c", "two"), ("c.c", "two")]),
            lab.tree.arm("3", &[("all.h", "three")]),
            lab.tree.arm("4", &[("all.h", "three"), ("d.c", "four")]),
        ];
        for at in [0, 1, 0, 2, 4, 3, 1, 3, 0, 4, 2, 1] {
            lab.forget_kernels();
            lab.compiled(&[&arms[at]]);
        }
    }
}

#[test]
fn a_header_switched_there_and_back_compiles_nothing() {
    let mut lab = Lab::new();
    let base = lab.tree.arm("base", &[]);
    let patched = lab.tree.arm("patched", &[("all.h", "patched")]);
    let third = lab.tree.arm("third", &[("all.h", "third")]);
    let mutant = lab
        .tree
        .arm("mutant", &[("all.h", "patched"), ("a.c", "mutant")]);
    for (arm, expected) in [
        (&base, &["base: a", "base: b", "base: c"][..]),
        (&patched, &["patched: a", "patched: b", "patched: c"]),
        (&base, &[]),
        (&patched, &[]),
        (&base, &[]),
        (&mutant, &["mutant: a"]),
        (&third, &["third: a", "third: b", "third: c"]),
        (&base, &[]),
        (&mutant, &[]),
    ] {
        lab.forget_kernels();
        assert_eq!(lab.compiled(&[arm]), expected);
    }
}

#[test]
fn the_source_folder_may_have_held_anything_before() {
    let mut lab = Lab::new();
    let base = lab.tree.arm("base", &[]);
    let patched = lab.tree.arm("patched", &[("b.c", "patched")]);
    lab.compiled(&[&base, &patched]);
    // Files from the past, from the future, and all of them anew.
    for hours in [-24_i64, 24, 0] {
        let now = SystemTime::now();
        let away = Duration::from_secs(3600 * hours.unsigned_abs());
        lab.tree.written = Some(if hours < 0 { now - away } else { now + away });
        for (arm, text) in [(&base, "b.c"), (&patched, "patched")] {
            fs_err::remove_dir_all(&lab.tree.dir).unwrap();
            let name = format!("{} {hours}", arm.name);
            let changes = [("b.c", text), ("c.c", name.as_str())];
            let mutant = lab.tree.arm(&name, &changes);
            assert_eq!(lab.compiled(&[&mutant]), [format!("{name}: c")]);
            lab.forget_kernels();
            assert_eq!(lab.compiled(&[arm]), [""; 0]);
        }
    }
}

#[test]
fn an_interrupted_build_compiles_the_rest_of_what_differs() {
    let mut lab = Lab::new();
    lab.toolchain.jobs = 1;
    let base = lab.tree.arm("base", &[]);
    lab.compiled(&[&base]);
    // So old that going on does not remove them.
    let hour = Duration::from_secs(3600);
    for entry in lab.cache.list().unwrap() {
        if entry.kind == Kind::Objects {
            age(&entry.path, SystemTime::now() - hour);
        }
    }
    let changes = [("b.c", "patched"), ("c.c", "patched")];
    let patched = lab.tree.arm("patched", &changes);
    lab.runner.stop_at = Some("c.o");
    assert!(cancelled(&lab.ensure(&[&patched]).0.unwrap_err()));
    lab.runner = Direct::default();
    // Another command had the folder meanwhile, and a clock that is slow.
    lab.tree.written = Some(SystemTime::now() - 2 * hour);
    lab.tree.switch(&base).unwrap();
    assert_eq!(lab.compiled(&[&patched]), ["patched: b", "patched: c"]);
}

/// Gives all files of a folder one time.
fn age(folder: &Path, time: SystemTime) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => age(&path, time),
            false => fs_err::File::open(path)
                .unwrap()
                .set_modified(time)
                .unwrap(),
        }
    }
}

#[test]
fn a_mutant_starts_from_the_arm_it_differs_least_from() {
    let mut lab = Lab::new();
    let base = lab.tree.arm("base", &[]);
    let patched = lab.tree.arm("patched", &[("all.h", "patched")]);
    let mutant = lab
        .tree
        .arm("mutant", &[("all.h", "patched"), ("a.c", "mutant")]);
    lab.compiled(&[&base, &patched]);
    assert_eq!(lab.compiled(&[&mutant]), ["mutant: a"]);
}

#[test]
fn another_configuration_compiles_what_its_options_touch() {
    let mut lab = Lab::new();
    let kconfig = ("Kconfig", "CONFIG_DEFAULT\nCONFIG_SMP\nCONFIG_X");
    let base = lab.tree.arm("base", &[kconfig, ("b.c", "#ifdef CONFIG_X")]);
    let patched = lab.tree.arm(
        "patched",
        &[kconfig, ("b.c", "#ifdef CONFIG_X"), ("c.c", "patched")],
    );
    assert_eq!(lab.compiled(&[&base]), ["base: a", "base: b", "base: c"]);
    lab.requests = requests("CONFIG_SMP=y\nCONFIG_X=y\n");
    assert_eq!(lab.compiled(&[&base, &patched]), ["base: b", "patched: c"]);
    // Of two folders to start from the one with the same options.
    lab.forget_kernels();
    lab.requests = requests("CONFIG_SMP=y\n");
    assert_eq!(lab.compiled(&[&patched]), ["patched: c"]);
}

#[test]
fn files_older_than_the_objects_are_compiled_all_the_same() {
    let mut lab = Lab::new();
    let base = lab.tree.arm("base", &[]);
    let patched = lab.tree.arm("patched", &[("b.c", "patched")]);
    lab.compiled(&[&base]);
    lab.tree.written = Some(SystemTime::now() - Duration::from_secs(86_400));
    assert_eq!(lab.compiled(&[&patched]), ["patched: b"]);
}

#[test]
fn a_change_of_kconfig_resolves_the_configuration_again() {
    let mut lab = Lab::new();
    let base = lab.tree.arm("base", &[]);
    let patched = lab.tree.arm(
        "patched",
        &[("Kconfig", "CONFIG_DEFAULT\nCONFIG_SMP\nCONFIG_X")],
    );
    lab.compiled(&[&base, &patched]);
    let config = ["tinyconfig", "olddefconfig"];
    assert_eq!(
        lab.runner.makes(),
        [&config[..], &["bzImage"], &config, &["bzImage"]].concat()
    );
}

/// Edits that are tried out leave one folder of objects, not one each.
#[test]
fn what_is_not_kept_is_gone_on_with() {
    let mut lab = Lab::new();
    let base = lab.tree.arm("base", &[]);
    lab.compiled(&[&base]);
    let folders = |lab: &Lab| {
        let all = lab.cache.list().unwrap();
        all.iter().filter(|it| it.kind == Kind::Objects).count()
    };
    lab.keep_objects = false;
    for text in ["one", "two", "three"] {
        let edited = lab.tree.arm(text, &[("b.c", text)]);
        assert_eq!(lab.compiled(&[&edited]), [format!("{text}: b")]);
        assert_eq!(folders(&lab), 2);
    }
    // Another file: b.c goes back to what base has.
    let other = lab.tree.arm("other", &[("a.c", "x"), ("b.c", "three")]);
    assert_eq!(lab.compiled(&[&other]), ["other: a"]);
    let last = lab.tree.arm("last", &[("c.c", "x")]);
    assert_eq!(lab.compiled(&[&last]), ["last: c"]);
    // One that fails is not gone on with by others.
    let broken = lab.tree.arm("broken", &[("b.c", "BROKEN")]);
    lab.ensure(&[&broken]).0.unwrap_err();
    let mended = lab.tree.arm("mended", &[("b.c", "mended")]);
    assert_eq!(lab.compiled(&[&mended]), ["mended: b"]);
}

/// An arm alone, in a command of its own, is an edit of somebody's day.
#[test]
fn an_edit_of_code_needs_no_configuration_of_its_own() {
    let mut lab = Lab::new();
    let base = lab.tree.arm("base", &[]);
    let edited = lab.tree.arm("edited", &[("b.c", "edited")]);
    let kconfig = ("Kconfig", "CONFIG_DEFAULT\nCONFIG_SMP\nCONFIG_X");
    let other = lab.tree.arm("other", &[kconfig]);
    lab.compiled(&[&base]);
    assert_eq!(lab.compiled(&[&edited]), ["edited: b"]);
    let config = ["tinyconfig", "olddefconfig"];
    let makes = [&config[..], &["bzImage", "bzImage"]].concat();
    assert_eq!(lab.runner.makes(), makes);
    // Other requests, or what Kconfig reads, are resolved.
    lab.compiled(&[&other]);
    lab.requests = requests("CONFIG_SMP=y\nCONFIG_DEFAULT=y\n");
    lab.compiled(&[&edited]);
    let makes = lab.runner.makes();
    let configured = makes.iter().filter(|goal| *goal == "tinyconfig");
    assert_eq!(configured.count(), 2);
}

#[test]
fn options_that_do_not_survive_are_named() {
    let mut lab = Lab::new();
    lab.requests =
        requests("CONFIG_SMP=y\nCONFIG_NONE=y\n\n# optional: not here\nCONFIG_MAYBE=y\n");
    let base = lab.tree.arm("base", &[]);
    insta::assert_snapshot!(lab.ensure(&[&base]).0.unwrap_err(), @r"
    the kernel does not grant a required option
      CONFIG_NONE: wanted y, got nothing (unknown to this kernel, or what it depends on is off) (t.config:2)
    ");
    lab.requests.remove(1);
    let notes = lab.ensure(&[&base]).0.unwrap().remove(0).meta.notes;
    insta::assert_snapshot!(notes[0], @"CONFIG_MAYBE: wanted y, got nothing (unknown to this kernel, or what it depends on is off) (t.config:5)");
}

#[test]
fn the_callers_environment_stays_outside() {
    let mut lab = Lab::new();
    lab.runner.env = vec![
        ("KCFLAGS", "-O0"),
        ("MAKEFLAGS", "--dry-run"),
        ("CFLAGS", "-O0"),
        ("O", "/nowhere"),
        ("LANG", "de_DE.UTF-8"),
    ];
    let base = lab.tree.arm("base", &[]);
    lab.compiled(&[&base]);
    let objects = lab.cache.list().unwrap().remove(0);
    assert_eq!(objects.kind, Kind::Objects);
    let environment = fs_err::read_to_string(objects.path.join("environment")).unwrap();
    assert!(
        !environment.contains("-O0") && !environment.contains("LANG="),
        "{environment}"
    );
    assert!(environment.contains("LC_ALL=C\n"), "{environment}");
    assert!(
        environment.contains("KBUILD_BUILD_HOST=reaperlab\n"),
        "{environment}"
    );
}

#[test]
fn a_failed_build_shows_its_first_error_and_keeps_the_log() {
    let mut lab = Lab::new();
    let base = lab.tree.arm("base", &[("b.c", "BROKEN")]);
    let error = lab.ensure(&[&base]).0.unwrap_err();
    let BuildError::Failed { what, cause, log } = error else {
        panic!("{error}");
    };
    let Cause::Compiler(found) = *cause else {
        panic!("{cause}");
    };
    assert_eq!(
        (what.as_str(), found.to_string().as_str()),
        ("base", "b.c:1: broken")
    );
    assert!(fs_err::read_to_string(log).unwrap().contains("  CC "));
    // Nothing half built is taken for a kernel; the mended tree builds.
    let mended = lab.tree.arm("base", &[("b.c", "mended")]);
    assert_eq!(lab.compiled(&[&mended]).len(), 3);
}

#[test]
fn a_commit_is_told_what_it_warns_of_anew() {
    let mut lab = Lab::new();
    let base = lab
        .tree
        .arm("base", &[("b.c", "UNUSED"), ("c.c", "UNUSED")]);
    let patched = lab.tree.arm(
        "patched",
        &[("b.c", "moved\nUNUSED\nUNUSED"), ("c.c", "UNUSED")],
    );
    let builder = Builder {
        cache: &lab.cache,
        runner: &lab.runner,
        toolchain: &lab.toolchain,
        requests: &lab.requests,
        modules: &lab.modules,
        keep_objects: true,
    };
    let mut look = |before, after| {
        let found = builder
            .new_warnings(
                &mut lab.tree,
                [before, after],
                Checker::Compiler,
                &mut |_| {},
            )
            .unwrap();
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(look(&base, &patched), ["b.c:3: unused"]);
    assert_eq!(look(&patched, &base), [""; 0]);
}

#[test]
fn who_compiles_to_the_same_object() {
    let mut lab = Lab::new();
    let targets = [
        lab.tree.arm("first", &[]),
        lab.tree.arm("same", &[("a.c", "other")]),
        lab.tree.arm("other", &[("b.c", "other")]),
        lab.tree.arm("again", &[]),
    ];
    let builder = Builder {
        cache: &lab.cache,
        runner: &lab.runner,
        toolchain: &lab.toolchain,
        requests: &lab.requests,
        modules: &lab.modules,
        keep_objects: false,
    };
    let tree = &mut lab.tree;
    let mut same = |targets: &[Target]| {
        let same = builder.same_objects(tree, targets, "b.c", &mut |_, _| {});
        same.unwrap()
    };
    assert_eq!(same(&targets), [true, false, true]);
    assert_eq!(same(&[]), [false; 0]);
}

#[test]
fn a_source_that_cannot_be_written_says_why() {
    let mut lab = Lab::new();
    let base = lab.tree.arm("base", &[]);
    lab.tree.fails = Some(io::ErrorKind::PermissionDenied);
    insta::assert_snapshot!(lab.ensure(&[&base]).0.unwrap_err(), @"permission denied");
    lab.tree.fails = Some(io::ErrorKind::StorageFull);
    assert!(matches!(
        lab.ensure(&[&base]).0,
        Err(BuildError::Io(IoError::NoSpace(_)))
    ));
    lab.tree.fails = Some(io::ErrorKind::Interrupted);
    assert!(cancelled(&lab.ensure(&[&base]).0.unwrap_err()));
}

#[test]
fn a_missing_compiler_is_named_with_its_package() {
    let mut lab = Lab::new();
    lab.toolchain.path = lab.folder.path().into();
    let base = lab.tree.arm("base", &[]);
    insta::assert_snapshot!(lab.ensure(&[&base]).0.unwrap_err(), @"building kernels needs `gcc`, which is missing");
}

#[test]
fn a_killed_build_is_gone_on_with_without_its_half_written_file() {
    for seeded in [false, true] {
        let mut lab = Lab::new();
        let base = lab.tree.arm("base", &[]);
        if seeded {
            lab.compiled(&[&base]);
        }
        let slow = lab.tree.arm("arm", &[("b.c", "SLOW"), ("c.c", "LAST")]);
        lab.runner.stop_at = Some("c.o");
        let error = lab.ensure(&[&slow]).0.unwrap_err();
        assert!(cancelled(&error), "{error}");
        assert!(
            lab.cache.list().unwrap().iter().all(|entry| !entry.in_use),
            "a lock is left"
        );

        fs_err::write(lab.folder.path().join("go"), "").unwrap();
        lab.runner = Direct::default();
        lab.compiled(&[&slow]);
        assert!(
            !lab.runner.makes().contains(&"tinyconfig".into()),
            "resolved twice"
        );
    }
}

#[test]
fn a_damaged_kernel_is_built_again() {
    let mut lab = Lab::new();
    let base = lab.tree.arm("base", &[]);
    for damage in ["", "a.c\n", "as long as the real one"] {
        let built = lab.ensure(&[&base]).0.unwrap().remove(0);
        fs_err::write(&built.image, damage).unwrap();
        drop(built);
        lab.compiled(&[&base]);
    }
    let config = lab.ensure(&[&base]).0.unwrap().remove(0).config;
    fs_err::write(config, "CONFIG_OTHER=y\n").unwrap();
    lab.compiled(&[&base]);
    assert_eq!(
        lab.runner
            .makes()
            .iter()
            .filter(|target| *target == "bzImage")
            .count(),
        5
    );
}

#[test]
fn modules_lie_beside_the_kernel_they_were_built_for() {
    let (mut lab, base, patched) = Lab::with_module("first\n");
    let arms = [&base, &patched];
    let config = ["tinyconfig", "olddefconfig"];
    let both = ["bzImage", "modules", "bzImage", "modules"];
    for (source, makes, compiled) in [
        ("first\n", [&config[..], &both].concat(), 4),
        ("first\n", vec![], 0),
        ("second\n", both.to_vec(), 0),
        ("first\n", vec![], 0),
    ] {
        lab.write_module(source);
        let (built, events) = lab.ensure(&arms);
        for (arm, built) in arms.iter().zip(built.unwrap()) {
            let beside = built.image.with_file_name("helper.ko");
            assert_eq!(built.modules, std::slice::from_ref(&beside));
            let module = fs_err::read_to_string(beside).unwrap();
            assert_eq!(module, lab.tree.image(arm) + source);
        }
        assert_eq!(lab.runner.makes(), makes, "{source}");
        let objects = events.iter().filter(|event| event.contains(".o of"));
        assert_eq!(objects.count(), compiled, "{source}");
    }
}

#[test]
fn a_kernel_without_modules_is_none_with_them() {
    let (mut lab, base, _) = Lab::with_module("module\n");
    let modules = std::mem::take(&mut lab.modules);
    let without = lab.ensure(&[&base]).0.unwrap().remove(0);
    assert_eq!(without.modules, [] as [PathBuf; 0]);
    lab.modules = modules;
    let with = lab.ensure(&[&base]).0.unwrap().remove(0);
    assert_eq!((with.cached, with.modules.len()), (false, 1));
    assert_ne!(with.key, without.key);

    // Where it can't load any, it is the same with and without.
    lab.requests = requests("CONFIG_SMP=y\n");
    let with = lab.ensure(&[&base]).0.unwrap().remove(0);
    lab.modules.clear();
    let without = lab.ensure(&[&base]).0.unwrap().remove(0);
    assert_eq!(with.modules, [] as [PathBuf; 0]);
    assert_eq!((with.key, without.cached), (without.key, true));
}

#[test]
fn a_module_that_does_not_compile_costs_no_kernel() {
    let (mut lab, base, _) = Lab::with_module("BROKEN\n");
    let error = lab.ensure(&[&base]).0.unwrap_err();
    let BuildError::Failed { what, cause, log } = error else {
        panic!("{error}");
    };
    assert_eq!(what, format!("{} for base", lab.modules[0].display()));
    assert!(cause.to_string().ends_with("helper.c:1: broken"), "{cause}");
    assert!(fs_err::read_to_string(log).unwrap().contains("CC [M]"));
    lab.write_module("mended\n");
    assert_eq!(lab.compiled(&[&base]), [] as [&str; 0]);
}

#[test]
fn a_damaged_module_is_built_again() {
    let (mut lab, base, _) = Lab::with_module("module\n");
    let built = lab.ensure(&[&base]).0.unwrap().remove(0);
    fs_err::write(&built.modules[0], "damage").unwrap();
    drop(built);
    lab.runner.makes();
    let built = lab.ensure(&[&base]).0.unwrap().remove(0);
    assert_eq!(lab.runner.makes(), ["bzImage", "modules"]);
    assert!(
        fs_err::read_to_string(&built.modules[0])
            .unwrap()
            .ends_with("module\n")
    );
}

#[test]
fn two_commands_build_a_kernel_once() {
    let mut lab = Lab::new();
    let base = lab.tree.arm("base", &[]);
    let patched = lab.tree.arm("patched", &[("b.c", "patched")]);
    let (arms, cached) = ([base, patched], AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // Each opens the cache as a process of its own would.
                let cache = Cache::open(lab.cache.root()).unwrap();
                let mut tree = Tree {
                    dir: lab.tree.dir.clone(),
                    trees: lab.tree.trees.clone(),
                    written: None,
                    fails: None,
                };
                let builder = Builder {
                    cache: &cache,
                    runner: &lab.runner,
                    toolchain: &lab.toolchain,
                    requests: &lab.requests,
                    modules: &lab.modules,
                    keep_objects: true,
                };
                let built = builder.ensure(&mut tree, &arms, &mut |_, _| {}).unwrap();
                for (arm, built) in arms.iter().zip(built) {
                    cached.fetch_add(built.cached.into(), Ordering::SeqCst);
                    assert_eq!(
                        fs_err::read_to_string(built.image).unwrap(),
                        tree.image(arm)
                    );
                }
            });
        }
    });
    assert_eq!(
        lab.runner
            .makes()
            .iter()
            .filter(|target| *target == "bzImage")
            .count(),
        2
    );
    assert_eq!(cached.into_inner(), 6);
}

#[test]
fn who_times_has_the_host_alone() {
    let lab = Lab::new();
    let other = Cache::open(lab.cache.root()).unwrap();
    let refused = |alone| {
        let mut waited = false;
        let error = other.host(alone, &|| true, &mut || waited = true);
        matches!(error, Err(IoError::Cancelled)) && !waited
    };
    let free = |cache: &Cache, alone| cache.host(alone, &|| true, &mut || {}).unwrap();
    let timed = free(&lab.cache, true);
    assert!(refused(true) && refused(false));
    drop(timed);
    let judged = free(&lab.cache, false);
    let _too = free(&other, false);
    assert!(refused(true));
    drop(judged);
}

#[test]
fn pruning_takes_objects_before_kernels_and_never_what_is_in_use() {
    let mut lab = Lab::new();
    let base = lab.tree.arm("base", &[]);
    let patched = lab.tree.arm("patched", &[("b.c", "patched")]);
    lab.compiled(&[&base]);
    let held = lab.ensure(&[&patched]).0.unwrap();
    let kinds =
        |entries: &[kernel::cache::Entry]| entries.iter().map(|e| e.kind).collect::<Vec<_>>();
    let before = lab.cache.list().unwrap();
    assert_eq!(
        kinds(&before),
        [Kind::Objects, Kind::Objects, Kind::Kernel, Kind::Kernel]
    );
    let size = lab.cache.size().unwrap();
    assert_eq!(lab.cache.prune(size).unwrap(), []);
    assert_eq!(kinds(&lab.cache.prune(size - 1).unwrap()), [Kind::Objects]);
    assert_eq!(
        kinds(&lab.cache.prune(0).unwrap()),
        [Kind::Objects, Kind::Kernel]
    );
    let left = lab.cache.list().unwrap();
    assert_eq!(
        left.iter().map(|e| (e.kind, e.in_use)).collect::<Vec<_>>(),
        [(Kind::Kernel, true)]
    );
    assert!(held[0].image.exists());
    drop(held);
    assert_eq!(kinds(&lab.cache.prune(0).unwrap()), [Kind::Kernel]);
    assert_eq!(lab.compiled(&[&patched]).len(), 3);
}

#[test]
fn the_store_goes_last_and_not_while_it_is_open() {
    let mut lab = Lab::new();
    let base = lab.tree.arm("base", &[]);
    lab.compiled(&[&base]);
    let store = Store::open(lab.cache.root()).unwrap();
    let last = lab.cache.list().unwrap().pop().unwrap();
    assert_eq!((last.kind, last.in_use), (Kind::Store, true));
    let kinds = |max| -> Vec<Kind> {
        let removed = lab.cache.prune(max).unwrap();
        removed.iter().map(|entry| entry.kind).collect()
    };
    assert_eq!(kinds(lab.cache.size().unwrap() - 1), [Kind::Objects]);
    drop(store);
    assert_eq!(kinds(last.bytes), [Kind::Kernel]);
    assert_eq!(kinds(0), [Kind::Store]);
    let store = Store::open(lab.cache.root()).unwrap();
    assert_eq!(store.kernels().unwrap(), []);
}

#[test]
fn opening_removes_what_dead_processes_left_and_nothing_else() {
    let folder = tempfile::Builder::new().prefix("lab").tempdir().unwrap();
    let root = folder.path().join("cache");
    let alive = Cache::open(&root).unwrap();
    let of_alive = || fs_err::read_dir(root.join("tmp")).unwrap().count();
    fs_err::create_dir_all(root.join("tmp/dead/kernel")).unwrap();
    fs_err::write(root.join("tmp/dead/.alive"), "").unwrap();
    fs_err::create_dir_all(root.join("tmp/dead-before-it-locked")).unwrap();
    let second = Cache::open(&root).unwrap();
    assert_eq!(of_alive(), 2);
    drop(alive);
    assert_eq!(of_alive(), 1);
    drop(second);
    assert_eq!(of_alive(), 0);
    let unfit = folder.path().join("a b");
    let error = Cache::open(&unfit).unwrap_err();
    assert!(matches!(error, CacheError::Unfit(_)), "{error}");
    assert!(!unfit.exists(), "it was made all the same");
}
