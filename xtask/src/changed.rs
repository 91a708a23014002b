//! The lines of C that a series changes.

use std::collections::BTreeSet;

use results::Arm;
use similar::{DiffOp, TextDiff};

use crate::exit::Result;
use crate::job::Job;
use crate::kernels::{self, Kernel};

/// A file of the patched arm.
pub struct Changed {
    pub path: String,
    pub text: String,
    /// The lines that base has not, and those beside what it has more, counted from 1.
    pub lines: BTreeSet<usize>,
}

impl Changed {
    /// A file, where patched has it.
    pub fn read(job: &Job, kernel: &Kernel, path: &str) -> Result<Option<Self>> {
        let text = |arm| kernels::source(job, kernel, arm, path);
        let Some(after) = text(Arm::Patched)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            path: path.to_owned(),
            lines: lines(&text(Arm::Base)?.unwrap_or_default(), &after),
            text: after,
        }))
    }
}

/// The files of a series that patched has.
pub fn by_the_series(job: &Job, kernel: &Kernel) -> Result<Vec<Changed>> {
    let paths = kernels::changed(job, kernel)?.into_iter();
    let read = paths.map(|path| Changed::read(job, kernel, &path));
    read.filter_map(Result::transpose).collect()
}

/// The lines of a new text that are not in the old one, and those beside what it has
/// lost, counted from 1.
fn lines(old: &str, new: &str) -> BTreeSet<usize> {
    let diff = TextDiff::from_lines(old, new);
    let lines = diff.ops().iter().flat_map(|op| match *op {
        DiffOp::Equal { .. } => 0..0,
        DiffOp::Delete { new_index, .. } => new_index.max(1)..new_index + 2,
        DiffOp::Insert {
            new_index, new_len, ..
        }
        | DiffOp::Replace {
            new_index, new_len, ..
        } => new_index + 1..new_index + new_len + 1,
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_a_series_touches() {
        let lines = |old: &str, new: &str| {
            let [old, new] = [old, new].map(|text| text.replace(' ', "\n") + "\n");
            lines(&old, &new).into_iter().collect::<Vec<_>>()
        };
        assert_eq!(lines("a b c", "a b c"), [0; 0]);
        assert_eq!(lines("a b c", "a x c"), [2]);
        assert_eq!(lines("a b c", "a b x y c"), [3, 4]);
        assert_eq!(lines("a b c", "a c"), [1, 2]);
        assert_eq!(lines("a b c", "b c"), [1]);
    }
}
