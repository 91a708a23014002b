//! `patch-test`: from a series to a report.
//!
//! Options that `--resume` must remember are in `run_options.rs`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, Command, FromArgMatches};
use evidence::{Report, report};
use vm::process::Cancel;

use super::given::Given;
use super::options::{Kernel, Setup};
use super::run_options::{Wanted, agree};
use crate::exit::{Advise, Classify, Failure, Kind, Result, fail};
use crate::guest::Program;
use crate::home;
use crate::job::Job;
use crate::output::{print, print_json};
use crate::own_tree::Watched;
use crate::progress::seconds;
use crate::run::request::{Extent, Fault, Request};
use crate::run::{self, Place};
use crate::run::{folder, outcome};

/// `patch-test`'s options.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    kernel: Given<Kernel>,
    #[command(flatten)]
    wanted: Given<Wanted>,
    /// Exit as git bisect run wants it: 0 good, 1 bad, 125 can't be built or
    /// booted (skip), 128 or more stop
    #[arg(long)]
    bisect_run: bool,
    /// The folder for the run [default: runs/TIME]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Resume the interrupted run in this folder, with the options that it was
    /// begun with
    #[arg(long, value_name = "FOLDER", conflicts_with = "out", value_parser = home::run_folder)]
    resume: Option<PathBuf>,
    /// Run again whenever the range, the branch or the work tree changes, until
    /// Ctrl-C; one line for each run
    #[arg(long, conflicts_with_all = ["resume", "out", "bisect_run", "json"])]
    watch: bool,
    /// List the scenarios, or those that --scenario chooses, and run nothing
    #[arg(long, conflicts_with_all = ["resume", "out", "bisect_run", "watch"])]
    list: bool,
    #[command(flatten)]
    setup: Setup,
    /// One JSON document on standard output
    #[arg(long)]
    json: bool,
    /// Make the guest of the first patched boot fail like this, for tests
    #[arg(long, value_enum, hide = true)]
    fault: Option<Fault>,
}

impl Options {
    fn asked(&self) -> Result<Request> {
        let wanted = &self.wanted.options;
        let origin = wanted.series.origin()?;
        let kernel = origin.kernel(self.kernel.options.name.as_ref())?;
        Ok(wanted.request(&origin, &kernel, Extent::Whole))
    }
}

/// Runs the main job.
pub fn run(args: &Options, cancel: &Cancel) -> Result {
    if args.list {
        return list(args, cancel);
    }
    if args.watch {
        return watch(args, cancel);
    }
    let mut judged = false;
    let result = test(args, cancel, &mut judged);
    match result {
        Err(failure) if args.bisect_run => Err(Failure {
            kind: failure.kind.for_bisect(judged),
            ..failure
        }),
        result => result,
    }
}

/// Prints the scenarios, a line for each.
fn list(args: &Options, cancel: &Cancel) -> Result {
    let job = Job::new(cancel, args.setup.offline)?;
    let program = Program::build(&job)?;
    let listed = program.catalogue.list(&args.wanted.options.scenarios)?;
    job.progress.finish("");
    if args.json {
        return print_json(&listed);
    }
    let width = listed.iter().map(|one| one.name.len()).max().unwrap_or(0);
    let mut lines = String::new();
    for one in listed {
        let _ = writeln!(lines, "{:width$}  {}", one.name, one.summary);
    }
    print(&lines)
}

/// What is asked for, or was of the run that is resumed.
fn request(args: &Options) -> Result<Request> {
    let Some(folder) = &args.resume else {
        return args.asked();
    };
    let begun = match folder::load_request(folder)? {
        Some(request) => request,
        None => by_command(folder)?,
    };
    if begun.extent != Extent::Whole {
        return fail(
            Kind::Usage,
            format!("{} is a cell of a matrix", folder.display()),
        )
        .hint(format!(
            "resume the matrix, with `{}`",
            home::line("matrix --resume")
        ));
    }
    if args.kernel.any || args.wanted.any {
        agree(folder, &begun, &args.asked()?)?;
    }
    Ok(begun)
}

/// What a run was asked to do whose folder has its command line alone.
fn by_command(folder: &Path) -> Result<Request> {
    let line = folder::load(folder)?.command;
    let calls = ["cargo xtask patch-test", "reaperlab patch-test"];
    let Some(words) = calls.iter().find_map(|call| line.strip_prefix(call)) else {
        return fail(
            Kind::Usage,
            format!("{} was begun with `{line}`", folder.display()),
        )
        .hint("resume that with the command that began it");
    };
    let words = shell_words::split(words).kind(Kind::Usage)?;
    let command = Options::augment_args(Command::new("patch-test").no_binary_name(true));
    let matches = command.try_get_matches_from(words).kind(Kind::Usage)?;
    Options::from_arg_matches(&matches)
        .kind(Kind::Usage)?
        .asked()
}

/// Runs the main job whenever the series is another one.
fn watch(args: &Options, cancel: &Cancel) -> Result {
    let job = Job::new(cancel, args.setup.offline)?;
    let mut watched = Watched::new(&args.wanted.options.series.from)?;
    loop {
        let began = Instant::now();
        let ended = request(args).and_then(|request| {
            let install = args.setup.install();
            let finished = run::run(&job, &request, install, Place::New(None), args.fault)?;
            Ok((finished, request.require_conclusion))
        });
        job.alive()?;
        job.progress.finish("");
        let took = seconds(began.elapsed());
        let now = jiff::Zoned::now().strftime("%H:%M:%S");
        let line = match ended {
            Ok((finished, conclude)) => {
                let said = match outcome::judge(&finished.report, conclude) {
                    Ok(()) => held(&finished.report),
                    Err(failure) => format!("FAILED: {failure}"),
                };
                let folder = finished.folder.display();
                format!("{said} ({took}; {folder})")
            }
            Err(failure) => {
                for hint in &failure.hints {
                    job.progress.note(&format!("hint: {hint}"));
                }
                format!("no result: {failure} ({took})")
            }
        };
        print(&format!("{now} {line}\n"))?;
        if !watched.changed(&|| cancel.cancelled())? {
            return job.alive();
        }
    }
}

/// What a run proved that holds.
fn held(report: &Report) -> String {
    match report.scenarios.len() {
        1 => "1 scenario held".to_owned(),
        n => format!("{n} scenarios held"),
    }
}

fn test(args: &Options, cancel: &Cancel, judged: &mut bool) -> Result {
    let job = Job::new(cancel, args.setup.offline)?;
    let request = request(args)?;
    let place = match &args.resume {
        Some(folder) => Place::Resumed(folder),
        None => Place::New(args.out.as_deref()),
    };
    let install = args.setup.install();
    let finished = run::run(&job, &request, install, place, args.fault)?;
    *judged = true;
    if args.json {
        print_json(&finished.report)?;
    } else {
        let page = finished.folder.join("report.html");
        print(&report::terminal(&finished.report))?;
        print(&format!("\n{}\n", page.display()))?;
    }
    outcome::judge(&finished.report, request.require_conclusion)
}
