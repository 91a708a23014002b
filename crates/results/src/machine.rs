//! What a guest runs on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What runs a guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accel {
    /// The CPU itself.
    Kvm,
    /// QEMU's emulation, 10 to 20 times slower.
    Tcg,
}

impl Accel {
    /// The word in JSON and options, which is QEMU's too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    /// Its name as people write it.
    pub fn acronym(self) -> &'static str {
        match self {
            Self::Kvm => "KVM",
            Self::Tcg => "TCG",
        }
    }
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The accelerator of a guest, and what speaks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accelerator {
    pub kind: Accel,
    /// How that was found out, or why no better one.
    pub why: String,
}
