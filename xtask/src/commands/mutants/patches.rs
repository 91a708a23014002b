//! Mutants that somebody wrote: a folder of patches for the patched arm.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use evidence::run::{Round, RoundStatus};
use results::{Arm, Purpose};
use series::patch::Patch;

use super::bench::{Bench, catch, newly_skipped, passed, skipped};
use super::fate::{Fate, Keep};
use crate::catalogue::{Catalogue, is_wanted};
use crate::exit::{Advise, Failure, Kind, Result, fail};
use crate::input;
use crate::kernels;

/// The trailer that names the scenarios expected to notice.
const CAUGHT_BY: &str = "Caught-by";
/// The trailer that says why nothing can notice the mutant.
const EQUIVALENT: &str = "Equivalent";

/// A wrong patch.
pub struct Mutant {
    name: String,
    patch: Patch,
    /// The scenarios that could notice first.
    expected: Vec<String>,
    /// Why nothing can notice.
    equivalent: Option<String>,
}

/// The mutants of a folder whose name one of the globs matches, by name; all of them
/// where there is no glob.
pub fn read(folder: &Path, globs: &[String]) -> Result<Vec<Mutant>> {
    let mut mutants = Vec::new();
    for (name, patch) in input::patches(folder)? {
        if !is_wanted(globs, &name) {
            continue;
        }
        let values = |trailer: &str| {
            let trailer = trailer.to_owned();
            let of = patch.trailers.iter();
            of.filter(move |t| t.name.eq_ignore_ascii_case(&trailer))
                .map(|t| t.value.clone())
        };
        mutants.push(Mutant {
            expected: values(CAUGHT_BY)
                .flat_map(|list| {
                    let names = list.split(',').map(|name| name.trim().to_owned());
                    names.filter(|name| !name.is_empty()).collect::<Vec<_>>()
                })
                .collect(),
            equivalent: values(EQUIVALENT).next(),
            name,
            patch,
        });
    }
    if mutants.is_empty() {
        let text = format!("no mutant in {} has such a name", folder.display());
        return fail(Kind::Usage, text).hint("--mutant takes * and ?, such as --mutant '77-*'");
    }
    Ok(mutants)
}

/// Fails where a mutant names a scenario that is not.
pub fn check(mutants: &[Mutant], catalogue: &Catalogue) -> Result {
    for mutant in mutants {
        let is_known = |name: &&String| catalogue.0.iter().any(|it| it.name == **name);
        if let Some(unknown) = mutant.expected.iter().find(|name| !is_known(name)) {
            let name = &mutant.name;
            let text = format!("{name}: {CAUGHT_BY} names {unknown}, which is not a scenario");
            return fail(Kind::Usage, text);
        }
    }
    Ok(())
}

/// Scores the scenarios; `keep` gets what has become of the mutants so far.
pub fn score(bench: &Bench<'_>, mutants: &[Mutant], keep: &mut Keep<'_>) -> Result<Vec<Fate>> {
    let mut fates = Vec::new();
    let mut right = Right::default();
    for (at, mutant) in mutants.iter().enumerate() {
        bench.job.alive()?;
        let fate = judge(bench, &mut right, mutant)?;
        bench.job.progress.note(&fate.line(at + 1, mutants.len()));
        fates.push(fate);
        keep(&fates, None)?;
    }
    Ok(fates)
}

/// What the right kernel does of what mutants skip.
#[derive(Default)]
struct Right {
    asked: BTreeSet<String>,
    passed: BTreeSet<String>,
}

impl Right {
    /// Has the right kernel run what a mutant skipped, where it has not yet.
    fn ask(&mut self, bench: &Bench<'_>, round: &Round) -> Result {
        let names = skipped(round).map(|(name, _)| name.to_owned());
        let new: Vec<String> = names.filter(|name| !self.asked.contains(name)).collect();
        if new.is_empty() {
            return Ok(());
        }
        self.asked.extend(new.iter().cloned());
        let built = bench.kernel.built(Arm::Patched)?;
        let place = bench
            .folder
            .join("right")
            .join(self.asked.len().to_string());
        let progress = &bench.job.progress;
        progress.stage("Running what was skipped on the right kernel");
        let begins = &mut |scenario: &str| progress.step(0, None, scenario);
        let round = bench.boot(built, &bench.plan(Purpose::Probed, new), &place, begins)?;
        progress.finish(round.status.as_str());
        self.passed.extend(passed(&round));
        Ok(())
    }
}

/// What becomes of one.
fn judge(bench: &Bench<'_>, right: &mut Right, mutant: &Mutant) -> Result<Fate> {
    let mut fate = Fate {
        name: mutant.name.clone(),
        subject: mutant.patch.subject.clone(),
        expected: mutant.expected.clone(),
        ..Fate::default()
    };
    let began = Instant::now();
    let built = kernels::mutant(bench.job, bench.kernel, &mutant.name, &mutant.patch);
    fate.build_s = began.elapsed().as_secs_f64();
    let built = match built {
        Ok(built) => built,
        Err(Failure {
            kind: Kind::Apply | Kind::Build,
            error,
            ..
        }) => {
            fate.how = Some(error.to_string());
            return Ok(fate);
        }
        Err(failure) => return Err(failure),
    };
    let began = Instant::now();
    let (first, others): (Vec<String>, Vec<String>) = bench
        .chosen
        .iter()
        .cloned()
        .partition(|name| mutant.expected.contains(name));
    // As the mutant lists them: the surest and cheapest first.
    let first: Vec<String> = mutant
        .expected
        .iter()
        .filter(|name| first.contains(name))
        .cloned()
        .collect();
    // Equivalent mutants run only the scenarios listed in Caught-by.
    let proved = mutant.equivalent.is_some() && !first.is_empty();
    let others = if proved { Vec::new() } else { others };
    let attempts = [(first, "first"), (others, "others")];
    let (mut caught, mut console) = (None, None);
    for (scenarios, folder) in attempts {
        if scenarios.is_empty() {
            continue;
        }
        let place = bench.folder.join(&mutant.name).join(folder);
        let progress = &bench.job.progress;
        let plan = bench.plan(Purpose::Probed, scenarios);
        progress.stage(&format!("Testing {}", mutant.name));
        let begins = &mut |scenario: &str| progress.step(0, None, scenario);
        let round = bench.boot(&built, &plan, &place, begins)?;
        progress.finish(round.status.as_str());
        caught = catch(&round);
        console = round.console_title().map(str::to_owned);
        if caught.is_none() {
            right.ask(bench, &round)?;
            caught = newly_skipped(&round, &right.passed);
        }
        if caught.is_some() {
            break;
        }
        if !matches!(round.status, RoundStatus::Ok) {
            return fail(
                Kind::Infrastructure,
                format!(
                    "{}: the guest ended as {}",
                    mutant.name,
                    round.status.as_str()
                ),
            )
            .hint(format!("see {}", place.join("console.log").display()));
        }
    }
    fate.test_s = began.elapsed().as_secs_f64();
    Ok(fate.judged(caught, console, mutant.equivalent.as_ref()))
}
