//! Kconfig fragments: parsing, merging, and proof that what was asked for is
//! what `olddefconfig` left.
//!
//! A fragment is a plain Kconfig fragment that any other tool reads as well.
//! One convention is added: a comment that begins with `# optional` makes the
//! paragraph it stands in (to the next blank line) optional. A kernel that
//! can't grant such a line gets a note instead of an error, so that one
//! fragment serves many versions:
//!
//! ```text
//! # optional: 6.1 has no switch for it
//! # CONFIG_RPS is not set
//! ```

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One fragment, named for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Where it came from, for example `lean.config`.
    pub name: String,
    /// Its lines, in order; each option once.
    pub requests: Vec<Request>,
}

/// One option as a fragment asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The option with its `CONFIG_`.
    pub option: String,
    pub want: Want,
    /// Whether a kernel may do without.
    pub optional: bool,
    pub fragment: String,
    /// The line in it, from 1.
    pub line: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Want {
    /// Off, or unknown to the kernel.
    Unset,
    /// This value as `.config` writes it, strings with their quotes.
    Value(String),
}

/// A request that the resolved configuration does not grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmet {
    /// What was asked for, and where.
    pub request: Request,
    /// The value it got; none where `.config` does not name the option.
    pub got: Option<String>,
}

/// What is wrong with a fragment, or with what a kernel made of it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A line that is neither an assignment nor a comment.
    #[error(
        "{fragment}:{line}: not a Kconfig line: `{text}`; write `CONFIG_X=y`, `# CONFIG_X is not set` or a comment"
    )]
    Syntax {
        fragment: String,
        /// The line, from 1.
        line: u32,
        text: String,
    },
    /// The same option twice in one fragment.
    #[error("{fragment}:{line}: {option} already stands in line {first}; keep one of the two")]
    Twice {
        fragment: String,
        /// The second line, from 1.
        line: u32,
        first: u32,
        option: String,
    },
    /// Required options that did not survive `olddefconfig`.
    #[error("the kernel does not grant {}{}", count(.0.len()), list(.0))]
    Unmet(Vec<Unmet>),
}

fn count(n: usize) -> String {
    match n {
        1 => "a required option".into(),
        n => format!("{n} required options"),
    }
}

fn list(unmet: &[Unmet]) -> String {
    unmet.iter().map(|one| format!("\n  {one}")).collect()
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request {
            option,
            want,
            fragment,
            line,
            ..
        } = &self.request;
        match want {
            Want::Value(value) => write!(f, "{option}: wanted {value}, got ")?,
            Want::Unset => write!(f, "{option}: wanted off, got ")?,
        }
        match &self.got {
            Some(value) => write!(f, "{value}")?,
            None => write!(
                f,
                "nothing (unknown to this kernel, or what it depends on is off)"
            )?,
        }
        write!(f, " ({fragment}:{line})")
    }
}

impl Fragment {
    /// Reads a fragment; `name` is what messages call it.
    ///
    /// # Errors
    /// A line of another form, or one option twice.
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigError> {
        let mut requests: Vec<Request> = Vec::new();
        let mut optional = false;
        for (line, raw) in (1..).zip(text.lines()) {
            let row = raw.trim();
            if row.is_empty() {
                optional = false;
                continue;
            }
            let Some((option, want)) = assignment(row) else {
                if let Some(comment) = row.strip_prefix('#') {
                    optional |= comment.trim_start().starts_with("optional");
                    continue;
                }
                let text = row.chars().take(80).collect();
                return Err(ConfigError::Syntax {
                    fragment: name.into(),
                    line,
                    text,
                });
            };
            if let Some(first) = requests.iter().find(|r| r.option == option) {
                let (fragment, first) = (name.into(), first.line);
                return Err(ConfigError::Twice {
                    fragment,
                    line,
                    first,
                    option: option.into(),
                });
            }
            let (option, fragment) = (option.into(), name.into());
            requests.push(Request {
                option,
                want,
                optional,
                fragment,
                line,
            });
        }
        Ok(Self {
            name: name.into(),
            requests,
        })
    }
}

/// Fragments laid over each other: of two lines for one option the later
/// fragment's counts.
#[must_use]
pub fn merge(fragments: &[Fragment]) -> Vec<Request> {
    let mut merged: Vec<Request> = Vec::new();
    for request in fragments.iter().flat_map(|fragment| &fragment.requests) {
        merged.retain(|earlier| earlier.option != request.option);
        merged.push(request.clone());
    }
    merged
}

/// A `.config` with the requests in place of what it says about their options.
#[must_use]
pub fn overlay(config: &str, requests: &[Request]) -> String {
    let requested = |row: &&str| {
        assignment(row.trim()).is_some_and(|(name, _)| requests.iter().any(|r| r.option == name))
    };
    let mut text: String = config
        .lines()
        .filter(|row| !requested(row))
        .flat_map(|row| [row, "\n"])
        .collect();
    for Request { option, want, .. } in requests {
        text += &match want {
            Want::Value(value) => format!("{option}={value}\n"),
            Want::Unset => format!("# {option} is not set\n"),
        };
    }
    text
}

/// Every request that a resolved `.config` does not grant, in their order.
#[must_use]
pub fn unmet(config: &str, requests: &[Request]) -> Vec<Unmet> {
    let got: BTreeMap<&str, Want> = config
        .lines()
        .filter_map(|row| assignment(row.trim()))
        .collect();
    requests
        .iter()
        .filter_map(|request| {
            let got = got.get(request.option.as_str());
            let met = match (&request.want, got) {
                (want, Some(got)) => want == got,
                (Want::Unset, None) => true,
                (Want::Value(_), None) => false,
            };
            let got = got.map(|got| match got {
                Want::Value(value) => value.clone(),
                Want::Unset => "off".into(),
            });
            (!met).then(|| Unmet {
                request: request.clone(),
                got,
            })
        })
        .collect()
}

/// `CONFIG_X=value` or `# CONFIG_X is not set`; `=n` means the latter.
fn assignment(row: &str) -> Option<(&str, Want)> {
    if let Some(option) = row
        .strip_prefix("# ")
        .and_then(|r| r.strip_suffix(" is not set"))
    {
        return is_option(option).then_some((option, Want::Unset));
    }
    let (option, value) = row.split_once('=')?;
    if !is_option(option) {
        return None;
    }
    let quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
    let plain = !value.is_empty()
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let want = if value == "n" {
        Want::Unset
    } else {
        Want::Value(value.into())
    };
    (quoted || plain).then_some((option, want))
}

fn is_option(name: &str) -> bool {
    name.strip_prefix("CONFIG_").is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Fragment {
        Fragment::parse("t.config", text).unwrap()
    }

    fn wants(requests: &[Request]) -> Vec<String> {
        requests
            .iter()
            .map(|r| {
                let mark = if r.optional { "?" } else { "" };
                match &r.want {
                    Want::Value(v) => format!("{}{mark} {}={v}", r.line, r.option),
                    Want::Unset => format!("{}{mark} {} off", r.line, r.option),
                }
            })
            .collect()
    }

    #[test]
    fn reads_every_form_of_a_line() {
        let fragment = parse(
            "# A comment.\nCONFIG_SMP=y\r\n  CONFIG_NR_CPUS=8\nCONFIG_X=\"a # b=c\"\nCONFIG_H=0x1f\n\
             # CONFIG_IPV6 is not set  \nCONFIG_VT=n\n#CONFIG_Z=y\n# CONFIG_Z=y\n\n\
             # optional: before 6.2 it has no prompt\n# CONFIG_RPS is not set\nCONFIG_Q=m\n\nCONFIG_R=y\n",
        );
        insta::assert_debug_snapshot!(wants(&fragment.requests), @r#"
        [
            "2 CONFIG_SMP=y",
            "3 CONFIG_NR_CPUS=8",
            "4 CONFIG_X=\"a # b=c\"",
            "5 CONFIG_H=0x1f",
            "6 CONFIG_IPV6 off",
            "7 CONFIG_VT off",
            "12? CONFIG_RPS off",
            "13? CONFIG_Q=m",
            "15 CONFIG_R=y",
        ]
        "#);
    }

    #[test]
    fn refuses_what_is_no_kconfig_line() {
        for bad in [
            "CONFIG_SMP",
            "SMP=y",
            "CONFIG_=y",
            "CONFIG_A B=y",
            "CONFIG_X=",
            "CONFIG_X=\"open",
            "CONFIG_X=y # why",
            "<<<<<<< ours",
            "CONFIG_X=$(rm)",
        ] {
            let error = Fragment::parse("t.config", &format!("\n{bad}\n")).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("t.config:2: not a Kconfig line"),
                "{error}"
            );
        }
        let error = Fragment::parse("t.config", "CONFIG_A=y\n\n# CONFIG_A is not set").unwrap_err();
        insta::assert_snapshot!(error, @"t.config:3: CONFIG_A already stands in line 1; keep one of the two");
    }

    #[test]
    fn a_later_fragment_wins() {
        let first = parse("CONFIG_A=y\nCONFIG_B=y\n");
        let second = parse("\n\n# CONFIG_A is not set\n");
        insta::assert_debug_snapshot!(wants(&merge(&[first, second])), @r#"
        [
            "2 CONFIG_B=y",
            "3 CONFIG_A off",
        ]
        "#);
    }

    #[test]
    fn overlays_without_naming_an_option_twice() {
        let config = "# Linux\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_AB=y\n";
        let requests = parse("CONFIG_B=\"x\"\n# CONFIG_A is not set\n").requests;
        insta::assert_snapshot!(overlay(config, &requests), @r#"
        # Linux
        CONFIG_AB=y
        CONFIG_B="x"
        # CONFIG_A is not set
        "#);
    }

    #[test]
    fn names_what_did_not_survive() {
        let requests = parse(
            "CONFIG_A=y\nCONFIG_B=y\nCONFIG_C=y\n# CONFIG_D is not set\n# CONFIG_E is not set\nCONFIG_F=8\n",
        )
        .requests;
        let config = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_D=y\nCONFIG_F=4\n";
        insta::assert_snapshot!(ConfigError::Unmet(unmet(config, &requests)), @r"
        the kernel does not grant 4 required options
          CONFIG_B: wanted y, got off (t.config:2)
          CONFIG_C: wanted y, got nothing (unknown to this kernel, or what it depends on is off) (t.config:3)
          CONFIG_D: wanted off, got y (t.config:4)
          CONFIG_F: wanted 8, got 4 (t.config:6)
        ");
    }

    #[test]
    fn the_projects_fragments_say_what_is_optional() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../kernel-tests/configs");
        let mut optional = Vec::new();
        for entry in fs_err::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let text = fs_err::read_to_string(entry.path()).unwrap();
            let fragment = Fragment::parse(&entry.file_name().to_string_lossy(), &text).unwrap();
            let requests = fragment
                .requests
                .into_iter()
                .filter(|request| request.optional);
            optional
                .extend(requests.map(|request| format!("{}: {}", fragment.name, request.option)));
        }
        optional.sort();
        insta::assert_debug_snapshot!(optional, @r#"
        [
            "lean.config: CONFIG_PREEMPT_NONE",
            "lean.config: CONFIG_PROC_SYSCTL",
            "lean.config: CONFIG_RPS",
            "lean.config: CONFIG_ZRAM",
            "lean.config: CONFIG_ZSMALLOC",
        ]
        "#);
    }
}
