//! A mistake, its kind and its place.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Range;

/// What kind of mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A statement left out.
    LeaveOut,
    /// A condition that holds when it should not, and the other way round.
    Negate,
    /// A condition that always holds.
    Always,
    /// A condition that never holds.
    Never,
    /// `&&` for `||`, and the other way round.
    AndOr,
    /// One of two conditions left out.
    LeaveOutCondition,
    /// A bound off by one: `<` for `<=`.
    Bound,
    /// `==` for `!=`.
    Equality,
    /// `+` for `-`, or `<<` for `>>`.
    Arithmetic,
    /// A flag left out of a mask.
    Flag,
    /// A constant that is another one.
    Constant,
    /// A function that returns before it has done anything.
    ReturnEarly,
    /// A loop that ends after its first turn.
    BreakEarly,
    /// `break` for `continue`.
    BreakContinue,
    /// A wrong value returned.
    ReturnValue,
    /// Two arguments of a call swapped.
    SwapArguments,
    /// A lock or an unlock that is moved by one statement.
    MoveLock,
}

impl Kind {
    /// Its name in lists, such as `leave-out`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LeaveOut => "leave-out",
            Self::Negate => "negate",
            Self::Always => "always",
            Self::Never => "never",
            Self::AndOr => "and-or",
            Self::LeaveOutCondition => "leave-out-condition",
            Self::Bound => "bound",
            Self::Equality => "equality",
            Self::Arithmetic => "arithmetic",
            Self::Flag => "flag",
            Self::Constant => "constant",
            Self::ReturnEarly => "return-early",
            Self::BreakEarly => "break-early",
            Self::BreakContinue => "break-continue",
            Self::ReturnValue => "return-value",
            Self::SwapArguments => "swap-arguments",
            Self::MoveLock => "move-lock",
        }
    }
}

/// How a mistake stands in its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// One or more statements instead of others.
    Statement,
    /// An expression instead of another one.
    Expression,
    /// A statement where there was none: its range is empty.
    Insert,
    /// A statement that stays as it is.
    Mark,
}

/// A mistake: other text in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The function that makes it.
    pub function: String,
    pub kind: Kind,
    /// Which of its kind in the function, counted from 1 in the order of the source.
    pub nth: usize,
    /// The line where it begins, counted from 1.
    pub line: usize,
    /// The bytes that are replaced.
    pub at: Range<usize>,
    /// What stands there instead, on one line.
    pub with: String,
    pub(crate) form: Form,
}

impl Mistake {
    /// A name that stays while the function's statements do, such as
    /// `oom_reap_task-negate-2`.
    pub fn name(&self) -> String {
        format!("{}-{}-{}", self.function, self.kind.as_str(), self.nth)
    }

    /// By place, outer ones first, and then by kind.
    pub(crate) fn order(&self) -> (usize, Reverse<usize>, Kind) {
        (self.at.start, Reverse(self.at.end), self.kind)
    }

    /// The source with this mistake alone, in which all other lines keep their numbers.
    /// It must be the one that it was made for.
    pub fn apply(&self, source: &str) -> String {
        let [before, own, behind] = parts(source, &self.at);
        let lines = "\n".repeat(own.matches('\n').count());
        format!("{before}{}{lines}{behind}", self.with)
    }
}

/// A statement of which it can be told whether anything comes to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The lines that were asked about and that it stands for, counted from 1.
    pub lines: BTreeSet<usize>,
    pub(crate) at: Range<usize>,
}

impl Mark {
    /// The source with a call before this statement, in which all lines keep their
    /// numbers. It must be the one that it was made for.
    pub fn apply(&self, source: &str, call: &str) -> String {
        let [before, own, behind] = parts(source, &self.at);
        format!("{before}{{{call} {own}}}{behind}")
    }
}

/// What is before a range, in it, and behind it.
fn parts<'a>(source: &'a str, at: &Range<usize>) -> [&'a str; 3] {
    [
        source.get(..at.start),
        source.get(at.clone()),
        source.get(at.end..),
    ]
    .map(Option::unwrap_or_default)
}

/// The line of a byte, counted from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
