//! `scripts/checkpatch.pl` of the tree under test, on one patch.

use std::ffi::OsString;
use std::path::Path;
use std::sync::LazyLock;

use git2::Oid;
use regex::Regex;

use crate::build::{BuildError, Toolchain, diagnose};
use crate::cache::Cache;
use crate::process::{Runner, Stream};
use crate::store::{Store, extract};

/// The script and what it reads of its tree.
const PARTS: [&str; 4] = [
    "scripts/checkpatch.pl",
    "scripts/spelling.txt",
    "scripts/const_structs.checkpatch",
    "scripts/spdxcheck.py",
];

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// `error`, `warning` or `check`.
    pub severity: String,
    /// The script's name for the rule.
    pub rule: String,
    /// The file, where it is about one.
    pub file: Option<String>,
    /// The line of the file as patched, where it is about one.
    pub line: Option<u32>,
    pub text: String,
}

/// Runs it. None where the tree has no such script.
///
/// # Errors
/// A missing perl, a full disk, a tree that can't be read, a cancelled run.
pub fn check(
    store: &Store,
    cache: &Cache,
    runner: &dyn Runner,
    toolchain: &Toolchain,
    commit: Oid,
    patch: &[u8],
) -> Result<Option<Vec<Finding>>, BuildError> {
    let options = [
        "--no-tree",
        "--strict",
        "--terse",
        "--showfile",
        "--show-types",
        "--no-summary",
        "--color=never",
    ];
    let script = Script {
        store,
        cache,
        runner,
        toolchain,
        commit,
    };
    let mut found = Vec::new();
    let ran = script.run(&PARTS, &options, patch, &mut |row, mail| {
        found.extend(finding(row, mail));
    })?;
    Ok(ran.then_some(found))
}

/// A tree whose own scripts are run on a patch.
pub(crate) struct Script<'a> {
    pub(crate) store: &'a Store,
    pub(crate) cache: &'a Cache,
    pub(crate) runner: &'a dyn Runner,
    pub(crate) toolchain: &'a Toolchain,
    pub(crate) commit: Oid,
}

impl Script<'_> {
    /// Runs the first of the tree's files, a perl script, where all of `parts`
    /// lie as in the tree, and hands over its lines and the patch's place. Says
    /// whether the tree has it.
    pub(crate) fn run(
        &self,
        parts: &[&str],
        options: &[&str],
        patch: &[u8],
        on_line: &mut dyn FnMut(&str, &Path),
    ) -> Result<bool, BuildError> {
        let work = self.cache.scratch("script")?;
        let ran = self.run_in(&work, parts, options, patch, on_line);
        self.cache.remove(&work)?;
        ran
    }

    fn run_in(
        &self,
        work: &Path,
        parts: &[&str],
        options: &[&str],
        patch: &[u8],
        on_line: &mut dyn FnMut(&str, &Path),
    ) -> Result<bool, BuildError> {
        let tree = work.join("tree");
        let mut watch = |_| self.runner.go_on();
        extract(self.store, self.commit, parts, &tree, &mut watch)?;
        let script = tree.join(parts[0]);
        if !script.is_file() {
            return Ok(false);
        }
        let mail = work.join("patch");
        fs_err::write(&mail, patch)?;
        let mut args: Vec<OsString> = vec!["perl".into(), script.into()];
        args.extend(options.iter().map(OsString::from));
        args.push(mail.clone().into());
        let code = self
            .toolchain
            .run(self.runner, args, &tree, &mut |stream, row| {
                if stream == Stream::Out {
                    on_line(row, &mail);
                }
            })?;
        if self.runner.cancelled() {
            return Err(BuildError::cancelled());
        }
        if code == 127 {
            return Err(BuildError::Tool {
                tool: "perl".into(),
                package: diagnose::package("perl").or(Some("perl")),
            });
        }
        Ok(true)
    }
}

#[expect(clippy::unwrap_used, reason = "a constant, compiled by a test")]
static LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?<file>.*?):(?<line>\d+): (?<severity>ERROR|WARNING|CHECK):(?<rule>[A-Z0-9_]+): (?<text>.*)$").unwrap()
});

/// A line of the script's terse form. What is about the mail rather than about
/// a file of the tree has no place.
fn finding(row: &str, mail: &Path) -> Option<Finding> {
    let found = LINE.captures(row)?;
    let of_tree = Path::new(&found["file"]) != mail && !found["file"].is_empty();
    Some(Finding {
        severity: found["severity"].to_ascii_lowercase(),
        rule: found["rule"].to_owned(),
        file: of_tree.then(|| found["file"].to_owned()),
        line: found["line"].parse().ok().filter(|_| of_tree),
        text: found["text"].to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_script() {
        let mail = Path::new("/tmp/patch");
        let row = "mm/oom_kill.c:524: WARNING:LONG_LINE: line length of 109 exceeds 100 columns";
        let one = finding(row, mail).unwrap();
        assert_eq!(
            (one.file.as_deref(), one.line),
            (Some("mm/oom_kill.c"), Some(524))
        );
        assert_eq!(
            (one.severity.as_str(), one.rule.as_str()),
            ("warning", "LONG_LINE")
        );
        let row = "/tmp/patch:12: ERROR:MISSING_SIGN_OFF: Missing Signed-off-by: line(s)";
        let one = finding(row, mail).unwrap();
        assert_eq!((one.file, one.line), (None, None));
        let row = ":529: WARNING:BAD_REPORTED_BY_LINK: Reported-by: should be followed by Closes:";
        let one = finding(row, mail).unwrap();
        assert_eq!((one.file, one.line), (None, None));
        assert_eq!(finding("total: 0 errors, 0 warnings", mail), None);
        assert_eq!(finding("", mail), None);
    }
}
