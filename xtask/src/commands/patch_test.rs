//! `patch-test`: from a series to a report.

use evidence::render;

use super::{print, print_json};
use crate::cli::PatchTest;
use crate::exit::{Classify, Failure, Kind, Result, fail};
use crate::job::Job;
use crate::pipeline::{self, Extent, Place};
use crate::{again, outcome, rundir};

/// Runs the main job.
pub fn run(job: Job, args: &PatchTest) -> Result {
    let mut judged = false;
    let result = test(&job, args, &mut judged);
    match result {
        Err(failure) if args.bisect_run => Err(Failure {
            kind: failure.kind.for_bisect(judged),
            ..failure
        }),
        result => result,
    }
}

/// The options of a run, or of the one that it goes on with.
pub fn resumed(given: PatchTest) -> Result<PatchTest> {
    let Some(folder) = &given.resume else {
        return Ok(given);
    };
    let line = rundir::load(folder)?.command;
    let Some(words) = line.strip_prefix("cargo xtask patch-test") else {
        return fail(
            Kind::Usage,
            format!("{} was begun with `{line}`: resume that", folder.display()),
        );
    };
    let words = shell_words::split(words).kind(Kind::Usage)?;
    let begun = again::options(words);
    again::agree(folder, &begun, &again::options(std::env::args().skip(2)))?;
    let mut test = again::parse(&begun)?;
    test.shared.json = given.shared.json;
    test.resume = given.resume;
    Ok(test)
}

fn test(job: &Job, args: &PatchTest, judged: &mut bool) -> Result {
    let [kernel] = job.options.kernels.as_slice() else {
        return fail(
            Kind::Usage,
            "patch-test takes one --kernel; for several there is matrix",
        );
    };
    let place = match &args.resume {
        Some(folder) => Place::Resumed(folder),
        None => Place::New(job.options.out.as_deref()),
    };
    let finished = pipeline::run(job, args, kernel, place, Extent::Whole)?;
    *judged = true;
    if job.options.json {
        print_json(&finished.report)?;
    } else {
        let page = finished.folder.join("report.html");
        print(&render::terminal(&finished.report))?;
        print(&format!("\n{}\n", page.display()))?;
    }
    outcome::judge(&finished.report, args.require_conclusion)
}
