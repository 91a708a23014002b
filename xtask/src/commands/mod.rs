//! The command line: one file per command, with its options and its code.

mod apply;
mod boot;
mod build;
mod cache;
mod doctor;
mod each_commit;
mod given;
mod log;
mod matrix;
mod mutants;
mod options;
mod patch_test;
mod report;
mod request;
mod review;
mod series;
mod test;

use clap::{Parser, Subcommand};
use vm::process::Cancel;

use crate::exit::Result;

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
    PatchTest(Box<patch_test::Options>),
    /// Apply the series to kernels, without a build: a verdict for each
    #[command(after_help = "Example:
  cargo xtask apply --series thread.mbox --kernel 6.12 --json")]
    Apply(apply::Options),
    /// Build both arms, or one of them
    #[command(after_help = "Example:
  cargo xtask build --kernel 6.12 --arm base
  cargo xtask build --each-commit")]
    Build(build::Options),
    /// Boot one built kernel with a shell, or with a command
    #[command(after_help = "Example:
  cargo xtask boot --arm patched -- uname -a")]
    Boot(boot::Options),
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
    Matrix(Box<matrix::Options>),
    /// Compare again, from the samples of a run folder
    #[command(after_help = "Example:
  cargo xtask compare runs/latest --require-conclusion
  cargo xtask compare runs/latest --claims
  cargo xtask compare runs/latest --changelog
  cargo xtask compare runs/latest --calibrate
  cargo xtask compare runs/last-week runs/latest")]
    Compare(report::Compare),
    /// Write the reports of a run folder again
    #[command(after_help = "Example:
  cargo xtask report runs/latest")]
    Report(report::Options),
    /// Make a folder under patches/ from a thread, an mbox or patch files
    #[command(after_help = "Example:
  cargo xtask series thread.txt --into patches/my-series")]
    Series(series::Options),
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
    Review(review::Options),
    /// Read a KTAP log
    #[command(after_help = "Example:
  cargo xtask ktap ktap.log --json")]
    Ktap(log::Options),
    /// Classify a kernel console
    #[command(after_help = "Example:
  cargo xtask triage console.log --json")]
    Triage(log::Options),
    /// Score the scenarios against wrong versions of the series
    #[command(after_help = "Example:
  cargo xtask mutants --mutant '*notifier*'")]
    Mutants(mutants::Options),
    /// List, size and prune what is cached
    #[command(after_help = "Example:
  cargo xtask cache prune --max 20G")]
    Cache(cache::Options),
    /// What this host has, lacks and how to get it
    #[command(after_help = "Example:
  cargo xtask doctor --setup")]
    Doctor(doctor::Options),
    /// The project's own tests, booted guests among them
    #[command(after_help = "Example:
  cargo xtask test --setup --yes")]
    Test(test::Options),
    /// All that CI runs
    #[command(after_help = "Example:
  cargo xtask ci --setup --yes")]
    Ci(test::Options),
}

/// Runs a command.
pub fn run(command: Command, cancel: &Cancel) -> Result {
    match command {
        Command::PatchTest(args) => patch_test::run(&args, cancel),
        Command::Matrix(args) => matrix::run(&args, cancel),
        Command::Apply(args) => apply::run(&args, cancel),
        Command::Build(args) if args.each_commit => each_commit::run(&args, cancel),
        Command::Build(args) => build::run(&args, cancel),
        Command::Boot(args) => boot::run(&args, cancel),
        Command::Compare(args) => report::compare(&args),
        Command::Report(args) => report::run(&args),
        Command::Series(args) => series::run(&args),
        Command::Review(args) => review::run(&args, cancel),
        Command::Mutants(args) => mutants::run(&args, cancel),
        Command::Ktap(args) => log::ktap(&args),
        Command::Triage(args) => log::triage(&args),
        Command::Cache(args) => cache::run(&args),
        Command::Doctor(args) => doctor::run(&args, cancel),
        Command::Test(args) => test::run(&args, cancel, test::Extent::Tests),
        Command::Ci(args) => test::run(&args, cancel, test::Extent::All),
    }
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
}
