//! From a series on one kernel to a run folder and its report: what
//! `patch-test` does, and the matrix for each kernel.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use evidence::Report;
use evidence::design::FEWEST;
use evidence::run::{
    self, ArmInfo, ExpectOrder, Host, KernelInfo, LostBoot, Round, RoundStatus, Run, SCHEMA,
    SeriesInfo,
};
use kernel::IoError;
use kernel::build::selftests::Selftest;
use kernel::cache::{Cache, Lock};
use results::text::hex;
use results::{Arm, Purpose, plan};
use sha1::{Digest, Sha1};

use crate::exit::{Advise, Classify, Failure, Kind, Result, fail};
use crate::flavour::Flavour;
use crate::guest::Program;
use crate::host::Install;
use crate::input::{self, Work};
use crate::job::Job;
use crate::kernels::{self, Kernel};
use crate::machine::Machine;
use crate::progress::seconds;
use crate::round::{self, Boot, Sight};
use crate::run::request::{Extent, Fault, Request};
use crate::schedule::{self, Planned, Wanted};
use crate::{host, outcome, rundir};

/// The most measuring boots of each arm, where the user does not say.
const ROUNDS: u32 = 8;

/// Where a run goes.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// A new folder: this one, or one named after the time.
    New(Option<&'a Path>),
    /// The folder of a run that was broken off: what it has is not done again.
    Resumed(&'a Path),
}

/// What became of a run.
pub struct Finished {
    /// Its folder.
    pub folder: PathBuf,
    /// What it says.
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
    let began = Instant::now();
    let started = jiff::Timestamp::now();
    let rounds = rounds_wanted(request)?;
    let earlier = match place {
        Place::New(_) => None,
        // Nothing was booted yet where it has no run.
        Place::Resumed(folder) => rundir::has_run(folder)
            .then(|| rundir::load(folder))
            .transpose()?,
    };
    let work = input::load(&request.series)?;
    let claims = request
        .claims
        .as_ref()
        .map(fs_err::read_to_string)
        .transpose()
        .kind(Kind::Usage)?;
    for note in notes(&work) {
        job.progress.note(&note);
    }
    host::ensure(job, host::Use::Work, install)?;
    let program = Program::build(job)?;
    let chosen = choose(request, &work, &program)?;
    let arms = request.arms();
    let build = |arms: &[Arm]| kernels::build(job, &work, &request.kernel, request.flavour, arms);
    let kernel = if request.aa {
        build(&[Arm::Base])?.against_itself()
    } else {
        build(&arms)?
    };
    let own = program.selftests(&chosen);
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
    job.progress.note(&format!(
        "Guests run on {}: {}",
        machine.accelerator.kind, machine.accelerator.why
    ));

    let seed = match &earlier {
        Some(earlier) => earlier.seed,
        None => request.seed.unwrap_or(started.as_second() as u64),
    };
    let wanted = Wanted {
        arms,
        scenarios: chosen.clone(),
        // A kernel against itself shows what the measurement is worth, which
        // other scenarios don't add to.
        repeat: if request.aa { 0 } else { request.repeat },
        shuffle: request.shuffle,
        rounds,
        unprobed: if request.aa || request.extent == Extent::Brief {
            0
        } else {
            rounds
        },
        sweeps: if request.sweep {
            program.sweeps()
        } else {
            Vec::new()
        },
        seed,
        timeout_scale: request.flavour.timeout_scale(),
    };
    let boots = schedule::schedule(&work, &wanted);
    let mut run = describe(request, &work, &kernel, &machine, seed, &started)?;
    run.limit = Some(rounds).filter(|rounds| *rounds > 0);
    if let Some(claims) = claims {
        run.changelog = claims;
    }
    // What was not asked for can't be missed.
    run.expect_order = run
        .expect_order
        .filter(|_| program.proves_order(&chosen) && !request.aa)
        .map(|expect| ExpectOrder {
            base: expect.base.filter(|_| run.kernel.has(Arm::Base)),
            patched: expect.patched.filter(|_| run.kernel.has(Arm::Patched)),
        });
    let folder = match place {
        Place::New(out) => rundir::create(out, &started)?,
        Place::Resumed(folder) => folder.to_owned(),
    };
    rundir::save_request(&folder, request)?;
    let recorded = match earlier {
        Some(earlier) => take_over(&mut run, earlier, &folder)?,
        None => VecDeque::new(),
    };
    let mut guests = Guests {
        job,
        machine: &machine,
        program: &program,
        kernel: &kernel,
        selftests: &selftests,
        folder: &folder,
        cache: &Cache::open(&job.cache).kind(Kind::Infrastructure)?,
        recorded,
    };
    let finished = guests.run(boots, request, fault, began, &mut run);
    // Whatever stopped the rounds, those that ended are kept and reported.
    let report = outcome::write(&folder, &run)?;
    rundir::mark_latest(&folder);
    match request.extent {
        Extent::Whole => finished.hint(rundir::resume_with("patch-test", &folder))?,
        // Its matrix is what is resumed.
        Extent::Brief => finished?,
    }
    Ok(Finished { folder, report })
}

/// The rounds of a run that was broken off, where it was about the same.
fn take_over(run: &mut Run, earlier: Run, folder: &Path) -> Result<VecDeque<Round>> {
    let images = |run: &Run| -> Vec<String> {
        let arms = run.kernel.arms.iter();
        arms.map(|arm| arm.image_sha.clone()).collect()
    };
    let same = images(run) == images(&earlier)
        && (run.limit, &run.guest, &run.accelerator.kind, &run.qemu)
            == (
                earlier.limit,
                &earlier.guest,
                &earlier.accelerator.kind,
                &earlier.qemu,
            );
    if !same {
        return fail(
            Kind::Usage,
            format!(
                "{} is about other kernels, guests or rounds: give the options that it was begun \
                 with, or begin anew without --resume",
                folder.display()
            ),
        );
    }
    (run.started, run.command) = (earlier.started, earlier.command);
    run.decided_s = earlier.decided_s;
    run.lost_boots = earlier.lost_boots;
    let ended = |round: &Round| round.status != RoundStatus::Interrupted;
    Ok(earlier.rounds.into_iter().take_while(ended).collect())
}

/// The scenarios of a run: those that the user names, else all that its extent
/// has; of a kernel against itself those that measure.
fn choose(request: &Request, work: &Work, program: &Program) -> Result<Vec<String>> {
    let globs = &request.scenarios;
    let measure = work.manifest.measure.as_ref().map(|m| &m.scenarios);
    match measure {
        Some(measure) if request.aa && globs.is_empty() => program.select(measure),
        _ => {
            let mut chosen = program.select(globs)?;
            if request.extent == Extent::Brief && globs.is_empty() {
                let own = |name: &String| program.is_selftest(name);
                chosen.retain(|name| !own(name));
            }
            Ok(chosen)
        }
    }
}

/// How many boots of each arm measure: none where nothing can be compared, and
/// whoever asks for some there is told.
fn rounds_wanted(request: &Request) -> Result<u32> {
    let asked = request.rounds;
    let usual = match request.extent {
        Extent::Whole => ROUNDS,
        Extent::Brief => FEWEST as u32,
    };
    let why = match (request.flavour, request.arm) {
        (Flavour::Lean, None) => return Ok(asked.unwrap_or(usual)),
        (Flavour::Debug, _) => "the debug flavour's checks cost more than what would be measured",
        (_, Some(_)) => "one arm alone has nothing to be compared with",
    };
    match asked.unwrap_or(0) {
        0 => Ok(0),
        _ => fail(Kind::Usage, format!("{why}: leave out --rounds, or give 0")),
    }
}

/// What a reader of the series should know before it is judged.
fn notes(work: &Work) -> Vec<String> {
    let mut notes = work.warnings.clone();
    if !work.manifest.missing.is_empty() {
        let list: Vec<_> = work
            .manifest
            .missing
            .iter()
            .map(ToString::to_string)
            .collect();
        notes.push(format!(
            "Patch {} of {} v{} is missing from the input; the others are tested without it{}",
            list.join(", "),
            work.manifest.name,
            work.manifest.version,
            work.manifest
                .missing_note
                .as_ref()
                .map_or(String::new(), |n| format!(" ({n})")),
        ));
    }
    notes
}

/// Who boots the guests of a run, and keeps what they say.
struct Guests<'a> {
    job: &'a Job,
    machine: &'a Machine,
    program: &'a Program,
    kernel: &'a Kernel,
    selftests: &'a BTreeMap<Arm, Vec<Selftest>>,
    folder: &'a Path,
    cache: &'a Cache,
    /// Rounds that the run has already, in their order.
    recorded: VecDeque<Round>,
}

impl Guests<'_> {
    /// Runs the boots. Those that end are kept before the next begin.
    fn run(
        &mut self,
        mut boots: VecDeque<Planned>,
        request: &Request,
        mut fault: Option<Fault>,
        began: Instant,
        run: &mut Run,
    ) -> Result {
        let job = self.job;
        let booting = Instant::now();
        let limit = request
            .minutes
            .map(|n| Duration::from_secs(60 * u64::from(n)));
        job.progress.stage("Booting");
        while !boots.is_empty() {
            job.alive()?;
            // Whoever provokes a fault wants to see that guest alone.
            let room = if fault.is_some() {
                1
            } else {
                self.machine.room()
            };
            let at = run.rounds.len();
            let total = at + boots.len();
            let mut seats: Vec<Seat> = boots
                .drain(..schedule::side_by_side(&boots, room))
                .zip(at..)
                .map(|(planned, index)| Seat {
                    name: format!("boot {} of {total}, {}", index + 1, planned.arm.as_str()),
                    planned,
                    index,
                    total,
                    recorded: self.recorded.pop_front(),
                    kill_qemu: false,
                })
                .collect();
            for seat in &mut seats {
                if seat.planned.arm == Arm::Patched
                    && let Some(fault) = fault.take()
                {
                    seat.planned.plan.fault = in_guest(fault);
                    seat.kill_qemu = fault == Fault::KillQemu;
                }
            }
            // Another command's guests would be measured with ours.
            let host = match seats.iter().all(|seat| seat.recorded.is_some()) {
                true => None,
                false => Some(self.host(&seats)?),
            };
            let booted = self.boot_all(&seats, run);
            drop(host);
            let mut rests = Vec::new();
            for (seat, booted) in seats.iter().zip(booted) {
                let (round, lost) = booted?;
                if let Some(why) = lost {
                    job.progress.note(&format!("  {}: {why}", seat.name));
                    run.lost_boots.push(LostBoot {
                        index: round.index,
                        arm: round.arm,
                        why,
                    });
                }
                job.progress.note(&round_words(&seat.name, &round));
                if let Some(rest) = schedule::rest(&seat.planned, &round) {
                    let left = rest.plan.scenarios.len();
                    job.progress
                        .note(&format!("  a fresh guest for the {left} scenarios left"));
                    rests.push(rest);
                }
                run.rounds.push(round);
                // What is replayed is there already, and more of it.
                if self.recorded.is_empty() {
                    rundir::save(self.folder, run)?;
                }
            }
            for rest in rests.into_iter().rev() {
                boots.push_front(rest);
            }
            if let Some(measured) = schedule::measured(run) {
                if schedule::looks(run, measured) && evidence::analyse(run).conclusive {
                    let after = began.elapsed();
                    run.decided_s.get_or_insert(after.as_secs_f64());
                    job.progress.note(&format!(
                        "  decided by {measured} boots of each arm, {} after the start",
                        seconds(after)
                    ));
                    schedule::enough(&mut boots, measured);
                } else if limit.is_some_and(|limit| booting.elapsed() >= limit)
                    && boots.iter().any(|b| b.plan.purpose == Purpose::Probed)
                {
                    let note = format!("measured no more after {}", seconds(booting.elapsed()));
                    job.progress.note(&format!("  {note}"));
                    run.notes.push(note);
                    schedule::enough(&mut boots, measured);
                }
            }
            job.alive()?;
        }
        let guests = run.rounds.len();
        job.progress.finish(&format!(
            "{guests} guests in {}",
            seconds(booting.elapsed())
        ));
        Ok(())
    }

    /// The host: alone for what is timed.
    fn host(&self, seats: &[Seat]) -> Result<Lock> {
        let timed = |seat: &Seat| seat.planned.plan.purpose != Purpose::Correctness;
        let progress = &self.job.progress;
        self.cache
            .host(
                seats.iter().any(timed),
                &|| self.job.cancel.cancelled(),
                &mut || progress.note("  waiting for another command's guests"),
            )
            .map_err(|error| match error {
                IoError::Cancelled => Failure::new(Kind::Interrupted, error),
                error => Failure::new(Kind::Infrastructure, error),
            })
    }

    /// Boots these at once, in a thread each: what dies with its thread is the
    /// guest that it started.
    fn boot_all(&self, seats: &[Seat], run: &Run) -> Vec<Result<(Round, Option<String>)>> {
        if let [seat] = seats {
            return vec![self.boot(seat, run)];
        }
        std::thread::scope(|scope| {
            let threads: Vec<_> = seats
                .iter()
                .map(|seat| scope.spawn(|| self.boot(seat, run)))
                .collect();
            threads
                .into_iter()
                .map(|thread| match thread.join() {
                    Ok(booted) => booted,
                    Err(panic) => std::panic::resume_unwind(panic),
                })
                .collect()
        })
    }

    fn boot(&self, seat: &Seat, run: &Run) -> Result<(Round, Option<String>)> {
        if let Some(round) = &seat.recorded {
            return Ok((round.clone(), None));
        }
        let planned = &seat.planned;
        let place = run::folder(&run.kernel.name, planned.arm, seat.index as u32);
        let boot = Boot {
            index: seat.index as u32,
            arm: planned.arm,
            image: self.kernel.image(planned.arm)?,
            modules: &self.kernel.built(planned.arm)?.modules,
            selftests: self.selftests.get(&planned.arm).map_or(&[], Vec::as_slice),
            plan: &planned.plan,
            folder: &self.folder.join(place),
            kill_qemu: seat.kill_qemu,
        };
        let progress = &self.job.progress;
        let step = |detail: &str| {
            progress.step(seat.index as u64, Some(seat.total as u64), detail);
        };
        step(&seat.name);
        let mut on_sight = |sight: Sight<'_>| {
            if let Sight::Scenario(scenario) = sight {
                step(&format!("{}: {scenario}", seat.name));
            }
        };
        round::run(self.job, self.machine, self.program, &boot, &mut on_sight)
    }
}

/// A boot with its place in the run.
struct Seat {
    planned: Planned,
    index: usize,
    total: usize,
    /// What the user is told it is.
    name: String,
    /// What a run that was broken off knows of it.
    recorded: Option<Round>,
    kill_qemu: bool,
}

/// What of a fault the guest itself commits.
fn in_guest(fault: Fault) -> Option<plan::Fault> {
    match fault {
        Fault::Panic => Some(plan::Fault::Panic),
        Fault::Hang => Some(plan::Fault::Hang),
        Fault::Slow => Some(plan::Fault::Slow),
        Fault::Cut => Some(plan::Fault::Cut),
        Fault::KillQemu => None,
    }
}

fn round_words(name: &str, round: &Round) -> String {
    let c = round.ktap.counts;
    format!(
        "  {name}: {}, {} passed, {} failed, {} skipped{} ({:.1} s)",
        round.status.as_str(),
        c.passed,
        c.failed + c.crashed,
        c.skipped,
        round.how(),
        round.wall_s,
    )
}

fn describe(
    request: &Request,
    work: &Work,
    kernel: &Kernel,
    machine: &Machine,
    seed: u64,
    started: &jiff::Timestamp,
) -> Result<Run> {
    let arms = Arm::BOTH
        .into_iter()
        .filter_map(|arm| Some((arm, kernel.built(arm).ok()?)))
        .map(|(arm, built)| {
            let config = fs_err::read(&built.config).kind(Kind::Infrastructure)?;
            Ok(ArmInfo {
                arm,
                commit: kernel.commit(arm).to_string(),
                tree: built.meta.tree.clone(),
                config_sha: hex(&Sha1::digest(&config)),
                image_sha: built.meta.image_sha1.clone(),
                built_s: Some(built.meta.seconds),
                cached: built.cached,
                prerequisites: kernel.prerequisites.clone(),
            })
        })
        .collect::<Result<_>>()?;
    let measure = work.manifest.measure.as_ref();
    Ok(Run {
        schema: SCHEMA,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        started: started.to_string(),
        command: command_line(),
        host: host_info(),
        accelerator: machine.accelerator.clone(),
        qemu: machine.versions.qemu.clone(),
        virtme_ng: machine.versions.virtme.clone(),
        compiler: kernel
            .built
            .first()
            .map_or_else(String::new, |(_, built)| built.meta.compiler.clone()),
        seed,
        series: SeriesInfo {
            name: work.manifest.name.clone(),
            title: work.manifest.title.clone(),
            version: format!("v{}", work.manifest.version),
            missing: work.manifest.missing.clone(),
            patches: work.patches.iter().map(|p| p.subject.clone()).collect(),
        },
        kernel: KernelInfo {
            name: kernel.name.clone(),
            version: kernel.version.clone(),
            arms,
            apply: serde_json::to_value(&kernel.apply).kind(Kind::Infrastructure)?,
        },
        guest: run::Guest {
            cpus: request.guest.cpus,
            memory_mib: u64::from(request.guest.memory_mib),
            flavour: request.flavour.as_str().to_owned(),
        },
        rounds: Vec::new(),
        expect_order: schedule::expected(work),
        primary: measure.map(|m| m.primary.clone()).unwrap_or_default(),
        unprobed: measure.map(|m| m.unprobed.clone()).unwrap_or_default(),
        margin: measure.map_or(0.05, |m| m.margin),
        limit: None,
        decided_s: None,
        changelog: work
            .patches
            .iter()
            .map(|patch| patch.body.as_str())
            .collect::<Vec<_>>()
            .join("\n\n"),
        claims: measure.map(|m| m.claims.clone()).unwrap_or_default(),
        notes: Vec::new(),
        lost_boots: Vec::new(),
        labels: measure.map(|m| m.labels.clone()).unwrap_or_default(),
    })
}

/// The command line, as it could be given again.
fn command_line() -> String {
    let args: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo xtask {}", shell_words::join(args))
}

fn host_info() -> Host {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str, separator: char| {
        text.lines()
            .find_map(|l| l.strip_prefix(name)?.trim_start().strip_prefix(separator))
            .map(|v| v.trim().trim_matches('"').to_owned())
            .unwrap_or_default()
    };
    let memory = field(&read("/proc/meminfo"), "MemTotal", ':');
    Host {
        os: field(&read("/etc/os-release"), "PRETTY_NAME", '='),
        cpu: field(&read("/proc/cpuinfo"), "model name", ':'),
        cpus: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
        memory_kib: memory.trim_end_matches(" kB").parse().unwrap_or(0),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::request::Guest;

    fn request() -> Request {
        Request {
            series: "none".into(),
            kernel: "6.12".into(),
            flavour: Flavour::Lean,
            arm: None,
            aa: false,
            rounds: None,
            minutes: None,
            repeat: 1,
            shuffle: false,
            seed: None,
            sweep: false,
            scenarios: Vec::new(),
            claims: None,
            guest: Guest {
                accel: vm::Want::Auto,
                cpus: 2,
                memory_mib: 1024,
            },
            extent: Extent::Whole,
            require_conclusion: false,
        }
    }

    #[test]
    fn only_both_lean_arms_are_measured() {
        use Flavour::{Debug, Lean};
        let one = Some(Arm::Patched);
        for (asked, flavour, arm, expected) in [
            (None, Lean, None, Some(ROUNDS)),
            (Some(9), Lean, None, Some(9)),
            (None, Lean, one, Some(0)),
            (Some(1), Lean, one, None),
            (None, Debug, None, Some(0)),
            (Some(0), Debug, one, Some(0)),
            (Some(1), Debug, None, None),
        ] {
            let rounds = rounds_wanted(&Request {
                rounds: asked,
                flavour,
                arm,
                ..request()
            });
            assert_eq!(rounds.ok(), expected, "{asked:?} {flavour:?} {arm:?}");
        }
    }
}
