//! The two kernels that a run compares.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of the two kernels that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// The kernel with the prerequisites, without the series.
    Base,
    /// Base plus the series.
    Patched,
}

impl Arm {
    /// Both, in the order of reports.
    pub const BOTH: [Self; 2] = [Self::Base, Self::Patched];

    /// Its name in options, reports and folders.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Patched => "patched",
        }
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Arm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::BOTH
            .into_iter()
            .find(|arm| arm.as_str() == text)
            .ok_or_else(|| format!("{text} is not an arm: base or patched"))
    }
}
