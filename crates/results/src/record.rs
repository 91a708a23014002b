//! What a guest reports beside pass and fail: samples, walks and marks.
//!
//! Each record is one line of JSON behind [`PREFIX`], which KTAP readers take
//! for a diagnostic; one stream carries both.

use serde::{Deserialize, Serialize};

use crate::plan::Order;

/// What a record's line starts with.
pub const PREFIX: &str = "# reaperlab: ";

/// One line from the guest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Record {
    /// The first record: the runner is up.
    Begin {
        /// The plan's nonce.
        nonce: String,
        /// `uname -r` of the guest.
        kernel: String,
        /// Virtual CPUs that are online.
        cpus: u32,
        /// Memory the guest sees, in KiB.
        memory_kib: u64,
    },
    /// A scenario starts; it ends within the deadline or the guest reports it
    /// failed. A guest silent for longer hangs.
    Start {
        /// The scenario's name.
        scenario: String,
        /// Seconds it may take.
        deadline_s: u32,
    },
    /// A scenario did not end within its deadline.
    TimedOut {
        /// Its name.
        scenario: String,
    },
    /// A scenario is left to a fresh guest, since one before it failed here.
    HandedOver {
        /// Its name.
        scenario: String,
    },
    /// A sample.
    Sample(Sample),
    /// How long a reap takes here that has the address space to itself.
    Solo {
        /// The scenario.
        scenario: String,
        /// Microseconds.
        us: u64,
    },
    /// A repetition is prepared, and waits for its turn.
    Ready {
        /// The scenario.
        scenario: String,
        /// Which repetition.
        repetition: u32,
    },
    /// A repetition has had its turn, and its samples are reported.
    Raced {
        /// The scenario.
        scenario: String,
        /// Which repetition.
        repetition: u32,
    },
    /// What was reported of a repetition so far does not count: it is run again.
    Void {
        /// The scenario.
        scenario: String,
        /// Which repetition.
        repetition: u32,
    },
    /// What the host saw of a turn.
    Turn(Turn),
    /// An address trace.
    Walk(Walk),
    /// Where walkers waited for spinlocks.
    Stacks(Stacks),
    /// A scenario's samples are a sweep: their `at` varies over this axis, and
    /// only samples of equal `at` are comparable.
    Sweep {
        /// The scenario.
        scenario: String,
        /// What was varied, with its unit, for example `pages per VMA`.
        axis: String,
    },
    /// An order that was proved.
    Order {
        /// The scenario that proved it.
        scenario: String,
        /// Which repetition.
        repetition: u32,
        /// What was seen.
        order: Order,
        /// How many VMAs the walk visited.
        vmas: u32,
    },
    /// Which mistakes of the kernel a scenario could have made.
    Reached {
        /// The scenario.
        scenario: String,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// Their numbers.
        places: Vec<u32>,
    },
    /// Something a reader of the report should know, such as the probe used.
    Note {
        /// The scenario it belongs to.
        scenario: String,
        /// The text.
        text: String,
    },
    /// The last record.
    End {
        /// The plan's nonce.
        nonce: String,
    },
}

/// One raw timing or count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The scenario that took it.
    pub scenario: String,
    /// What was measured, for example `contended-entries`.
    pub metric: String,
    /// Its unit.
    pub unit: Unit,
    /// Counted from 0 within the boot, warm-ups included.
    pub repetition: u32,
    /// Whether it is one of the first, which comparisons leave out.
    pub warmup: bool,
    /// The value.
    pub value: f64,
    /// Which walker it belongs to; none where it belongs to both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walker: Option<Walker>,
    /// What was varied, for example the share of a solo reap after which the
    /// second walker started, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<f64>,
}

/// What the host saw of one guest's turn, from its word to the last sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The scenario.
    pub scenario: String,
    /// Which repetition.
    pub repetition: u32,
    /// When it began, in milliseconds since both guests were started.
    pub at_ms: u64,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// How long QEMU's threads stood ready meanwhile without a CPU of the host, in
    /// microseconds.
    pub run_delay_us: u64,
    /// Whether that was too long: it is no sample.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disturbed: bool,
    /// How long a walk of fixed length through the host's memory took just before
    /// and just after it, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weather_us: Option<[u64; 2]>,
    /// What both guests took for the duration of a solo reap, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solo_us: Option<u64>,
}

/// The unit of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A number of things.
    Count,
    /// Microseconds.
    Us,
    /// Per second.
    PerSecond,
}

/// Who unmaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Walker {
    /// `oom_reaper`, or the caller of `process_mrelease`.
    Reaper,
    /// The victim's own `exit_mmap`.
    Exit,
}

/// The ranges that both walkers unmapped in one repetition, in the order of
/// one clock across CPUs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Walk {
    /// The scenario that traced it.
    pub scenario: String,
    /// Which repetition.
    pub repetition: u32,
    /// Each range as it was entered.
    pub steps: Vec<Step>,
}

/// One range entered by one walker. Serialised as an array to keep the lines
/// of a walk over thousands of VMAs short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step(
    /// Who.
    pub Walker,
    /// When, in microseconds since the first step.
    pub f64,
    /// The range's first address.
    pub u64,
    /// The address behind it.
    pub u64,
);

/// The waits for spinlocks in one boot, by who waited and on behalf of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stacks {
    /// The scenario that saw them.
    pub scenario: String,
    /// Over how many repetitions they are summed up, warm-ups left out.
    pub repetitions: u32,
    /// Those that were seen most often.
    pub stacks: Vec<StackWaits>,
}

/// The waits that one stack shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackWaits {
    /// Who waited.
    pub walker: Walker,
    /// The functions behind the lock, the one that takes it first.
    pub frames: Vec<String>,
    /// How often.
    pub entries: u64,
    /// How long in all, in microseconds.
    pub wait_us: u64,
}

impl Record {
    /// The line that carries this record, without its newline.
    ///
    /// # Errors
    /// When a value is not a number that JSON can hold.
    pub fn to_line(&self) -> serde_json::Result<String> {
        Ok(format!("{PREFIX}{}", serde_json::to_string(self)?))
    }

    /// The record a line carries; none where it is not a record's line.
    ///
    /// # Errors
    /// When the line claims to be one and is not.
    pub fn from_line(line: &str) -> Option<serde_json::Result<Self>> {
        Some(serde_json::from_str(line.trim_end().strip_prefix(PREFIX)?))
    }
}
