//! `build --each-commit`: whether a history can be bisected through a series,
//! and what each of its commits brings that its parent did not have.

use std::fmt::Write;

use evidence::run::{Round, RoundStatus};
use kernel::build::diagnose::Diagnostic;
use results::text::printable;
use results::{Arm, Purpose};
use serde_json::{Value, json};
use vm::process::Cancel;

use super::build::Options;
use crate::exit::{Kind, Result, fail};
use crate::guest::Program;
use crate::host;
use crate::job::Job;
use crate::kernels::{self, Inspected};
use crate::machine::Machine;
use crate::output::{print, print_json};
use crate::run::folder::Claim;
use crate::run::guests::{Excuse, Guests, Kernel};
use crate::run::plan;

/// Builds, inspects and boots every commit of the series.
pub fn run(args: &Options, cancel: &Cancel) -> Result {
    let job = Job::new(cancel, args.setup.offline)?;
    let origin = args.series.origin()?;
    let names = origin.kernels(&args.kernels.names)?;
    let [name] = names.as_slice() else {
        return fail(Kind::Usage, "--each-commit takes one --kernel");
    };
    let started = jiff::Timestamp::now();
    let series = origin.load()?;
    let claim = Claim::fresh(args.out.as_deref(), &started)?;
    let place = claim.path();
    host::ensure(&job, host::Use::Work, args.setup.install())?;
    let program = Program::build(&job)?;
    let mut chosen = program.catalogue.select(&args.scenarios)?;
    if args.scenarios.is_empty() {
        // Whether it boots and kills at all; --scenario asks for more.
        chosen.truncate(1);
    }
    let commits = kernels::each_commit(&job, &series, name, args.flavour)?;
    let Some(first) = commits.first() else {
        return fail(Kind::Usage, "the series has no commit of its own");
    };
    let machine = Machine::find(
        &job,
        &program,
        &first.built.image,
        (&args.guest).into(),
        args.flavour.timeout_scale(),
    )?;
    let mut rounds = Vec::new();
    for (one, index) in commits.iter().zip(0..) {
        let seed = started.as_second() as u64;
        let plan = plan::guest(
            &series.manifest,
            Arm::Patched,
            Purpose::Probed,
            chosen.clone(),
            seed,
        );
        job.progress.stage(&format!("Booting {}", one.built.name));
        let guests = Guests {
            job: &job,
            machine: &machine,
            program: &program,
            excuse: &Excuse::new(false),
        };
        let kernel = Kernel::new(&one.built, &[]);
        let folder = place.join(evidence::run::folder(name, Arm::Patched, index));
        let round = guests.boot_alone(index, kernel, &plan, &folder, &mut |_| {})?;
        job.progress.finish(round.status.as_str());
        rounds.push(round);
    }
    if args.json {
        let list = commits.iter().zip(&rounds);
        print_json(
            &list
                .map(|(one, round)| as_json(one, round))
                .collect::<Vec<_>>(),
        )?;
    } else {
        let mut text = String::new();
        for (one, round) in commits.iter().zip(&rounds) {
            in_words(&mut text, one, round);
        }
        print(&text)?;
    }
    judge(&commits, &rounds)
}

fn judge(commits: &[Inspected], rounds: &[Round]) -> Result {
    for (one, round) in commits.iter().zip(rounds) {
        let why = format!(
            "{} ({}): {}",
            one.built.name,
            one.subject,
            round.status.as_str()
        );
        if round.status.is_infrastructure() {
            return fail(Kind::Infrastructure, why);
        }
        if round.status != RoundStatus::Ok {
            return fail(Kind::Judgement, why);
        }
    }
    Ok(())
}

fn as_json(one: &Inspected, round: &Round) -> Value {
    json!({
        "commit": one.commit.to_string(),
        "subject": one.subject,
        "image": one.built.image,
        "boots": round.status,
        "warnings": one.warnings,
        "sparse": one.sparse,
        "checkpatch": one.checkpatch,
    })
}

fn in_words(text: &mut String, one: &Inspected, round: &Round) {
    let commit = one.commit.to_string();
    let short = commit.get(..12).unwrap_or_default();
    let _ = writeln!(text, "{short} {}", printable(&one.subject));
    let _ = writeln!(text, "  builds; boots: {}", round.status.as_str());
    let mut list = |tool: &str, found: Option<&[Diagnostic]>| {
        let Some(found) = found else {
            let _ = writeln!(text, "  {tool}: not installed");
            return;
        };
        let _ = writeln!(text, "  {tool}: {} new", found.len());
        for one in found {
            let (file, message) = (printable(&one.file), printable(&one.message));
            let _ = writeln!(text, "    {file}:{}: {message}", one.line);
        }
    };
    list("W=1", Some(&one.warnings));
    list("sparse", one.sparse.as_deref());
    let Some(found) = &one.checkpatch else {
        text.push_str("  checkpatch.pl: the tree has none\n");
        return;
    };
    let _ = writeln!(text, "  checkpatch.pl: {} found", found.len());
    for one in found {
        let place = match (&one.file, one.line) {
            (Some(file), Some(line)) => format!("{}:{line}: ", printable(file)),
            _ => String::new(),
        };
        let (severity, rule, said) = (&one.severity, &one.rule, printable(&one.text));
        let _ = writeln!(text, "    {place}{severity}: {rule}: {said}");
    }
}
