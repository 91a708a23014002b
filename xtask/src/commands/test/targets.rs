//! The test programs: which tier they belong to, and what they hold.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use serde::Deserialize;
use vm::process::{self, Cancel, Exit, Invocation, Stream};

use super::runner::Test;

/// What tests need. Each tier needs more of the host than the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Tier {
    /// Format, lints, documentation and the tests that need no kernel
    Check,
    /// A Slurm of one node, which a test starts and stops
    Slurm,
    /// Packaged kernels, which are fetched and imported
    Kernels,
    /// Packaged kernels, which are built and booted in guests
    Guests,
}

impl Tier {
    pub const ALL: [Self; 4] = [Self::Check, Self::Slurm, Self::Kernels, Self::Guests];

    /// As it is called on the command line.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// How many of its tests run at once: guests are timed, and two at a time
    /// would measure each other.
    pub fn at_once(self) -> usize {
        match self {
            Self::Check => std::thread::available_parallelism().map_or(1, usize::from),
            Self::Slurm | Self::Kernels | Self::Guests => 1,
        }
    }

    /// What ends a test that never ends, on the slowest of hosts.
    pub fn deadline(self) -> Duration {
        Duration::from_secs(match self {
            Self::Check => 20 * 60,
            Self::Slurm | Self::Kernels | Self::Guests => 2 * 3600,
        })
    }
}

/// The programs of `tests` folders that `cargo test` alone leaves out, by `test =
/// false` in their Cargo.toml: package, name, tier.
pub const BY_NAME: [(&str, &str, Tier); 7] = [
    ("xtask", "slurm", Tier::Slurm),
    ("kernel", "agreement-all", Tier::Kernels),
    ("xtask", "kunit", Tier::Kernels),
    ("xtask", "boot", Tier::Guests),
    ("xtask", "guest", Tier::Guests),
    ("xtask", "docs", Tier::Guests),
    ("xtask", "bisect", Tier::Guests),
];

/// The names of a tier's programs; none of the tier that has all others.
pub fn named(tier: Tier) -> impl Iterator<Item = &'static str> {
    BY_NAME
        .iter()
        .filter(move |(_, _, of)| *of == tier)
        .map(|(_, name, _)| *name)
}

/// A compiled test program.
#[derive(Debug, PartialEq)]
pub struct Binary {
    package: String,
    target: String,
    path: PathBuf,
    /// Its package's folder, in which it runs.
    dir: PathBuf,
}

#[derive(Deserialize)]
struct Artifact {
    package_id: String,
    manifest_path: PathBuf,
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

impl Binary {
    /// The program that a line of `cargo test --no-run --message-format=json`
    /// tells of, if it does.
    pub fn of(line: &str) -> Option<Self> {
        let artifact: Artifact = serde_json::from_str(line).ok()?;
        let path = artifact.executable.filter(|_| artifact.profile.test)?;
        Some(Self {
            package: package(&artifact.package_id).to_owned(),
            target: artifact.target.name,
            path,
            dir: artifact.manifest_path.parent()?.to_owned(),
        })
    }

    /// Whether it is one of this tier's.
    pub fn is_of(&self, tier: Tier) -> bool {
        let mut by_name = BY_NAME.iter();
        let named = by_name.find(|(package, name, _)| (*package, *name) == self.key());
        named.map_or(Tier::Check, |(_, _, of)| *of) == tier
    }

    fn key(&self) -> (&str, &str) {
        (&self.package, &self.target)
    }

    /// As it is called in what is shown.
    pub fn name(&self) -> String {
        if self.target.replace('-', "_") == self.package.replace('-', "_") {
            self.package.clone()
        } else {
            format!("{}::{}", self.package, self.target)
        }
    }

    /// What it holds, in its order.
    pub fn tests(&self, env: &[(&str, &Path)], cancel: &Cancel) -> Result<Vec<Test>, String> {
        let all = self.list(&[], env, cancel)?;
        let ignored = self.list(&["--ignored"], env, cancel)?;
        let tests = all.into_iter().map(|test| Test {
            name: format!("{} {test}", self.name()),
            ignored: ignored.contains(&test),
            program: self.program(&["--exact", &test, "--nocapture"], env),
        });
        Ok(tests.collect())
    }

    fn list(
        &self,
        args: &[&str],
        env: &[(&str, &Path)],
        cancel: &Cancel,
    ) -> Result<Vec<String>, String> {
        let args = [&["--list", "--format", "terse"], args].concat();
        let program = self.program(&args, env);
        let mut found = Vec::new();
        let ended = process::run(&program, Some(LISTING), cancel, &mut |stream, line| {
            let test = line.strip_suffix(": test");
            found.extend(test.filter(|_| stream == Stream::Out).map(str::to_owned));
        });
        match ended {
            Ok(Exit::Code(0)) => Ok(found),
            Ok(exit) => Err(format!("can't say which tests it holds: {exit:?}")),
            Err(error) => Err(format!("can't be run: {error}")),
        }
    }

    /// It with these arguments, and with what cargo and insta tell a test.
    fn program(&self, args: &[&str], env: &[(&str, &Path)]) -> Invocation {
        let own = [("CARGO_MANIFEST_DIR", self.dir.as_path())];
        let env = own.iter().chain(env);
        Invocation {
            program: self.path.clone().into(),
            args: args.iter().map(Into::into).collect(),
            dir: Some(self.dir.clone()),
            env: env.map(|(name, path)| (name.into(), path.into())).collect(),
        }
    }
}

/// A program that lists its tests does nothing else.
const LISTING: Duration = Duration::from_secs(60);

/// The name in a package id: `path+file:///a/b#0.1.0` or `path+file:///a/b#c@0.1.0`.
fn package(id: &str) -> &str {
    let (place, rest) = id.rsplit_once('#').unwrap_or((id, ""));
    match rest.split_once('@') {
        Some((name, _)) => name,
        None => place.rsplit('/').next().unwrap_or(place),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn artifact(id: &str, target: &str, test: bool, executable: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"{id}","manifest_path":"/w/xtask/Cargo.toml",
            "target":{{"kind":["bin"],"name":"{target}"}},"profile":{{"opt_level":"1","test":{test}}},
            "executable":{executable}}}"#
        )
    }

    #[test]
    fn cargo_names_the_programs() {
        let of = |id: &str, target: &str, test, executable: &str| {
            Binary::of(&artifact(id, target, test, executable))
        };
        let own = of(
            "path+file:///w/xtask#0.1.0",
            "xtask",
            true,
            r#""/t/xtask-1""#,
        )
        .unwrap();
        assert_eq!(
            (own.name().as_str(), own.dir.to_str()),
            ("xtask", Some("/w/xtask"))
        );
        assert!(own.is_of(Tier::Check) && !own.is_of(Tier::Guests));
        let guest = of(
            "path+file:///w/xtask#0.1.0",
            "guest",
            true,
            r#""/t/guest-1""#,
        )
        .unwrap();
        assert_eq!(guest.name(), "xtask::guest");
        assert!(guest.is_of(Tier::Guests) && !guest.is_of(Tier::Check));
        let other = of(
            "path+file:///w/a#kernel-tests@0.1.0",
            "kernel_tests",
            true,
            r#""/t/k""#,
        );
        assert_eq!(other.unwrap().name(), "kernel-tests");
        let vms = of(
            "path+file:///w/crates/vm#0.1.0",
            "guest",
            true,
            r#""/t/guest-2""#,
        )
        .unwrap();
        assert!(vms.is_of(Tier::Check));
        assert_eq!(
            of("path+file:///w/xtask#0.1.0", "xtask", false, r#""/t/x""#),
            None
        );
        assert_eq!(
            of("path+file:///w/xtask#0.1.0", "xtask", true, "null"),
            None
        );
        assert_eq!(
            Binary::of(r#"{"reason":"build-finished","success":true}"#),
            None
        );
        assert_eq!(Binary::of("no json"), None);
    }

    /// What `cargo test` leaves out is in a tier, and nothing else is.
    #[test]
    fn no_test_is_left_out() {
        let output = std::process::Command::new(env!("CARGO"))
            .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut left_out = BTreeSet::new();
        for package in metadata["packages"].as_array().unwrap() {
            for target in package["targets"].as_array().unwrap() {
                if target["kind"][0] == "test" && target["test"] == false {
                    let [package, target] =
                        [package, target].map(|it| it["name"].as_str().unwrap());
                    left_out.insert((package.to_owned(), target.to_owned()));
                }
            }
        }
        let by_name = BY_NAME.map(|(package, name, _)| (package.to_owned(), name.to_owned()));
        assert_eq!(left_out, by_name.into());
    }
}
