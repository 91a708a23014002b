//! The scenarios that the guest's program has, as it lists them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exit::{Advise, Kind, Result, fail};

/// All scenarios.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Catalogue(pub Vec<Scenario>);

/// A scenario, as the program lists it.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// Its number in the catalogue.
    pub number: u32,
    /// What it proves, in a sentence.
    pub summary: String,
    /// Seconds it may take.
    pub deadline_s: u64,
    /// Whether it proves the order of the reaper's walk.
    pub proves_order: bool,
    /// Whether it can race by turns with the guest of the other arm.
    pub takes_turns: bool,
    /// Whether it measures over a range, which takes long.
    pub sweeps: bool,
    /// Which of the kernel's own tests it runs.
    pub selftest: Option<String>,
}

impl Catalogue {
    /// How long a scenario may take; nothing where it is unknown.
    pub fn deadline(&self, name: &str) -> Duration {
        let known = self.0.iter().find(|s| s.name == name);
        Duration::from_secs(known.map_or(0, |s| s.deadline_s))
    }

    /// The kernel's own tests that these scenarios run.
    pub fn selftests(&self, names: &[String]) -> Vec<&str> {
        self.0
            .iter()
            .filter(|s| names.contains(&s.name))
            .filter_map(|s| s.selftest.as_deref())
            .collect()
    }

    /// Whether a scenario runs one of the kernel's own tests.
    pub fn is_selftest(&self, name: &str) -> bool {
        let mut named = self.0.iter().filter(|s| s.name == name);
        named.any(|s| s.selftest.is_some())
    }

    /// Whether one of these scenarios proves the order of the reaper's walk.
    pub fn proves_order(&self, names: &[String]) -> bool {
        self.0
            .iter()
            .any(|s| s.proves_order && names.contains(&s.name))
    }

    /// Whether all of these scenarios can race by turns.
    pub fn take_turns(&self, names: &[String]) -> bool {
        let takes = |name: &String| {
            let mut named = self.0.iter().filter(|s| s.name == *name);
            named.any(|s| s.takes_turns)
        };
        names.iter().all(takes)
    }

    /// The scenarios that measure over a range.
    pub fn sweeps(&self) -> Vec<String> {
        let sweeps = self.0.iter().filter(|s| s.sweeps);
        sweeps.map(|s| s.name.clone()).collect()
    }

    /// The scenarios that one of the globs matches, all where there is none.
    pub fn list(&self, globs: &[String]) -> Result<Vec<&Scenario>> {
        let every = ["*".to_owned()];
        let globs = if globs.is_empty() { &every } else { globs };
        let names = self.select(globs)?;
        let mut listed: Vec<_> = self.0.iter().filter(|s| names.contains(&s.name)).collect();
        listed.sort_by_key(|s| s.number);
        Ok(listed)
    }

    /// The names of the scenarios that one of the globs matches, in the order
    /// of the catalogue; all of them where there is no glob, but for those that
    /// must be asked for.
    pub fn select(&self, globs: &[String]) -> Result<Vec<String>> {
        let mut chosen = BTreeMap::new();
        for scenario in self.0.iter().filter(|s| !s.sweeps) {
            if globs.is_empty() {
                chosen.insert(scenario.number, scenario.name.clone());
            }
        }
        for glob in globs {
            let before = chosen.len();
            let mut matched = false;
            for scenario in self.0.iter().filter(|s| matches(glob, &s.name)) {
                matched = true;
                chosen.insert(scenario.number, scenario.name.clone());
            }
            if !matched && chosen.len() == before {
                let names: Vec<_> = self.0.iter().map(|s| s.name.as_str()).collect();
                return fail(Kind::Usage, format!("no scenario matches {glob:?}"))
                    .hint(format!("the scenarios are {}", names.join(", ")));
            }
        }
        Ok(chosen.into_values().collect())
    }
}

/// Whether one of the globs matches a name, or there is no glob.
pub fn is_wanted(globs: &[String], name: &str) -> bool {
    globs.is_empty() || globs.iter().any(|glob| matches(glob, name))
}

/// Whether a name matches a pattern of literal characters, `*` and `?`.
fn matches(glob: &str, name: &str) -> bool {
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
