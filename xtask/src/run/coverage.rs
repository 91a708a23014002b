//! Which of the lines that a series changes its scenarios execute.
//!
//! The patched arm is built once more with a mark at each statement of theirs. A guest
//! runs the scenarios until it has come to all marks. It is no boot of the run: nothing
//! but the marks counts.

use std::collections::BTreeSet;
use std::path::Path;

use evidence::run::{Coverage, Round, RoundStatus};
use kernel::build::Built;
use kernel::build::selftests::Selftest;
use mutate::{Mark, Source, marked};
use results::plan::{Mistakes, Plan};
use results::record::Record;
use results::{Arm, Purpose};

use super::guests::{self, Guests};
use super::plan;
use crate::catalogue::Catalogue;
use crate::changed;
use crate::exit::{Classify, Kind, Result};
use crate::input::Series;
use crate::job::Job;
use crate::kernels::{self, Kernel};

/// What a mark calls while it is asked whether it is compiled at all.
const HERE: &str = "reaperlab_here";

/// What is covered with.
pub struct Coverer<'a> {
    pub job: &'a Job,
    pub kernel: &'a Kernel,
    pub series: &'a Series,
    pub catalogue: &'a Catalogue,
    pub guests: Guests<'a>,
    pub selftests: &'a [Selftest],
    pub seed: u64,
}

/// A file with its marks.
struct File {
    path: String,
    text: String,
    marks: Vec<Mark>,
}

impl Coverer<'_> {
    /// Runs these scenarios. None where the series changes no statement.
    pub fn cover(&self, scenarios: &[String], folder: &Path) -> Result<Option<Coverage>> {
        let (files, not_followed) = self.read()?;
        let all: usize = files.iter().map(|file| file.marks.len()).sum();
        if all == 0 && not_followed.is_empty() {
            return Ok(None);
        }
        let mut coverage = Coverage {
            not_followed,
            ..Coverage::default()
        };
        let mut reached = BTreeSet::new();
        if all > 0 {
            match kernels::with_files(self.job, self.kernel, "marks", &texts(&files)) {
                Ok(built) => {
                    let round = self.boot(&built, all, scenarios, folder)?;
                    reached = places(&round);
                    if reached.len() < all && round.status != RoundStatus::Ok {
                        let status = round.status.as_str();
                        coverage.unknown = Some(format!("the guest with marks ended as {status}"));
                    }
                }
                Err(failure) if failure.kind == Kind::Build => {
                    coverage.unknown = Some("the kernel with marks does not build".to_owned());
                }
                Err(failure) => return Err(failure),
            }
        }
        let mut number = 0;
        for file in &files {
            let mut missed = Vec::new();
            for mark in &file.marks {
                match reached.contains(&number) {
                    true => coverage.executed += mark.lines.len(),
                    false => missed.push(mark),
                }
                number += 1;
            }
            // Where nothing is known, nothing is asked either.
            let compiled = match coverage.unknown {
                None => self.compiled(file, &missed)?,
                Some(_) => vec![true; missed.len()],
            };
            for (mark, compiled) in missed.into_iter().zip(compiled) {
                let lines = mark
                    .lines
                    .iter()
                    .map(|line| format!("{}:{line}", file.path));
                match compiled {
                    true => coverage.not_executed.extend(lines),
                    false => coverage.not_compiled.extend(lines),
                }
            }
        }
        Ok(Some(coverage))
    }

    /// The files of C that the series changes, and the lines that can't be followed.
    fn read(&self) -> Result<(Vec<File>, Vec<String>)> {
        let (mut files, mut not_followed) = (Vec::new(), Vec::new());
        for file in changed::by_the_series(self.job, self.kernel)? {
            let (is_c, is_header) = (file.path.ends_with(".c"), file.path.ends_with(".h"));
            // What is compiled for the host is not executed in the guest.
            if !(is_c || is_header) || file.path.starts_with("tools/") {
                continue;
            }
            let source = Source::read(&file.text).kind(Kind::Infrastructure)?;
            let mut found = source.marks(&file.lines);
            if is_header {
                // A header's code is in each file that includes it, some of which run
                // where nothing can be told.
                let marks = found.marks.drain(..);
                found.unread.extend(marks.flat_map(|mark| mark.lines));
            }
            let unread = found.unread.iter();
            not_followed.extend(unread.map(|line| format!("{}:{line}", file.path)));
            if !found.marks.is_empty() {
                files.push(File {
                    path: file.path,
                    text: file.text,
                    marks: found.marks,
                });
            }
        }
        Ok((files, not_followed))
    }

    fn boot(
        &self,
        built: &Built,
        all: usize,
        scenarios: &[String],
        folder: &Path,
    ) -> Result<Round> {
        let progress = &self.job.progress;
        progress.stage("Running scenarios until all changed lines are executed");
        // The quickest first, since most lines are executed by all.
        let mut scenarios = scenarios.to_vec();
        scenarios.sort_by_key(|name| self.catalogue.deadline(name));
        let (manifest, seed) = (&self.series.manifest, self.seed);
        let plan = Plan {
            mistakes: Some(Mistakes::Cover(u32::try_from(all).unwrap_or(u32::MAX))),
            timeout_scale: self.kernel.flavour.timeout_scale(),
            ..plan::guest(
                manifest,
                Arm::Patched,
                Purpose::Correctness,
                scenarios,
                seed,
            )
        };
        let kernel = guests::Kernel::new(built, self.selftests);
        let begins = &mut |scenario: &str| progress.step(0, None, scenario);
        let round = self.guests.boot_alone(0, kernel, &plan, folder, begins)?;
        progress.finish(round.status.as_str());
        Ok(round)
    }

    /// Whether each of these marks is in the code that the compiler makes.
    fn compiled(&self, file: &File, marks: &[&Mark]) -> Result<Vec<bool>> {
        if marks.is_empty() {
            return Ok(Vec::new());
        }
        let declaration = format!("void {HERE}(void); ");
        let with =
            |mark: &&Mark| declaration.clone() + &mark.apply(&file.text, &format!("{HERE}();"));
        let texts: Vec<String> = marks.iter().map(with).collect();
        let same = kernels::same_code(self.job, self.kernel, &file.path, &texts)?;
        Ok(same.into_iter().map(|same| !same).collect())
    }
}

/// The files with a mark at each statement. The last one has what the kernel needs
/// beside them.
fn texts(files: &[File]) -> Vec<(String, String)> {
    let mut first = 0;
    let mut texts: Vec<(String, String)> = Vec::new();
    for File { path, text, marks } in files {
        let (choice, head) = (mutate::kernel::CHOICE, mutate::kernel::HEAD);
        texts.push((path.clone(), marked(text, marks, first, choice, head)));
        first += marks.len();
    }
    if let Some((_, last)) = texts.last_mut() {
        last.push_str(&mutate::kernel::tail(first));
    }
    texts
}

/// The places that a guest came to.
fn places(round: &Round) -> BTreeSet<usize> {
    let places = round.records.iter().filter_map(|record| match record {
        Record::Reached { places, .. } => Some(places),
        _ => None,
    });
    places.flatten().map(|place| *place as usize).collect()
}
