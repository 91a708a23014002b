//! Groups of options that several commands have.

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use results::Arm;
use serde::{Deserialize, Serialize};
use series::manifest;
use vm::Want;

use crate::exit::{Advise, Kind, Result, fail};
use crate::home::workspace;
use crate::host::Install;
use crate::input;
use crate::own_tree;
use crate::run::request;

/// The series that is meant where none is named, from the workspace.
pub const SERIES: &str = "patches/oom-reaper-reverse";
/// The kernel that is meant where none is named.
pub const KERNEL: &str = "6.12";

/// The series under test.
#[derive(Debug, Args)]
pub struct Series {
    /// The series: mbox, thread text, patch file, folder of patches, folder
    /// with a manifest, - for standard input, or none for the kernel as it is.
    /// In a kernel's repository also A..B, a branch, one commit, or . for what
    /// is not committed; elsewhere REPO: before it. A file or folder of the same
    /// name goes before a branch; refs/heads/NAME is the branch
    #[arg(
        id = "series",
        long = "series",
        value_name = "SERIES",
        default_value = SERIES
    )]
    pub from: String,
    /// The folder whose manifest is used with the series, or none [default: its
    /// own, else that of the folder in patches/ of the same series]
    #[arg(long, value_name = "FOLDER")]
    pub manifest: Option<String>,
}

/// A series, and the kernel that it is for where the user names none.
pub struct Origin {
    /// As `--series` takes it, from any folder and at any time.
    pub series: String,
    /// As `--manifest` takes it.
    pub manifest: Option<String>,
    pub kernel: DefaultKernel,
}

/// The kernel where the user names none.
pub enum DefaultKernel {
    /// A series from elsewhere: [`KERNEL`].
    Packaged,
    /// What a series in a repository begins at.
    Parent(String),
    /// A series in a repository that begins with its first commit.
    None,
}

impl Series {
    /// What the name means now. How it is read is said where that is not plain.
    pub fn origin(&self) -> Result<Origin> {
        let packaged = || Origin {
            series: self.from.clone(),
            manifest: self.manifest.clone(),
            kernel: DefaultKernel::Packaged,
        };
        let known = workspace().join(&self.from).join(manifest::FILE);
        if ["-", "none"].contains(&self.from.as_str()) || known.is_file() {
            return Ok(packaged());
        }
        let Some(named) = own_tree::find(&self.from)? else {
            if let Some(note) = own_tree::also_a_branch(&self.from) {
                eprintln!("note: {note}");
            }
            return Ok(packaged());
        };
        if let Some(note) = named.note() {
            eprintln!("note: {note}");
        }
        Ok(Origin {
            series: named.pinned(),
            manifest: self.manifest.clone(),
            kernel: match named.parent()? {
                Some(name) => DefaultKernel::Parent(name),
                None => DefaultKernel::None,
            },
        })
    }
}

impl Origin {
    /// Reads the series.
    pub fn load(&self) -> Result<input::Series> {
        input::load(&self.series, self.manifest.as_deref())
    }

    /// The kernel: the one that is named, else the series' own.
    pub fn kernel(&self, named: Option<&String>) -> Result<String> {
        match (named, &self.kernel) {
            (Some(name), _) | (None, DefaultKernel::Parent(name)) => Ok(name.clone()),
            (None, DefaultKernel::Packaged) => Ok(KERNEL.to_owned()),
            (None, DefaultKernel::None) => fail(
                Kind::Usage,
                "the series begins with the repository's first commit, below which is no kernel",
            )
            .hint("name a kernel with --kernel"),
        }
    }

    /// The kernels that are named, else the series' own.
    pub fn kernels(&self, named: &[String]) -> Result<Vec<String>> {
        match named {
            [] => Ok(vec![self.kernel(None)?]),
            named => Ok(named.to_vec()),
        }
    }
}

/// What `--kernel` takes.
pub const FORMS: &str = "6.12 for the nearest version that Debian packages or else kernel.org \
                     released, debian:SUITE/VERSION, release:6.17.3 of kernel.org (release:6.17 \
                     for the newest of its line), git:PATH#REV, a folder or a tarball";

/// What is meant where `--kernel` is not given.
const DEFAULT: &str = "what a series in a repository begins at, else 6.12";

/// One kernel.
#[derive(Debug, Args)]
pub struct Kernel {
    #[arg(
        id = "kernel",
        long = "kernel",
        value_name = "KERNEL",
        help = format!("The kernel: {FORMS} [default: {DEFAULT}]")
    )]
    pub name: Option<String>,
}

/// One kernel or several.
#[derive(Debug, Args)]
pub struct Kernels {
    #[arg(
        id = "kernel",
        long = "kernel",
        value_name = "KERNEL",
        help = format!("The kernel (repeatable): {FORMS} [default: {DEFAULT}]")
    )]
    pub names: Vec<String>,
}

/// What to do with the findings.
#[derive(Debug, Args)]
pub struct Verdict {
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
    /// Exit with 6 unless the primary metrics come to a conclusion
    #[arg(long)]
    pub require_conclusion: bool,
}

/// The machine that guests run on.
#[derive(Debug, Args)]
pub struct Guest {
    /// How the guest's instructions are run
    #[arg(long, default_value_t = Want::Auto, value_parser = accel())]
    pub accel: Want,
    /// Virtual CPUs of a guest
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub cpus: u32,
    /// Memory of a guest, such as 1G or 1536M
    #[arg(long, default_value = "1G", value_parser = mebibytes)]
    pub memory: u32,
}

impl From<&Guest> for request::Guest {
    fn from(guest: &Guest) -> Self {
        Self {
            accel: guest.accel,
            cpus: guest.cpus,
            memory_mib: guest.memory,
        }
    }
}

/// What may be done to this host, and fetched.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Setup {
    /// Install what is missing
    #[arg(long)]
    pub setup: bool,
    /// Don't ask before installing
    #[arg(long, requires = "setup")]
    pub yes: bool,
    /// Fetch nothing: use only what is here already
    #[arg(long)]
    pub offline: bool,
}

impl Setup {
    /// Whether what is missing is installed.
    pub fn install(&self) -> Install {
        match (self.setup, self.yes) {
            (false, _) => Install::Never,
            (true, false) => Install::Ask,
            (true, true) => Install::Unasked,
        }
    }
}

/// Reads `--accel`.
fn accel() -> impl TypedValueParser<Value = Want> {
    let value = |want: Want| {
        PossibleValue::new(want.as_str()).help(match want {
            Want::Auto => "KVM if a test guest boots with it, else emulation",
            Want::Kvm => "KVM, or fail",
            Want::Tcg => "Emulation",
        })
    };
    PossibleValuesParser::new(Want::ALL.map(value)).try_map(|word| word.parse::<Want>())
}

/// Reads `--arm`.
pub fn arm() -> impl TypedValueParser<Value = Arm> {
    PossibleValuesParser::new([
        PossibleValue::new("base").help("The kernel with the prerequisites"),
        PossibleValue::new("patched").help("Base plus the series"),
    ])
    .try_map(|word| word.parse::<Arm>())
}

fn mebibytes(text: &str) -> std::result::Result<u32, String> {
    let size = bytes(text)? >> 20;
    match u32::try_from(size) {
        Ok(size @ 256..=1_048_576) => Ok(size),
        _ => Err(format!("{text} is not between 256M and 1T")),
    }
}

/// A size such as `512M` or `20G`, in bytes.
pub fn bytes(text: &str) -> std::result::Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text.get(digits.len()..).unwrap_or_default() {
        "" => 0,
        "k" | "K" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        "T" | "TiB" => 40,
        unit => return Err(format!("unknown unit {unit}: use K, M, G or T")),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(1 << shift))
        .ok_or_else(|| format!("{text} is not a size such as 512M or 20G"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(bytes("20G"), Ok(20 << 30));
        assert_eq!(bytes("0"), Ok(0));
        assert!(bytes("20X").is_err());
        assert!(bytes("99999999999T").is_err());
        assert_eq!(mebibytes("1G"), Ok(1024));
        assert!(mebibytes("1M").is_err());
    }
}
