//! `build`: both arms, or one of them.

use std::fmt::Write;

use serde_json::json;

use super::{print, print_json};
use crate::cli::Arm;
use crate::exit::Result;
use crate::job::Job;
use crate::kernels::{self, Kernel};
use crate::{host, input};

/// Builds what is not built yet and says where it is.
pub fn run(job: Job, arm: Option<Arm>) -> Result {
    host::ensure(&job, host::Use::Work)?;
    let arms = Arm::or_both(arm);
    let kernels = both(&job, &arms)?;
    let mut text = String::new();
    let mut list = Vec::new();
    for kernel in &kernels {
        for built in &kernel.built {
            let _ = writeln!(
                text,
                "{} {:<8} {} {}",
                kernel.name,
                built.arm,
                built.meta.release,
                built.image.display()
            );
            list.push(json!({
                "kernel": kernel.name,
                "arm": built.arm,
                "release": built.meta.release,
                "image": built.image,
                "config": built.config,
                "cached": built.cached,
                "seconds": built.meta.seconds,
                "objects": built.meta.objects,
                "warnings": built.meta.warnings,
            }));
        }
    }
    if job.options.json {
        print_json(&list)
    } else {
        print(&text)
    }
}

/// The arms of every kernel asked for, built.
pub fn both(job: &Job, arms: &[Arm]) -> Result<Vec<Kernel>> {
    let work = input::load(&job.options.series)?;
    let names = job.options.kernels.clone();
    names
        .iter()
        .map(|name| kernels::build(job, &work, name, arms))
        .collect()
}
