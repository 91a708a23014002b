//! Boots what was planned: looks at the samples on the way, stops when they
//! decide, gives a fresh guest what a failure left over, and goes on with a run
//! that was interrupted.

use std::any::Any;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use evidence::run::{LostBoot, LostTo, Round, RoundStatus};
use results::{Arm, Purpose};

use super::plan::{self, Boot};
use super::record::Record;
use super::turns::Turns;
use crate::exit::{Advise, Kind, Result, fail};
use crate::progress::seconds;

/// Whoever boots guests.
pub trait Booter: Sync {
    /// How many guests the host has room for at once.
    fn room(&self) -> usize;
    /// Waits for the host: for all of it, or for a part. It is ours until what
    /// this returns is dropped.
    fn host(&self, alone: bool) -> Result<Box<dyn Any>>;
    /// Boots one. Where its plan has it wait, it is for the word of `turns`.
    fn boot(&self, boot: &Numbered<'_>, turns: Option<&Turns>) -> Result<Booted>;
    /// Fails where the command was cancelled.
    fn alive(&self) -> Result;
    fn now(&self) -> Instant;
}

/// A boot with its place in the run.
#[derive(Clone, Copy)]
pub struct Numbered<'a> {
    pub boot: &'a Boot,
    /// Counted from 0.
    pub index: usize,
    /// How many boots the run has, as far as is known.
    pub total: usize,
    /// How often it was void before.
    pub attempt: u32,
}

impl Numbered<'_> {
    /// Such as `boot 3 of 16, base`.
    pub fn name(&self) -> String {
        let (number, total) = (self.index + 1, self.total);
        format!("boot {number} of {total}, {}", self.boot.arm)
    }
}

/// A boot that has ended.
pub struct Booted {
    pub round: Round,
    /// Its first attempt, where it took two.
    pub lost: Option<LostBoot>,
    /// How long it, or the host, stood still meanwhile.
    pub stood_still: Duration,
}

impl Booted {
    /// The boot as one that is void: what it says is not the kernel's doing alone.
    /// What was cancelled is no boot.
    pub fn void(&self) -> Option<LostBoot> {
        let Self {
            round, stood_still, ..
        } = self;
        let void = !stood_still.is_zero() && round.status != RoundStatus::Interrupted;
        let stood_still = seconds(*stood_still);
        let why = format!("it, or the host, stood still for {stood_still}; booted again");
        void.then(|| LostBoot::of(round, LostTo::Host, why))
    }
}

impl From<Round> for Booted {
    fn from(round: Round) -> Self {
        Self {
            round,
            lost: None,
            stood_still: Duration::ZERO,
        }
    }
}

/// How often a boot is made at most, where the host stands still each time.
const ATTEMPTS: u32 = 4;

/// Makes a boot until the host has not stood still meanwhile. `boot` is told how often
/// it was void before, and returns nothing where it is again.
pub fn awake<T>(name: &str, mut boot: impl FnMut(u32) -> Result<Option<T>>) -> Result<T> {
    for attempt in 0..ATTEMPTS {
        if let Some(booted) = boot(attempt)? {
            return Ok(booted);
        }
    }
    fail(
        Kind::Infrastructure,
        format!("the host stood still during each of {ATTEMPTS} attempts at {name}"),
    )
    .hint("keep it awake, and what runs on it from being stopped: systemd-inhibit does so for a command")
}

/// What happens on the way.
pub enum Event<'a> {
    Lost {
        boot: &'a str,
        why: &'a str,
    },
    Ended {
        boot: &'a str,
        round: &'a Round,
    },
    /// A fresh guest gets so many scenarios.
    Left(usize),
    /// So many blocks decide, so long after the start.
    Decided {
        blocks: usize,
        after: Duration,
    },
    /// The limit of minutes ends the measuring.
    OutOfTime {
        after: Duration,
    },
}

/// When a command began, and how long it may measure.
pub struct Clock {
    /// When the command began.
    pub began: Instant,
    /// No boot that measures begins later than this after the first boot.
    pub limit: Option<Duration>,
}

/// Runs the boots. Those that end are kept before the next begin.
pub fn execute(
    booter: &dyn Booter,
    mut boots: VecDeque<Boot>,
    clock: &Clock,
    record: &mut Record,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result {
    let booting = booter.now();
    while !boots.is_empty() {
        booter.alive()?;
        let index = record.run().rounds.len();
        let total = index + boots.len();
        let at_once = plan::side_by_side(&boots, booter.room());
        let mut group: Vec<Boot> = boots.drain(..at_once).collect();
        let solo_us = plan::solo_us(record.run());
        for boot in &mut group {
            boot.plan.solo_us.clone_from(&solo_us);
        }
        let group: Vec<Numbered<'_>> = group
            .iter()
            .zip(index..)
            .map(|(boot, index)| Numbered {
                boot,
                index,
                total,
                attempt: 0,
            })
            .collect();
        let mut rests = Vec::new();
        for (boot, booted) in group.iter().zip(boot_awake(booter, &group, record, tell)?) {
            let Booted { round, lost, .. } = booted?;
            let name = boot.name();
            lose(&name, lost, record, tell);
            tell(Event::Ended {
                boot: &name,
                round: &round,
            });
            if let Some(rest) = plan::rest(boot.boot, &round) {
                if round.status != RoundStatus::Interrupted {
                    tell(Event::Left(rest.plan.scenarios.len()));
                }
                rests.push(rest);
            }
            record.add(round)?;
        }
        for rest in rests.into_iter().rev() {
            boots.push_front(rest);
        }
        stop_measuring(booter.now(), booting, clock, &mut boots, record, tell);
        booter.alive()?;
    }
    Ok(())
}

/// Leaves out what need not be measured any more: the samples decide, or there
/// is no time.
fn stop_measuring(
    now: Instant,
    booting: Instant,
    clock: &Clock,
    boots: &mut VecDeque<Boot>,
    record: &mut Record,
    tell: &mut dyn FnMut(Event<'_>),
) {
    let Some(measured) = plan::measured(record.run(), boots) else {
        return;
    };
    let (since_start, after) = (now - clock.began, now - booting);
    if plan::looks(record.run(), measured) && evidence::decided(record.run()) {
        record.decided(since_start);
        tell(Event::Decided {
            blocks: measured,
            after: since_start,
        });
        plan::enough(boots);
    } else if clock.limit.is_some_and(|limit| after >= limit)
        && boots.iter().any(|boot| boot.plan.purpose.measures())
    {
        record.out_of_time(after);
        tell(Event::OutOfTime { after });
        plan::enough(boots);
    }
}

fn lose(boot: &str, lost: Option<LostBoot>, record: &mut Record, tell: &mut dyn FnMut(Event<'_>)) {
    if let Some(lost) = lost {
        let why = &lost.why;
        tell(Event::Lost { boot, why });
        record.lose(lost);
    }
}

/// Boots these at once, and again where one of them, or the host, stood still: those
/// that take turns have waited for each other. What the run has already stands in for a
/// boot.
fn boot_awake(
    booter: &dyn Booter,
    group: &[Numbered<'_>],
    record: &mut Record,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Vec<Result<Booted>>> {
    let recorded: Vec<Option<Round>> = group.iter().map(|_| record.next_recorded()).collect();
    let name = group.first().map(Numbered::name).unwrap_or_default();
    awake(&name, |attempt| {
        booter.alive()?;
        let group: Vec<Numbered<'_>> = group
            .iter()
            .map(|boot| Numbered { attempt, ..*boot })
            .collect();
        let booted = boot_all(booter, &group, &recorded)?;
        let void = |it: &Result<Booted>| it.as_ref().ok().and_then(Booted::void);
        if booted.iter().all(|it| void(it).is_none()) {
            return Ok(Some(booted));
        }
        for (boot, booted) in group.iter().zip(booted) {
            let (name, void) = (boot.name(), void(&booted));
            lose(&name, booted.ok().and_then(|it| it.lost), record, tell);
            lose(&name, void, record, tell);
        }
        Ok(None)
    })
}

/// Boots these at once, in a thread each: what dies with its thread is the guest
/// that it started.
fn boot_all(
    booter: &dyn Booter,
    group: &[Numbered<'_>],
    recorded: &[Option<Round>],
) -> Result<Vec<Result<Booted>>> {
    let timed = |boot: &Numbered<'_>| boot.boot.plan.purpose != Purpose::Correctness;
    let host = match recorded.iter().all(Option::is_some) {
        true => None,
        false => Some(booter.host(group.iter().any(timed))?),
    };
    let turns = turns(group, recorded);
    let boot = |boot: &Numbered<'_>, recorded: &Option<Round>| match recorded {
        Some(round) => Ok(round.clone().into()),
        None => {
            let mut booted = booter.boot(boot, turns.as_ref())?;
            booted.round.block = boot.boot.block;
            Ok(booted)
        }
    };
    let mut pairs = group.iter().zip(recorded);
    let booted = match pairs.len() {
        1 => pairs.map(|(one, recorded)| boot(one, recorded)).collect(),
        _ => std::thread::scope(|scope| {
            let threads: Vec<_> = pairs
                .by_ref()
                .map(|(one, recorded)| {
                    let boot = &boot;
                    scope.spawn(move || boot(one, recorded))
                })
                .collect();
            let joined = threads.into_iter().map(|thread| match thread.join() {
                Ok(booted) => booted,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            joined.collect()
        }),
    };
    drop(host);
    Ok(booted)
}

/// The turns of those of a group that are booted.
fn turns(group: &[Numbered<'_>], recorded: &[Option<Round>]) -> Option<Turns> {
    let booted = group.iter().zip(recorded).filter(|(_, it)| it.is_none());
    let waiting: Vec<&Boot> = booted
        .map(|(one, _)| one.boot)
        .filter(|boot| boot.plan.by_turns)
        .collect();
    let plan = &waiting.first()?.plan;
    let arms: Vec<Arm> = waiting.iter().map(|boot| boot.arm).collect();
    let solo_us = plan.solo_us.clone();
    Some(Turns::new(&arms, &plan.scenarios, solo_us, plan.seed))
}

#[cfg(test)]
pub(super) use tests::described;

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    use evidence::run::{RoundStatus, Run};
    use results::plan::Plan;
    use results::record::{Record as Line, Sample, Unit};
    use results::{Arm, ktap};
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;
    use crate::exit::{Kind, fail};
    use crate::run::folder;

    /// What a guest of the fake does.
    #[derive(Clone, Copy, PartialEq)]
    enum Act {
        Pass,
        /// The second scenario fails, and what follows is handed over.
        FailSecond,
        /// The first attempt is lost.
        Lost,
        /// The host sleeps meanwhile.
        StandStill,
        /// Both.
        LostAndStill,
        /// Ctrl-C while it runs.
        Interrupt,
        /// Ctrl-C as soon as it has ended.
        InterruptAfter,
    }

    /// Boots nothing: each guest does what the script says, and takes a minute.
    struct Fake {
        script: fn(usize) -> Act,
        room: usize,
        state: Mutex<State>,
        start: Instant,
    }

    #[derive(Default)]
    struct State {
        booted: Vec<(Arm, Purpose, Vec<String>)>,
        hosts: Vec<bool>,
        /// Whether each boot had somebody to take turns with.
        turns: Vec<bool>,
        cancelled: bool,
    }

    impl Fake {
        fn new(script: fn(usize) -> Act) -> Self {
            Self {
                script,
                room: 1,
                state: Mutex::default(),
                start: Instant::now(),
            }
        }

        fn booted(&self) -> Vec<(Arm, Purpose, Vec<String>)> {
            self.state.lock().unwrap().booted.clone()
        }
    }

    impl Booter for Fake {
        fn room(&self) -> usize {
            self.room
        }

        fn host(&self, alone: bool) -> Result<Box<dyn Any>> {
            self.state.lock().unwrap().hosts.push(alone);
            Ok(Box::new(()))
        }

        fn boot(&self, boot: &Numbered<'_>, turns: Option<&Turns>) -> Result<Booted> {
            let act = (self.script)(boot.index);
            let mut state = self.state.lock().unwrap();
            state.turns.push(turns.is_some());
            let names = boot.boot.plan.scenarios.clone();
            let purpose = boot.boot.plan.purpose;
            state.booted.push((boot.boot.arm, purpose, names));
            state.cancelled |= matches!(act, Act::Interrupt | Act::InterruptAfter);
            let round = round(boot, act);
            let lost = LostBoot::of(&round, LostTo::Emulation, "int3".to_owned());
            Ok(Booted {
                lost: matches!(act, Act::Lost | Act::LostAndStill).then_some(lost),
                stood_still: match act {
                    Act::StandStill | Act::LostAndStill => Duration::from_secs(30),
                    _ => Duration::ZERO,
                },
                round,
            })
        }

        fn alive(&self) -> Result {
            match self.state.lock().unwrap().cancelled {
                true => fail(Kind::Interrupted, "interrupted"),
                false => Ok(()),
            }
        }

        fn now(&self) -> Instant {
            let minutes = self.state.lock().unwrap().booted.len() as u64;
            self.start + Duration::from_secs(60 * minutes)
        }
    }

    /// Base takes twice as long as patched.
    fn round(boot: &Numbered<'_>, act: Act) -> Round {
        let names = &boot.boot.plan.scenarios;
        let mut log = format!("KTAP version 1\n1..{}\n", names.len());
        let mut records = Vec::new();
        for (name, at) in names.iter().zip(1..) {
            let failed = act == Act::FailSecond && names.len() > 1;
            let scenario = name.clone();
            if act == Act::Interrupt && at > 1 {
                break;
            } else if failed && at > 2 {
                log.push_str(&format!("ok {at} {name} # SKIP later\n"));
                records.push(Line::HandedOver { scenario });
            } else {
                let word = if failed && at == 2 { "not ok" } else { "ok" };
                log.push_str(&format!("{word} {at} {name}\n"));
                records.push(Line::Start {
                    scenario,
                    deadline_s: 1,
                });
            }
        }
        for repetition in 0..4 {
            let level = if boot.boot.arm == Arm::Base { 2.0 } else { 1.0 };
            records.push(Line::Sample(Sample {
                scenario: names[0].clone(),
                metric: "sum".into(),
                unit: Unit::Us,
                repetition,
                warmup: false,
                value: 1000.0 * level + boot.index as f64 + f64::from(repetition),
                walker: None,
                at: None,
            }));
        }
        Round {
            index: boot.index as u32,
            arm: boot.boot.arm,
            purpose: boot.boot.plan.purpose,
            block: None,
            status: match act {
                Act::Interrupt => RoundStatus::Interrupted,
                Act::FailSecond => RoundStatus::Failed,
                _ => RoundStatus::Ok,
            },
            console_verdict: Default::default(),
            console_events: Vec::new(),
            boot_s: Some(1.0),
            wall_s: 60.0,
            ktap: ktap::read(log.as_bytes()).unwrap(),
            records,
        }
    }

    fn boot(arm: Arm, purpose: Purpose, scenarios: &[&str]) -> Boot {
        Boot {
            arm,
            block: None,
            plan: Plan {
                seed: 1,
                scenarios: scenarios.iter().map(|&name| name.to_owned()).collect(),
                repetitions: 4,
                ..Plan::new(purpose)
            },
            qemu_fault: None,
        }
    }

    /// Eight blocks, and a correctness boot of each arm.
    fn boots() -> VecDeque<Boot> {
        let kinds = [Purpose::Probed, Purpose::Unprobed].into_iter();
        let block = kinds.flat_map(|kind| Arm::BOTH.map(|arm| boot(arm, kind, &["race"])));
        let block: Vec<Boot> = block.collect();
        let blocks = (0..8).flat_map(|number| {
            block.iter().cloned().map(move |boot| Boot {
                block: Some(number),
                ..boot
            })
        });
        let correctness = Arm::BOTH.map(|arm| boot(arm, Purpose::Correctness, &["a", "b", "c"]));
        blocks.chain(correctness).collect()
    }

    pub(crate) fn described(primary: &str) -> Run {
        let arm = |arm, image: &str| {
            json!({
                "arm": arm, "commit": "c", "tree": "t", "config_sha": "c",
                "image_sha": image, "cached": true, "prerequisites": [],
            })
        };
        serde_json::from_value(json!({
            "schema": evidence::run::SCHEMA, "tool_version": "0", "started": "2025-11-10T18:05:00Z",
            "command": "cargo xtask patch-test",
            "host": { "os": "", "cpu": "", "cpus": 2, "memory_kib": 1, "kernel": "" },
            "accelerator": { "kind": "tcg", "why": "" },
            "qemu": "7", "virtme_ng": "1", "compiler": "gcc", "seed": 1,
            "series": { "name": "s", "title": "s", "version": "v1", "missing": [], "patches": [] },
            "kernel": {
                "name": "6.12", "version": "6.12.1",
                "arms": [arm("base", "b"), arm("patched", "p")],
            },
            "guest": { "cpus": 2, "memory_mib": 1024, "flavour": "lean" },
            "rounds": [], "primary": [primary], "limit": 8, "margin": 0.05,
        }))
        .unwrap()
    }

    struct Ended {
        folder: TempDir,
        run: Run,
        result: Result,
        events: Vec<&'static str>,
    }

    /// Runs boots in a folder, on top of what an earlier run left there.
    fn go(
        fake: &Fake,
        boots: VecDeque<Boot>,
        limit: Option<u64>,
        earlier: Option<&Ended>,
    ) -> Ended {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().to_owned();
        let earlier = earlier.map(|ended| ended.run.clone());
        let mut record = Record::new(place, described("sum"), earlier).unwrap();
        let clock = Clock {
            began: fake.start,
            limit: limit.map(|minutes| Duration::from_secs(60 * minutes)),
        };
        let mut events = Vec::new();
        let result = execute(fake, boots, &clock, &mut record, &mut |event| {
            events.push(match event {
                Event::Lost { .. } => "lost",
                Event::Ended { .. } => return,
                Event::Left(_) => "left",
                Event::Decided { .. } => "decided",
                Event::OutOfTime { .. } => "out of time",
            });
        });
        Ended {
            run: record.run().clone(),
            folder,
            result,
            events,
        }
    }

    fn count(run: &Run, purpose: Purpose) -> usize {
        run.rounds.iter().filter(|r| r.purpose == purpose).count()
    }

    fn saved_rounds(folder: &Path) -> usize {
        let text = std::fs::read(folder.join("run.json")).unwrap();
        let run: serde_json::Value = serde_json::from_slice(&text).unwrap();
        run["rounds"].as_array().unwrap().len()
    }

    #[test]
    fn stops_measuring_once_it_is_decided() {
        let ended = go(&Fake::new(|_| Act::Pass), boots(), None, None);
        assert!(ended.result.is_ok());
        assert_eq!(ended.events, ["decided"]);
        assert_eq!(ended.run.decided_s, Some(24.0 * 60.0));
        let counts = [Purpose::Probed, Purpose::Correctness, Purpose::Unprobed]
            .map(|purpose| count(&ended.run, purpose));
        assert_eq!(counts, [12, 2, 12]);
        assert_eq!(saved_rounds(ended.folder.path()), 26);
        let blocks = ended.run.rounds.iter().filter_map(|round| round.block);
        assert_eq!(blocks.max(), Some(5));
    }

    /// `--exactly`: the same samples, and no early stop.
    #[test]
    fn goes_on_to_its_number_where_that_was_asked() {
        let mut run = described("sum");
        run.exactly = true;
        let folder = tempfile::tempdir().unwrap();
        let mut record = Record::new(folder.path().to_owned(), run, None).unwrap();
        let fake = Fake::new(|_| Act::Pass);
        let clock = Clock {
            began: fake.start,
            limit: None,
        };
        execute(&fake, boots(), &clock, &mut record, &mut |_| ()).unwrap();
        assert_eq!(record.run().rounds.len(), 8 * 4 + 2);
        assert_eq!(record.run().decided_s, Some(32.0 * 60.0));
    }

    /// A run whose boots came in another order is not gone on with.
    #[test]
    fn a_run_without_blocks_is_not_resumed() {
        let mut broken = go(&Fake::new(|_| Act::Pass), boots(), Some(4), None);
        for round in &mut broken.run.rounds {
            round.block = None;
        }
        let place = tempfile::tempdir().unwrap();
        let again = Record::new(place.path().to_owned(), described("sum"), Some(broken.run));
        assert_eq!(again.err().map(|failure| failure.kind), Some(Kind::Usage));
    }

    #[test]
    fn a_fresh_guest_gets_what_a_failure_left() {
        let fake = Fake::new(|index| match index {
            0 => Act::FailSecond,
            _ => Act::Pass,
        });
        let plan = VecDeque::from([
            boot(Arm::Patched, Purpose::Correctness, &["a", "b", "c", "d"]),
            boot(Arm::Base, Purpose::Correctness, &["a"]),
        ]);
        let ended = go(&fake, plan, None, None);
        assert_eq!(ended.events, ["left"]);
        let booted = fake.booted();
        assert_eq!(booted[1].2, ["c", "d"]);
        assert_eq!((booted[1].0, booted[2].0), (Arm::Patched, Arm::Base));
    }

    #[test]
    fn goes_on_with_an_interrupted_run() {
        let whole = go(&Fake::new(|_| Act::Pass), boots(), None, None);
        let fake = Fake::new(|index| match index {
            5 => Act::Interrupt,
            _ => Act::Pass,
        });
        let broken = go(&fake, boots(), None, None);
        assert_eq!(broken.result.unwrap_err().kind, Kind::Interrupted);
        assert_eq!(broken.run.rounds[5].status, RoundStatus::Interrupted);
        assert_eq!(saved_rounds(broken.folder.path()), 6);

        let broken = Ended {
            result: Ok(()),
            ..broken
        };
        let fake = Fake::new(|_| Act::Pass);
        let resumed = go(&fake, boots(), None, Some(&broken));
        assert!(resumed.result.is_ok());
        // The round that was interrupted is booted again, those before it not.
        assert_eq!(fake.booted().len(), 26 - 5);
        assert_eq!(resumed.run.rounds, whole.run.rounds);
        assert_eq!(saved_rounds(resumed.folder.path()), 26);
    }

    #[test]
    fn is_cancelled_between_boots() {
        let fake = Fake::new(|index| match index {
            1 => Act::InterruptAfter,
            _ => Act::Pass,
        });
        let ended = go(&fake, boots(), None, None);
        assert_eq!(ended.result.unwrap_err().kind, Kind::Interrupted);
        let well = |round: &Round| round.status == RoundStatus::Ok;
        assert!(ended.run.rounds.len() == 2 && ended.run.rounds.iter().all(well));
        assert_eq!(saved_rounds(ended.folder.path()), 2);
    }

    #[test]
    fn the_time_limit_ends_the_measuring() {
        let ended = go(&Fake::new(|_| Act::Pass), boots(), Some(4), None);
        assert_eq!(ended.events, ["out of time"]);
        let counts = [Purpose::Probed, Purpose::Correctness, Purpose::Unprobed]
            .map(|purpose| count(&ended.run, purpose));
        assert_eq!(counts, [2, 2, 2]);
        assert_eq!(ended.run.decided_s, None);
        assert_eq!(ended.run.notes, ["measured no more after 4 min 00 s"]);
    }

    #[test]
    fn a_lost_boot_is_said() {
        let fake = Fake::new(|index| match index {
            1 => Act::Lost,
            _ => Act::Pass,
        });
        let ended = go(&fake, boots(), None, None);
        assert_eq!(ended.events, ["lost", "decided"]);
        let lost = &ended.run.lost_boots[0];
        assert_eq!(
            (lost.index, lost.arm, lost.why.as_str()),
            (1, Arm::Patched, "int3")
        );
        let loaded = folder::save(ended.folder.path(), &ended.run);
        assert!(loaded.is_ok());
    }

    #[test]
    fn a_pair_is_booted_again_where_the_host_stood_still() {
        // Of the second pair the second one is void, twice, and first lost, too.
        static BOOTS: AtomicU32 = AtomicU32::new(0);
        let mut fake = Fake::new(|index| match index {
            3 => match BOOTS.fetch_add(1, Ordering::Relaxed) {
                0 => Act::LostAndStill,
                1 => Act::StandStill,
                _ => Act::Pass,
            },
            _ => Act::Pass,
        });
        fake.room = 2;
        let pair = Arm::BOTH.map(|arm| boot(arm, Purpose::Correctness, &["a"]));
        let ended = go(
            &fake,
            pair.iter().chain(&pair).cloned().collect(),
            None,
            None,
        );
        assert_eq!(ended.events, ["lost", "lost", "lost"]);
        assert_eq!(ended.run.lost_boots[0].lost_to, LostTo::Emulation);
        assert_eq!((ended.run.rounds.len(), fake.booted().len()), (4, 8));
        let lost = &ended.run.lost_boots[2];
        assert_eq!(
            (lost.index, lost.arm, lost.lost_to),
            (3, Arm::Patched, LostTo::Host)
        );
        assert_eq!(
            lost.why,
            "it, or the host, stood still for 30 s; booted again"
        );
        let ended = go(&Fake::new(|_| Act::StandStill), boots(), None, None);
        assert_eq!(ended.events, ["lost"; ATTEMPTS as usize]);
        assert_eq!(ended.result.unwrap_err().kind, Kind::Infrastructure);
    }

    #[test]
    fn a_pair_takes_turns_and_has_the_host_to_itself() {
        let mut fake = Fake::new(|_| Act::Pass);
        fake.room = 2;
        let kinds = [Purpose::Probed, Purpose::Unprobed].into_iter();
        let pairs = kinds.flat_map(|kind| Arm::BOTH.map(|arm| boot(arm, kind, &["race"])));
        let mut plan: VecDeque<Boot> = pairs.collect();
        for boot in &mut plan {
            (boot.block, boot.plan.by_turns) = (Some(0), true);
        }
        plan.push_back(boot(Arm::Base, Purpose::Correctness, &["a"]));
        let ended = go(&fake, plan, None, None);
        assert_eq!(ended.run.rounds.len(), 5);
        let state = fake.state.lock().unwrap();
        assert_eq!(state.hosts, [true, true, false]);
        assert_eq!(state.turns, [true, true, true, true, false]);
    }

    #[test]
    fn correctness_boots_run_side_by_side_and_share_the_host() {
        let mut fake = Fake::new(|_| Act::Pass);
        fake.room = 4;
        let plan = VecDeque::from([
            boot(Arm::Base, Purpose::Correctness, &["a"]),
            boot(Arm::Patched, Purpose::Correctness, &["a"]),
            boot(Arm::Base, Purpose::Unprobed, &["race"]),
        ]);
        let ended = go(&fake, plan, None, None);
        let arms: Vec<Arm> = ended.run.rounds.iter().map(|round| round.arm).collect();
        assert_eq!(arms, [Arm::Base, Arm::Patched, Arm::Base]);
        assert_eq!(fake.state.lock().unwrap().hosts, [false, true]);
    }
}
