//! Our verdicts and trees held against those of `git am -3`, `git apply` and
//! GNU `patch` for the same mails: made-up ones, and real ones on the packaged
//! kernels.
//!
//! Where we and a program both apply, the trees are the same to the last byte
//! and mode. Every kind of difference stands in [`DIFFERENCES`] with its reason.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod generated;
#[path = "../lab/mod.rs"]
mod lab;
mod mail;
mod real;
mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;

use mail::Mail;
use tools::Fared::{self, Has, Refuses, Takes};
use tools::{TOOLS, Tool, Trial};

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
const DIFFERENCES: [Difference; 15] = [
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
        is: |trial, theirs| takes(theirs) && trial.unread.contains("binary"),
        why: "git applies binary changes: we test text, and refuse them when we read the mail",
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
struct Tally {
    verdicts: BTreeMap<&'static str, usize>,
    differences: BTreeMap<(usize, Tool), usize>,
    wrong: Vec<String>,
}

impl Tally {
    /// The differences of a trial, by their place in the list, from 1.
    fn add(&mut self, name: &str, mail: &Mail, trial: &Trial) -> BTreeSet<usize> {
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

#[test]
fn generated_cases() {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse().ok());
    let (first, count) = (number("FIRST"), number("CASES"));
    let begin: u64 = first.unwrap_or(0);
    let next = Mutex::new(begin..begin + count.unwrap_or(370));
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(seed) = { next.lock().unwrap().next() } {
                    let case = generated::Case::new(seed);
                    let objects = case.known.then_some(case.mail.objects.as_str());
                    let trial = Trial::new(&case.target, &case.mail.text, objects);
                    let name = format!("seed {seed} ({})", case.kinds);
                    tally.lock().unwrap().add(&name, &case.mail, &trial);
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    if first.or(count).is_some() {
        println!("{tally}");
        return;
    }
    insta::assert_snapshot!(tally, @r"
     26 already-applied
     93 clean
    121 conflict
     41 fuzz
     30 offset
     36 three-way
     23 unread
     41 unlike git am -3 [1]: git takes no fuzz: we do as patch does, and the verdict says fuzz
     41 unlike git apply [1]: git takes no fuzz: we do as patch does, and the verdict says fuzz
     36 unlike git apply [4]: only git am -3 merges: we do as it does, and the verdict says three-way
     15 unlike patch [4]: only git am -3 merges: we do as it does, and the verdict says three-way
      1 unlike git apply [5]: only the merge shows that it is there: we see it as git am -3 does
      4 unlike patch [6]: patch guesses where the version that it was made on decides: git am -3's tree is ours
      2 unlike git am -3 [7]: no program knows a change that was merged in other words: we know its code
      2 unlike git apply [7]: no program knows a change that was merged in other words: we know its code
      2 unlike patch [7]: no program knows a change that was merged in other words: we know its code
     17 unlike git am -3 [8]: git applies binary changes: we test text, and refuse them when we read the mail
     14 unlike git apply [8]: git applies binary changes: we test text, and refuse them when we read the mail
      9 unlike git am -3 [9]: git am -3 follows a file that the tree has renamed: we say that it is missing
      3 unlike git am -3 [10]: an empty file is as good as none to git am -3 and patch: we and git apply refuse a new one in its place
      1 unlike patch [10]: an empty file is as good as none to git am -3 and patch: we and git apply refuse a new one in its place
      2 unlike git am -3 [11]: a mode that is not there is only warned of when a patch is taken back: to us half of it is missing
      2 unlike git apply [11]: a mode that is not there is only warned of when a patch is taken back: to us half of it is missing
      2 unlike patch [11]: a mode that is not there is only warned of when a patch is taken back: to us half of it is missing
      6 unlike patch [12]: patch begins to search where the hunk before went, without context anywhere, and minds a newline at the end: git apply's tree is ours
      6 unlike patch [13]: patch overwrites what stands where a file is renamed or copied to: we and git refuse
      5 unlike patch [14]: patch puts a change in twice where it fits once more, or goes on without a word: we say what is there
      1 unlike patch [15]: patch finds the nothing that an emptied file leaves in any file: we and git look for an empty one
    ");
}

#[test]
#[ignore = "needs the packaged kernels: cargo xtask apply --kernel 6.1 --kernel 6.12 --kernel 7.2 --kernel 7.3"]
fn real_patches() {
    let kernels = real::Kernels::new(&["6.1", "6.12", "7.2", "7.3"]);
    let mut tally = Tally::default();
    let mut unexpected = Vec::new();
    println!("verdicts without and with the version that the patch was made on:");
    for (number, case) in kernels.cases(30).iter().enumerate() {
        let number = number + 1;
        println!("{number:2} {}", case.name);
        for (kernel, version) in kernels.versions.iter().enumerate() {
            let target = kernels.target(case, kernel);
            let mut row = Vec::new();
            for objects in [None, Some(case.mail.objects.as_str())] {
                let trial = Trial::new(&target, &case.mail.text, objects);
                let name = format!("{number} on {version}");
                let found = tally.add(&name, &case.mail, &trial);
                let expected = match kernel {
                    _ if kernel == case.from => Some("clean"),
                    _ if kernel == case.to && case.whole => Some("already-applied"),
                    _ => None,
                };
                if expected.is_some_and(|expected| expected != trial.verdict()) {
                    unexpected.push(format!("{name}: {}", trial.verdict()));
                }
                row.push(match found.is_empty() {
                    true => trial.verdict().to_owned(),
                    false => format!("{} {found:?}", trial.verdict()),
                });
            }
            println!("   {version:9} {:20} {}", row[0], row[1]);
        }
    }
    println!("{tally}");
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}
