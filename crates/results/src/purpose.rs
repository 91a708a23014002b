//! What a boot is for. Boots of different purposes are never compared with each
//! other.

use serde::{Deserialize, Serialize};

/// What a boot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// The measuring scenarios, with probes in the kernel that count.
    Probed,
    /// The same without any probe, tracepoint or event: what user space sees.
    Unprobed,
    /// Every scenario once, with the ranges of both walkers traced. Its times
    /// are not compared.
    Correctness,
    /// The sweeping scenarios, probed. Samples are comparable point by point.
    ProbedSweep,
    /// The sweeping scenarios, unprobed.
    UnprobedSweep,
}

impl Purpose {
    /// Whether the walkers' ranges are traced.
    pub fn is_traced(self) -> bool {
        self == Self::Correctness
    }

    /// Whether nothing in the kernel is probed while it is timed.
    pub fn is_unprobed(self) -> bool {
        matches!(self, Self::Unprobed | Self::UnprobedSweep)
    }

    /// Whether it decides what a series does to the metrics.
    pub fn measures(self) -> bool {
        matches!(self, Self::Probed | Self::Unprobed)
    }

    /// Whether something is varied over a range.
    pub fn is_sweep(self) -> bool {
        matches!(self, Self::ProbedSweep | Self::UnprobedSweep)
    }
}
