//! One round: one boot of one arm, from its plan to what it said.

use std::path::{Path, PathBuf};
use std::time::Duration;

use evidence::run::{Round, RoundStatus};
use kernel::build::selftests::Selftest;
use results::ktap;
use results::machine::Accel;
use results::plan::Plan;
use results::record::Record;
use results::{Arm, Purpose};
use vm::{End, Progress};

use crate::exit::{Classify, Kind, Result};
use crate::guest::Program;
use crate::job::Job;
use crate::machine::Machine;
use crate::rundir;

/// What to boot, and what to ask of it.
pub struct Boot<'a> {
    /// Counted from 0 over the run.
    pub index: u32,
    /// Which arm.
    pub arm: Arm,
    /// Its kernel.
    pub image: &'a Path,
    /// The modules built with it.
    pub modules: &'a [PathBuf],
    /// The tests that its tree has of its own.
    pub selftests: &'a [Selftest],
    /// What the guest is to do.
    pub plan: &'a Plan,
    /// Where its console and results go; made if it is not there.
    pub folder: &'a Path,
    /// Kill QEMU once the first test has ended, to see it named.
    pub kill_qemu: bool,
}

/// What the user sees of a round while it runs.
pub enum Sight<'a> {
    /// The guest is up.
    Up,
    /// A scenario runs.
    Scenario(&'a str),
}

/// Boots a guest, keeps what it says, and judges how it ended. A crash that
/// only emulation explains is kept beside the round, which is booted again once;
/// the text returned then says so.
pub fn run(
    job: &Job,
    machine: &Machine,
    program: &Program,
    boot: &Boot<'_>,
    on_sight: &mut dyn FnMut(Sight<'_>),
) -> Result<(Round, Option<String>)> {
    let round = once(job, machine, program, boot, on_sight)?;
    let console = fs_err::read(boot.folder.join("console.log")).kind(Kind::Infrastructure)?;
    let console = String::from_utf8_lossy(&console);
    let Some(title) = emulators_fault(machine.accelerator.kind, &round, &console) else {
        return Ok((round, None));
    };
    let lost = boot.folder.with_added_extension("lost");
    fs_err::rename(boot.folder, &lost).kind(Kind::Infrastructure)?;
    let note = format!(
        "{title:?} is a fault of emulation; booted again, see {}",
        lost.file_name().unwrap_or_default().to_string_lossy()
    );
    let round = once(job, machine, program, boot, on_sight)?;
    Ok((round, Some(note)))
}

/// The title of a crash that only QEMU's emulation explains. A second one in the
/// same round is believed.
fn emulators_fault(accelerator: Accel, round: &Round, console: &str) -> Option<String> {
    let probed = round.purpose == Purpose::Probed;
    let fault = vm::console::fault_of_emulation(&round.console_events, console, probed)?;
    (accelerator == Accel::Tcg).then(|| fault.title.clone())
}

/// Boots once.
fn once(
    job: &Job,
    machine: &Machine,
    program: &Program,
    boot: &Boot<'_>,
    on_sight: &mut dyn FnMut(Sight<'_>),
) -> Result<Round> {
    fs_err::create_dir_all(boot.folder).kind(Kind::Infrastructure)?;
    let scratch = tempfile::tempdir().kind(Kind::Infrastructure)?;
    let initrd = scratch.path().join("initrd");
    program.initramfs(boot.plan, boot.modules, boot.selftests, &initrd)?;
    let work = boot
        .plan
        .scenarios
        .iter()
        .map(|name| program.deadline(name))
        .sum();
    let timeout_scale = boot.plan.timeout_scale;
    let guest = machine.guest(boot.image.to_owned(), initrd, work, timeout_scale);

    let mut console =
        fs_err::File::create(boot.folder.join("console.log")).kind(Kind::Infrastructure)?;
    let mut said = Said::new(&boot.plan.nonce);
    let outcome = vm::boot(
        &machine.virtme,
        &guest,
        &job.cancel,
        &mut console,
        &mut |line| {
            let progress = said.line(line, on_sight);
            if boot.kill_qemu && said.tests == 1 {
                return Progress::Kill;
            }
            progress
        },
    )
    .kind(Kind::Infrastructure)?;

    let ktap = ktap::read(said.ktap.as_bytes()).kind(Kind::Infrastructure)?;
    let round = Round {
        index: boot.index,
        arm: boot.arm,
        purpose: boot.plan.purpose,
        status: status(&outcome.end, &ktap, &said.records),
        console_verdict: outcome.triage.verdict,
        console_events: outcome.triage.events.clone(),
        boot_s: outcome.up_after.map(|t| t.as_secs_f64()),
        wall_s: outcome.took.as_secs_f64(),
        ktap,
        records: said.records,
    };
    rundir::save_round(boot.folder, &round, &said.ktap)?;
    if let Some(why) = trouble(&outcome, boot.folder) {
        job.progress.note(&why);
    }
    Ok(round)
}

/// What to tell the user of a guest that did not end well.
fn trouble(outcome: &vm::Outcome, folder: &Path) -> Option<String> {
    if matches!(outcome.end, End::Completed | End::Interrupted) {
        return None;
    }
    let mut text = format!(
        "the guest {}; see {}",
        outcome.end,
        folder.join("console.log").display()
    );
    for line in outcome.console_tail.iter().rev().take(5).rev() {
        text.push_str("\n  | ");
        text.push_str(line);
    }
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
}

impl Said {
    fn new(nonce: &str) -> Self {
        Self {
            nonce: nonce.to_owned(),
            begun: false,
            ktap: String::new(),
            records: Vec::new(),
            tests: 0,
        }
    }

    fn line(&mut self, line: &str, on_sight: &mut dyn FnMut(Sight<'_>)) -> Progress {
        let record = match Record::from_line(line) {
            Some(Ok(record)) => record,
            // A record that can't be read stays in the log, where one sees it.
            Some(Err(_)) | None => {
                self.ktap.push_str(line);
                self.ktap.push('\n');
                if line.starts_with("ok ") || line.starts_with("not ok ") {
                    self.tests += 1;
                }
                return Progress::Ignore;
            }
        };
        let progress = match &record {
            Record::Begin { nonce, .. } if *nonce == self.nonce => {
                self.begun = true;
                on_sight(Sight::Up);
                Progress::Up
            }
            Record::Start {
                scenario,
                deadline_s,
            } if self.begun => {
                on_sight(Sight::Scenario(scenario));
                Progress::ExpectWithin(Duration::from_secs(u64::from(*deadline_s)))
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
        let progress = lines.iter().map(|l| said.line(l, &mut |_| {})).collect();
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
