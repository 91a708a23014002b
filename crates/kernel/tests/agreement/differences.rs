//! Where we and the programs differ, and why that is right.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::mail::Mail;
use crate::tools::Fared::{self, Has, Refuses, Takes};
use crate::tools::{TOOLS, Tool, Trial};

/// A kind of difference that is right.
struct Difference {
    with: &'static [Tool],
    is: fn(&Trial, &Fared) -> bool,
    why: &'static str,
}

const GIT: &[Tool] = &[Tool::Am, Tool::Apply];
const AM: &[Tool] = &[Tool::Am];
const PATCH: &[Tool] = &[Tool::Patch];

/// The first that fits says why; what none fits is wrong.
const DIFFERENCES: [Difference; 16] = [
    Difference {
        with: GIT,
        is: |trial, theirs| *theirs == Refuses && fuzzy(trial),
        why: "git takes no fuzz: we do as patch does, and the verdict says fuzz",
    },
    Difference {
        with: GIT,
        is: |trial, theirs| *theirs == Has && fuzzy(trial),
        why: "git takes back anywhere what is empty without context: we do as patch does",
    },
    Difference {
        with: GIT,
        is: |trial, theirs| {
            let same = trial.ours == *trial.of(Tool::Patch);
            trial.unended && takes(theirs) && same && takes(&trial.ours)
        },
        why: "git takes a last line without a newline for the beginning of any line and glues the next one to it: we and patch don't",
    },
    Difference {
        with: &[Tool::Apply, Tool::Patch],
        is: |trial, theirs| *theirs == Refuses && merged(trial),
        why: "only git am -3 merges: we do as it does, and the verdict says three-way",
    },
    Difference {
        with: &[Tool::Apply, Tool::Patch],
        is: |trial, theirs| *theirs == Refuses && trial.ours == Has && *trial.of(Tool::Am) == Has,
        why: "only the merge shows that it is there: we see it as git am -3 does",
    },
    Difference {
        with: PATCH,
        is: |trial, theirs| takes(theirs) && merged(trial),
        why: "patch guesses where the version that it was made on decides: git am -3's tree is ours",
    },
    Difference {
        with: &TOOLS,
        is: |trial, theirs| {
            *theirs == Refuses && trial.ours == Has && *trial.of(Tool::Am) == Refuses
        },
        why: "no program knows a change that was merged in other words: we know its code",
    },
    Difference {
        with: GIT,
        is: |trial, theirs| takes(theirs) && trial.says("not supported: binary file"),
        why: "git applies binary changes: we test text, and say that they are not supported",
    },
    Difference {
        with: AM,
        is: |trial, theirs| takes(theirs) && trial.says("there is no such file"),
        why: "git am -3 follows a file that the tree has renamed: we say that it is missing",
    },
    Difference {
        with: &[Tool::Am, Tool::Patch],
        is: |trial, theirs| *theirs != Refuses && trial.says("the file exists, with other content"),
        why: "an empty file is as good as none to git am -3 and patch: we and git apply refuse a new one in its place",
    },
    Difference {
        with: &TOOLS,
        is: |trial, theirs| {
            let half = trial.says("there already, while the rest") || merged(trial);
            *theirs == Has && half
        },
        why: "a mode that is not there is only warned of when a patch is taken back: to us half of it is missing",
    },
    Difference {
        with: PATCH,
        is: |trial, theirs| {
            let same = trial.ours == *trial.of(Tool::Apply);
            same && takes(&trial.ours) && *theirs != Has
        },
        why: "patch begins to search where the hunk before went, without context anywhere, and minds a newline at the end: git apply's tree is ours",
    },
    Difference {
        with: PATCH,
        is: |trial, theirs| takes(theirs) && trial.says("the file exists\n"),
        why: "patch overwrites what stands where a file is renamed or copied to: we and git refuse",
    },
    Difference {
        with: PATCH,
        is: |trial, theirs| {
            let there = trial.ours == Has || trial.says("there already, while the rest");
            takes(theirs) && there
        },
        why: "patch puts a change in twice where it fits once more, or goes on without a word: we say what is there",
    },
    Difference {
        with: PATCH,
        is: |trial, theirs| {
            let same = trial.ours == *trial.of(Tool::Apply);
            *theirs == Has && same && trial.ours == Refuses
        },
        why: "patch finds the nothing that an emptied file leaves in any file: we and git look for an empty one",
    },
    Difference {
        with: &TOOLS,
        is: |trial, theirs| *theirs == Has && trial.says("nothing shows that it was deleted"),
        why: "all take a missing file for a deleted one: we ask for proof that it was there",
    },
];

fn takes(fared: &Fared) -> bool {
    matches!(fared, Takes(_))
}

fn fuzzy(trial: &Trial) -> bool {
    trial.verdict() == "fuzz" && trial.ours == *trial.of(Tool::Patch)
}

fn merged(trial: &Trial) -> bool {
    trial.verdict() == "three-way" && trial.ours == *trial.of(Tool::Am)
}

/// How often each verdict came up, and each difference with each program.
#[derive(Default)]
pub struct Tally {
    verdicts: BTreeMap<&'static str, usize>,
    differences: BTreeMap<(usize, Tool), usize>,
    pub wrong: Vec<String>,
}

impl Tally {
    /// The differences of a trial, by their place in the list, from 1.
    pub fn add(&mut self, name: &str, mail: &Mail, trial: &Trial) -> BTreeSet<usize> {
        *self.verdicts.entry(trial.verdict()).or_default() += 1;
        let mut found = BTreeSet::new();
        for tool in TOOLS {
            if *trial.of(tool) == trial.ours {
                continue;
            }
            let mut known = DIFFERENCES.iter();
            let fits = known
                .position(|known| known.with.contains(&tool) && (known.is)(trial, trial.of(tool)));
            let Some(at) = fits else {
                let mail = String::from_utf8_lossy(&mail.text);
                self.wrong
                    .push(format!("{name}:\n{mail}\n{}", trial.show(tool)));
                continue;
            };
            found.insert(at + 1);
            *self.differences.entry((at + 1, tool)).or_default() += 1;
        }
        found
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (verdict, count) in &self.verdicts {
            writeln!(f, "{count:3} {verdict}")?;
        }
        for ((at, tool), count) in &self.differences {
            let why = DIFFERENCES[at - 1].why;
            writeln!(f, "{count:3} unlike {} [{at}]: {why}", tool.name())?;
        }
        Ok(())
    }
}
