//! `patch-test`: from a series to a report.

use evidence::render;

use super::{print, print_json};
use crate::cli::PatchTest;
use crate::exit::{Failure, Kind, Result, fail};
use crate::job::Job;
use crate::outcome;
use crate::pipeline::{self, Extent, Place};

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
