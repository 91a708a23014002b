//! A run: a series on one kernel, from what was asked for to the report.
//!
//! [`plan`] says what is booted, [`execute`] has it booted by [`guests`] and
//! looks at the samples on the way, [`record`] keeps what came of it in the run
//! [`folder`].

mod coverage;
pub mod execute;
pub mod folder;
pub mod guests;
pub mod outcome;
pub mod plan;
pub mod record;
pub mod request;
pub mod turns;
mod weather;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use evidence::Report;
use evidence::run::{LostBoot, LostTo, Round, RoundStatus};
use results::machine::Accel;
use results::{Arm, ktap};

use self::coverage::Coverer;
use self::execute::{Clock, Event};
use self::folder::Claim;
use self::guests::{Excuse, Guests, RunBooter};
use self::plan::Tasks;
use self::record::Record;
use self::request::{Extent, Fault, Request};
use crate::exit::{Advise, Classify, Kind, Result};
use crate::guest::Program;
use crate::host::{self, Install};
use crate::job::Job;
use crate::kernels;
use crate::machine::Machine;
use crate::progress::{Progress, seconds};

/// Where a run goes.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// A new folder: this one, or one named after the time.
    New(Option<&'a Path>),
    /// The folder of an interrupted run: what it has is not done again.
    Resumed(&'a Path),
}

/// What became of a run.
pub struct Finished {
    pub folder: PathBuf,
    pub report: Report,
}

/// Puts a series to the test on one kernel.
pub fn run(
    job: &Job,
    request: &Request,
    install: Install,
    place: Place<'_>,
    fault: Option<Fault>,
) -> Result<Finished> {
    let (began, started) = (Instant::now(), jiff::Timestamp::now());
    // Ours to the end, and before anything is built.
    let claim = match place {
        Place::New(out) => Claim::fresh(out, &started)?,
        Place::Resumed(folder) => Claim::of(folder)?,
    };
    let folder = claim.path().to_owned();
    // Nothing was booted yet where a resumed one has no run.
    let earlier = folder::has_run(&folder).then(|| folder::load(&folder));
    let earlier = earlier.transpose()?;
    let kept = match place {
        Place::Resumed(folder) => folder::kept_series(folder),
        Place::New(_) => None,
    };
    let series = request.load(kept.as_deref())?;
    let claims = request.claims.as_ref().map(fs_err::read_to_string);
    let claims = claims.transpose().kind(Kind::Usage)?;
    for note in series.notes() {
        job.progress.note(&note);
    }
    host::ensure(job, host::Use::Work, install)?;
    let program = Program::build(job)?;
    let tasks = Tasks::new(request, &series.manifest, &program.catalogue)?;

    let kernel = kernels::build(
        job,
        &series,
        &request.kernel,
        request.flavour,
        &request.builds(),
    )?;
    let kernel = match request.aa {
        true => kernel.against_itself(),
        false => kernel,
    };
    let arms = request.arms();
    let own = program.catalogue.selftests(&tasks.scenarios);
    let selftests = arms
        .iter()
        .map(|&arm| Ok((arm, kernels::selftests(job, &kernel, arm, &own)?)))
        .collect::<Result<BTreeMap<_, _>>>()?;
    let machine = Machine::find(
        job,
        &program,
        kernel.image(arms[0])?,
        request.guest,
        request.flavour.timeout_scale(),
    )?;
    let accelerator = &machine.accelerator;
    let how = match accelerator.kind {
        Accel::Kvm => "Guests run on KVM",
        // No error, though the reason quotes one.
        Accel::Tcg => "Guests are emulated, which tests the same, more slowly",
    };
    job.progress.note(&format!("{how}: {}", accelerator.why));

    let seed = match &earlier {
        Some(earlier) => earlier.seed,
        None => request.seed.unwrap_or(started.as_second() as u64),
    };
    let by_turns = match &earlier {
        Some(earlier) => earlier.by_turns,
        None => {
            let wanted = !request.alternate && tasks.take_turns;
            wanted && machine.room() >= Arm::BOTH.len()
        }
    };
    let mut boots = tasks.boots(request, &series.manifest, seed, by_turns);
    if let Some(fault) = fault {
        plan::provoke(&mut boots, fault);
    }
    let mut described =
        record::describe(request, &series, &kernel, &machine, &tasks, seed, &started)?;
    if let Some(claims) = claims {
        described.changelog = claims;
    }
    described.by_turns = boots.iter().any(|boot| boot.plan.by_turns);
    folder::save_request(&folder, request)?;
    if series.is_work_tree {
        folder::save_series(&folder, &series.patches)?;
    }
    let mut record = Record::new(folder.clone(), described, earlier)?;

    let booter = RunBooter {
        guests: Guests {
            job,
            machine: &machine,
            program: &program,
            excuse: &Excuse::new(record.run().lost_boots.iter().any(by_emulation)),
        },
        kernel: &|arm: Arm| {
            let selftests = selftests.get(&arm).map_or(&[][..], Vec::as_slice);
            Ok(guests::Kernel::new(kernel.built(arm)?, selftests))
        },
        name: &kernel.name,
        folder: &folder,
    };
    let minutes = request.minutes.map(u64::from);
    let clock = Clock {
        began,
        limit: minutes.map(|minutes| Duration::from_secs(60 * minutes)),
    };
    let booting = Instant::now();
    job.progress.stage("Booting");
    let ended = execute::execute(&booter, boots, &clock, &mut record, &mut |event| {
        tell(&job.progress, &event);
    });
    let ended = ended.and_then(|()| {
        let (guests, took) = (record.run().rounds.len(), seconds(booting.elapsed()));
        job.progress.finish(&format!("{guests} guests in {took}"));
        // Where something fails, that is what is to be looked at.
        let run = record.run();
        let well = |round: &Round| round.status == RoundStatus::Ok;
        let looks = tasks.covers && run.coverage.is_none() && run.rounds.iter().all(well);
        if !looks || fault.is_some() {
            return Ok(());
        }
        let coverer = Coverer {
            job,
            kernel: &kernel,
            series: &series,
            catalogue: &program.catalogue,
            guests: booter.guests,
            selftests: selftests.get(&Arm::Patched).map_or(&[], Vec::as_slice),
            seed,
        };
        let _host = guests::host(job, false)?;
        let place = folder.join(&kernel.name).join("coverage");
        if let Some(coverage) = coverer.cover(&tasks.scenarios, &place)? {
            record.covered(coverage);
        }
        Ok(())
    });

    // Whatever stopped the boots, those that ended are kept and reported.
    let report = record.report()?;
    folder::mark_latest(&folder);
    match request.extent {
        Extent::Whole => ended.hint(folder::resume_with("patch-test", &folder))?,
        // Its matrix is what is resumed.
        Extent::Brief => ended?,
    }
    Ok(Finished { folder, report })
}

fn by_emulation(lost: &LostBoot) -> bool {
    lost.lost_to == LostTo::Emulation
}

/// Tells the user what happened.
fn tell(progress: &Progress, event: &Event<'_>) {
    progress.note(&match event {
        Event::Lost { boot, why } => format!("  {boot}: {why}"),
        Event::Ended { boot, round } => ended(boot, round),
        Event::Left(scenarios) => format!("  scenarios left to a fresh guest: {scenarios}"),
        Event::Decided { blocks, after } => format!(
            "  decided by {blocks} blocks, {} after the start",
            seconds(*after)
        ),
        Event::OutOfTime { after } => format!("  measured no more after {}", seconds(*after)),
    });
}

fn ended(boot: &str, round: &Round) -> String {
    let count = |of: fn(&ktap::Test) -> bool| {
        let tests = round.ktap.tests.iter();
        tests.filter(|test| of(test)).count()
    };
    let skipped = count(|test| test.status == ktap::Status::Skipped);
    // The one at work when a guest breaks down has failed. Those behind it never began.
    let broken = round.unfinished().is_some() && !round.status.is_infrastructure();
    let failed = count(|test| !test.missing && !test.status.is_ok()) + usize::from(broken);
    let not_run = match count(|test| test.missing).saturating_sub(usize::from(broken)) {
        0 => String::new(),
        some => format!(", {some} not run"),
    };
    // A scenario can pass of which a part was skipped.
    let parts = match usize::try_from(round.ktap.counts.skipped) {
        Ok(all) if all > skipped => format!(", {} of their parts skipped", all - skipped),
        _ => String::new(),
    };
    format!(
        "  {boot}: {}, {} passed, {failed} failed, {skipped} skipped{parts}{not_run}{} ({:.1} s)",
        round.status.as_str(),
        count(|test| test.status == ktap::Status::Passed),
        round.how(),
        round.wall_s,
    )
}
