//! `report` and `compare`: again, from run folders, without a guest.

use std::path::PathBuf;

use clap::Args;
use evidence::run::Run;
use evidence::{Report, calibrate, claims, report};

use super::options::Verdict;
use crate::exit::{Advise, Classify, Kind, Result, fail};
use crate::home::{self, run_folder};
use crate::input;
use crate::output::{print, print_json};
use crate::run::{folder, outcome};

/// `compare`'s options.
#[derive(Debug, Args)]
pub struct Compare {
    /// One run folder: base against patched. Two: what patched is to base in the
    /// later run against the earlier one. With --calibrate: any number [default with
    /// --calibrate: all A/A runs in runs/ whose kernel and guests are those of the
    /// newest]
    #[arg(required_unless_present = "calibrate", value_parser = run_folder)]
    pub runs: Vec<PathBuf>,
    /// Compare what a changelog claims with what was measured; without a file
    /// the series' own changelog
    #[arg(long, value_name = "FILE", num_args = 0..=1, conflicts_with = "calibrate")]
    #[expect(clippy::option_option, reason = "absent, alone, or with a file")]
    pub claims: Option<Option<PathBuf>>,
    /// With --claims: the folder whose manifest says which metric a changelog's words
    /// mean, or none [default: what the run recorded, else the folder in patches/
    /// of the same series]
    #[arg(long, value_name = "FOLDER", requires = "claims")]
    pub manifest: Option<String>,
    /// Count the false alarms of A/A runs, say whether there are enough of them, and
    /// print the smallest change that would be detected
    #[arg(long)]
    pub calibrate: bool,
    /// Print a paragraph for the series' changelog
    #[arg(long, conflicts_with_all = ["calibrate", "claims", "json"])]
    pub changelog: bool,
    /// What to do with the findings
    #[command(flatten)]
    pub verdict: Verdict,
}

/// From a run folder.
#[derive(Debug, Args)]
pub struct Options {
    /// The run folder
    #[arg(value_parser = run_folder)]
    pub run: PathBuf,
    /// What to do with the findings
    #[command(flatten)]
    pub verdict: Verdict,
}

/// Writes every report of a run folder again.
pub fn run(args: &Options) -> Result {
    let run = folder::load(&args.run)?;
    finish(&args.verdict, &outcome::write(&args.run, &run)?)
}

/// Says what the samples of run folders say, and writes nothing.
pub fn compare(args: &Compare) -> Result {
    let runs = args
        .runs
        .iter()
        .map(|folder| folder::load(folder))
        .collect::<Result<Vec<Run>>>()?;
    if args.calibrate {
        return match runs.as_slice() {
            [] => calibrate(args, &bank()?),
            runs => calibrate(args, runs),
        };
    }
    match runs.as_slice() {
        [run] => one(args, run),
        [earlier, later] if args.claims.is_none() && !args.changelog => {
            between(&args.verdict, earlier, later)
        }
        [_, _] => fail(Kind::Usage, "--claims and --changelog are about one run"),
        _ => fail(
            Kind::Usage,
            "compare takes one run or two, and more only with --calibrate",
        ),
    }
}

fn one(args: &Compare, run: &Run) -> Result {
    let report = evidence::analyse(run);
    if args.changelog {
        let text = report::changelog(&report);
        if text.is_empty() {
            return fail(Kind::Usage, "the run has no comparison");
        }
        return print(&text);
    }
    let Some(file) = &args.claims else {
        return finish(&args.verdict, &report);
    };
    let text = match file {
        Some(file) => fs_err::read_to_string(file).kind(Kind::Usage)?,
        None => run.changelog.clone(),
    };
    let claims = claims::read(&text);
    let recorded = (args.manifest.is_none() && !run.claims.is_empty()).then(|| run.claims.clone());
    let words = match recorded {
        Some(words) => words,
        None => {
            let patches = run.series.patches.iter().map(String::as_str);
            let titles: Vec<&str> = patches.chain([run.series.title.as_str()]).collect();
            input::claims(&titles, args.manifest.as_deref())?
        }
    };
    let checks = claims::check(&claims, run, &report.comparisons, &words);
    if args.verdict.json {
        print_json(&serde_json::json!({ "claims": claims, "checks": checks }))?;
    } else {
        print(&report::claims(&claims, &checks))?;
    }
    outcome::judge(&report, args.verdict.require_conclusion)
}

/// Says what has changed from one run to another: by what patched did.
fn between(args: &Verdict, earlier: &Run, later: &Run) -> Result {
    let found = evidence::between(earlier, later);
    let Some(first) = found.first() else {
        return fail(Kind::Usage, "the two runs have no arm in common");
    };
    if args.json {
        print_json(&found)?;
    } else {
        for one in &found {
            let arm = one.arm.as_str();
            if !one.changes.is_empty() {
                print(&format!("{}\n", report::changes(&one.changes)))?;
            }
            let text = report::terminal(&one.report);
            print(&format!("{arm}, earlier and later\n\n{text}\n"))?;
        }
    }
    outcome::judge(&first.report, args.require_conclusion)
}

/// The A/A runs in the runs' folder that can be pooled with the newest, oldest first.
fn bank() -> Result<Vec<Run>> {
    let Some(folder) = home::runs() else {
        return fail(Kind::Usage, "there is no folder of runs").hint("name the A/A runs");
    };
    let mut runs: Vec<Run> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        // `latest` is a link to one of them.
        .filter(|path| !path.is_symlink() && folder::has_run(path))
        .filter_map(|path| folder::load(&path).ok())
        .filter(Run::is_same_kernel)
        .collect();
    runs.sort_by(|one, other| one.started.cmp(&other.started));
    let alike = |run: &Run| {
        let image = run.kernel.arms.first().map(|arm| arm.image_sha.clone());
        let guest = (run.guest.clone(), run.accelerator.kind, run.by_turns);
        (image, guest, run.primary.clone())
    };
    let Some(newest) = runs.last().map(alike) else {
        return fail(Kind::Usage, format!("{} has no A/A run", folder.display()))
            .hint("make some: patch-test --aa");
    };
    runs.retain(|run| alike(run) == newest);
    Ok(runs)
}

/// Says what the verdicts of runs are worth.
fn calibrate(args: &Compare, runs: &[Run]) -> Result {
    let base = |run: &Run| run.kernel.arms.first().map(|arm| arm.image_sha.clone());
    if let Some(at) = runs.iter().position(|run| base(run) != base(&runs[0])) {
        return fail(
            Kind::Usage,
            format!(
                "{} and {} have different base kernels: their boots can't be pooled",
                args.runs[0].display(),
                args.runs[at].display()
            ),
        );
    }
    let found = calibrate::calibrate(runs, calibrate::TRIES);
    if found.is_empty() {
        let folders: Vec<_> = args.runs.iter().map(|f| f.display().to_string()).collect();
        let which = match folders.as_slice() {
            [] => "the A/A runs in runs/".to_owned(),
            folders => folders.join(", "),
        };
        return fail(
            Kind::Usage,
            format!("{which}: too few blocks: what decides needs 6"),
        );
    }
    if args.verdict.json {
        print_json(&found)
    } else {
        print(&report::calibration(&found))
    }
}

fn finish(args: &Verdict, report: &Report) -> Result {
    if args.json {
        print_json(report)?;
    } else {
        print(&report::terminal(report))?;
    }
    outcome::judge(report, args.require_conclusion)
}
