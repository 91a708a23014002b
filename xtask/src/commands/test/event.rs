//! What happens while checks and tests run: all that the display and the exit
//! code are made of.

use std::time::Duration;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// So many more tests are known, and will run.
    Found(usize),
    Began(String),
    /// A line of something that shows what it does.
    Said(String),
    Ended(Ended),
    /// It was ended before it could say how it went.
    Stopped(String),
}

/// How a check or a test ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    pub name: String,
    pub outcome: Outcome,
    /// None where only whoever ran it knows.
    pub took: Option<Duration>,
    /// What it wrote and nobody has seen yet.
    pub output: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Passed,
    /// With the reason.
    Failed(String),
    Ignored,
}
