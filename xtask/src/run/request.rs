//! What was asked for: all that decides what a run does.

use std::path::PathBuf;

use clap::ValueEnum;
use results::Arm;
use serde::{Deserialize, Serialize};
use serde_json::Map;
use vm::Want;

use crate::exit::Result;
use crate::flavour::Flavour;
use crate::input::{self, Series};

/// What a run does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Where the series is, as `--series` takes it.
    pub series: String,
    /// Which manifest is used with it, as `--manifest` takes it.
    #[serde(default)]
    pub manifest: Option<String>,
    /// Which kernel, as `--kernel` takes it.
    pub kernel: String,
    pub flavour: Flavour,
    /// Only this arm; both where none is named.
    pub arm: Option<Arm>,
    /// Base against itself.
    pub aa: bool,
    /// The most blocks; [`Extent`] decides where none is given.
    pub rounds: Option<u32>,
    /// So many blocks, whatever they show.
    #[serde(default)]
    pub exactly: Option<u32>,
    /// Whether boots that measure alternate, one guest at a time.
    #[serde(default)]
    pub alternate: bool,
    /// Minutes of booting after which no measuring boot begins.
    pub minutes: Option<u32>,
    /// Correctness boots of each arm.
    pub repeat: u32,
    /// Whether each correctness boot has an order of its own.
    pub shuffle: bool,
    pub seed: Option<u64>,
    /// Whether to measure the effect over ranges too.
    pub sweep: bool,
    /// Globs; all scenarios where there is none.
    pub scenarios: Vec<String>,
    /// A file whose text replaces the changelog's claims.
    pub claims: Option<PathBuf>,
    pub guest: Guest,
    pub extent: Extent,
    /// Whether it is a failure when the deciding metrics stay undecided.
    pub require_conclusion: bool,
}

/// The machine of each guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    pub accel: Want,
    pub cpus: u32,
    pub memory_mib: u32,
}

/// How much is done where the user does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// All that tells something of a series.
    Whole,
    /// What tells something of a kernel, as one of many: without the kernel's
    /// own tests, and with the fewest blocks that can tell something.
    Brief,
}

/// What a guest can be made to do wrong, for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// Panic
    Panic,
    /// Go silent
    Hang,
    /// Take too long
    Slow,
    /// Not put back what a scenario has set
    Leave,
    /// End without a word
    Cut,
    /// Lose its QEMU
    KillQemu,
    /// Stand still for a second
    StopQemu,
}

impl Request {
    /// What differs in the other one, in words.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let [ours, theirs] = [self, other].map(|one| serde_json::to_value(one).unwrap_or_default());
        let keys = ours.as_object().into_iter().flat_map(Map::keys);
        keys.filter(|key| ours[*key] != theirs[*key])
            .map(|key| format!("{key} {}, not {}", ours[key], theirs[key]))
            .collect()
    }

    /// Reads the series, or what was kept of it when the run began.
    pub fn load(&self, kept: Option<&str>) -> Result<Series> {
        input::load(kept.unwrap_or(&self.series), self.manifest.as_deref())
    }

    /// The arms to build.
    pub fn builds(&self) -> Vec<Arm> {
        match self.aa {
            true => vec![Arm::Base],
            false => self.arms(),
        }
    }

    /// The arms to boot.
    pub fn arms(&self) -> Vec<Arm> {
        either_or_both(self.arm)
    }
}

/// This arm, or else both.
pub fn either_or_both(arm: Option<Arm>) -> Vec<Arm> {
    arm.map_or_else(|| Arm::BOTH.into(), |arm| vec![arm])
}
