//! The guest's side of a boot: its program, built statically, and its plan,
//! packed into an initramfs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kernel::build::selftests::Selftest;
use results::plan::{self, Plan};
use serde::Deserialize;
use vm::initramfs::{self, File};

use crate::exit::{Advise, Classify, Kind, Result, fail};
use crate::job::{Job, workspace};

/// The only target whose guests are supported so far.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The guest's program, built and read.
pub struct Program {
    bytes: Vec<u8>,
    /// What it can run, in the order of the catalogue.
    pub scenarios: Vec<Scenario>,
}

/// A scenario, as the program lists it.
#[derive(Debug, Clone, Deserialize)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Its number in the catalogue.
    pub number: u32,
    /// Seconds it may take.
    pub deadline_s: u64,
    /// Whether it proves the order of the reaper's walk.
    pub proves_order: bool,
    /// Whether it measures over a range, which takes long.
    pub sweeps: bool,
    /// Which of the kernel's own tests it runs.
    pub selftest: Option<String>,
}

impl Program {
    /// Builds the program where it is not built yet, and asks it what it can do.
    pub fn build(job: &Job) -> Result<Self> {
        let target = workspace().join("target/guest");
        let mut args: Vec<String> = [
            "build",
            "--quiet",
            "--locked",
            "--package=kernel-tests",
            "--profile=guest",
            "--target",
            TARGET,
            "--target-dir",
        ]
        .map(String::from)
        .into();
        args.push(target.display().to_string());
        if job.offline {
            args.push("--offline".into());
        }
        let mut said = Vec::new();
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let env = [
            // A caller's flags would be the guest's too; these alone make the
            // program run without a library.
            ("RUSTFLAGS".into(), "-C target-feature=+crt-static".into()),
            (
                "CARGO_ENCODED_RUSTFLAGS".into(),
                "-Ctarget-feature=+crt-static".into(),
            ),
        ];
        let code = job.run_program_in(workspace(), &cargo, &args, &env, &mut |line| {
            said.push(line.to_owned());
        })?;
        if code != 0 {
            return fail(
                Kind::Infrastructure,
                format!("the guest's program does not build:\n{}", said.join("\n")),
            );
        }
        let path = target.join(TARGET).join("guest/kernel-tests");
        let bytes = fs_err::read(&path).kind(Kind::Infrastructure)?;
        Ok(Self {
            bytes,
            scenarios: list(job, &path)?,
        })
    }

    /// An initramfs with this program as PID 1, this plan, and the modules and
    /// tests of the kernel that it is for.
    pub fn initramfs(
        &self,
        plan: &Plan,
        modules: &[PathBuf],
        selftests: &[Selftest],
        path: &Path,
    ) -> Result {
        let plan_json = serde_json::to_vec_pretty(plan).kind(Kind::Infrastructure)?;
        let modules = modules
            .iter()
            .map(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                Ok((format!("modules/{name}"), fs_err::read(path)?))
            })
            .collect::<std::io::Result<Vec<_>>>()
            .kind(Kind::Infrastructure)?;
        let selftests: Vec<_> = selftests
            .iter()
            .filter_map(|test| {
                let bytes = test.program.as_ref().ok()?;
                Some((format!("selftests/{}", test.name), bytes))
            })
            .collect();
        let mut files = vec![
            File {
                path: "init",
                mode: 0o755,
                bytes: &self.bytes,
            },
            File {
                path: plan::PATH.trim_start_matches('/'),
                mode: 0o644,
                bytes: &plan_json,
            },
        ];
        files.extend(modules.iter().map(|(path, bytes)| File {
            path,
            mode: 0o644,
            bytes,
        }));
        files.extend(selftests.iter().map(|(path, bytes)| File {
            path,
            mode: 0o755,
            bytes,
        }));
        let out = fs_err::File::create(path).kind(Kind::Infrastructure)?;
        initramfs::write(std::io::BufWriter::new(out), &files).kind(Kind::Infrastructure)
    }

    /// How long a scenario may take; nothing where it is unknown.
    pub fn deadline(&self, name: &str) -> Duration {
        let known = self.scenarios.iter().find(|s| s.name == name);
        Duration::from_secs(known.map_or(0, |s| s.deadline_s))
    }

    /// The kernel's own tests that these scenarios run.
    pub fn selftests(&self, names: &[String]) -> Vec<&str> {
        self.scenarios
            .iter()
            .filter(|s| names.contains(&s.name))
            .filter_map(|s| s.selftest.as_deref())
            .collect()
    }

    /// Whether a scenario runs one of the kernel's own tests.
    pub fn is_selftest(&self, name: &str) -> bool {
        let mut named = self.scenarios.iter().filter(|s| s.name == name);
        named.any(|s| s.selftest.is_some())
    }

    /// Whether one of these scenarios proves the order of the reaper's walk.
    pub fn proves_order(&self, names: &[String]) -> bool {
        self.scenarios
            .iter()
            .any(|s| s.proves_order && names.contains(&s.name))
    }

    /// The scenarios that measure over a range.
    pub fn sweeps(&self) -> Vec<String> {
        let sweeps = self.scenarios.iter().filter(|s| s.sweeps);
        sweeps.map(|s| s.name.clone()).collect()
    }

    /// The names of the scenarios that one of the globs matches, in the order
    /// of the catalogue; all of them where there is no glob, but for those that
    /// must be asked for.
    pub fn select(&self, globs: &[String]) -> Result<Vec<String>> {
        let mut chosen = BTreeMap::new();
        for scenario in self.scenarios.iter().filter(|s| !s.sweeps) {
            if globs.is_empty() {
                chosen.insert(scenario.number, scenario.name.clone());
            }
        }
        for glob in globs {
            let before = chosen.len();
            let mut matched = false;
            for scenario in self.scenarios.iter().filter(|s| matches(glob, &s.name)) {
                matched = true;
                chosen.insert(scenario.number, scenario.name.clone());
            }
            if !matched && chosen.len() == before {
                let names: Vec<_> = self.scenarios.iter().map(|s| s.name.as_str()).collect();
                return fail(Kind::Usage, format!("no scenario matches {glob:?}"))
                    .hint(format!("the scenarios are {}", names.join(", ")));
            }
        }
        Ok(chosen.into_values().collect())
    }
}

fn list(job: &Job, path: &Path) -> Result<Vec<Scenario>> {
    let mut text = String::new();
    let code = job.run_program(&path.display().to_string(), &["list".into()], &mut |line| {
        text.push_str(line);
        text.push('\n');
    })?;
    if code != 0 {
        return fail(
            Kind::Infrastructure,
            format!("{} list ended with {code}", path.display()),
        );
    }
    serde_json::from_str(&text).kind(Kind::Infrastructure)
}

/// Whether a name matches a pattern of literal characters, `*` and `?`.
pub fn matches(glob: &str, name: &str) -> bool {
    let (glob, name): (Vec<char>, Vec<char>) = (glob.chars().collect(), name.chars().collect());
    // Row by row: reach[j] says whether the pattern so far matches name[..j].
    let mut reach: Vec<bool> = (0..=name.len()).map(|j| j == 0).collect();
    for g in glob {
        let mut next = vec![false; name.len() + 1];
        for j in 0..=name.len() {
            next[j] = match g {
                '*' => reach[j] || (j > 0 && next[j - 1]),
                '?' => j > 0 && reach[j - 1],
                c => j > 0 && reach[j - 1] && name[j - 1] == c,
            };
        }
        reach = next;
    }
    reach.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn globs() {
        for (glob, name, expected) in [
            ("memcg-limit", "memcg-limit", true),
            ("memcg-limit", "memcg-limits", false),
            ("*", "", true),
            ("*race", "mrelease-exit-race", true),
            ("mrelease-*-race", "mrelease-exit-race", true),
            ("m?release*", "mrelease-exit-race", false),
            ("?", "", false),
            ("**", "x", true),
        ] {
            assert_eq!(matches(glob, name), expected, "{glob} {name}");
        }
    }
}
