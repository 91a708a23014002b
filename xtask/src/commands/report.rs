//! `report` and `compare`: again, from a run folder, without a guest.

use evidence::run::Run;
use evidence::{Report, calibrate, claims, render};

use super::{print, print_json};
use crate::cli::{Again, Compare};
use crate::exit::{Classify, Kind, Result, fail};
use crate::{outcome, rundir};

/// Writes every report of a run folder again.
pub fn run(args: &Again) -> Result {
    let run = rundir::load(&args.run)?;
    finish(args, &outcome::write(&args.run, &run)?)
}

/// Says what a run folder's samples say, and writes nothing.
pub fn compare(args: &Compare) -> Result {
    let again = &args.again;
    let run = rundir::load(&again.run)?;
    if args.calibrate {
        return calibrate(again, &run);
    }
    let report = evidence::analyse(&run);
    match &args.claims {
        None => finish(again, &report),
        Some(file) => {
            let text = match file {
                Some(file) => fs_err::read_to_string(file).kind(Kind::Usage)?,
                None => run.changelog.clone(),
            };
            let claims = claims::read(&text);
            let checks = claims::check(&claims, &report, &run.claims);
            if again.json {
                print_json(&serde_json::json!({ "claims": claims, "checks": checks }))?;
            } else {
                print(&render::claims(&claims, &checks))?;
            }
            outcome::judge(&report, again.require_conclusion)
        }
    }
}

/// Says what a run's verdicts are worth.
fn calibrate(args: &Again, run: &Run) -> Result {
    let found = calibrate::calibrate(run, calibrate::TRIES);
    if found.is_empty() {
        return fail(
            Kind::Usage,
            format!(
                "{} has too few timed boots of one kernel: 8 for two arms of 4",
                args.run.display()
            ),
        );
    }
    if args.json {
        print_json(&found)
    } else {
        print(&render::calibration(&found))
    }
}

fn finish(args: &Again, report: &Report) -> Result {
    if args.json {
        print_json(report)?;
    } else {
        print(&render::terminal(report))?;
    }
    outcome::judge(report, args.require_conclusion)
}
