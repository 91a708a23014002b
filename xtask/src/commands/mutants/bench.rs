//! Boots a mutant, and tells who noticed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use evidence::run::{Round, RoundStatus};
use kernel::build::Built;
use kernel::build::selftests::Selftest;
use results::ktap::Status;
use results::plan::Plan;
use results::{Arm, Purpose};

use crate::exit::Result;
use crate::guest::Program;
use crate::input::Series;
use crate::job::Job;
use crate::kernels::Kernel;
use crate::machine::Machine;
use crate::run::guests::{self, Guests};
use crate::run::plan;

/// What every mutant is judged with.
pub struct Bench<'a> {
    pub job: &'a Job,
    pub series: &'a Series,
    pub program: &'a Program,
    pub kernel: &'a Kernel,
    pub selftests: Vec<Selftest>,
    pub machine: &'a Machine,
    pub chosen: Vec<String>,
    pub timeout_scale: u32,
    pub seed: u64,
    pub folder: PathBuf,
}

impl Bench<'_> {
    /// What a guest is asked that runs these scenarios.
    pub fn plan(&self, purpose: Purpose, scenarios: Vec<String>) -> Plan {
        let manifest = &self.series.manifest;
        Plan {
            timeout_scale: self.timeout_scale,
            ..plan::guest(manifest, Arm::Patched, purpose, scenarios, self.seed)
        }
    }

    /// Boots a kernel. `begins` is told of each scenario that does.
    pub fn boot(
        &self,
        built: &Built,
        plan: &Plan,
        place: &Path,
        begins: &mut dyn FnMut(&str),
    ) -> Result<Round> {
        let guests = Guests {
            job: self.job,
            machine: self.machine,
            program: self.program,
            excuse: &guests::Excuse::new(false),
        };
        // Another command's guests may be measured.
        let _host = guests::host(self.job, false)?;
        let kernel = guests::Kernel::new(built, &self.selftests);
        guests.boot_alone(0, kernel, plan, place, begins)
    }
}

/// Who noticed, and what; none where nobody did.
pub fn catch(round: &Round) -> Option<(String, String)> {
    let failed = round
        .ktap
        .tests
        .iter()
        .find(|test| test.status == Status::Failed);
    if let Some(test) = failed {
        let how = test.why.clone().unwrap_or_else(|| "failed".into());
        return Some((test.name.clone(), how));
    }
    if round.status.is_infrastructure() {
        return None;
    }
    let title = round.console_title().map(str::to_owned);
    let by = || round.unfinished().unwrap_or("boot").to_owned();
    match (round.status, title) {
        (RoundStatus::Ok, None) => None,
        (RoundStatus::Ok, Some(title)) => Some(("console".to_owned(), title)),
        (status, Some(title)) => Some((by(), format!("{}: {title}", status.as_str()))),
        (status, None) => Some((by(), status.as_str().to_owned())),
    }
}

/// The scenarios that a guest skipped though it came to them, and why.
pub fn skipped(round: &Round) -> impl Iterator<Item = (&str, &str)> {
    let tests = round.ktap.tests.iter();
    let skipped = tests.filter(|test| test.status == Status::Skipped);
    skipped
        .filter(|test| !round.handed_over(&test.name))
        .map(|test| {
            (
                test.name.as_str(),
                test.why.as_deref().unwrap_or("no reason given"),
            )
        })
}

/// A scenario that is skipped, and passes on the right kernel.
pub fn newly_skipped(round: &Round, passed: &BTreeSet<String>) -> Option<(String, String)> {
    let (name, why) = skipped(round).find(|(name, _)| passed.contains(*name))?;
    Some((name.to_owned(), format!("skipped: {why}")))
}

/// The scenarios that passed.
pub fn passed(round: &Round) -> impl Iterator<Item = String> {
    let tests = round.ktap.tests.iter();
    tests
        .filter(|test| test.status == Status::Passed)
        .map(|test| test.name.clone())
}

#[cfg(test)]
mod tests {
    use results::record::Record;
    use results::{console, ktap};

    use super::*;

    fn round(status: RoundStatus, log: &str, begun: &[&str], console: Option<&str>) -> Round {
        Round {
            block: None,
            index: 0,
            arm: Arm::Patched,
            purpose: Purpose::Probed,
            status,
            console_verdict: console.map_or(console::Kind::Clean, |_| console::Kind::Warning),
            console_events: console
                .map(|title| console::Event {
                    kind: console::Kind::Warning,
                    title: title.into(),
                    line: 1,
                })
                .into_iter()
                .collect(),
            boot_s: None,
            wall_s: 1.0,
            ktap: ktap::read(log.as_bytes()).unwrap(),
            records: begun
                .iter()
                .map(|&scenario| Record::Start {
                    scenario: scenario.into(),
                    deadline_s: 1,
                })
                .collect(),
        }
    }

    #[test]
    fn who_noticed() {
        let passed = "KTAP version 1\n1..1\nok 1 a\n";
        let failed = "KTAP version 1\n1..2\n# 4 KiB left\nnot ok 1 a\nok 2 b # SKIP later\n";
        let cut = "KTAP version 1\n1..2\nok 1 a\n";
        let by = |status, log, begun: &[&str], console| {
            catch(&round(status, log, begun, console)).map(|(by, how)| format!("{by}: {how}"))
        };
        use RoundStatus::*;
        assert_eq!(by(Ok, passed, &["a"], None), None);
        assert_eq!(
            by(Failed, failed, &["a"], None).as_deref(),
            Some("a: 4 KiB left")
        );
        assert_eq!(by(Hang, cut, &["a", "b"], None).as_deref(), Some("b: hang"));
        assert_eq!(
            by(Panic, cut, &["a", "b"], Some("oops in f")).as_deref(),
            Some("b: panic: oops in f")
        );
        assert_eq!(
            by(Ok, passed, &["a"], Some("WARNING in f")).as_deref(),
            Some("console: WARNING in f")
        );
        // These say nothing of the kernel.
        for status in [BootFailed, QemuDied, Cut, Interrupted] {
            assert_eq!(by(status, cut, &["a", "b"], None), None, "{status:?}");
        }
    }
}
