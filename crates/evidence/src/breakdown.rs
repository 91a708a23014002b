//! When a guest breaks down: whether that speaks against its kernel.
//!
//! One rule for runs, bisections and mutants: a panic, a lockup or a hang after
//! the kernel came up counts against the arm that it happened on, unless both
//! arms of a run do the same. Then it speaks of neither. A guest that never
//! came up, a QEMU that died, a cut log and an interrupt
//! ([`RoundStatus::is_infrastructure`]) say nothing of the kernel.

use std::collections::BTreeMap;

use results::{Arm, console};

use crate::run::{Round, RoundStatus, Run};

/// How a guest broke down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Panic,
    /// It fell silent, and the console shows a CPU, RCU or a task that is stuck.
    Lockup,
    Hang,
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Lockup => "lockup",
            Self::Hang => "hang",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Panic => "the kernel panicked",
            Self::Lockup => "the guest locked up",
            Self::Hang => "the guest hung",
        }
    }
}

/// How a guest broke down, and what ran then. Two that are equal are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breakdown<'a> {
    pub kind: Kind,
    /// The scenario that was on; none between two of them.
    pub scenario: Option<&'a str>,
}

impl<'a> Breakdown<'a> {
    /// That of a round; none where the guest did not break down.
    pub fn of(round: &'a Round) -> Option<Self> {
        let kind = match round.status {
            RoundStatus::Panic => Kind::Panic,
            RoundStatus::Hang if is_lockup(round.console_verdict) => Kind::Lockup,
            RoundStatus::Hang => Kind::Hang,
            _ => return None,
        };
        Some(Self {
            kind,
            scenario: round.unfinished(),
        })
    }

    /// Such as `the guest hung in reap-order`.
    pub fn words(self) -> String {
        format!("{}{}", self.kind.sentence(), self.place())
    }

    fn place(self) -> String {
        let of = |scenario| format!(" in {scenario}");
        self.scenario.map_or_else(String::new, of)
    }
}

/// The breakdowns that both arms of a run had: they speak of neither.
#[derive(Debug)]
pub struct OnBothArms<'a>(Vec<Breakdown<'a>>);

impl<'a> OnBothArms<'a> {
    /// Those of a run.
    pub fn of(run: &'a Run) -> Self {
        let mut seen: BTreeMap<Breakdown<'_>, [bool; 2]> = BTreeMap::new();
        for round in &run.rounds {
            if let Some(breakdown) = Breakdown::of(round) {
                seen.entry(breakdown).or_default()[usize::from(round.arm == Arm::Patched)] = true;
            }
        }
        let both = seen.into_iter().filter(|(_, arms)| *arms == [true; 2]);
        Self(both.map(|(breakdown, _)| breakdown).collect())
    }

    /// Whether this is one of them.
    pub fn has(&self, breakdown: Breakdown<'_>) -> bool {
        self.0.contains(&breakdown)
    }

    /// Each in words, such as `hang in reap-order on both arms: …`.
    pub fn words(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|breakdown| {
            format!(
                "{}{} on both arms: not counted against the series",
                breakdown.kind.noun(),
                breakdown.place()
            )
        })
    }
}

/// Whether the console shows that something is stuck, rather than wrong.
pub(crate) fn is_lockup(kind: console::Kind) -> bool {
    matches!(
        kind,
        console::Kind::SoftLockup
            | console::Kind::HardLockup
            | console::Kind::RcuStall
            | console::Kind::HungTask
    )
}
