//! What a scenario knows of its run, and where it reports to.

use std::fs::File;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use results::ktap::{Test, Writer};
use results::plan::Plan;
use results::record::{Record, Sample, Unit, Walker};

use results::turn::Word;

use crate::failure::{Failure, ResultExt};
use crate::turns::Turns;

/// The stream to the host. The watchdog and a scenario share it.
#[derive(Debug)]
pub struct Report(Mutex<Writer<File>>);

impl Report {
    /// Announces `planned` tests.
    pub fn new(port: File, planned: u32) -> Result<Self, Failure> {
        Ok(Self(Mutex::new(
            Writer::new(port, planned).while_doing(|| "writing results".into())?,
        )))
    }

    pub fn test(&self, test: &Test) -> Result<(), Failure> {
        self.with(|writer| writer.tree(test))
    }

    pub fn record(&self, record: &Record) -> Result<(), Failure> {
        self.with(|writer| writer.record(record))
    }

    fn with(
        &self,
        write: impl FnOnce(&mut Writer<File>) -> std::io::Result<()>,
    ) -> Result<(), Failure> {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        write(&mut writer).while_doing(|| "writing results".into())
    }
}

#[derive(Debug)]
pub struct Context<'a> {
    /// What the host asked for.
    pub plan: &'a Plan,
    scenario: &'static str,
    report: &'a Report,
    /// None where no other guest is to be waited for.
    turns: Option<&'a Turns>,
    subtests: Mutex<Vec<Test>>,
}

/// One repetition of a measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Repetition {
    /// Counted from 0, warm-ups included.
    pub index: u32,
    /// Whether it is one of the first, which comparisons leave out.
    pub warmup: bool,
    /// What is varied in it.
    pub at: Option<f64>,
}

impl Repetition {
    /// The one repetition of what is measured once.
    pub const ONLY: Self = Self {
        index: 0,
        warmup: false,
        at: None,
    };
}

impl<'a> Context<'a> {
    /// A scenario's view of the run.
    pub fn new(
        plan: &'a Plan,
        scenario: &'static str,
        report: &'a Report,
        turns: Option<&'a Turns>,
    ) -> Self {
        Self {
            plan,
            scenario,
            report,
            turns,
            subtests: Mutex::default(),
        }
    }

    /// Adds parts to the scenario's result.
    pub fn subtests(&self, tests: Vec<Test>) {
        self.subtests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(tests);
    }

    /// The parts that the scenario's result has.
    pub fn into_subtests(self) -> Vec<Test> {
        self.subtests
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a reap takes that has the address space to itself, where an
    /// earlier boot of the run found out.
    pub fn solo(&self) -> Option<Duration> {
        let solo = self.plan.solo_us.get(self.scenario)?;
        Some(Duration::from_micros(*solo))
    }

    /// Reports what this boot found of it.
    pub fn found_solo(&self, solo: Duration) -> Result<Duration, Failure> {
        let us = solo.as_micros() as u64;
        self.note(format!("a reap without the other walker takes {us} us"))?;
        self.record(&Record::Solo {
            scenario: self.scenario(),
            us,
        })?;
        Ok(solo)
    }

    /// The name under which the scenario reports.
    pub fn scenario(&self) -> String {
        self.scenario.to_owned()
    }

    /// The repetitions the plan asks for, warm-ups first.
    pub fn repetitions(&self) -> impl Iterator<Item = Repetition> + use<> {
        let warmups = self.plan.warmups;
        (0..warmups.saturating_add(self.plan.repetitions)).map(move |index| Repetition {
            index,
            warmup: index < warmups,
            at: None,
        })
    }

    /// Runs one repetition: prepares it, and races when it is this guest's turn,
    /// as often as the host asks for it. `race` gets how long both guests take a
    /// solo reap to be, where the host knows.
    pub fn take_turn<P>(
        &self,
        repetition: Repetition,
        mut prepare: impl FnMut() -> Result<P, Failure>,
        mut race: impl FnMut(P, Option<Duration>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (scenario, repetition) = (self.scenario(), repetition.index);
        loop {
            let prepared = prepare()?;
            let Some(turns) = self.turns else {
                return race(prepared, None);
            };
            self.record(&Record::Ready {
                scenario: scenario.clone(),
                repetition,
            })?;
            let word = turns.wait()?;
            let Word::Go { solo_us } = word else {
                return Err(Failure::unmet(format!("the host said {word:?} too early")));
            };
            // What the host disturbed says nothing of the kernel.
            let missed = match race(prepared, solo_us.map(Duration::from_micros)) {
                Ok(()) => None,
                Err(failure @ Failure::NoRace(_)) => Some(failure),
                Err(failure) => return Err(failure),
            };
            self.record(&Record::Raced {
                scenario: scenario.clone(),
                repetition,
            })?;
            match turns.wait()? {
                Word::Next => return missed.map_or(Ok(()), Err),
                Word::Without => return Ok(()),
                Word::Again => {}
                word @ Word::Go { .. } => {
                    return Err(Failure::unmet(format!("the host said {word:?} too late")));
                }
            }
            self.record(&Record::Void {
                scenario: scenario.clone(),
                repetition,
            })?;
        }
    }

    /// Reports a sample that belongs to no single walker.
    pub fn sample(
        &self,
        repetition: Repetition,
        metric: Metric,
        value: f64,
    ) -> Result<(), Failure> {
        self.walker_sample(repetition, metric, value, None)
    }

    /// Reports a sample of one walker, or of both.
    pub fn walker_sample(
        &self,
        repetition: Repetition,
        metric: Metric,
        value: f64,
        walker: Option<Walker>,
    ) -> Result<(), Failure> {
        self.report.record(&Record::Sample(Sample {
            scenario: self.scenario(),
            metric: metric.name.to_owned(),
            unit: metric.unit,
            repetition: repetition.index,
            warmup: repetition.warmup,
            value,
            walker,
            at: repetition.at,
        }))
    }

    /// Reports something a reader should know.
    pub fn note(&self, text: impl Into<String>) -> Result<(), Failure> {
        self.report.record(&Record::Note {
            scenario: self.scenario(),
            text: text.into(),
        })
    }

    /// Reports any other record.
    pub fn record(&self, record: &Record) -> Result<(), Failure> {
        self.report.record(record)
    }
}

/// Something a scenario measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Metric {
    pub name: &'static str,
    pub unit: Unit,
}

impl Metric {
    /// A metric in microseconds.
    pub const fn us(name: &'static str) -> Self {
        Self {
            name,
            unit: Unit::Us,
        }
    }

    /// A metric that counts.
    pub const fn count(name: &'static str) -> Self {
        Self {
            name,
            unit: Unit::Count,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Write, pipe};
    use std::os::fd::OwnedFd;

    use results::Purpose;

    use super::*;

    /// How a repetition ends of which every race fails like this, where the host says
    /// these words; and how often it raced.
    fn turn(words: &str, race: fn() -> Result<(), Failure>) -> (Option<String>, u32) {
        let (port, mut host) = pipe().unwrap();
        host.write_all(words.replace(' ', "\n").as_bytes()).unwrap();
        let turns = Turns::new(OwnedFd::from(port).into());
        let plan = Plan::new(Purpose::Probed);
        let nowhere = File::options().write(true).open("/dev/null").unwrap();
        let report = Report::new(nowhere, 1).unwrap();
        let context = Context::new(&plan, "race", &report, Some(&turns));
        let mut raced = 0;
        let ended = context.take_turn(
            Repetition::ONLY,
            || Ok(()),
            |(), _| {
                raced += 1;
                race()
            },
        );
        (ended.err().map(|failure| failure.to_string()), raced)
    }

    #[test]
    fn what_the_host_disturbed_is_no_failure() {
        let missed = || Err(Failure::NoRace("never met".to_owned()));
        let never_met = Some("never met".to_owned());
        assert_eq!(turn("go next ", missed), (never_met.clone(), 1));
        assert_eq!(turn("go again go next ", missed), (never_met, 2));
        assert_eq!(turn("go again go without ", missed), (None, 2));
        assert_eq!(turn("go again go next ", || Ok(())), (None, 2));
        // What is wrong otherwise is wrong on any host.
        let unmet = || Err(Failure::unmet("4 KiB left"));
        assert_eq!(turn("go without ", unmet), (Some("4 KiB left".into()), 1));
    }
}
