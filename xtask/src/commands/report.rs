//! `report` and `compare`: again, from a run folder, without a guest.

use evidence::{Report, render};

use super::{print, print_json};
use crate::cli::Again;
use crate::exit::Result;
use crate::{outcome, rundir};

/// Writes every report of a run folder again.
pub fn run(args: &Again) -> Result {
    let run = rundir::load(&args.run)?;
    finish(args, &outcome::write(&args.run, &run)?)
}

/// Says what a run folder's samples say, and writes nothing.
pub fn compare(args: &Again) -> Result {
    finish(args, &evidence::analyse(&rundir::load(&args.run)?))
}

fn finish(args: &Again, report: &Report) -> Result {
    if args.json {
        print_json(report)?;
    } else {
        print(&render::terminal(report))?;
    }
    outcome::judge(report, args.require_conclusion)
}
