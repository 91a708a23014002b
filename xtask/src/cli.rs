//! The command line.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use vm::Want;

/// Evidence for kernel memory-management patches: apply a series, build the
/// kernel with and without it, boot both, drive the OOM scenarios, compare.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    propagate_version = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The main job: from a series to a report
    ///
    /// Takes the series, applies it to a kernel with what it needs, builds the
    /// kernel with and without it, boots both by turns, runs the scenarios and
    /// says with statistics what the series does.
    #[command(after_help = "Example:
  cargo xtask patch-test --setup --yes
  cargo xtask patch-test --series patches/oom-reaper-reverse --kernel 6.12 --rounds 6
  cargo xtask patch-test --flavour debug --arm patched
  cargo xtask patch-test --sweep
  cargo xtask patch-test --aa
  git bisect start --no-checkout BAD GOOD       # in a kernel's repository
  git bisect run ../reaperlab/target/debug/xtask patch-test --bisect-run \\
    --series none --arm base --kernel 'git:.#BISECT_HEAD' --scenario 'memcg*'")]
    PatchTest(PatchTest),
    /// Apply the series to kernels, without a build: a verdict for each
    #[command(after_help = "Example:
  cargo xtask apply --series thread.mbox --kernel 6.12 --json")]
    Apply(Shared),
    /// Build both arms, or one of them
    #[command(after_help = "Example:
  cargo xtask build --kernel 6.12 --arm base
  cargo xtask build --each-commit")]
    Build(Build),
    /// Boot one built kernel with a shell, or with a command
    #[command(after_help = "Example:
  cargo xtask boot --arm patched -- uname -a")]
    Boot(Boot),
    /// patch-test over several kernels
    ///
    /// A kernel that fails never stops the others. Each has a folder of its own
    /// in that of the matrix, with its run and a cell.json.
    #[command(after_help = "Example:
  cargo xtask matrix --kernel 6.1 --kernel 6.12
  cargo xtask matrix --resume runs/20251124T101500Z
  cargo xtask matrix plan                     # for other machines
  cargo xtask matrix cell --kernel 6.1 --out cells
  cargo xtask matrix merge cells
  cargo xtask matrix submit --slurm --out /shared/runs/1")]
    Matrix(Box<Matrix>),
    /// Compare again, from the samples of a run folder
    #[command(after_help = "Example:
  cargo xtask compare runs/latest --require-conclusion
  cargo xtask compare runs/latest --claims
  cargo xtask compare runs/latest --changelog
  cargo xtask compare runs/latest --calibrate
  cargo xtask compare runs/last-week runs/latest")]
    Compare(Compare),
    /// Write the reports of a run folder again
    #[command(after_help = "Example:
  cargo xtask report runs/latest")]
    Report(Again),
    /// Make a folder under patches/ from a thread, an mbox or patch files
    #[command(after_help = "Example:
  cargo xtask series thread.txt --into patches/my-series")]
    Series(SeriesFolder),
    /// A mail thread: where the series stands, what is wrong, what to answer
    ///
    /// Says which versions there are and what is missing, who gave which
    /// trailer and under which condition, what is still open, what checks find
    /// in the changelog, and what changed since the last version. Sends nothing.
    #[command(after_help = "Example:
  cargo xtask review thread.mbox.gz
  cargo xtask review v5.mbox v6.mbox --json
  cargo xtask review list.mbox --series 'reverse order'
  cargo xtask review thread.mbox --am am.mbox && git am am.mbox
  cargo xtask review thread.mbox --next-version next.diff --run runs/latest
  cargo xtask review thread.mbox --reply reply.txt --run runs/latest
  git config b4.review-perpatch-check-cmd \\
    'REAPERLAB/target/debug/xtask review --b4 --kernel-tree .'")]
    Review(Review),
    /// Read a KTAP log
    #[command(after_help = "Example:
  cargo xtask ktap ktap.log --json")]
    Ktap(Log),
    /// Classify a kernel console
    #[command(after_help = "Example:
  cargo xtask triage console.log --json")]
    Triage(Log),
    /// Score the scenarios against wrong versions of the series
    #[command(after_help = "Example:
  cargo xtask mutants --mutant '*notifier*'")]
    Mutants(Mutants),
    /// List, size and prune what is cached
    #[command(after_help = "Example:
  cargo xtask cache prune --max 20G")]
    Cache(Cache),
    /// What this host has, lacks and how to get it
    #[command(after_help = "Example:
  cargo xtask doctor --setup")]
    Doctor(Shared),
    /// The project's own tests, booted guests among them
    #[command(after_help = "Example:
  cargo xtask test --setup --yes")]
    Test(Shared),
    /// All that CI runs
    #[command(after_help = "Example:
  cargo xtask ci --setup --yes")]
    Ci(Shared),
}

/// Options that most commands take.
#[derive(Debug, Clone, Args)]
pub struct Shared {
    /// The series: mbox, thread text, patch file, folder of patches, folder
    /// with a manifest, git range REPO:A..B, - for standard input, or none for
    /// the kernel as it is
    #[arg(long, default_value = "patches/oom-reaper-reverse")]
    pub series: String,
    /// The kernel: 6.12 for the nearest version that Debian packages or else
    /// kernel.org released, debian:SUITE/VERSION, release:6.17.3 of kernel.org
    /// (release:6.17 for the newest of its line), git:PATH#REV, a folder or a
    /// tarball [default: 6.12; for matrix those of the manifest]
    #[arg(long = "kernel", value_name = "KERNEL")]
    pub kernels: Vec<String>,
    /// How the kernels are configured
    #[arg(long, value_enum, default_value_t = Flavour::Lean)]
    pub flavour: Flavour,
    /// The most boots of each arm that measure: fewer once the metrics that
    /// decide are decided. As many do it without probes
    /// [default: 8; 0 where nothing can be compared: with --flavour debug, or
    /// one arm alone]
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub rounds: Option<u32>,
    /// Only the scenarios whose name matches (* and ?; repeatable)
    #[arg(long = "scenario", value_name = "GLOB")]
    pub scenarios: Vec<String>,
    /// How the guest's instructions are run
    #[arg(long, default_value_t = Want::Auto, value_parser = accel())]
    pub accel: Want,
    /// Virtual CPUs of a guest
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub cpus: u32,
    /// Memory of a guest, such as 1G or 1536M
    #[arg(long, default_value = "1G", value_parser = mebibytes)]
    pub memory: u32,
    /// The folder for the run [default: runs/TIME]
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Use nothing but what is here already
    #[arg(long)]
    pub offline: bool,
    /// Install what is missing
    #[arg(long)]
    pub setup: bool,
    /// Don't ask before installing
    #[arg(long)]
    pub yes: bool,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// `patch-test`'s own options.
#[derive(Debug, Args)]
pub struct PatchTest {
    /// The shared ones.
    #[command(flatten)]
    pub shared: Shared,
    /// Only this arm: whether the scenarios hold on it, with nothing compared
    #[arg(long, value_enum)]
    pub arm: Option<Arm>,
    /// Exit with 6 unless the primary metrics come to a conclusion
    #[arg(long)]
    pub require_conclusion: bool,
    /// Start no further boot that measures after so many minutes of booting
    #[arg(long, value_name = "N")]
    pub minutes: Option<u32>,
    /// Measure the effect over the number of VMAs, pages in each, threads and
    /// the reaper's head start too
    #[arg(long)]
    pub sweep: bool,
    /// Compare base with itself: whatever is found is a false alarm
    #[arg(long, conflicts_with = "arm")]
    pub aa: bool,
    /// Judge the claims of this text instead of the series' own changelog
    #[arg(long, value_name = "FILE")]
    pub claims: Option<PathBuf>,
    /// Exit as `git bisect run` wants it: 0 good, 1 bad, 125 what can't be built
    /// or booted, 128 and more to stop
    #[arg(long)]
    pub bisect_run: bool,
    /// Go on with the run in this folder, which was broken off, with the options
    /// that it was begun with
    #[arg(long, value_name = "FOLDER", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
    /// Boots of each arm that run every scenario: one that sometimes fails is
    /// called flaky
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeat: u32,
    /// Run the scenarios in an order of its own in each of these boots
    #[arg(long)]
    pub shuffle: bool,
    /// Seeds that order and the scenarios' choices
    #[arg(long)]
    pub seed: Option<u64>,
    /// Have the guest of the first patched round commit a fault, to see it named
    #[arg(long, value_enum, hide = true)]
    pub fault: Option<Fault>,
}

/// `matrix`' options.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Matrix {
    /// A part of the work, for several machines.
    #[command(subcommand)]
    pub action: Option<MatrixAction>,
    /// What is done on each kernel; --resume takes the matrix' folder.
    #[command(flatten)]
    pub test: PatchTest,
}

/// A part of a matrix.
#[derive(Debug, Subcommand)]
pub enum MatrixAction {
    /// Print the cells as JSON, in the form that CI services take
    Plan {
        /// The shared options.
        #[command(flatten)]
        shared: Shared,
        /// Whose form
        #[arg(long, value_enum, default_value_t = Form::Github)]
        form: Form,
    },
    /// Run one cell by itself, into --out/KERNEL
    Cell(Box<Cell>),
    /// Hand the cells to a batch system as an array job, and the merge behind it
    Submit {
        /// What is done on each kernel.
        #[command(flatten)]
        test: Box<PatchTest>,
        /// Slurm, by sbatch
        #[arg(long, required = true)]
        slurm: bool,
    },
    /// Join the cells below these folders into one report
    Merge {
        /// Folders of cells, or of matrices
        #[arg(required = true)]
        folders: Vec<PathBuf>,
        /// Where to write it [default: the first folder]
        #[arg(long)]
        out: Option<PathBuf>,
        /// One JSON document on standard output
        #[arg(long)]
        json: bool,
    },
}

/// A cell's options.
#[derive(Debug, Args)]
pub struct Cell {
    /// What is done on the kernel.
    #[command(flatten)]
    pub test: PatchTest,
    /// The plan that submit wrote; the cell goes beside it
    #[arg(
        long,
        value_name = "FILE",
        requires = "index",
        conflicts_with = "kernels"
    )]
    pub plan: Option<PathBuf>,
    /// Which cell of the plan, counted from 0
    #[arg(long, value_name = "N", requires = "plan")]
    pub index: Option<usize>,
    /// Write down that the cell was lost, and why
    #[arg(long, value_name = "WHY", requires = "plan")]
    pub lost: Option<String>,
}

/// The form of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// GitHub Actions: strategy.matrix
    Github,
    /// GitLab: parallel.matrix
    Gitlab,
}

/// `mutants`' own options.
#[derive(Debug, Args)]
pub struct Mutants {
    /// The shared ones.
    #[command(flatten)]
    pub shared: Shared,
    /// The folder of patches, each on top of the patched arm
    /// [default: patches/mutants]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Only the mutants whose name matches (* and ?; repeatable)
    #[arg(long = "mutant", value_name = "GLOB")]
    pub mutants: Vec<String>,
}

/// `build`'s own options.
#[derive(Debug, Args)]
pub struct Build {
    /// The shared ones.
    #[command(flatten)]
    pub shared: Shared,
    /// Only this arm
    #[arg(long, value_enum)]
    pub arm: Option<Arm>,
    /// Every commit of the series: it builds and boots, and what the compiler
    /// at W=1, sparse and the tree's checkpatch.pl say that is new
    #[arg(long, conflicts_with = "arm")]
    pub each_commit: bool,
}

/// `boot`'s own options.
#[derive(Debug, Args)]
pub struct Boot {
    /// The shared ones.
    #[command(flatten)]
    pub shared: Shared,
    /// The arm to boot
    #[arg(long, value_enum, default_value_t = Arm::Patched)]
    pub arm: Arm,
    /// A command to run in the guest instead of a shell
    #[arg(last = true)]
    pub command: Vec<String>,
}

/// `compare`'s options.
#[derive(Debug, Args)]
pub struct Compare {
    /// The run folder: base against patched. Two of them: the earlier run
    /// against the later one, arm by arm. With --calibrate any number
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// Set what a changelog claims beside what was measured; the series' own
    /// changelog where no file is given
    #[arg(long, value_name = "FILE", num_args = 0..=1, conflicts_with = "calibrate")]
    #[expect(clippy::option_option, reason = "absent, alone, or with a file")]
    pub claims: Option<Option<PathBuf>>,
    /// Say what the verdicts are worth: how often boots of one kernel, dealt
    /// into two arms, are called different, and which change would be seen
    #[arg(long)]
    pub calibrate: bool,
    /// Print a paragraph for the series' changelog
    #[arg(long, conflicts_with_all = ["calibrate", "claims", "json"])]
    pub changelog: bool,
    /// What to do with the findings
    #[command(flatten)]
    pub verdict: Verdict,
}

/// From a run folder.
#[derive(Debug, Args)]
pub struct Again {
    /// The run folder
    pub run: PathBuf,
    /// What to do with the findings
    #[command(flatten)]
    pub verdict: Verdict,
}

/// What to do with what a run folder shows.
#[derive(Debug, Args)]
pub struct Verdict {
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
    /// Exit with 6 unless the primary metrics come to a conclusion
    #[arg(long)]
    pub require_conclusion: bool,
}

/// `series`' options.
#[derive(Debug, Args)]
pub struct SeriesFolder {
    /// mbox, thread text, patch file, folder of patches, or - for standard input
    pub source: String,
    /// The folder to make [default: patches/NAME]
    #[arg(long)]
    pub into: Option<PathBuf>,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// `review`'s options.
#[derive(Debug, Args)]
pub struct Review {
    /// Mail: mbox, gzipped or not, maildir, thread text, folder of patches, or -
    /// for standard input. Several are read as one
    #[arg(value_name = "THREAD", required_unless_present = "b4")]
    pub threads: Vec<String>,
    /// Of several series in the mail this one: the message id of one of its
    /// mails, or words of its title
    #[arg(long, value_name = "WHICH")]
    pub series: Option<String>,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
    /// Write the mbox that git am takes, with the trailers collected; - for
    /// standard output
    #[arg(long, value_name = "FILE")]
    pub am: Option<PathBuf>,
    /// Take conditions for met, and the trailers that have one for given
    #[arg(long)]
    pub accept_conditional: bool,
    /// Draft the next version as a diff to look at, on standard output or into
    /// this file
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "absent, alone, or with a file")]
    pub next_version: Option<Option<PathBuf>>,
    /// Draft the answer, on standard output or into this file
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "absent, alone, or with a file")]
    pub reply: Option<Option<PathBuf>>,
    /// The run folder whose findings go into the drafts
    #[arg(long, value_name = "FOLDER")]
    pub run: Option<PathBuf>,
    /// The kernel's git repository: for Fixes tags, and for its own
    /// checkpatch.pl and get_maintainer.pl
    #[arg(long, value_name = "GITDIR")]
    pub kernel_tree: Option<PathBuf>,
    /// Be an external check of b4: one mail on standard input, a JSON list of
    /// findings on standard output
    #[arg(long, conflicts_with_all = ["threads", "series", "json", "am", "next_version", "reply"])]
    pub b4: bool,
}

/// A log to read.
#[derive(Debug, Args)]
pub struct Log {
    /// The file, or - for standard input
    pub file: String,
    /// One JSON document on standard output
    #[arg(long)]
    pub json: bool,
}

/// `cache`'s options.
#[derive(Debug, Args)]
pub struct Cache {
    /// What to do with it
    #[command(subcommand)]
    pub action: Option<CacheAction>,
    /// One JSON document on standard output
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do with the cache.
#[derive(Debug, Subcommand)]
pub enum CacheAction {
    /// What there is and how large (the default)
    List,
    /// Remove what was used longest ago
    Prune {
        /// What may stay, such as 20G; 0 for nothing
        #[arg(long, default_value = "20G", value_parser = bytes)]
        max: u64,
    },
}

/// How a kernel is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Flavour {
    /// Small and quick: the one that is measured
    Lean,
    /// With KASAN, lockdep and their like: judges what is right, measures
    /// nothing
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

/// One side of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Arm {
    /// The kernel with the prerequisites
    Base,
    /// Base plus the series
    Patched,
}

impl Arm {
    /// This one, or else both.
    pub fn or_both(arm: Option<Self>) -> Vec<Self> {
        arm.map_or_else(|| vec![Self::Base, Self::Patched], |arm| vec![arm])
    }
}

impl From<Arm> for results::Arm {
    fn from(arm: Arm) -> Self {
        match arm {
            Arm::Base => Self::Base,
            Arm::Patched => Self::Patched,
        }
    }
}

/// What a guest can be made to do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// Panic
    Panic,
    /// Go silent
    Hang,
    /// Take too long
    Slow,
    /// End without a word
    Cut,
    /// Lose its QEMU
    KillQemu,
}

fn mebibytes(text: &str) -> Result<u32, String> {
    let size = bytes(text)? >> 20;
    match u32::try_from(size) {
        Ok(size @ 256..=1_048_576) => Ok(size),
        _ => Err(format!("{text} is not between 256M and 1T")),
    }
}

fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text.get(digits.len()..).unwrap_or_default() {
        "" => 0,
        "k" | "K" | "KiB" => 10,
        "M" | "MiB" => 20,
        "G" | "GiB" => 30,
        "T" | "TiB" => 40,
        unit => return Err(format!("{unit} is no unit: K, M, G or T")),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(1 << shift))
        .ok_or_else(|| format!("{text} is no size: write 512M or 20G"))
}

/// An accelerator, with help for each.
fn accel() -> impl TypedValueParser<Value = Want> {
    let value = |want: Want| {
        PossibleValue::new(want.as_str()).help(match want {
            Want::Auto => "KVM where a guest proves it, else emulation",
            Want::Kvm => "KVM, or fail",
            Want::Tcg => "Emulation",
        })
    };
    PossibleValuesParser::new(Want::ALL.map(value)).try_map(|word| word.parse::<Want>())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                help.contains("cargo xtask"),
                "{} has none",
                command.get_name()
            );
        }
    }

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
