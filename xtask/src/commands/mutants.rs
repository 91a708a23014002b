//! `mutants`: the scenarios against wrong versions of the series.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use evidence::run::{Round, RoundStatus};
use kernel::build::Built;
use kernel::build::selftests::Selftest;
use results::ktap::Status;
use results::plan::Plan;
use results::text::printable;
use results::{Arm, Purpose};
use serde::Serialize;
use series::patch::Patch;
use vm::process::Cancel;

use super::options::{self, Guest, Setup};
use crate::catalogue::matches;
use crate::exit::{Advise, Failure, Kind, Result, fail};
use crate::flavour::Flavour;
use crate::guest::Program;
use crate::home::workspace;
use crate::host;
use crate::input::{self, Series};
use crate::job::Job;
use crate::kernels::{self, Kernel};
use crate::machine::Machine;
use crate::output::{print, print_json};
use crate::progress::seconds;
use crate::run::folder;
use crate::run::guests::{self, Guests, Step};
use crate::run::plan as guest_plan;

/// `mutants`' options.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    series: options::Series,
    #[command(flatten)]
    kernel: options::Kernel,
    /// How the kernels are configured
    #[arg(long, value_enum, default_value_t = Flavour::Lean)]
    flavour: Flavour,
    /// Only the scenarios whose name matches (* and ?; repeatable)
    #[arg(long = "scenario", value_name = "GLOB")]
    scenarios: Vec<String>,
    /// The folder of patches, each on top of the patched arm
    /// [default: patches/mutants]
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Only the mutants whose name matches (* and ?; repeatable)
    #[arg(long = "mutant", value_name = "GLOB")]
    mutants: Vec<String>,
    #[command(flatten)]
    guest: Guest,
    /// The folder for consoles and results [default: runs/TIME]
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    setup: Setup,
    /// One JSON document on standard output
    #[arg(long)]
    json: bool,
}

/// The trailer that names the scenarios expected to notice.
const CAUGHT_BY: &str = "Caught-by";
/// The trailer that says why nothing can notice the mutant.
const EQUIVALENT: &str = "Equivalent";

/// A wrong patch.
struct Mutant {
    name: String,
    patch: Patch,
    /// The scenarios that could notice first.
    expected: Vec<String>,
    /// Why nothing can notice.
    equivalent: Option<String>,
}

/// What became of a mutant.
#[derive(Debug, Serialize)]
struct Fate {
    name: String,
    subject: String,
    verdict: Verdict,
    /// The scenario that noticed.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// How it showed; the proof, of an equivalent one.
    #[serde(skip_serializing_if = "Option::is_none")]
    how: Option<String>,
    expected: Vec<String>,
    build_s: f64,
    test_s: f64,
}

/// The word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    Caught,
    Survived,
    /// Nothing noticed, and nothing can.
    Equivalent,
    /// Something noticed what is said to be no difference.
    NotEquivalent,
    /// It does not apply, or does not build.
    Broken,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::Survived => "SURVIVED",
            Self::Equivalent => "equivalent",
            Self::NotEquivalent => "NOT EQUIVALENT",
            Self::Broken => "BROKEN",
        }
    }
}

/// Scores the scenarios.
pub fn run(args: &Options, cancel: &Cancel) -> Result {
    let job = Job::new(cancel, args.setup.offline)?;
    let started = jiff::Timestamp::now();
    let origin = args.series.origin()?;
    let name = origin.kernel(args.kernel.name.as_ref())?;
    let series = origin.load()?;
    let mutants = read(args)?;
    host::ensure(&job, host::Use::Work, args.setup.install())?;
    let program = Program::build(&job)?;
    let chosen = program.catalogue.select(&args.scenarios)?;
    for mutant in &mutants {
        if let Some(unknown) = mutant.expected.iter().find(|name| {
            !program
                .catalogue
                .0
                .iter()
                .any(|scenario| scenario.name == **name)
        }) {
            return fail(
                Kind::Usage,
                format!(
                    "{}: {CAUGHT_BY} names {unknown}, which is not a scenario",
                    mutant.name
                ),
            );
        }
    }
    let kernel = kernels::build(&job, &series, &name, args.flavour, &[Arm::Patched])?;
    let own = program.catalogue.selftests(&chosen);
    let selftests = kernels::selftests(&job, &kernel, Arm::Patched, &own)?;
    let machine = Machine::find(
        &job,
        &program,
        kernel.image(Arm::Patched)?,
        (&args.guest).into(),
        args.flavour.timeout_scale(),
    )?;
    let folder = folder::create(args.out.as_deref(), &started)?;
    let bench = Bench {
        job: &job,
        series: &series,
        program: &program,
        kernel: &kernel,
        selftests,
        machine: &machine,
        chosen,
        timeout_scale: args.flavour.timeout_scale(),
        seed: started.as_second() as u64,
        folder: folder.clone(),
    };
    let mut fates = Vec::new();
    for (at, mutant) in mutants.iter().enumerate() {
        job.alive()?;
        let fate = bench.judge(mutant)?;
        job.progress.note(&format!(
            "{}/{} {}: {}{}",
            at + 1,
            mutants.len(),
            fate.name,
            fate.verdict.as_str(),
            fate.by
                .as_ref()
                .map_or(String::new(), |by| format!(" by {by}")),
        ));
        fates.push(fate);
        let json = serde_json::to_vec_pretty(&document(&fates)).unwrap_or_default();
        folder::write(&folder.join("mutants.json"), &json)?;
    }
    if args.json {
        print_json(&document(&fates))?;
    } else {
        print(&table(&fates))?;
    }
    judge(&fates)
}

/// The exit code that the fates call for.
fn judge(fates: &[Fate]) -> Result {
    let names = |verdict: Verdict| -> Vec<&str> {
        let of = fates.iter().filter(|fate| fate.verdict == verdict);
        of.map(|fate| fate.name.as_str()).collect()
    };
    for (verdict, kind, what) in [
        (
            Verdict::Survived,
            Kind::Judgement,
            "not caught by any scenario:",
        ),
        (
            Verdict::NotEquivalent,
            Kind::Judgement,
            "marked as equivalent, but caught:",
        ),
        (
            Verdict::Broken,
            Kind::Build,
            "does not apply or does not build:",
        ),
    ] {
        let names = names(verdict);
        if !names.is_empty() {
            return fail(kind, format!("{what} {}", names.join(", ")));
        }
    }
    Ok(())
}

/// Reads the mutants of a folder, by name.
fn read(args: &Options) -> Result<Vec<Mutant>> {
    let folder = match &args.dir {
        Some(folder) => folder.clone(),
        None => workspace().join("patches/mutants"),
    };
    let mut mutants = Vec::new();
    for (name, patch) in input::patches(&folder)? {
        let globs = &args.mutants;
        if !globs.is_empty() && !globs.iter().any(|glob| matches(glob, &name)) {
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
        return fail(
            Kind::Usage,
            format!("no mutant in {} has such a name", folder.display()),
        );
    }
    Ok(mutants)
}

/// What every mutant is judged with.
struct Bench<'a> {
    job: &'a Job,
    series: &'a Series,
    program: &'a Program,
    kernel: &'a Kernel,
    selftests: Vec<Selftest>,
    machine: &'a Machine,
    chosen: Vec<String>,
    timeout_scale: u32,
    seed: u64,
    folder: PathBuf,
}

impl Bench<'_> {
    fn judge(&self, mutant: &Mutant) -> Result<Fate> {
        let mut fate = Fate {
            name: mutant.name.clone(),
            subject: mutant.patch.subject.clone(),
            verdict: Verdict::Broken,
            by: None,
            how: None,
            expected: mutant.expected.clone(),
            build_s: 0.0,
            test_s: 0.0,
        };
        let began = Instant::now();
        let built = kernels::mutant(self.job, self.kernel, &mutant.name, &mutant.patch);
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
        let (first, others): (Vec<String>, Vec<String>) = self
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
        let mut caught = None;
        for (scenarios, folder) in attempts {
            if scenarios.is_empty() {
                continue;
            }
            let place = self.folder.join(&mutant.name).join(folder);
            let round = self.boot(&built, scenarios, &place, &mutant.name)?;
            caught = catch(&round);
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
        fate.verdict = match (&caught, &mutant.equivalent) {
            (Some(_), None) => Verdict::Caught,
            (Some(_), Some(_)) => Verdict::NotEquivalent,
            (None, Some(_)) => Verdict::Equivalent,
            (None, None) => Verdict::Survived,
        };
        match caught {
            Some((by, how)) => (fate.by, fate.how) = (Some(by), Some(how)),
            None => fate.how = mutant.equivalent.clone(),
        }
        Ok(fate)
    }

    fn boot(
        &self,
        built: &Built,
        scenarios: Vec<String>,
        place: &Path,
        name: &str,
    ) -> Result<Round> {
        let plan = Plan {
            timeout_scale: self.timeout_scale,
            ..guest_plan::guest(
                &self.series.manifest,
                Arm::Patched,
                Purpose::Probed,
                scenarios,
                self.seed,
            )
        };
        let guest = guests::Guest {
            index: 0,
            arm: Arm::Patched,
            kernel: guests::Kernel {
                image: &built.image,
                modules: &built.modules,
                selftests: &self.selftests,
            },
            plan: &plan,
            folder: place,
            turns: None,
            kill_qemu: false,
        };
        let guests = Guests {
            job: self.job,
            machine: self.machine,
            program: self.program,
        };
        self.job.progress.stage(&format!("Testing {name}"));
        let booted = guests.boot(&guest, &mut |at| {
            if let Step::Began(scenario) = at {
                self.job.progress.step(0, None, scenario);
            }
        })?;
        let round = booted.round;
        if let Some(lost) = booted.lost {
            self.job.progress.note(&format!("  {lost}"));
        }
        self.job.progress.finish(round.status.as_str());
        self.job.alive()?;
        Ok(round)
    }
}

/// Who noticed, and what; none where nobody did.
fn catch(round: &Round) -> Option<(String, String)> {
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

/// What `--json` prints and `mutants.json` holds.
#[derive(Serialize)]
struct Document<'a> {
    caught: usize,
    survived: usize,
    equivalent: usize,
    total: usize,
    mutants: &'a [Fate],
}

fn document(fates: &[Fate]) -> Document<'_> {
    let count = |verdict: Verdict| fates.iter().filter(|fate| fate.verdict == verdict).count();
    Document {
        caught: count(Verdict::Caught),
        survived: count(Verdict::Survived),
        equivalent: count(Verdict::Equivalent),
        total: fates.len(),
        mutants: fates,
    }
}

/// The table at the end: mutant, verdict, who noticed, how long, and what.
fn table(fates: &[Fate]) -> String {
    let width =
        |of: fn(&Fate) -> usize, least: usize| fates.iter().map(of).max().unwrap_or(0).max(least);
    let names = width(|fate| fate.name.len(), 6);
    let by = width(|fate| fate.by.as_deref().map_or(1, str::len), 9);
    let mut out = format!(
        "{:names$}  {:14}  {:by$}  {:>7}  how\n",
        "mutant", "verdict", "caught by", "time"
    );
    for fate in fates {
        let time = seconds(Duration::from_secs_f64(fate.build_s + fate.test_s));
        let how = printable(fate.how.as_deref().unwrap_or("-"));
        let how: String = how.chars().take(90).collect();
        out.push_str(&format!(
            "{:names$}  {:14}  {:by$}  {time:>7}  {how}\n",
            fate.name,
            fate.verdict.as_str(),
            fate.by.as_deref().unwrap_or("-"),
        ));
    }
    let d = document(fates);
    out.push_str(&format!(
        "\n{} of {} caught, {} equivalent, {} survived\n",
        d.caught, d.total, d.equivalent, d.survived
    ));
    out
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

    #[test]
    fn a_survivor_is_a_failure() {
        let fate = |verdict| Fate {
            name: "m".into(),
            subject: String::new(),
            verdict,
            by: None,
            how: None,
            expected: Vec::new(),
            build_s: 1.0,
            test_s: 2.0,
        };
        let code = |verdicts: &[Verdict]| {
            let fates: Vec<Fate> = verdicts.iter().map(|&v| fate(v)).collect();
            judge(&fates).err().map(|failure| failure.kind.code())
        };
        assert_eq!(code(&[Verdict::Caught, Verdict::Equivalent]), None);
        assert_eq!(code(&[Verdict::Caught, Verdict::Survived]), Some(1));
        assert_eq!(code(&[Verdict::NotEquivalent]), Some(1));
        assert_eq!(code(&[Verdict::Broken]), Some(4));
    }
}
