//! A run as it grows: begun, added to and saved here, and nowhere else.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use evidence::Report;
use evidence::run::{
    self, ArmInfo, Coverage, Host, KernelInfo, LostBoot, Round, RoundStatus, Run, SCHEMA,
    SeriesInfo,
};
use results::Arm;
use results::text::hex;
use sha1::{Digest, Sha1};

use super::folder;
use super::outcome;
use super::plan::Tasks;
use super::request::Request;
use crate::exit::{Advise, Classify, Kind, Result, fail};
use crate::home;
use crate::input::Series;
use crate::kernels::Kernel;
use crate::machine::Machine;
use crate::progress::seconds;

/// A run and its folder.
pub struct Record {
    folder: PathBuf,
    run: Run,
    /// Rounds that an interrupted run left, in their order. They stand in for
    /// boots, so that the run decides what it would have decided.
    earlier: VecDeque<Round>,
}

impl Record {
    /// A run that begins in this folder, or goes on with the one that lies
    /// there.
    ///
    /// # Errors
    /// When the earlier run was about other kernels, guests or rounds.
    pub fn new(folder: PathBuf, mut run: Run, earlier: Option<Run>) -> Result<Self> {
        let earlier = match earlier {
            None => VecDeque::new(),
            Some(earlier) => take_over(&mut run, earlier, &folder)?,
        };
        Ok(Self {
            folder,
            run,
            earlier,
        })
    }

    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The next round that need not be booted.
    pub fn next_recorded(&mut self) -> Option<Round> {
        self.earlier.pop_front()
    }

    /// Adds a boot that was lost, and is made again.
    pub fn lose(&mut self, lost: LostBoot) {
        self.run.lost_boots.push(lost);
    }

    /// Adds a round that has ended.
    pub fn add(&mut self, round: Round) -> Result {
        self.run.rounds.push(round);
        // While earlier rounds are left, the file has these and more.
        match self.earlier.is_empty() {
            true => folder::save(&self.folder, &self.run),
            false => Ok(()),
        }
    }

    /// The deciding metrics are decided, so long after the command's start.
    pub fn decided(&mut self, after: Duration) {
        self.run.decided_s.get_or_insert(after.as_secs_f64());
    }

    /// The limit of minutes ended the measuring.
    pub fn out_of_time(&mut self, after: Duration) {
        let note = format!("measured no more after {}", seconds(after));
        self.run.notes.push(note);
    }

    /// What is executed of the lines that the series changes.
    pub fn covered(&mut self, coverage: Coverage) {
        self.run.coverage = Some(coverage);
    }

    /// Writes the reports.
    pub fn report(&self) -> Result<Report> {
        outcome::write(&self.folder, &self.run)
    }
}

/// The rounds of a run that was broken off, where it was about the same.
fn take_over(run: &mut Run, earlier: Run, folder: &std::path::Path) -> Result<VecDeque<Round>> {
    let images = |run: &Run| -> Vec<String> {
        let arms = run.kernel.arms.iter();
        arms.map(|arm| arm.image_sha.clone()).collect()
    };
    // Without blocks its boots came in another order.
    let blocks = |round: &Round| !round.purpose.measures() || round.block.is_some();
    let same = images(run) == images(&earlier)
        && earlier.rounds.iter().all(blocks)
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
                "{} can't be resumed: its kernels, guests, blocks or number of rounds were different",
                folder.display()
            ),
        )
        .hint("begin anew without --resume");
    }
    (run.started, run.command) = (earlier.started, earlier.command);
    run.decided_s = earlier.decided_s;
    run.lost_boots = earlier.lost_boots;
    run.coverage = earlier.coverage;
    let ended = |round: &Round| round.status != RoundStatus::Interrupted;
    Ok(earlier.rounds.into_iter().take_while(ended).collect())
}

/// Describes a run that has no round yet.
///
/// # Errors
/// When a built kernel's configuration can't be read.
pub fn describe(
    request: &Request,
    series: &Series,
    kernel: &Kernel,
    machine: &Machine,
    tasks: &Tasks,
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
    let measure = series.manifest.measure.as_ref();
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
            name: series.manifest.name.clone(),
            title: series.manifest.title.clone(),
            version: format!("v{}", series.manifest.version),
            missing: series.manifest.missing.clone(),
            patches: series.patches.iter().map(|p| p.subject.clone()).collect(),
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
        question: series.basis.question(),
        expect_order: tasks.expect_order,
        primary: measure.map(|m| m.primary.clone()).unwrap_or_default(),
        unprobed: measure.map(|m| m.unprobed.clone()).unwrap_or_default(),
        margin: measure.map_or(0.05, |m| m.margin),
        margins: measure.map(|m| m.margins.clone()).unwrap_or_default(),
        limit: Some(tasks.rounds).filter(|rounds| *rounds > 0),
        exactly: request.exactly.is_some(),
        by_turns: false,
        asked: measure.and_then(|m| m.asked.clone()),
        absolute: measure.map(|m| m.absolute.clone()).unwrap_or_default(),
        decided_s: None,
        changelog: series
            .patches
            .iter()
            .map(|patch| patch.body.as_str())
            .collect::<Vec<_>>()
            .join("\n\n"),
        claims: measure.map(|m| m.claims.clone()).unwrap_or_default(),
        notes: series.notes(),
        lost_boots: Vec::new(),
        coverage: None,
        labels: measure.map(|m| m.labels.clone()).unwrap_or_default(),
    })
}

/// The command line, as it could be given again.
fn command_line() -> String {
    let args: Vec<String> = std::env::args().skip(1).collect();
    home::line(&shell_words::join(args))
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
