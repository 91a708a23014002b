//! `build`: both arms, or one of them.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use results::Arm;
use serde_json::json;
use vm::process::Cancel;

use super::options::{self, Guest, Kernels, Origin, Series, Setup};
use crate::exit::Result;
use crate::flavour::Flavour;
use crate::host;
use crate::job::Job;
use crate::kernels::{self, Kernel};
use crate::output::{print, print_json};
use crate::run::request::either_or_both;

/// `build`'s options.
#[derive(Debug, Args)]
#[command(mut_args(booting_alone))]
pub struct Options {
    #[command(flatten)]
    pub series: Series,
    #[command(flatten)]
    pub kernels: Kernels,
    /// How the kernels are configured
    #[arg(long, value_enum, default_value_t = Flavour::Lean)]
    pub flavour: Flavour,
    /// Only this arm
    #[arg(long, value_parser = options::arm())]
    pub arm: Option<Arm>,
    /// Build and boot each commit of the series, and list its new warnings: of
    /// the compiler at W=1, sparse and the tree's checkpatch.pl
    #[arg(long, conflicts_with = "arm")]
    pub each_commit: bool,
    /// With --each-commit: boot with the scenarios whose name matches (* and ?;
    /// repeatable) [default: the first one]
    #[arg(long = "scenario", value_name = "GLOB")]
    pub scenarios: Vec<String>,
    #[command(flatten)]
    pub guest: Guest,
    /// With --each-commit: the folder for consoles and results
    /// [default: runs/TIME]
    #[arg(long)]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub setup: Setup,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// What is for guests makes no sense where none is booted.
fn booting_alone(arg: clap::Arg) -> clap::Arg {
    match arg.get_id().as_str() {
        "scenarios" | "accel" | "cpus" | "memory" | "out" => arg.requires("each_commit"),
        _ => arg,
    }
}

/// Builds what is not built yet and says where it is.
pub fn run(args: &Options, cancel: &Cancel) -> Result {
    let job = Job::new(cancel, args.setup.offline)?;
    host::ensure(&job, host::Use::Work, args.setup.install())?;
    let arms = either_or_both(args.arm);
    let origin = args.series.origin()?;
    let names = origin.kernels(&args.kernels.names)?;
    let kernels = kernels(&job, &origin, &names, args.flavour, &arms)?;
    let mut text = String::new();
    let mut list = Vec::new();
    for kernel in &kernels {
        for (arm, built) in &kernel.built {
            let _ = writeln!(
                text,
                "{} {:<8} {} {}",
                kernel.name,
                arm.as_str(),
                built.meta.release,
                built.image.display()
            );
            list.push(json!({
                "kernel": kernel.name,
                "arm": arm,
                "release": built.meta.release,
                "tree": built.meta.tree,
                "image": built.image,
                "config": built.config,
                "cached": built.cached,
                "seconds": built.meta.seconds,
                "objects": built.meta.objects,
                "warnings": built.meta.warnings,
            }));
        }
    }
    if args.json {
        print_json(&list)
    } else {
        print(&text)
    }
}

/// These arms of these kernels, built.
pub fn kernels(
    job: &Job,
    origin: &Origin,
    names: &[String],
    flavour: Flavour,
    arms: &[Arm],
) -> Result<Vec<Kernel>> {
    let series = origin.load()?;
    names
        .iter()
        .map(|name| kernels::build(job, &series, name, flavour, arms))
        .collect()
}
