//! The options that decide what a run does: those of `patch-test`, which each
//! cell of a matrix has too. Going on with a run needs the same ones.

use std::path::{Path, PathBuf};

use clap::Args;
use results::Arm;

use super::options::{self, Guest, Origin, Series};
use crate::exit::{Advise, Kind, Result, fail};
use crate::flavour::Flavour;
use crate::run::request::{Extent, Request};

/// What a run does, but for its kernel.
#[derive(Debug, Args)]
pub struct Wanted {
    #[command(flatten)]
    pub series: Series,
    /// How the kernels are configured
    #[arg(long, value_enum, default_value_t = Flavour::Lean)]
    pub flavour: Flavour,
    /// Maximum blocks, each of one probed and one unprobed boot per arm; stops
    /// early once the deciding metrics are decided [default: 8; in a matrix 6; with
    /// --flavour debug or --arm 0]
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub rounds: Option<u32>,
    /// Exactly this many blocks, without stopping early
    #[arg(long, value_name = "N", conflicts_with = "rounds")]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub exactly: Option<u32>,
    /// Measure one guest at a time, in boots that alternate. Usually a guest of each
    /// arm is up at once and they race by turns, which needs memory for both and is
    /// more precise
    #[arg(long)]
    pub alternate: bool,
    /// Only the scenarios whose name matches (* and ?; repeatable). Where all of them
    /// are races, and the manifest measures none of them, all are measured
    #[arg(long = "scenario", value_name = "GLOB")]
    pub scenarios: Vec<String>,
    /// Boot this arm only: scenarios are run, nothing is compared
    #[arg(long, value_parser = options::arm())]
    pub arm: Option<Arm>,
    /// A/A run: base against itself. Any difference found is a false alarm
    #[arg(long, conflicts_with = "arm")]
    pub aa: bool,
    /// Start no new measuring boot N minutes after the first boot
    #[arg(long, value_name = "N")]
    pub minutes: Option<u32>,
    /// Also measure how the effect depends on the number of VMAs, pages in
    /// each, threads and the reaper's head start
    #[arg(long)]
    pub sweep: bool,
    /// Judge the claims of this text instead of the series' own changelog
    #[arg(long, value_name = "FILE")]
    pub claims: Option<PathBuf>,
    /// Correctness boots per arm: a scenario that sometimes fails is called
    /// flaky
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeat: u32,
    /// Run the scenarios of each correctness boot in a random order
    #[arg(long)]
    pub shuffle: bool,
    /// Seed for the order of boots, for --shuffle and for random choices in
    /// scenarios
    #[arg(long)]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub guest: Guest,
    /// Exit with 6 unless the primary metrics come to a conclusion
    #[arg(long)]
    pub require_conclusion: bool,
}

impl Wanted {
    /// The request for a run of this series on this kernel.
    pub fn request(&self, series: &Origin, kernel: &str, extent: Extent) -> Request {
        Request {
            series: series.series.clone(),
            manifest: series.manifest.clone(),
            kernel: kernel.to_owned(),
            flavour: self.flavour,
            arm: self.arm,
            aa: self.aa,
            rounds: self.rounds,
            exactly: self.exactly,
            alternate: self.alternate,
            minutes: self.minutes,
            repeat: self.repeat,
            shuffle: self.shuffle,
            seed: self.seed,
            sweep: self.sweep,
            scenarios: self.scenarios.clone(),
            claims: self.claims.clone(),
            guest: (&self.guest).into(),
            extent,
            require_conclusion: self.require_conclusion,
        }
    }
}

/// What to do where the options don't agree.
pub const RESUME_ALONE: &str = "give --resume alone, or begin anew without it";

/// Whoever resumes what is in a folder gives the options that it was begun with,
/// or none at all.
pub fn agree(folder: &Path, begun: &Request, given: &Request) -> Result {
    let differences = begun.differences(given);
    if differences.is_empty() {
        return Ok(());
    }
    fail(
        Kind::Usage,
        format!(
            "{} was begun with other options: {}",
            folder.display(),
            differences.join("; ")
        ),
    )
    .hint(RESUME_ALONE)
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;
    use crate::commands::given::Given;

    fn parse(line: &str) -> Given<Wanted> {
        let command = Given::<Wanted>::augment_args(Command::new("x").no_binary_name(true));
        let matches = command.try_get_matches_from(line.split_whitespace());
        Given::from_arg_matches(&matches.unwrap()).unwrap()
    }

    fn request(line: &str) -> Request {
        let options = parse(line).options;
        let series = options.series.origin().unwrap();
        options.request(&series, "6.12", Extent::Whole)
    }

    #[test]
    fn defaults_are_told_from_what_was_given() {
        assert!(!parse("").any);
        assert!(parse("--cpus 2").any);
        assert!(parse("--shuffle").any);
    }

    #[test]
    fn a_request_comes_back_as_what_it_was() {
        let whole = request(
            "--series - --manifest none --flavour debug --arm base --rounds 0 --minutes 3 --repeat 2 --shuffle \
             --seed 7 --sweep --scenario a* --scenario b --claims c.txt --accel tcg --cpus 1 \
             --memory 2G --require-conclusion",
        );
        for request in [whole, request("--aa")] {
            let json = serde_json::to_string(&request).unwrap();
            let back: Request = serde_json::from_str(&json).unwrap();
            assert_eq!(back, request);
        }
    }

    #[test]
    fn who_resumes_gives_the_same_options_or_none() {
        let begun = request("--rounds 3 --series a");
        let folder = Path::new("runs/1");
        assert!(agree(folder, &begun, &request("--series a --rounds 3")).is_ok());
        let error = agree(folder, &begun, &request("--rounds 4 --aa --series a")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "runs/1 was begun with other options: aa false, not true; rounds 3, not 4"
        );
        assert_eq!(error.hints, [RESUME_ALONE]);
    }
}
