//! What the host asks of one guest. It travels as `/plan.json` in the
//! initramfs beside the runner, so that nothing has to be quoted on a kernel
//! command line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::purpose::Purpose;

/// Where the plan lies in the guest.
pub const PATH: &str = "/plan.json";

/// The virtio-serial port that carries the results, as the guest finds it
/// under `/dev/virtio-ports`.
pub const PORT: &str = "reaperlab.results";

/// One boot's work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Repeated by the guest at the start and the end of its results, so that
    /// a stale or cut log can't pass.
    pub nonce: String,
    /// Seeds whatever a scenario chooses at random.
    pub seed: u64,
    /// Scenario names, in the order to run them.
    pub scenarios: Vec<String>,
    /// Counted repetitions of each scenario that yields samples.
    pub repetitions: u32,
    /// Repetitions before those, kept and marked as warm-up.
    pub warmups: u32,
    /// The order in which the reaper must walk; none where nothing is expected.
    pub order: Option<Order>,
    /// Functions whose first arguments show the range a walker unmaps, best
    /// first: the guest probes the first one that its kernel has.
    pub probes: Vec<Probe>,
    /// By how much every limit of time is multiplied: more than 1 where the
    /// kernel checks itself.
    #[serde(default = "usual")]
    pub timeout_scale: u32,
    /// What the boot is for, and so what is probed and traced.
    pub purpose: Purpose,
    /// Whether each repetition waits for the host's word ([`crate::turn`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_turns: bool,
    /// How long a solo reap takes in each scenario, in microseconds, as an earlier
    /// boot of the run found: head starts are parts of it, so that they are the
    /// same in all boots. A scenario that is not named finds out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub solo_us: BTreeMap<String, u64>,
    /// How long scenarios may take, in seconds, where that is less than they say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deadlines_s: BTreeMap<String, u32>,
    /// What is done with the mistakes that the kernel holds; none where it holds none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mistakes: Option<Mistakes>,
    /// A fault the guest must commit, to prove that the host names it rightly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

impl Plan {
    /// Nothing but what it is for: no scenario, no repetition, no probe.
    pub fn new(purpose: Purpose) -> Self {
        Self {
            nonce: String::new(),
            seed: 0,
            scenarios: Vec::new(),
            repetitions: 0,
            warmups: 0,
            order: None,
            probes: Vec::new(),
            timeout_scale: usual(),
            purpose,
            by_turns: false,
            solo_us: BTreeMap::new(),
            deadlines_s: BTreeMap::new(),
            mistakes: None,
            fault: None,
        }
    }
}

fn usual() -> u32 {
    1
}

/// A function that unmaps one range, and where its arguments show the range,
/// in kprobe event syntax.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The function's symbol.
    pub symbol: String,
    /// Fetches the range's first address, for example `$arg3:x64`.
    pub start: String,
    /// Fetches the address behind the range, for example `$arg4:x64`.
    pub end: String,
}

/// The order of the addresses at which a walker starts each range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// From the bottom of the address space.
    Ascending,
    /// From its top.
    Descending,
    /// Neither.
    Mixed,
}

/// What is done with the mistakes of a kernel that holds some to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mistakes {
    /// None is made. The guest tells which places each scenario comes to.
    Reached,
    /// The same, and what is left is not run once the guest has come to as many places.
    Cover(u32),
    /// The one of this number is made, from the first scenario on.
    Make(u32),
}

/// What the harness can make a guest do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Panic the kernel when the first scenario has passed.
    Panic,
    /// Fall silent with the kernel alive: the runner freezes itself.
    Hang,
    /// A scenario that sleeps past its deadline while the guest is well.
    Slow,
    /// A scenario that leaves the reaper bound to a CPU and a setting as it made it.
    Leave,
    /// End without the closing line, as a cut log would.
    Cut,
}
