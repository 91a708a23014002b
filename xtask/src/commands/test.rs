//! `check`, `test` and `ci`: the project's own checks and tests, tier by tier.

mod display;
mod doctest;
mod event;
mod runner;
mod targets;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use vm::process::{Cancel, Invocation};

use self::display::Display;
use self::event::{Ended, Event, Outcome};
use self::targets::{Binary, Tier};
use super::options::Setup;
use crate::exit::{Classify, Kind, Result, fail};
use crate::home::workspace;
use crate::host::{self, Use};
use crate::job::Job;
use crate::output::print;

/// `test`'s and `ci`'s options.
#[derive(Debug, Args)]
pub struct Options {
    /// Only this tier (repeatable)
    #[arg(long = "tier", value_enum)]
    tiers: Vec<Tier>,
    #[command(flatten)]
    only: Only,
}

/// `check`'s options.
#[derive(Debug, Args)]
pub struct Only {
    /// Only the tests whose name contains one of these, and no other checks
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    setup: Setup,
}

/// How much to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Checks and tests.
    Tests,
    /// The checks on licences and advisories too.
    All,
}

/// Longer than any step takes.
const STEP: Duration = Duration::from_secs(4 * 3600);

/// The first tier.
pub fn check(args: &Only, cancel: &Cancel) -> Result {
    tiers(&[Tier::Check], args, cancel, Extent::Tests)
}

/// Those tiers that were named, or all.
pub fn run(args: &Options, cancel: &Cancel, extent: Extent) -> Result {
    let mut wanted = args.tiers.clone();
    if wanted.is_empty() {
        wanted.extend(Tier::ALL);
    }
    wanted.sort();
    wanted.dedup();
    tiers(&wanted, &args.only, cancel, extent)
}

/// Runs tiers, the quick ones first, and counts.
fn tiers(tiers: &[Tier], only: &Only, cancel: &Cancel, extent: Extent) -> Result {
    let mut job = Job::new(cancel, only.setup.offline)?;
    job.cache = cache(&job.cache);
    for tier in tiers {
        host::ensure(&job, needs(*tier), only.setup.install())?;
    }
    let nowhere = tempfile::tempdir().kind(Kind::Infrastructure)?;
    let mut suite = Suite {
        job: &job,
        only,
        nowhere: nowhere.path(),
        display: Display::default(),
        chosen: 0,
        start: Instant::now(),
        gone: Ok(()),
    };
    for tier in tiers {
        if only.names.is_empty() {
            suite.steps(*tier, extent);
        }
        suite.tests(*tier);
    }
    suite.end()
}

/// The cache of tests, which is never the user's.
fn cache(of_user: &Path) -> PathBuf {
    let named = std::env::var_os(TEST_CACHE).filter(|name| !name.is_empty());
    let beside = || {
        let mut path = of_user.as_os_str().to_owned();
        path.push("-tests");
        path
    };
    named.unwrap_or_else(beside).into()
}

/// What tells tests where their cache is: they use no other.
const TEST_CACHE: &str = "REAPERLAB_TEST_CACHE";

fn needs(tier: Tier) -> Use {
    match tier {
        Tier::Check | Tier::Kernels => Use::Checks,
        Tier::Slurm => Use::Slurm,
        Tier::Guests => Use::Work,
    }
}

/// The run of checks and tests.
struct Suite<'a> {
    job: &'a Job,
    only: &'a Only,
    /// The cache of tests that need none.
    nowhere: &'a Path,
    display: Display,
    /// How many tests there are to run.
    chosen: usize,
    start: Instant,
    /// Whether standard output still takes what is shown.
    gone: Result,
}

impl Suite<'_> {
    /// What a tier has beside tests.
    fn steps(&mut self, tier: Tier, extent: Extent) {
        match tier {
            Tier::Check => {
                self.cargo("format", &["fmt", "--all", "--check"], &[]);
                let clippy = ["clippy", "--workspace", "--locked"];
                let deny = ["--", "--deny=warnings"];
                let all = [&clippy[..], &["--all-targets"], &deny].concat();
                self.cargo("lints", &all, &[]);
                // Cargo counts those that are run by name among no targets.
                let by_name = targets::BY_NAME.map(|(_, name, _)| ["--test", name]);
                let by_name = [&clippy[..], by_name.as_flattened(), &deny].concat();
                self.cargo("lints of the other tiers", &by_name, &[]);
                let doc =
                    "doc --workspace --no-deps --document-private-items --keep-going --locked";
                // What is private may link to what is private.
                let links = "--deny=warnings --allow=rustdoc::private_intra_doc_links";
                let warnings = ("RUSTDOCFLAGS", links);
                let doc: Vec<&str> = doc.split(' ').collect();
                self.cargo("documentation", &doc, &[warnings]);
                if extent == Extent::All {
                    self.deny();
                }
            }
            Tier::Slurm => {}
            Tier::Kernels => {
                let kernels = ["6.1", "6.12", "7.2"].map(|kernel| ["--kernel", kernel]);
                let args = [&["apply", "--series", "none"], kernels.as_flattened()].concat();
                self.own("import of kernels", &args);
            }
            Tier::Guests => self.own("build of both arms", &["build"]),
        }
    }

    fn deny(&mut self) {
        if host::which("cargo-deny").is_some() {
            self.cargo("licences and advisories", &["deny", "check"], &[]);
        } else {
            let missing = "cargo-deny is not installed: licences and advisories are not checked";
            self.job.progress.note(missing);
        }
    }

    /// The tests of a tier.
    fn tests(&mut self, tier: Tier) {
        let name = format!("compilation of tests: {}", tier.name());
        let mut args = vec!["test", "--workspace", "--locked", "--no-run"];
        args.push("--message-format=json-render-diagnostics");
        let by_name: Vec<_> = targets::named(tier).map(|name| ["--test", name]).collect();
        args.extend(by_name.as_flattened());
        let mut binaries = Vec::new();
        let compiled = self.step(&name, &cargo(&args, &[]), &mut |line| {
            binaries.extend(Binary::of(line).filter(|binary| binary.is_of(tier)));
            Vec::new()
        });
        if !compiled {
            return;
        }
        let env = self.environment(tier);
        let env: Vec<_> = env.iter().map(|(name, path)| (*name, &**path)).collect();
        let mut tests = Vec::new();
        for binary in &binaries {
            match binary.tests(&env, &self.job.cancel) {
                Ok(found) => tests.extend(found),
                Err(why) => {
                    let (name, outcome) = (binary.name(), Outcome::Failed(why));
                    self.show(Event::Ended(Ended {
                        name,
                        outcome,
                        took: None,
                        output: Vec::new(),
                    }));
                }
            }
        }
        let names = &self.only.names;
        tests.retain(|test| names.is_empty() || names.iter().any(|name| test.name.contains(name)));
        self.chosen += tests.len();
        let cancel = self.job.cancel.clone();
        let (at_once, deadline) = (tier.at_once(), tier.deadline());
        runner::run_all(tests, at_once, deadline, &cancel, &mut |event| {
            self.watch(event)
        });
        if tier == Tier::Check && names.is_empty() {
            self.doctests();
        }
    }

    /// What tests find in their environment: a cache that is not the user's.
    fn environment(&self, tier: Tier) -> Vec<(&'static str, PathBuf)> {
        let cache = match tier {
            Tier::Check | Tier::Slurm => self.nowhere,
            Tier::Kernels | Tier::Guests => &self.job.cache,
        };
        vec![
            ("REAPERLAB_CACHE", cache.to_owned()),
            (TEST_CACHE, self.job.cache.clone()),
            ("INSTA_WORKSPACE_ROOT", workspace().to_owned()),
        ]
    }

    fn doctests(&mut self) {
        let mut reader = doctest::Reader::default();
        let program = cargo(&["test", "--workspace", "--locked", "--doc"], &[]);
        let passed = self.step("examples in the documentation", &program, &mut |line| {
            let mut told = reader.line(line);
            if told.is_empty() && !line.is_empty() {
                told.push(Event::Said(line.to_owned()));
            }
            told
        });
        for event in reader.end(passed) {
            self.show(event);
        }
    }

    fn cargo(&mut self, name: &str, args: &[&str], env: &[(&str, &str)]) {
        self.said(name, &cargo(args, env));
    }

    /// A command of ours, on the tests' cache.
    fn own(&mut self, name: &str, args: &[&str]) {
        let program = match std::env::current_exe() {
            Ok(path) => path.into(),
            Err(_) => OsString::from("/proc/self/exe"),
        };
        let mut args: Vec<OsString> = args.iter().map(OsString::from).collect();
        if self.job.offline {
            args.push("--offline".into());
        }
        self.said(
            name,
            &Invocation {
                program,
                args,
                dir: Some(workspace().to_owned()),
                env: vec![("REAPERLAB_CACHE".into(), self.job.cache.clone().into())],
            },
        );
    }

    fn said(&mut self, name: &str, program: &Invocation) {
        let say = |line: &str| vec![Event::Said(line.to_owned())];
        self.step(name, program, &mut { say });
    }

    fn step(
        &mut self,
        name: &str,
        program: &Invocation,
        on_out: &mut (dyn FnMut(&str) -> Vec<Event> + Send),
    ) -> bool {
        let cancel = self.job.cancel.clone();
        if cancel.cancelled() {
            return false;
        }
        runner::run_step(name, program, STEP, &cancel, on_out, &mut |event| {
            self.watch(event);
        })
    }

    fn show(&mut self, event: Event) {
        self.watch(Some(event));
    }

    /// Shows an event, if there is one, and what else is due.
    fn watch(&mut self, event: Option<Event>) {
        let now = self.start.elapsed();
        let lines = event.map(|event| self.display.on(event, now));
        self.print(&lines.unwrap_or_default());
        if self.job.progress.has_bar() {
            self.job.progress.status(&self.display.status(now));
        } else if let Some(line) = self.display.quiet(now) {
            self.job.progress.note(&line);
        }
    }

    fn print(&mut self, lines: &[String]) {
        if lines.is_empty() || self.gone.is_err() {
            return;
        }
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let gone = &mut self.gone;
        self.job.progress.aside(|| *gone = print(&text));
    }

    /// The counts, and what they come to.
    fn end(mut self) -> Result {
        self.job.progress.status("");
        let lines = self.display.end(self.start.elapsed());
        self.print(&lines);
        self.job.alive()?;
        self.gone?;
        if self.display.all_passed() && self.chosen == 0 {
            fail(Kind::Usage, "no test has such a name")
        } else if self.display.all_passed() {
            Ok(())
        } else {
            fail(Kind::Judgement, "not all checks and tests passed")
        }
    }
}

fn cargo(args: &[&str], env: &[(&str, &str)]) -> Invocation {
    Invocation {
        program: std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
        args: args.iter().map(OsString::from).collect(),
        dir: Some(workspace().to_owned()),
        env: env
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
    }
}
