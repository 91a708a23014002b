//! Runs a plan: each scenario in a thread of its own under a deadline, so that
//! neither its failure nor a stuck child of its stops the others.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::utsname::uname;
use nix::unistd::{SysconfVar, sysconf};
use results::ktap::{Status, Test};
use results::plan::{Fault, Mistakes, Plan};
use results::record::Record;

use crate::context::{Context, Report};
use crate::failure::{Failure, ResultExt};
use crate::fault;
use crate::guest;
use crate::health::{self, Health, stray_processes};
use crate::mistakes;
use crate::procfs;
use crate::scenario::Scenario;
use crate::scenarios;
use crate::timeout_scale::scaled;
use crate::turns::Turns;

/// Why a guest skips what comes after a failure: another guest, to which
/// nothing has happened, runs it.
const HANDED_OVER: &str = "not run: left to a fresh guest after a failure";

/// Why a guest that looks for what is come to ends.
const COVERED: &str = "not run: the guest has come to all places";

/// How long a scenario whose processes were killed may take to notice.
const GRACE: Duration = Duration::from_secs(10);

/// How long the driver of the port may take.
const PORT_DRIVER: Duration = Duration::from_secs(5);

/// How often is looked for the end of a wait that outlasts a deadline.
const LOOK: Duration = Duration::from_millis(100);

/// Runs the whole plan and powers off.
pub fn run(plan: &Plan) -> Result<(), Failure> {
    // A fault that takes time is a test of its own, behind the first one.
    let mut entries: Vec<Entry<'_>> = plan
        .scenarios
        .iter()
        .map(|name| Entry::named(name))
        .collect();
    if let Some(fault) = plan.fault.and_then(fault::scenario) {
        entries.insert(
            entries.len().min(1),
            Entry {
                name: fault.name,
                scenario: Some(fault),
            },
        );
    }
    let planned = u32::try_from(entries.len()).map_err(|_| Failure::unmet("too many scenarios"))?;
    let port = guest::port(PORT_DRIVER)?;
    let words = port.try_clone();
    let words = words.while_doing(|| "opening the port again".into())?;
    let turns = plan.by_turns.then(|| Turns::new(words));
    let report = Report::new(port, planned)?;
    report.record(&begin(plan)?)?;
    if let Some(Mistakes::Make(number)) = plan.mistakes {
        mistakes::make(number)?;
    }

    thread::scope(|scope| {
        let mut entries = entries.into_iter().enumerate();
        let mut left = HANDED_OVER;
        let mut reached = BTreeSet::new();
        for (index, entry) in entries.by_ref() {
            let go_on = run_entry(scope, plan, &report, turns.as_ref(), &entry, &mut reached)?;
            if index == 0 && plan.fault == Some(Fault::Panic) {
                procfs::write("/proc/sysrq-trigger", "c")?;
            }
            if !go_on {
                break;
            }
            if matches!(plan.mistakes, Some(Mistakes::Cover(all)) if reached.len() >= all as usize)
            {
                left = COVERED;
                break;
            }
        }
        for (_, entry) in entries {
            report.record(&Record::HandedOver {
                scenario: entry.name.to_owned(),
            })?;
            report.test(&ended(entry.name, Status::Skipped, left))?;
        }
        if plan.fault != Some(Fault::Cut) {
            report.record(&Record::End {
                nonce: plan.nonce.clone(),
            })?;
        }
        // A thread that is stuck would keep the scope open for ever.
        guest::power_off()
    })
}

/// One line of the plan.
struct Entry<'a> {
    name: &'a str,
    scenario: Option<&'static Scenario>,
}

impl<'a> Entry<'a> {
    fn named(name: &'a str) -> Self {
        Self {
            name,
            scenario: scenarios::find(name),
        }
    }
}

fn begin(plan: &Plan) -> Result<Record, Failure> {
    let uname = uname().while_doing(|| "asking for the kernel's name".into())?;
    let cpus = sysconf(SysconfVar::_NPROCESSORS_ONLN).while_doing(|| "counting CPUs".into())?;
    Ok(Record::Begin {
        nonce: plan.nonce.clone(),
        kernel: uname.release().to_string_lossy().into_owned(),
        cpus: cpus.and_then(|cpus| u32::try_from(cpus).ok()).unwrap_or(0),
        memory_kib: procfs::kib(&procfs::read("/proc/meminfo")?, "MemTotal").unwrap_or(0),
    })
}

/// Runs one scenario and reports it. Returns whether the guest is fit for the
/// next one: what follows a failure is judged in a guest of its own.
fn run_entry<'scope, 'env: 'scope>(
    scope: &'scope thread::Scope<'scope, 'env>,
    plan: &'env Plan,
    report: &'scope Report,
    turns: Option<&'scope Turns>,
    entry: &Entry<'_>,
    reached: &mut BTreeSet<u32>,
) -> Result<bool, Failure> {
    let Some(scenario) = entry.scenario else {
        let why = "this guest knows no scenario of this name";
        report.test(&ended(entry.name, Status::Failed, why))?;
        return Ok(true);
    };
    if let Some(why) = scenario.needs.iter().find_map(|need| need.missing()) {
        report.test(&ended(entry.name, Status::Skipped, &why))?;
        return Ok(true);
    }
    let name = scenario.name;
    let own = scenario.deadline();
    let asked = plan.deadlines_s.get(name).copied();
    let asked = asked.map(|seconds| Duration::from_secs(seconds.into()));
    let deadline = scaled(asked.map_or(own, |asked| asked.min(own)));
    let deadline_s = u32::try_from(deadline.as_secs()).unwrap_or(u32::MAX);
    report.record(&Record::Start {
        scenario: name.to_owned(),
        deadline_s,
    })?;
    let health = Health::note()?;
    let begun = Instant::now();
    let tells = matches!(plan.mistakes, Some(Mistakes::Reached | Mistakes::Cover(_)));
    if tells {
        mistakes::forget()?;
    }

    let (done, end) = channel();
    let thread = scope.spawn(move || {
        let context = Context::new(plan, name, report, turns);
        // The receiver is gone only when the guest is about to end.
        let result = (scenario.run)(&context);
        let _ = done.send((result, context.into_subtests()));
    });
    let mut reasons = Vec::new();
    let mut skipped = None;
    let mut subtests = Vec::new();
    match within(&end, deadline, turns) {
        Ok((result, parts)) => {
            subtests = parts;
            match result {
                Ok(()) => {}
                Err(Failure::Skipped(why)) => skipped = Some(why),
                Err(failure) => reasons.push(failure.to_string()),
            }
        }
        Err(RecvTimeoutError::Disconnected) => reasons.push("the scenario panicked".to_owned()),
        Err(RecvTimeoutError::Timeout) => {
            report.record(&Record::TimedOut {
                scenario: name.to_owned(),
            })?;
            reasons.push(format!("timeout: no result within {deadline_s} s"));
            reasons.extend(where_it_hangs());
            // Whatever it waits for should end with its processes.
            stray_processes();
            match end.recv_timeout(scaled(GRACE)) {
                Ok((_, parts)) => subtests = parts,
                Err(_) => {
                    reasons.push("it could not be stopped".to_owned());
                    report.test(&ended(name, Status::Failed, &reasons.join("\n")))?;
                    return Ok(false);
                }
            }
        }
    }
    // Its PDEATHSIG and its descriptors belong to what is checked next.
    let _ = thread.join();
    reasons.extend(health.complaints());
    if tells {
        let places = mistakes::reached()?;
        reached.extend(&places);
        report.record(&Record::Reached {
            scenario: name.to_owned(),
            took_ms: begun.elapsed().as_millis() as u64,
            places,
        })?;
    }
    let held = reasons.is_empty();
    let (status, why) = match skipped {
        _ if !held => (Status::Failed, reasons.join("\n")),
        Some(why) => (Status::Skipped, why),
        None => (Status::Passed, String::new()),
    };
    report.test(&Test {
        subtests,
        ..ended(name, status, &why)
    })?;
    Ok(held)
}

/// What comes within a deadline, in which waiting for another guest is no part.
fn within<T>(
    end: &Receiver<T>,
    deadline: Duration,
    turns: Option<&Turns>,
) -> Result<T, RecvTimeoutError> {
    let waited = || turns.map(Turns::waited).unwrap_or_default();
    let (start, before) = (Instant::now(), waited());
    loop {
        let late = deadline + (waited() - before);
        let left = late.saturating_sub(start.elapsed());
        match end.recv_timeout(left.max(LOOK)) {
            Err(RecvTimeoutError::Timeout) if start.elapsed() < deadline + (waited() - before) => {}
            other => return other,
        }
    }
}

/// A test without parts.
fn ended(name: &str, status: Status, why: &str) -> Test {
    Test {
        name: name.to_owned(),
        status,
        why: Some(why.to_owned()),
        ..Test::default()
    }
}

/// What everybody but the kernel's own threads sleeps in.
fn where_it_hangs() -> Vec<String> {
    let processes = health::user_processes();
    let threads = processes
        .iter()
        .flat_map(|process| procfs::threads(process.pid).unwrap_or_default());
    threads
        .map(|thread| {
            let path = format!("/proc/{}/wchan", thread.pid);
            let at = procfs::read(path).unwrap_or_default();
            format!(
                "{} ({}) is {} in {at}",
                thread.comm, thread.pid, thread.state
            )
        })
        .collect()
}
