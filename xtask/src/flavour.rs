//! How the kernels are configured.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How a kernel is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flavour {
    /// Small and fast: the one that is measured
    Lean,
    /// With KASAN, lockdep and the like: correctness only, since these checks
    /// distort timing
    Debug,
}

impl Flavour {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lean => "lean",
            Self::Debug => "debug",
        }
    }

    /// Its Kconfig fragments, in the order in which they are merged.
    pub fn fragments(self) -> &'static [&'static str] {
        match self {
            Self::Lean => &["lean.config"],
            Self::Debug => &["lean.config", "debug.config"],
        }
    }

    /// How many times longer than on the lean one everything may take.
    pub fn timeout_scale(self) -> u32 {
        match self {
            Self::Lean => 1,
            Self::Debug => 8,
        }
    }
}
