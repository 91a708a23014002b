//! `scripts/checkpatch.pl` of the tree under test, on one patch.

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;

use git2::Oid;
use regex::Regex;

use crate::build::{BuildError, Toolchain, diagnose};
use crate::cache::{Cache, failed};
use crate::checkout;
use crate::process::{Runner, Stream};
use crate::store::Store;

/// The script and what it reads of its tree.
const PARTS: [&str; 4] = [
    "scripts/checkpatch.pl",
    "scripts/spelling.txt",
    "scripts/const_structs.checkpatch",
    "scripts/spdxcheck.py",
];

/// Something that the script says.
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
    /// What it says.
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
    let work = cache.scratch("checkpatch")?;
    let found = run(store, runner, toolchain, commit, patch, &work);
    cache.remove(&work)?;
    found
}

fn run(
    store: &Store,
    runner: &dyn Runner,
    toolchain: &Toolchain,
    commit: Oid,
    patch: &[u8],
    work: &Path,
) -> Result<Option<Vec<Finding>>, BuildError> {
    let tree = work.join("tree");
    let mut watch = |_: crate::import::Progress| {
        if runner.cancelled() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    checkout::extract(store, commit, &PARTS, &tree, &mut watch).map_err(|error| match error {
        checkout::CheckoutError::Cancelled => BuildError::Cancelled,
        error => BuildError::Source {
            arm: "checkpatch".into(),
            source: error.into(),
        },
    })?;
    let script = tree.join(PARTS[0]);
    if !script.is_file() {
        return Ok(None);
    }
    let mail = work.join("patch");
    fs_err::write(&mail, patch).map_err(failed("write", &mail))?;
    let args: Vec<OsString> = vec![
        "perl".into(),
        script.into(),
        "--no-tree".into(),
        "--strict".into(),
        "--terse".into(),
        "--showfile".into(),
        "--show-types".into(),
        "--no-summary".into(),
        "--color=never".into(),
        mail.clone().into(),
    ];
    let mut found = Vec::new();
    let code = toolchain.run(runner, args, work, &mut |stream, row| {
        if stream == Stream::Out {
            found.extend(finding(row, &mail));
        }
    })?;
    if runner.cancelled() {
        return Err(BuildError::Cancelled);
    }
    if code == 127 {
        return Err(BuildError::Tool {
            tool: "perl".into(),
            package: diagnose::package("perl").or(Some("perl")),
        });
    }
    Ok(Some(found))
}

#[expect(clippy::unwrap_used, reason = "a constant, compiled by a test")]
static LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?<file>.*?):(?<line>\d+): (?<severity>ERROR|WARNING|CHECK):(?<rule>[A-Z0-9_]+): (?<text>.*)$").unwrap()
});

/// A line of the script's terse form. What is about the mail rather than about
/// a file of the tree has no place.
fn finding(row: &str, mail: &Path) -> Option<Finding> {
    let found = LINE.captures(row)?;
    let of_tree = Path::new(&found["file"]) != mail;
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
        assert_eq!(finding("total: 0 errors, 0 warnings", mail), None);
        assert_eq!(finding("", mail), None);
    }
}
