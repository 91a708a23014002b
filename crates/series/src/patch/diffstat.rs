//! The table of files above a diff: what a mail says, and what git would say.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;

use super::model::{FileDiff, LineKind};
use crate::pattern::regex;

/// The summary line under a diffstat.
#[derive(PartialEq, Eq)]
pub(crate) struct Diffstat {
    pub(crate) files: usize,
    added: usize,
    removed: usize,
}

impl Diffstat {
    /// Every one above the first diff. A note may hold those of other patches;
    /// the last is the patch's own.
    pub(crate) fn all(rest: &[u8]) -> Vec<Self> {
        static SUMMARY: LazyLock<Regex> = LazyLock::new(|| {
            regex(
                r"^ (\d{1,6}) files? changed(?:, (\d{1,9}) insertions?\(\+\))?(?:, (\d{1,9}) deletions?\(-\))?$",
            )
        });
        rest.split(|byte| *byte == b'\n')
            .take_while(|line| !is_diff(line))
            .filter_map(|line| str::from_utf8(line).ok())
            .filter_map(|line| {
                let found = SUMMARY.captures(line)?;
                let count = |at| {
                    found
                        .get(at)
                        .map_or(Some(0), |digits| digits.as_str().parse().ok())
                };
                Some(Self {
                    files: count(1)?,
                    added: count(2)?,
                    removed: count(3)?,
                })
            })
            .collect()
    }

    pub(crate) fn count(files: &[FileDiff]) -> Self {
        let lines = |kind| {
            let lines = files
                .iter()
                .flat_map(|file| &file.hunks)
                .flat_map(|hunk| &hunk.lines);
            lines.filter(|line| line.kind == kind).count()
        };
        Self {
            files: files.len(),
            added: lines(LineKind::Added),
            removed: lines(LineKind::Removed),
        }
    }
}

/// Whether a line begins a diff.
fn is_diff(line: &[u8]) -> bool {
    line.starts_with(b"diff -") || (line.starts_with(b"--- ") && line.contains(&b'/'))
}

/// Git's diffstat, 72 columns wide.
pub(super) fn diffstat(files: &[FileDiff]) -> String {
    let rows: Vec<(String, usize, usize)> = files
        .iter()
        .map(|file| {
            let lines = || file.hunks.iter().flat_map(|hunk| &hunk.lines);
            let count = |kind| lines().filter(|line| line.kind == kind).count();
            let name = match (&file.old_path, &file.new_path) {
                (Some(old), Some(new)) if old != new => format!("{old} => {new}"),
                _ => file.path().to_owned(),
            };
            (name, count(LineKind::Added), count(LineKind::Removed))
        })
        .collect();
    let most = rows.iter().map(|row| row.1 + row.2).max().unwrap_or(0);
    let digits = most.to_string().len();
    let longest = rows
        .iter()
        .map(|row| row.0.chars().count())
        .max()
        .unwrap_or(0);
    let room = 72_usize.saturating_sub(digits + 6);
    let (mut names, mut bars) = (longest, most);
    if names + bars > room {
        // The bars give way to three eighths of the width, then the names.
        bars = bars.min((72_usize * 3 / 8).saturating_sub(digits + 6).max(6));
        names = names.min(room.saturating_sub(bars));
        bars = most.min(room - names);
    }
    // Never rounded to nothing.
    let scale = |count: usize| match count {
        0 => 0,
        _ if most <= bars => count,
        _ => count * (bars - 1) / most + 1,
    };
    let mut out = String::new();
    for (name, added, removed) in &rows {
        let extra = name.chars().count().saturating_sub(names.saturating_sub(3));
        let name = match name.chars().count() > names {
            true => {
                let end: String = name.chars().skip(extra).collect();
                format!(
                    "...{}",
                    end.find('/').map_or(end.as_str(), |slash| &end[slash..])
                )
            }
            false => name.clone(),
        };
        let both = usize::from(*added > 0 && *removed > 0);
        let bar = scale(added + removed).max(2 * both);
        let (plus, minus) = match added < removed {
            true => (scale(*added), bar - scale(*added)),
            false => (bar - scale(*removed), scale(*removed)),
        };
        let (plus, minus) = ("+".repeat(plus), "-".repeat(minus));
        let line = format!(
            " {name:<names$} | {:>digits$} {plus}{minus}",
            added + removed
        );
        out += line.trim_end();
        out.push('\n');
    }
    let (added, removed) = rows
        .iter()
        .fold((0, 0), |sum, row| (sum.0 + row.1, sum.1 + row.2));
    let s = |count: usize| if count == 1 { "" } else { "s" };
    let _ = write!(out, " {} file{} changed", rows.len(), s(rows.len()));
    if added > 0 || removed == 0 {
        let _ = write!(out, ", {added} insertion{}(+)", s(added));
    }
    if removed > 0 || added == 0 {
        let _ = write!(out, ", {removed} deletion{}(-)", s(removed));
    }
    out.push('\n');
    out
}
