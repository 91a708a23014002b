//! Diffs as text.

use git2::{Diff, DiffFindOptions, DiffFormat, DiffOptions};

/// What git format-patch shows: three lines around, binary files whole, full
/// ids.
pub(super) fn options() -> DiffOptions {
    let mut options = DiffOptions::new();
    options.context_lines(3).show_binary(true).id_abbrev(40);
    options
}

/// The diff as git prints it, renames found.
pub(super) fn print(mut diff: Diff<'_>) -> Result<Vec<u8>, git2::Error> {
    diff.find_similar(Some(DiffFindOptions::new().renames(true)))?;
    let mut text = Vec::new();
    diff.print(DiffFormat::Patch, |_, _, line| {
        if matches!(line.origin(), '+' | '-' | ' ') {
            text.push(line.origin() as u8);
        }
        text.extend_from_slice(line.content());
        true
    })?;
    Ok(text)
}
