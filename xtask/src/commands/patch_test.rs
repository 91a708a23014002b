//! `patch-test`: from a series to a report.

use std::path::Path;
use std::time::Instant;

use evidence::render;
use evidence::run::{self, Arm, ArmInfo, ExpectOrder, Host, KernelInfo, Run, SCHEMA, SeriesInfo};
use results::plan::{self, Order, Plan, Probe};
use sha1::{Digest, Sha1};

use super::{print, print_json};
use crate::cli::{self, Fault, PatchTest};
use crate::exit::{Classify, Kind, Result, fail};
use crate::guest::Program;
use crate::input::{self, Work};
use crate::job::Job;
use crate::kernels::{self, Kernel};
use crate::machine::Machine;
use crate::progress::seconds;
use crate::round::{self, Boot, Sight};
use crate::{host, outcome, rundir};

/// The flavour of the kernels that timings are taken from.
const FLAVOUR: &str = "lean";
/// Repetitions of each measuring scenario in a boot.
const REPETITIONS: u32 = 8;
/// Repetitions before those.
const WARMUPS: u32 = 2;

/// Runs the main job.
pub fn run(job: Job, args: &PatchTest) -> Result {
    let started = jiff::Timestamp::now();
    let [kernel_name] = job.options.kernels.as_slice() else {
        return fail(Kind::Usage, "patch-test takes one --kernel");
    };
    let kernel_name = kernel_name.clone();
    let work = input::load(&job.options.series)?;
    for note in notes(&work) {
        job.progress.note(&note);
    }
    host::ensure(&job)?;
    let program = Program::build(&job)?;
    let chosen = program.select(&job.options.scenarios)?;
    let kernel = kernels::build(
        &job,
        &work,
        &kernel_name,
        &[cli::Arm::Base, cli::Arm::Patched],
    )?;
    let machine = Machine::find(&job, &program, kernel.image(Arm::Base)?)?;
    job.progress.note(&format!(
        "Guests run on {}: {}",
        machine.accelerator.kind, machine.accelerator.why
    ));

    let seed = args.seed.unwrap_or_else(|| started.as_nanosecond() as u64);
    let schedule = schedule(&work, &chosen, job.options.rounds, seed);
    let folder = rundir::create(job.options.out.as_deref(), &started)?;
    let mut run = describe(&job, &work, &kernel, &machine, seed, &started)?;
    // What was not asked for can't be missed.
    run.expect_order = run.expect_order.filter(|_| program.proves_order(&chosen));
    let finished = rounds(
        &job, &machine, &program, &kernel, &schedule, args, &folder, &mut run,
    );
    // Whatever stopped the rounds, those that ended are kept and reported.
    let report = outcome::write(&folder, &run)?;
    finished?;
    rundir::mark_latest(&folder);
    if job.options.json {
        print_json(&report)?;
    } else {
        print(&render::terminal(&report))?;
        print(&format!("\n{}\n", folder.join("report.html").display()))?;
    }
    outcome::judge(&report, args.require_conclusion)
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

/// One boot to come.
#[derive(Debug, Clone, PartialEq)]
struct Planned {
    arm: Arm,
    plan: Plan,
}

/// What a boot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Every scenario, with the walkers traced.
    Right,
    /// The measuring ones, with their probes.
    Measured,
    /// The measuring ones without any probe, which shows whether the probes
    /// make the difference.
    Bare,
}

/// The boots of a run: first each arm once with every scenario, then the
/// measuring ones alone, in the order A B B A so that a drift of the host falls
/// on both arms alike; and half as many without probes.
fn schedule(work: &Work, chosen: &[String], rounds: u32, seed: u64) -> Vec<Planned> {
    let measure: Vec<String> = work
        .manifest
        .measure
        .as_ref()
        .map(|m| m.scenarios.clone())
        .unwrap_or_default()
        .into_iter()
        .filter(|name| chosen.contains(name))
        .collect();
    let mut boots = vec![(Arm::Base, Purpose::Right), (Arm::Patched, Purpose::Right)];
    let mut alternate = |pairs: u32, purpose| {
        for pair in 0..pairs {
            let mut arms = Arm::BOTH;
            if pair % 2 == 1 {
                arms.reverse();
            }
            boots.extend(arms.map(|arm| (arm, purpose)));
        }
    };
    if !measure.is_empty() {
        alternate(rounds, Purpose::Measured);
        alternate(rounds.div_ceil(2), Purpose::Bare);
    }
    boots
        .into_iter()
        .enumerate()
        .map(|(index, (arm, purpose))| {
            let seed = seed.wrapping_add(index as u64);
            let right = purpose == Purpose::Right;
            Planned {
                arm,
                plan: Plan {
                    nonce: nonce(seed),
                    seed,
                    scenarios: if right {
                        chosen.to_vec()
                    } else {
                        measure.clone()
                    },
                    repetitions: REPETITIONS,
                    warmups: WARMUPS,
                    order: expected(work).map(|e| match arm {
                        Arm::Base => e.base,
                        Arm::Patched => e.patched,
                    }),
                    probes: probes(work),
                    trace: right,
                    bare: purpose == Purpose::Bare,
                    fault: None,
                },
            }
        })
        .collect()
}

/// Differs from that of any other boot, of this run or another.
fn nonce(seed: u64) -> String {
    let now = jiff::Timestamp::now().as_nanosecond();
    let text = format!("{now} {} {seed}", std::process::id());
    hex(&Sha1::digest(text.as_bytes()))
        .chars()
        .take(16)
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn expected(work: &Work) -> Option<ExpectOrder> {
    let word = |order| match order {
        series::manifest::Order::Ascending => Order::Ascending,
        series::manifest::Order::Descending => Order::Descending,
    };
    work.manifest.expect.order.map(|order| ExpectOrder {
        base: word(order.base),
        patched: word(order.patched),
    })
}

fn probes(work: &Work) -> Vec<Probe> {
    work.manifest
        .probes
        .iter()
        .map(|p| Probe {
            symbol: p.symbol.clone(),
            start: p.start.clone(),
            end: p.end.clone(),
        })
        .collect()
}

/// Runs the boots. Each that ends is kept before the next begins.
#[expect(clippy::too_many_arguments, reason = "the whole run, once")]
fn rounds(
    job: &Job,
    machine: &Machine,
    program: &Program,
    kernel: &Kernel,
    schedule: &[Planned],
    args: &PatchTest,
    folder: &Path,
    run: &mut Run,
) -> Result {
    let began = Instant::now();
    let total = schedule.len();
    job.progress.stage("Booting");
    let faulty = schedule.iter().position(|b| b.arm == Arm::Patched);
    for (index, planned) in schedule.iter().enumerate() {
        job.alive()?;
        let mut plan = planned.plan.clone();
        let fault = args.fault.filter(|_| Some(index) == faulty);
        plan.fault = fault.and_then(|fault| match fault {
            Fault::Panic => Some(plan::Fault::Panic),
            Fault::Hang => Some(plan::Fault::Hang),
            Fault::Slow => Some(plan::Fault::Slow),
            Fault::Cut => Some(plan::Fault::Cut),
            Fault::KillQemu => None,
        });
        let place = folder.join(run::folder(&run.kernel.name, planned.arm, index as u32));
        let boot = Boot {
            index: index as u32,
            arm: planned.arm,
            image: kernel.image(planned.arm)?,
            plan: &plan,
            folder: &place,
            kill_qemu: fault == Some(Fault::KillQemu),
        };
        let name = format!("boot {} of {total}, {}", index + 1, planned.arm.as_str());
        job.progress.step(index as u64, Some(total as u64), &name);
        let mut on_sight = |sight: Sight<'_>| {
            if let Sight::Scenario(scenario) = sight {
                let detail = format!("{name}: {scenario}");
                job.progress.step(index as u64, Some(total as u64), &detail);
            }
        };
        let mut round = round::run(job, machine, program, &boot, &mut on_sight)?;
        if let Some(title) = emulators_fault(run.accelerator.kind, &round) {
            let lost = place.with_added_extension("lost");
            fs_err::rename(&place, &lost).kind(Kind::Infrastructure)?;
            let note = format!(
                "{name}: {title:?} is a fault of emulation; booted again, see {}",
                lost.file_name().unwrap_or_default().to_string_lossy()
            );
            job.progress.note(&format!("  {note}"));
            run.notes.push(note);
            round = round::run(job, machine, program, &boot, &mut on_sight)?;
        }
        let c = round.ktap.counts;
        job.progress.note(&format!(
            "  {name}: {}, {} passed, {} failed, {} skipped{} ({:.1} s)",
            round.status.as_str(),
            c.passed,
            c.failed + c.crashed,
            c.skipped,
            if round.traced {
                ", traced"
            } else if round.bare {
                ", without probes"
            } else {
                ""
            },
            round.wall_s,
        ));
        run.rounds.push(round);
        rundir::save(folder, run)?;
        job.alive()?;
    }
    job.progress
        .finish(&format!("{total} guests in {}", seconds(began.elapsed())));
    Ok(())
}

/// The title of a crash that only QEMU's emulation explains: with several CPUs
/// it may run a breakpoint that the kernel has already taken back, and nothing
/// but the patching of text sets one in a kernel that nobody debugs. A second
/// one in the same round is believed.
fn emulators_fault(accelerator: run::AcceleratorKind, round: &run::Round) -> Option<String> {
    let emulated = accelerator == run::AcceleratorKind::Tcg;
    let first = round
        .console_events
        .iter()
        .find(|e| e.kind == "oops" || e.kind == "panic")?;
    (emulated && first.title.starts_with("int3 ")).then(|| first.title.clone())
}

fn describe(
    job: &Job,
    work: &Work,
    kernel: &Kernel,
    machine: &Machine,
    seed: u64,
    started: &jiff::Timestamp,
) -> Result<Run> {
    let arms = Arm::BOTH
        .into_iter()
        .map(|arm| {
            let built = kernel.built(arm)?;
            let config = fs_err::read(&built.config).kind(Kind::Infrastructure)?;
            Ok(ArmInfo {
                arm,
                commit: kernel.commit(arm).to_owned(),
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
        accelerator: run::Accelerator {
            kind: match machine.accelerator.kind {
                vm::Accel::Kvm => run::AcceleratorKind::Kvm,
                vm::Accel::Tcg => run::AcceleratorKind::Tcg,
            },
            why: machine.accelerator.why.clone(),
        },
        qemu: machine.versions.qemu.clone(),
        virtme_ng: machine.versions.virtme.clone(),
        compiler: kernel.built(Arm::Base)?.meta.compiler.clone(),
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
            cpus: job.options.cpus,
            memory_mib: u64::from(job.options.memory),
            flavour: FLAVOUR.to_owned(),
        },
        rounds: Vec::new(),
        expect_order: expected(work),
        primary: measure.map(|m| m.primary.clone()).unwrap_or_default(),
        margin: measure.map_or(0.05, |m| m.margin),
        notes: Vec::new(),
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
