//! The command line: one file per command, with its options and its code.

mod apply;
mod boot;
mod build;
mod cache;
mod doctor;
mod each_commit;
#[cfg(test)]
mod examples;
mod given;
mod install;
mod log;
mod matrix;
mod mutants;
mod options;
mod patch_test;
mod report;
mod review;
mod run_options;
mod series;
mod test;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use vm::process::Cancel;

use crate::exit::{Advise, Kind, Result, fail};
use crate::home::{self, INSTALLED};

/// Evidence for kernel memory-management patches: apply a series, build the
/// kernel with and without it, boot both, run the OOM scenarios, compare.
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
    /// Takes the series, applies it with its prerequisites to a kernel, builds the
    /// kernel with and without it, boots both in alternation, runs the scenarios
    /// and says with statistics what the series does.
    #[command(after_help = "Example:
  cargo xtask patch-test --setup --yes
  cargo xtask patch-test --series patches/oom-reaper-reverse --kernel 6.12 --rounds 6
  cargo xtask patch-test --flavour debug --arm patched
  cargo xtask patch-test --sweep
  cargo xtask patch-test --aa
  reaperlab patch-test --series . --rounds 0 --watch    # in a kernel's repository
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
    /// A kernel that fails never stops the others. Each kernel is a cell: a folder
    /// inside the folder of the matrix, with a run and a cell.json.
    #[command(after_help = "Example:
  cargo xtask matrix --kernel 6.1 --kernel 6.12
  cargo xtask matrix --resume runs/20251124T101500Z
  cargo xtask matrix plan                     # for other machines
  cargo xtask matrix cell --kernel 6.1 --out cells
  cargo xtask matrix merge cells
  cargo xtask matrix submit --slurm --out /shared/runs/1")]
    Matrix(Box<matrix::Options>),
    /// Compare again, from the samples of a run folder, or compare two runs
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
  cargo xtask review thread.mbox --reply reply.eml --run runs/latest
  git config b4.review-perpatch-check-cmd \\
    'REAPERLAB/target/debug/xtask review --b4 --kernel-tree .'")]
    Review(review::Options),
    /// Parse a KTAP log
    #[command(after_help = "Example:
  cargo xtask ktap ktap.log --json")]
    Ktap(log::Options),
    /// Classify a kernel console
    #[command(after_help = "Example:
  cargo xtask triage console.log --json")]
    Triage(log::Options),
    /// Test the scenarios: does one of them catch each wrong version of the series?
    #[command(after_help = "Example:
  cargo xtask mutants --mutant '*notifier*'")]
    Mutants(mutants::Options),
    /// List, size and prune what is cached
    #[command(after_help = "Example:
  cargo xtask cache prune --max 20G")]
    Cache(cache::Options),
    /// What is installed, what is missing, and how to install it
    #[command(after_help = "Example:
  cargo xtask doctor --setup")]
    Doctor(doctor::Options),
    /// Put a program `reaperlab` on your path that does the same in any folder
    ///
    /// It writes to the cache and to ~/.local/state/reaperlab/runs, never to the
    /// folder that it is started in.
    #[command(after_help = "Example:
  cargo xtask install
  reaperlab apply --series HEAD~2..             # in a kernel's repository")]
    Install(install::Options),
    /// Format, lints, documentation and the tests that need no kernel
    #[command(after_help = "Example:
  cargo xtask check
  cargo xtask check kernel::apply             # these tests alone")]
    Check(test::Only),
    /// All checks and tests of the project, booted guests among them
    ///
    /// Tests use another cache than the other commands: the usual path plus -tests,
    /// or REAPERLAB_TEST_CACHE.
    #[command(after_help = "Example:
  cargo xtask test --setup --yes
  cargo xtask test --tier check --tier slurm
  cargo xtask test --tier guests a_hang_is_named")]
    Test(test::Options),
    /// All that CI runs
    #[command(after_help = "Example:
  cargo xtask ci --setup --yes")]
    Ci(test::Options),
}

/// What only a checkout can do.
const IN_A_CHECKOUT: [&str; 4] = ["check", "ci", "install", "test"];

/// Reads the command line. Help names the program as it was called.
pub fn parse() -> Cli {
    let command = match home::checkout() {
        Some(_) => Cli::command(),
        None => installed(Cli::command())
            .name(INSTALLED)
            .bin_name(INSTALLED),
    };
    let read = Cli::from_arg_matches(&command.get_matches());
    read.unwrap_or_else(|error| error.exit())
}

/// A command as the installed program has it.
fn installed(command: clap::Command) -> clap::Command {
    let help = command.get_after_help().map(|help| {
        let mut text = help.to_string();
        for name in [
            "../reaperlab/target/debug/xtask",
            "REAPERLAB/target/debug/xtask",
            "cargo xtask",
        ] {
            text = text.replace(name, INSTALLED);
        }
        text
    });
    let subcommands = command.get_subcommands().map(|it| it.get_name().to_owned());
    let subcommands: Vec<String> = subcommands.collect();
    let command = match help {
        Some(help) => command.after_help(help),
        None => command,
    };
    subcommands.into_iter().fold(command, |command, name| {
        let hidden = IN_A_CHECKOUT.contains(&name.as_str());
        command.mut_subcommand(&name, |it| installed(it).hide(hidden))
    })
}

/// Runs a command.
pub fn run(command: Command, cancel: &Cancel) -> Result {
    let checkout = || match home::checkout() {
        Some(checkout) => Ok(checkout),
        None => fail(
            Kind::Usage,
            "this command belongs to a checkout of the project",
        )
        .hint("run it there, with `cargo xtask`"),
    };
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
        Command::Install(args) => install::run(&args, checkout()?, cancel),
        Command::Check(args) => checkout().and_then(|_| test::check(&args, cancel)),
        Command::Test(args) => {
            checkout().and_then(|_| test::run(&args, cancel, test::Extent::Tests))
        }
        Command::Ci(args) => checkout().and_then(|_| test::run(&args, cancel, test::Extent::All)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::CommandFactory;
    use clap::error::ErrorKind::MissingRequiredArgument;

    use super::*;
    use crate::home::workspace;

    /// Every command below this one and itself, each with its full name.
    fn all(command: clap::Command) -> Vec<clap::Command> {
        let mut all = vec![command.clone()];
        all.extend(command.get_subcommands().cloned().flat_map(all_of));
        all
    }

    fn all_of(command: clap::Command) -> Vec<clap::Command> {
        match command.get_name() {
            "help" => Vec::new(),
            _ => all(command),
        }
    }

    fn whole() -> clap::Command {
        let mut command = Cli::command().term_width(80);
        command.build();
        command
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    fn examples_of(command: &clap::Command) -> Vec<Vec<String>> {
        let help = command.get_after_help().map(ToString::to_string);
        examples::in_shell(&help.unwrap_or_default())
    }

    #[test]
    fn every_command_has_an_example() {
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            assert!(!examples_of(command).is_empty(), "{name} has none");
        }
    }

    /// The files with command lines that users and machines copy.
    fn documents() -> Vec<(String, Vec<Vec<String>>)> {
        let root = workspace();
        let list = |folder: &str| {
            let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten();
            entries.map(|entry| entry.unwrap().path())
        };
        let mut files: Vec<_> = [".", "docs", ".ci", ".github/workflows"]
            .into_iter()
            .flat_map(list)
            .filter(|path| path.is_file())
            .collect();
        files.sort();
        let read = |path: &Path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("md") => examples::in_markdown(&text),
                Some("yml") | None => examples::in_shell(&text.replace("run: ", "")),
                _ => Vec::new(),
            }
        };
        let named = files.iter().map(|path| {
            let name = path.strip_prefix(root).unwrap();
            (name.display().to_string(), read(path))
        });
        named.filter(|(_, lines)| !lines.is_empty()).collect()
    }

    #[test]
    fn no_command_line_that_is_told_is_refused() {
        let mut sources = documents();
        for file in [
            "README.md",
            "CONTRIBUTING.md",
            ".ci/run",
            ".github/workflows/check.yml",
            ".github/workflows/patch-test.yml",
        ] {
            assert!(sources.iter().any(|(name, _)| name == file), "{file}");
        }
        for command in all(whole()) {
            sources.push((
                format!("{} --help", command.get_name()),
                examples_of(&command),
            ));
        }
        let mut refused = Vec::new();
        for (source, lines) in sources {
            for words in lines {
                let line = std::iter::once("xtask".to_owned()).chain(words.iter().cloned());
                let Err(error) = Cli::try_parse_from(line) else {
                    continue;
                };
                // Prose names a command by itself.
                let named = words.len() == 1 && error.kind() == MissingRequiredArgument;
                if !named {
                    let said = error.to_string();
                    let why = said.lines().next().unwrap_or_default();
                    refused.push(format!("{source}: {}: {why}", words.join(" ")));
                }
            }
        }
        assert!(refused.is_empty(), "{}", refused.join("\n"));
    }

    #[test]
    fn command_lines_are_found_in_text() {
        let text = "\
Run `cargo xtask test
--yes`, or `make`; `xtask` alone is none.

    cargo xtask apply --kernel 6.12   # a comment
    a | cargo xtask ktap - && git bisect run ../x/target/debug/xtask boot \\
        --arm base -- 'uname -a' > log
    git config check 'X/target/debug/xtask review --b4'
    cd reaperlab; reaperlab report runs/latest

```
cargo xtask cache
```
";
        let found = examples::in_markdown(text);
        let found: Vec<String> = found.iter().map(|words| words.join("|")).collect();
        assert_eq!(
            found,
            [
                "apply|--kernel|6.12",
                "ktap|-",
                "boot|--arm|base|--|uname -a",
                "review|--b4",
                "report|runs/latest",
                "cache",
                "test|--yes",
            ]
        );
    }

    #[test]
    fn options_that_a_command_does_not_heed_are_refused() {
        for line in [
            "apply --setup --rounds 6 --memory 4G",
            "apply --setup",
            "apply --rounds 6",
            "apply --accel kvm",
            "build --memory 4G",
            "build --scenario x",
            "build --rounds 2",
            "boot --json",
            "boot --rounds 2",
            "boot --kernel 6.1 --kernel 6.12",
            "doctor --accel kvm",
            "doctor --series x",
            "test --kernel 6.12",
            "patch-test --yes",
            "patch-test --resume a --out b",
            "matrix --bisect-run",
            "matrix --fault hang",
            "matrix plan --rounds 2",
            "matrix cell --out x",
            "matrix cell --kernel 6.1",
            "matrix cell --plan p --index 0 --kernel 6.1",
            "mutants --rounds 2",
        ] {
            let words = ["xtask"].into_iter().chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{line}");
        }
        let heeded = "xtask build --each-commit --memory 4G --scenario x --out y";
        assert!(Cli::try_parse_from(heeded.split(' ')).is_ok());
    }

    #[test]
    fn help() {
        let texts = all(whole()).into_iter().map(|mut command| {
            let name = command.get_bin_name().unwrap_or_default().to_owned();
            format!("$ {name} --help\n{}", command.render_long_help())
        });
        insta::assert_snapshot!(texts.collect::<Vec<_>>().join("\n"));
    }
}
