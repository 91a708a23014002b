//! Going on with what another command line began.

use std::path::Path;

use clap::Parser;

use crate::cli::{Cli, Command, PatchTest};
use crate::exit::{Classify, Kind, Result, fail};

/// The options of a command line, but for where its results go and how they
/// are shown.
pub fn options(words: impl IntoIterator<Item = String>) -> Vec<String> {
    without(words, &["--slurm", "--json"], &["--out", "--resume"])
}

/// The options of a matrix' command line that are those of each of its cells.
pub fn of_cells(options: Vec<String>) -> Vec<String> {
    without(options, &[], &["--kernel"])
}

/// Leaves options out: these flags, and these that have a value.
fn without(
    words: impl IntoIterator<Item = String>,
    flags: &[&str],
    valued: &[&str],
) -> Vec<String> {
    let mut words = words.into_iter();
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        let name = word.split('=').next().unwrap_or_default();
        if valued.contains(&name) {
            if name == word {
                words.next();
            }
        } else if !flags.contains(&name) {
            kept.push(word);
        }
    }
    kept
}

/// What a run does whose options were these.
pub fn parse(options: &[String]) -> Result<PatchTest> {
    let words = ["xtask", "patch-test"].map(str::to_owned);
    let cli = Cli::try_parse_from(words.iter().chain(options)).kind(Kind::Usage)?;
    match cli.command {
        Command::PatchTest(test) => Ok(test),
        _ => fail(Kind::Usage, "these are not the options of a run"),
    }
}

/// That whoever goes on with what is in a folder gives the options that it was
/// begun with, or none at all.
pub fn agree(folder: &Path, begun: &[String], given: &[String]) -> Result {
    if given.is_empty() || given == begun {
        return Ok(());
    }
    fail(
        Kind::Usage,
        format!(
            "{} was begun with other options: {}\nGo on with --resume alone, or begin anew without it",
            folder.display(),
            shell_words::join(begun)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(String::from).collect()
    }

    #[test]
    fn a_cell_has_the_options_of_its_matrix() {
        let line = "--slurm --kernel 6.1 --rounds 6 --out=x --kernel=7.2 --yes --resume y --json";
        let options = options(words(line));
        assert_eq!(options, words("--kernel 6.1 --rounds 6 --kernel=7.2 --yes"));
        assert_eq!(of_cells(options), words("--rounds 6 --yes"));
    }

    #[test]
    fn options_come_back_as_what_they_were() {
        let test = parse(&words("--kernel 6.12 --rounds 3 --seed 7")).unwrap();
        assert_eq!(test.shared.kernels, ["6.12"]);
        assert_eq!(test.shared.rounds, Some(3));
        assert_eq!(test.seed, Some(7));
        assert!(parse(&words("--no-such-option")).is_err());
    }

    #[test]
    fn who_goes_on_gives_the_same_options_or_none() {
        let begun = words("--rounds 3 --series a");
        let folder = Path::new("runs/1");
        assert!(agree(folder, &begun, &begun).is_ok());
        assert!(agree(folder, &begun, &[]).is_ok());
        let error = agree(folder, &begun, &words("--rounds 4")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "runs/1 was begun with other options: --rounds 3 --series a\n\
             Go on with --resume alone, or begin anew without it"
        );
    }
}
