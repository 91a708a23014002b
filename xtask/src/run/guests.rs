//! Boots a guest, keeps what it says, and tells how it ended.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use evidence::run::{self, LostBoot, LostTo, Round, RoundStatus};
use kernel::IoError;
use kernel::build::Built;
use kernel::build::selftests::Selftest;
use kernel::cache::Lock;
use results::ktap;
use results::machine::Accel;
use results::plan::Plan;
use results::record::Record;
use results::text::{hex, printable};
use results::{Arm, Purpose};
use sha1::{Digest, Sha1};
use vm::{End, Link, Progress, Root};

use super::execute::{Booted, Booter, Numbered, awake};
use super::folder;
use super::plan::QemuFault;
use super::turns::Turns;
use crate::exit::{Classify, Failure, Kind, Result};
use crate::guest::Program;
use crate::job::Job;
use crate::machine::Machine;

/// A kernel, and what was built with it.
#[derive(Clone, Copy)]
pub struct Kernel<'a> {
    pub image: &'a Path,
    pub modules: &'a [PathBuf],
    /// The tests that its tree has of its own.
    pub selftests: &'a [Selftest],
}

impl<'a> Kernel<'a> {
    pub fn new(built: &'a Built, selftests: &'a [Selftest]) -> Self {
        Self {
            image: &built.image,
            modules: &built.modules,
            selftests,
        }
    }
}

/// One guest, from its kernel to the folder for what it says.
pub struct Guest<'a> {
    /// Counted from 0 over the run.
    pub index: u32,
    pub arm: Arm,
    pub kernel: Kernel<'a>,
    pub plan: &'a Plan,
    /// Where its console and results go; made if it is not there.
    pub folder: &'a Path,
    /// Whose word it waits for, where its plan has it wait.
    pub turns: Option<&'a Turns>,
    /// What happens to its QEMU once the first test has ended.
    pub qemu_fault: Option<QemuFault>,
}

/// What a guest is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// A scenario began.
    Began(&'a str),
    /// A test ended.
    Ended(Ended<'a>),
}

/// How a test ended, by its line alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended<'a> {
    pub test: &'a str,
    pub status: ktap::Status,
}

impl<'a> Ended<'a> {
    /// What a line of the guest says at the outermost level; none where it is no
    /// result.
    fn of(line: &'a str) -> Option<Self> {
        let (failed, rest) = match line.strip_prefix("not ok ") {
            Some(rest) => (true, rest),
            None => (false, line.strip_prefix("ok ")?),
        };
        let (_, test) = rest.split_once(' ')?;
        let (test, skipped) = match test.split_once(" # SKIP") {
            Some((test, _)) => (test, true),
            None => (test, false),
        };
        let status = match (failed, skipped) {
            (true, _) => ktap::Status::Failed,
            (false, true) => ktap::Status::Skipped,
            (false, false) => ktap::Status::Passed,
        };
        Some(Self { test, status })
    }
}

/// A boot of at most so many tests tells of each as it ends, of more only what
/// failed.
const FEW: usize = 8;

/// What every guest of a command is booted with.
#[derive(Clone, Copy)]
pub struct Guests<'a> {
    pub job: &'a Job,
    pub machine: &'a Machine,
    pub program: &'a Program,
    pub excuse: &'a Excuse,
}

/// The one boot that a run may lose to emulation: what happens twice is believed.
pub struct Excuse(AtomicBool);

impl Excuse {
    /// `used` if the run has lost a boot already.
    pub fn new(used: bool) -> Self {
        Self(AtomicBool::new(used))
    }

    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

impl Guests<'_> {
    /// Boots a guest. The run's first crash that only emulation explains is kept
    /// beside the round, which is booted again; [`Booted::lost`] then says so.
    pub fn boot(&self, guest: &Guest<'_>, on_step: &mut dyn FnMut(Step<'_>)) -> Result<Booted> {
        let plan = Plan {
            nonce: nonce(guest.plan.seed),
            ..guest.plan.clone()
        };
        let booted = self.once(guest, &plan, on_step)?;
        let console = fs_err::read(guest.folder.join("console.log")).kind(Kind::Infrastructure)?;
        let console = String::from_utf8_lossy(&console);
        let fault = emulators_fault(self.machine.accelerator.kind, &booted.round, &console);
        let Some(title) = fault.filter(|_| self.excuse.take()) else {
            return Ok(booted);
        };
        let lost = guest.folder.with_added_extension("lost");
        fs_err::rename(guest.folder, &lost).kind(Kind::Infrastructure)?;
        let why = format!(
            "{title:?} is a fault of emulation; booted again, see {}",
            lost.file_name().unwrap_or_default().to_string_lossy()
        );
        let booted = self.once(guest, &plan, on_step)?;
        Ok(Booted {
            lost: Some(LostBoot::of(&booted.round, LostTo::Emulation, why)),
            ..booted
        })
    }

    /// Boots a guest of the patched arm that is no part of a comparison. `begins` is
    /// told of each scenario that does.
    pub fn boot_alone(
        &self,
        index: u32,
        kernel: Kernel<'_>,
        plan: &Plan,
        folder: &Path,
        begins: &mut dyn FnMut(&str),
    ) -> Result<Round> {
        let guest = Guest {
            index,
            arm: Arm::Patched,
            kernel,
            plan,
            folder,
            turns: None,
            qemu_fault: None,
        };
        awake("a guest", |_| {
            let booted = self.boot(&guest, &mut |at| {
                if let Step::Began(scenario) = at {
                    begins(scenario);
                }
            })?;
            self.job.alive()?;
            let void = booted.void();
            for lost in booted.lost.iter().chain(&void) {
                self.job.progress.note(&format!("  {}", lost.why));
            }
            Ok(void.is_none().then_some(booted.round))
        })
    }

    fn once(
        &self,
        guest: &Guest<'_>,
        plan: &Plan,
        on_step: &mut dyn FnMut(Step<'_>),
    ) -> Result<Booted> {
        fs_err::create_dir_all(guest.folder).kind(Kind::Infrastructure)?;
        let scratch = self.job.temporary()?;
        let initrd = scratch.path().join("initrd");
        let Kernel {
            image,
            modules,
            selftests,
        } = guest.kernel;
        self.program.initramfs(plan, modules, selftests, &initrd)?;
        let names = plan.scenarios.iter();
        let work: Duration = names
            .map(|name| self.program.catalogue.deadline(name))
            .sum();
        // Its own time, the other one's, and what the host takes to see that the
        // other one is gone.
        let work = if plan.by_turns { 3 * work } else { work };
        let machine = self.machine.guest(
            image.to_owned(),
            Root::Initramfs(initrd),
            work,
            plan.timeout_scale,
        );

        let mut console =
            fs_err::File::create(guest.folder.join("console.log")).kind(Kind::Infrastructure)?;
        let mut said = Said::new(&plan.nonce);
        let turns = guest.turns.filter(|_| plan.by_turns);
        let mut qemu_fault = guest.qemu_fault;
        let outcome = vm::boot(
            &self.machine.virtme,
            &machine,
            &self.job.cancel,
            &mut console,
            &mut |link, line| {
                let seat = turns.map(|turns| Seat {
                    turns,
                    link,
                    arm: guest.arm,
                });
                let progress = said.line(line, seat, on_step);
                let fault = match said.tests {
                    1 => qemu_fault.take(),
                    _ => None,
                };
                match fault {
                    Some(QemuFault::Kill) => Progress::Kill,
                    Some(QemuFault::Stop) => Progress::Stop,
                    None => progress,
                }
            },
        )
        .kind(Kind::Infrastructure);
        if let Some(turns) = turns {
            turns.left(guest.arm);
        }
        let outcome = outcome?;

        let ktap = ktap::read(said.ktap.as_bytes()).kind(Kind::Infrastructure)?;
        let round = Round {
            index: guest.index,
            arm: guest.arm,
            purpose: plan.purpose,
            block: None,
            status: status(&outcome.end, &ktap, &said.records),
            console_verdict: outcome.triage.verdict,
            console_events: outcome.triage.events.clone(),
            boot_s: outcome.up_after.map(|t| t.as_secs_f64()),
            wall_s: outcome.took.as_secs_f64(),
            ktap,
            records: said.records,
        };
        folder::save_round(guest.folder, &round, &said.ktap)?;
        if let Some(why) = trouble(&outcome, guest.folder) {
            self.job.progress.note(&why);
        }
        Ok(Booted {
            stood_still: outcome.stood_still,
            ..round.into()
        })
    }
}

/// The guests of a run.
pub struct RunBooter<'a> {
    pub guests: Guests<'a>,
    /// What to boot for an arm.
    pub kernel: &'a (dyn Fn(Arm) -> Result<Kernel<'a>> + Sync),
    /// The kernel's name, as its folder is called.
    pub name: &'a str,
    /// The run's folder.
    pub folder: &'a Path,
}

impl Booter for RunBooter<'_> {
    fn room(&self) -> usize {
        self.guests.machine.room()
    }

    /// Another command's guests would be measured with ours.
    fn host(&self, alone: bool) -> Result<Box<dyn Any>> {
        Ok(Box::new(host(self.guests.job, alone)?))
    }

    fn boot(&self, boot: &Numbered<'_>, turns: Option<&Turns>) -> Result<Booted> {
        let place = run::folder(self.name, boot.boot.arm, boot.index as u32);
        let guest = Guest {
            index: boot.index as u32,
            arm: boot.boot.arm,
            kernel: (self.kernel)(boot.boot.arm)?,
            plan: &boot.boot.plan,
            folder: &self.folder.join(place),
            turns,
            // A second attempt is to succeed.
            qemu_fault: boot.boot.qemu_fault.filter(|_| boot.attempt == 0),
        };
        let step = |detail: &str| {
            // Which boot it is stands in its name. When the rest are done nobody
            // knows: a run may stop early, and boots of a kind differ from others.
            self.guests.job.progress.step(0, None, detail);
        };
        step(&boot.name());
        let few = boot.boot.plan.scenarios.len() <= FEW;
        self.guests.boot(&guest, &mut |at| match at {
            Step::Began(scenario) => step(&format!("{}: {scenario}", boot.name())),
            // Whoever has just edited a line need not wait for the rest.
            Step::Ended(Ended { test, status }) => {
                if few || !status.is_ok() {
                    let (test, status) = (printable(test), status.as_str());
                    let text = format!("  {}: {test} {status}", boot.name());
                    self.guests.job.progress.note(&text);
                }
            }
        })
    }

    fn alive(&self) -> Result {
        self.guests.job.alive()
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// Waits for the host: for all of it, or for a part.
pub fn host(job: &Job, alone: bool) -> Result<Lock> {
    let waiting = &mut || job.progress.note("  waiting for another command's guests");
    match job
        .opened()?
        .host(alone, &|| job.cancel.cancelled(), waiting)
    {
        Ok(lock) => Ok(lock),
        Err(error @ IoError::Cancelled) => Err(Failure::new(Kind::Interrupted, error)),
        Err(error) => Err(Failure::new(Kind::Infrastructure, error)),
    }
}

/// Differs from that of any other boot, of this run or another.
fn nonce(seed: u64) -> String {
    let now = jiff::Timestamp::now().as_nanosecond();
    let text = format!("{now} {} {seed}", std::process::id());
    hex(&Sha1::digest(text.as_bytes())[..8])
}

/// The title of a crash that only QEMU's emulation explains.
fn emulators_fault(accelerator: Accel, round: &Round, console: &str) -> Option<String> {
    let probed = round.purpose == Purpose::Probed;
    let fault = vm::console::fault_of_emulation(&round.console_events, console, probed)?;
    (accelerator == Accel::Tcg).then(|| fault.title.clone())
}

/// What to tell the user of a guest that did not end well.
fn trouble(outcome: &vm::Outcome, folder: &Path) -> Option<String> {
    if matches!(outcome.end, End::Completed | End::Interrupted) {
        return None;
    }
    let mut text = format!(
        "{}; see {}",
        outcome.end,
        folder.join("console.log").display()
    );
    text.push_str(&outcome.console_lines(5));
    Some(text)
}

/// The round's status: how the guest ended, and if well, what it said.
fn status(end: &End, ktap: &ktap::Report, records: &[Record]) -> RoundStatus {
    match end {
        End::Completed if records.iter().any(timed_out) => RoundStatus::Timeout,
        // A guest that was asked for no scenario says so and is well.
        End::Completed if ktap.status.is_ok() || ktap.status == ktap::Status::NoTests => {
            RoundStatus::Ok
        }
        End::Completed => RoundStatus::Failed,
        End::Panic { .. } => RoundStatus::Panic,
        End::Hang { .. } => RoundStatus::Hang,
        End::Timeout => RoundStatus::Timeout,
        End::BootFailed { .. } => RoundStatus::BootFailed,
        End::QemuDied { .. } => RoundStatus::QemuDied,
        End::Cut => RoundStatus::Cut,
        End::Interrupted => RoundStatus::Interrupted,
    }
}

/// Whether the guest's own watchdog ended it.
fn timed_out(record: &Record) -> bool {
    matches!(record, Record::TimedOut { .. })
}

/// What a guest has said so far.
struct Said {
    nonce: String,
    begun: bool,
    ktap: String,
    records: Vec<Record>,
    tests: u32,
    /// What the scenario that runs may take.
    deadline: Duration,
}

/// A guest's place among those that take turns.
#[derive(Clone, Copy)]
struct Seat<'a> {
    turns: &'a Turns,
    link: &'a Link,
    arm: Arm,
}

/// How long a guest waits for the other one at most: that one's scenario is over
/// by then, or it is found to hang.
fn longest_wait(deadline: Duration) -> Duration {
    2 * deadline + Duration::from_secs(60)
}

impl Said {
    fn new(nonce: &str) -> Self {
        Self {
            nonce: nonce.to_owned(),
            begun: false,
            ktap: String::new(),
            records: Vec::new(),
            tests: 0,
            deadline: Duration::ZERO,
        }
    }

    fn line(
        &mut self,
        line: &str,
        seat: Option<Seat<'_>>,
        on_step: &mut dyn FnMut(Step<'_>),
    ) -> Progress {
        let record = match Record::from_line(line) {
            Some(Ok(record)) => record,
            // A record that can't be read stays in the log, where one sees it.
            Some(Err(_)) | None => {
                self.ktap.push_str(line);
                self.ktap.push('\n');
                if let Some(ended) = Ended::of(line) {
                    self.tests += 1;
                    on_step(Step::Ended(ended));
                }
                return Progress::Ignore;
            }
        };
        let progress = match &record {
            Record::Begin { nonce, .. } if *nonce == self.nonce => {
                self.begun = true;
                Progress::Up
            }
            Record::Start {
                scenario,
                deadline_s,
            } if self.begun => {
                on_step(Step::Began(scenario));
                self.deadline = Duration::from_secs(u64::from(*deadline_s));
                Progress::ExpectWithin(self.deadline)
            }
            Record::Solo { scenario, us } => {
                if let Some(seat) = seat {
                    seat.turns.solo(scenario, *us);
                }
                Progress::Ignore
            }
            Record::Ready {
                scenario,
                repetition,
            } => {
                if let Some(seat) = seat {
                    seat.turns.ready(seat.arm, seat.link, scenario, *repetition);
                }
                // What it waits for is not its own doing. It is no news either.
                return Progress::ExpectWithin(longest_wait(self.deadline));
            }
            Record::Raced {
                scenario,
                repetition,
            } => {
                let turn = seat.and_then(|seat| {
                    let Seat { turns, arm, .. } = seat;
                    turns.raced(arm, scenario, *repetition)
                });
                self.records.extend(turn.map(Record::Turn));
                return Progress::ExpectWithin(longest_wait(self.deadline));
            }
            Record::End { nonce } if self.begun && *nonce == self.nonce => Progress::Done,
            _ => Progress::Ignore,
        };
        self.records.push(record);
        progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(lines: &[&str]) -> (Said, Vec<Progress>) {
        let mut said = Said::new("n1");
        let progress = lines
            .iter()
            .map(|l| said.line(l, None, &mut |_| {}))
            .collect();
        (said, progress)
    }

    const BEGIN: &str =
        r#"# reaperlab: {"type":"begin","nonce":"n1","kernel":"6.12","cpus":2,"memory_kib":1}"#;

    #[test]
    fn a_guest_is_up_and_done_by_its_nonce_alone() {
        let stale = BEGIN.replace("n1", "n0");
        let end = r#"# reaperlab: {"type":"end","nonce":"n1"}"#;
        assert_eq!(feed(&[&stale, end]).1, [Progress::Ignore, Progress::Ignore]);
        assert_eq!(
            feed(&[BEGIN, &end.replace("n1", "n0")]).1,
            [Progress::Up, Progress::Ignore]
        );
        assert_eq!(feed(&[BEGIN, end]).1, [Progress::Up, Progress::Done]);
    }

    #[test]
    fn what_is_no_record_is_ktap() {
        let (said, _) = feed(&[BEGIN, "1..1", "ok 1 order", "# reaperlab: {damaged"]);
        assert_eq!(said.ktap, "1..1\nok 1 order\n# reaperlab: {damaged\n");
        assert_eq!((said.records.len(), said.tests), (1, 1));
    }

    #[test]
    fn a_result_is_told_when_it_comes() {
        let mut said = Said::new("n1");
        let mut told = Vec::new();
        let log = "1..3\nok 1 order\nnot ok 2 memcg-limit\nok 3 fuse # SKIP no FUSE\nnot ok";
        for line in log.lines() {
            said.line(line, None, &mut |step| match step {
                Step::Ended(ended) => {
                    told.push(format!("{} {}", ended.test, ended.status.as_str()))
                }
                Step::Began(name) => told.push(format!("{name} began")),
            });
        }
        assert_eq!(told, ["order passed", "memcg-limit failed", "fuse skipped"]);
        assert_eq!(said.tests, 3);
    }

    #[test]
    fn missing_output_is_no_pass() {
        let cut = ktap::read("KTAP version 1\n1..2\nok 1 a\n".as_bytes()).unwrap();
        assert_eq!(status(&End::Completed, &cut, &[]), RoundStatus::Failed);
        let all = ktap::read("KTAP version 1\n1..1\nok 1 a\n".as_bytes()).unwrap();
        assert_eq!(status(&End::Completed, &all, &[]), RoundStatus::Ok);
        assert_eq!(status(&End::Cut, &all, &[]), RoundStatus::Cut);
    }

    #[test]
    fn a_timeout_has_its_name() {
        let log = "KTAP version 1\n1..1\n# timeout: no result within 1 s\nnot ok 1 slow\n";
        let late = ktap::read(log.as_bytes()).unwrap();
        let record = Record::TimedOut {
            scenario: "slow".into(),
        };
        assert_eq!(
            status(&End::Completed, &late, &[record]),
            RoundStatus::Timeout
        );
    }
}
