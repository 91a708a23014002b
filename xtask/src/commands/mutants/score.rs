//! Which of a kernel's mistakes the scenarios see.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use evidence::run::{Round, RoundStatus};
use mutate::Mistake;
use results::Purpose;
use results::plan::{Mistakes, Plan};
use results::record::Record;
use similar::TextDiff;

use super::bench::{self, Bench, catch, newly_skipped};
use super::fate::{Fate, Keep, Place, Summary, Verdict};
use super::generated::{File, Generated};
use super::known::Known;
use crate::exit::{Advise, Classify, Failure, Kind, Result, fail};
use crate::kernels;

/// How often a mistake is tried whose guest says nothing of the kernel.
const TRIES: u32 = 2;

/// Why mistakes change nothing, by their names: lines of `NAME: ARGUMENT`, and of
/// comments that begin with `#`.
pub fn arguments(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = fs_err::read_to_string(path).kind(Kind::Usage)?;
    let mut arguments = BTreeMap::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, argument)) = line.split_once(": ") else {
            let text = format!("{}:{number}: no NAME: ARGUMENT", path.display());
            return fail(Kind::Usage, text);
        };
        arguments.insert(name.trim().to_owned(), argument.trim().to_owned());
    }
    Ok(arguments)
}

/// Makes each mistake in a guest of its own, with the scenarios that come to its place
/// until one notices: first those that have noticed others of the same function, then
/// the quickest.
pub fn score(
    bench: &Bench<'_>,
    generated: &Generated,
    known: &mut Known,
    equivalent: &BTreeMap<String, String>,
    keep: &mut Keep<'_>,
) -> Result<(Vec<Fate>, Summary)> {
    let progress = &bench.job.progress;
    let all: Vec<(&File, &Mistake)> = generated.mistakes().collect();
    let at_once = bench.machine.side_by_side();
    progress.stage("Running the scenarios without a mistake");
    let right = Right::new(&rounds(bench, generated, at_once)?, all.len())?;
    progress.finish("");
    let summary = Summary {
        refused: generated.refused,
        unread: generated.unread.clone(),
        lines_not_reached: lines_not_reached(generated, &right),
    };

    let state = Mutex::new(State {
        fates: Vec::new(),
        keep,
        failure: None,
    });
    let next = AtomicUsize::new(0);
    progress.stage("Making mistakes");
    let work = || loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(&(file, mistake)) = all.get(number) else {
            return;
        };
        if lock(&state).failure.is_some() {
            return;
        }
        let mut scenarios = lock(&state).in_order(&right, number, mistake);
        let argument = equivalent.get(&mistake.name());
        if argument.is_some() {
            right.shorten(&mut scenarios);
        }
        let fate = match known.is_same_code(&file.path, mistake) {
            true => Ok(unjudged(file, mistake, Verdict::SameCode)),
            false => judge(
                bench,
                generated,
                &right,
                number,
                scenarios,
                (file, mistake),
                argument,
            ),
        };
        let mut state = lock(&state);
        let kept = fate.and_then(|fate| {
            if fate.verdict != Verdict::NotReached {
                progress.note(&fate.line(number + 1, all.len()));
            }
            state.fates.push(fate);
            let State { fates, keep, .. } = &mut *state;
            keep(fates, Some(&summary))
        });
        if let Err(failure) = kept {
            state.failure.get_or_insert(failure);
        }
    };
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(work);
        }
    });
    let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(failure) = state.failure {
        return Err(failure);
    }
    progress.finish("");
    let mut fates = state.fates;
    find_same_code(bench, &all, &mut fates)?;
    let place = |fate: &Fate| fate.place.as_ref().map(|it| (it.file.clone(), it.line));
    fates.sort_by_key(|fate| (place(fate), fate.name.clone()));
    (state.keep)(&fates, Some(&summary))?;
    for (file, mistake) in all {
        let is_same =
            |fate: &Fate| fate.verdict == Verdict::SameCode && fate.name == mistake.name();
        if fates.iter().any(is_same) {
            known.add_same_code(&file.path, mistake);
        }
    }
    known.save()?;
    Ok((fates, summary))
}

struct State<'a, 'b> {
    fates: Vec<Fate>,
    keep: &'a mut Keep<'b>,
    failure: Option<Failure>,
}

impl State<'_, '_> {
    /// The scenarios that come to a mistake's place, in the order in which they run.
    fn in_order(&self, right: &Right, number: usize, mistake: &Mistake) -> Vec<String> {
        let mut scenarios = right.scenarios.get(number).cloned().unwrap_or_default();
        let of_the_function = |fate: &&Fate| {
            let place = fate.place.as_ref();
            place.is_some_and(|place| place.function == mistake.function)
        };
        let noticed: Vec<&str> = self
            .fates
            .iter()
            .rev()
            .filter(of_the_function)
            .filter_map(|fate| fate.by.as_deref())
            .collect();
        // Those that never did stay in their order behind the others.
        scenarios.sort_by_key(|name| {
            let last = noticed.iter().position(|noticed| noticed == name);
            last.unwrap_or(usize::MAX)
        });
        scenarios
    }
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the scenarios do where no mistake is made.
struct Right {
    /// The scenarios that come to each place, the quickest first.
    scenarios: Vec<Vec<String>>,
    /// What each takes, in milliseconds.
    took_ms: BTreeMap<String, u64>,
    /// Those that pass.
    passed: BTreeSet<String>,
}

/// How long the scenarios take, in milliseconds, that are run where an argument says that
/// a mistake changes nothing: they would see what is not so at all, and an argument can't
/// be proved by more of them.
const ARGUED_MS: u64 = 20_000;

/// What a scenario may take with a mistake: so many times what it takes without, and
/// some seconds more. A host that is slower for a while makes no difference of that
/// size.
const TIMES: u64 = 6;
const MORE_S: u64 = 6;

impl Right {
    fn new(rounds: &[Round], places: usize) -> Result<Self> {
        let mut reached: Vec<Vec<(u64, String)>> = vec![Vec::new(); places];
        let (mut passed, mut took) = (BTreeSet::new(), BTreeMap::new());
        for round in rounds {
            let failed = catch(round).or_else(|| {
                let (status, who) = (round.status, round.unfinished().unwrap_or("the guest"));
                (status != RoundStatus::Ok).then(|| (who.to_owned(), status.as_str().to_owned()))
            });
            if let Some((by, how)) = failed {
                let text = format!("{by} does not pass where no mistake is made: {how}");
                return fail(Kind::Infrastructure, text)
                    .hint("leave it out by --scenario, or see why by patch-test --arm patched");
            }
            passed.extend(bench::passed(round));
            for record in &round.records {
                let Record::Reached {
                    scenario,
                    took_ms,
                    places,
                } = record
                else {
                    continue;
                };
                took.insert(scenario.clone(), *took_ms);
                for place in places {
                    if let Some(reached) = reached.get_mut(*place as usize) {
                        reached.push((*took_ms, scenario.clone()));
                    }
                }
            }
        }
        let quickest_first = |mut reached: Vec<(u64, String)>| {
            reached.sort();
            reached.into_iter().map(|(_, scenario)| scenario).collect()
        };
        Ok(Self {
            scenarios: reached.into_iter().map(quickest_first).collect(),
            took_ms: took,
            passed,
        })
    }

    /// How long each may take with a mistake, in seconds.
    fn deadlines_s(&self) -> BTreeMap<String, u32> {
        let deadline = |took_ms: u64| took_ms * TIMES / 1_000 + MORE_S;
        let all = self.took_ms.iter();
        all.map(|(name, took)| {
            let deadline = u32::try_from(deadline(*took)).unwrap_or(u32::MAX);
            (name.clone(), deadline)
        })
        .collect()
    }

    /// Leaves as many of them as [`ARGUED_MS`] is enough for, and the first.
    fn shorten(&self, scenarios: &mut Vec<String>) {
        let mut left = ARGUED_MS;
        let fits = scenarios.iter().take_while(|name| {
            let took = self.took_ms.get(*name).copied().unwrap_or(0);
            let fits = took <= left;
            left = left.saturating_sub(took);
            fits
        });
        let count = fits.count().max(1);
        scenarios.truncate(count);
    }
}

/// The scenarios without a mistake, a part in each of so many guests.
fn rounds(bench: &Bench<'_>, generated: &Generated, guests: usize) -> Result<Vec<Round>> {
    let part = |guest: usize| -> Vec<String> {
        let own = bench.chosen.iter().skip(guest).step_by(guests);
        own.cloned().collect()
    };
    let boot = |guest: usize| {
        let plan = Plan {
            mistakes: Some(Mistakes::Reached),
            ..bench.plan(Purpose::Correctness, part(guest))
        };
        let place = bench.folder.join("without").join(guest.to_string());
        bench.boot(&generated.built, &plan, &place, &mut |scenario| {
            bench.job.progress.step(0, None, scenario);
        })
    };
    let boot = &boot;
    thread::scope(|scope| {
        let guests = (0..guests).filter(|guest| !part(*guest).is_empty());
        let threads: Vec<_> = guests
            .map(|guest| scope.spawn(move || boot(guest)))
            .collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(round) => round,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect()
    })
}

/// The lines that the series has changed, in which a mistake can be made, and to which
/// no scenario comes.
fn lines_not_reached(generated: &Generated, right: &Right) -> Vec<String> {
    let mut lines: BTreeMap<(&str, usize), bool> = BTreeMap::new();
    for ((file, mistake), scenarios) in generated.mistakes().zip(&right.scenarios) {
        if file.changed.contains(&mistake.line) {
            *lines.entry((&file.path, mistake.line)).or_default() |= !scenarios.is_empty();
        }
    }
    let missed = lines.into_iter().filter(|(_, reached)| !reached);
    missed
        .map(|((file, line), _)| format!("{file}:{line}"))
        .collect()
}

/// What becomes of one.
fn judge(
    bench: &Bench<'_>,
    generated: &Generated,
    right: &Right,
    number: usize,
    scenarios: Vec<String>,
    (file, mistake): (&File, &Mistake),
    argument: Option<&String>,
) -> Result<Fate> {
    let mut fate = unjudged(file, mistake, Verdict::NotReached);
    if scenarios.is_empty() {
        return Ok(fate);
    }
    let made = u32::try_from(number).unwrap_or(u32::MAX);
    let plan = Plan {
        mistakes: Some(Mistakes::Make(made)),
        deadlines_s: right.deadlines_s(),
        ..bench.plan(Purpose::Correctness, scenarios)
    };
    let folder = bench.folder.join("mistakes").join(&fate.name);
    let began = Instant::now();
    let mut tries = 0;
    let (caught, console) = loop {
        let round = bench.boot(&generated.built, &plan, &folder, &mut |_| ())?;
        let caught = catch(&round).or_else(|| newly_skipped(&round, &right.passed));
        if caught.is_some() || round.status == RoundStatus::Ok {
            break (caught, round.console_title().map(str::to_owned));
        }
        tries += 1;
        if tries == TRIES {
            let (name, status) = (&fate.name, round.status.as_str());
            let text = format!("{name}: the guest ended as {status}, {TRIES} times");
            return fail(Kind::Infrastructure, text)
                .hint(format!("see {}", folder.join("console.log").display()));
        }
    };
    fate.test_s = began.elapsed().as_secs_f64();
    Ok(fate.judged(caught, console, argument))
}

/// A mistake that needs no guest.
fn unjudged(file: &File, mistake: &Mistake, verdict: Verdict) -> Fate {
    Fate {
        name: mistake.name(),
        subject: format!("{}: {}", mistake.kind.as_str(), mistake.with),
        verdict,
        place: Some(place(file, mistake)),
        ..Fate::default()
    }
}

fn place(file: &File, mistake: &Mistake) -> Place {
    let wrong = mistake.apply(&file.text);
    let diff = TextDiff::from_lines(&file.text, &wrong);
    let names = [format!("a/{}", file.path), format!("b/{}", file.path)];
    let [old, new] = &names;
    Place {
        file: file.path.clone(),
        line: mistake.line,
        function: mistake.function.clone(),
        kind: mistake.kind.as_str(),
        diff: diff.unified_diff().header(old, new).to_string(),
    }
}

/// Finds those that nobody noticed and that the compiler makes the same code of: some
/// change nothing, and some this configuration leaves out.
fn find_same_code(bench: &Bench<'_>, all: &[(&File, &Mistake)], fates: &mut [Fate]) -> Result {
    let mut unnoticed: BTreeMap<&str, (Vec<&mut Fate>, Vec<String>)> = BTreeMap::new();
    for fate in fates.iter_mut() {
        let of = all.iter().find(|(_, mistake)| mistake.name() == fate.name);
        let asked = matches!(fate.verdict, Verdict::Survived | Verdict::NotReached);
        if let (true, Some((file, mistake))) = (asked, of) {
            let (own, texts) = unnoticed.entry(&file.path).or_default();
            own.push(fate);
            texts.push(mistake.apply(&file.text));
        }
    }
    for (path, (unnoticed, texts)) in unnoticed {
        let same = kernels::same_code(bench.job, bench.kernel, path, &texts)?;
        for (fate, same) in unnoticed.into_iter().zip(same) {
            if same {
                fate.verdict = Verdict::SameCode;
            }
        }
    }
    Ok(())
}
