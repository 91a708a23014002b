//! `mutants`: the scenarios against wrong versions of the series.

mod bench;
mod fate;
mod generated;
mod known;
mod patches;
mod score;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use results::Arm;
use vm::process::Cancel;

use super::options::{self, Guest, Setup};
use crate::exit::Result;
use crate::flavour::Flavour;
use crate::guest::Program;
use crate::home::workspace;
use crate::host;
use crate::job::Job;
use crate::kernels;
use crate::machine::Machine;
use crate::output::{print, print_json};
use crate::run::folder::{self, Claim};
use bench::Bench;
use fate::{Fate, Summary, document, judge, report};
use known::Known;

/// `mutants`' options.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    series: options::Series,
    #[command(flatten)]
    kernel: options::Kernel,
    /// How the kernels are configured
    #[arg(long, value_enum, default_value_t = Flavour::Lean)]
    flavour: Flavour,
    /// Only the scenarios whose name matches (* and ?; repeatable)
    #[arg(long = "scenario", value_name = "GLOB")]
    scenarios: Vec<String>,
    /// The folder of patches, each on top of the patched arm
    /// [default: patches/mutants]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Only the mutants whose name matches (* and ?; repeatable)
    #[arg(long = "mutant", value_name = "GLOB")]
    mutants: Vec<String>,
    #[command(flatten)]
    generated: generated::Wanted,
    #[command(flatten)]
    guest: Guest,
    /// The folder for consoles and results [default: runs/TIME]
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    setup: Setup,
    /// One JSON document on standard output
    #[arg(long)]
    json: bool,
}

/// Scores the scenarios.
pub fn run(args: &Options, cancel: &Cancel) -> Result {
    let job = Job::new(cancel, args.setup.offline)?;
    let started = jiff::Timestamp::now();
    let origin = args.series.origin()?;
    let name = origin.kernel(args.kernel.name.as_ref())?;
    let series = origin.load()?;
    let default = || workspace().join("patches/mutants");
    let dir = args.dir.clone().unwrap_or_else(default);
    let mutants = match args.generated.generate {
        true => Vec::new(),
        false => patches::read(&dir, &args.mutants)?,
    };
    let equivalent = match &args.generated.equivalent {
        Some(path) => score::arguments(path)?,
        None => BTreeMap::new(),
    };
    let claim = Claim::fresh(args.out.as_deref(), &started)?;
    let folder = claim.path().to_owned();
    host::ensure(&job, host::Use::Work, args.setup.install())?;
    let program = Program::build(&job)?;
    let chosen = program.catalogue.select(&args.scenarios)?;
    patches::check(&mutants, &program.catalogue)?;
    let kernel = kernels::build(&job, &series, &name, args.flavour, &[Arm::Patched])?;
    let own = program.catalogue.selftests(&chosen);
    let selftests = kernels::selftests(&job, &kernel, Arm::Patched, &own)?;
    let machine = Machine::find(
        &job,
        &program,
        kernel.image(Arm::Patched)?,
        (&args.guest).into(),
        args.flavour.timeout_scale(),
    )?;
    let bench = Bench {
        job: &job,
        series: &series,
        program: &program,
        kernel: &kernel,
        selftests,
        machine: &machine,
        chosen,
        timeout_scale: args.flavour.timeout_scale(),
        seed: started.as_second() as u64,
        folder: folder.clone(),
    };
    let mut keep = |fates: &[Fate], summary: Option<&Summary>| {
        let json = serde_json::to_vec_pretty(&document(fates, summary));
        folder::write(&folder.join("mutants.json"), &json.unwrap_or_default())
    };
    let (fates, summary) = match args.generated.generate {
        true => {
            let (own, globs) = (&args.generated, &args.mutants);
            let mut known = Known::of(kernel.built(Arm::Patched)?);
            let generated = generated::build(&job, &kernel, own, globs, bench.seed, &mut known)?;
            let (fates, summary) =
                score::score(&bench, &generated, &mut known, &equivalent, &mut keep)?;
            (fates, Some(summary))
        }
        false => (patches::score(&bench, &mutants, &mut keep)?, None),
    };
    if args.json {
        print_json(&document(&fates, summary.as_ref()))?;
    } else {
        print(&report(&fates, summary.as_ref()))?;
    }
    judge(&fates)
}
