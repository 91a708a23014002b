//! Our verdicts and trees held against those of `git am -3`, `git apply` and
//! GNU `patch`: for many made-up mails, and for what differs between the packaged
//! kernels.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed; its neighbour uses the rest"
)]

mod differences;
mod generated;
#[path = "../lab/mod.rs"]
mod lab;
mod mail;
mod real;
mod tools;

use differences::Tally;
use tools::Trial;

#[test]
fn all_generated_cases() {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse().ok());
    let (first, count) = (number("FIRST"), number("CASES"));
    let begin: u64 = first.unwrap_or(0);
    let tally = generated::tally(begin..begin + count.unwrap_or(370));
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    if first.or(count).is_some() {
        println!("{tally}");
        return;
    }
    insta::assert_snapshot!(tally, @r"
     29 already-applied
     93 clean
    143 conflict
     39 fuzz
     30 offset
     36 three-way
     39 unlike git am -3 [1]: git takes no fuzz: we do as patch does, and the verdict says fuzz
     39 unlike git apply [1]: git takes no fuzz: we do as patch does, and the verdict says fuzz
     36 unlike git apply [4]: only git am -3 merges: we do as it does, and the verdict says three-way
     15 unlike patch [4]: only git am -3 merges: we do as it does, and the verdict says three-way
      1 unlike git apply [5]: only the merge shows that it is there: we see it as git am -3 does
      4 unlike patch [6]: patch guesses where the version that it was made on decides: git am -3's tree is ours
      6 unlike git am -3 [7]: no program knows a change that was merged in other words: we know its code
      6 unlike git apply [7]: no program knows a change that was merged in other words: we know its code
      5 unlike patch [7]: no program knows a change that was merged in other words: we know its code
     17 unlike git am -3 [8]: git applies binary changes: we test text, and say that they are not supported
     14 unlike git apply [8]: git applies binary changes: we test text, and say that they are not supported
      9 unlike git am -3 [9]: git am -3 follows a file that the tree has renamed: we say that it is missing
      3 unlike git am -3 [10]: an empty file is as good as none to git am -3 and patch: we and git apply refuse a new one in its place
      1 unlike patch [10]: an empty file is as good as none to git am -3 and patch: we and git apply refuse a new one in its place
      2 unlike git am -3 [11]: a mode that is not there is only warned of when a patch is taken back: to us half of it is missing
      2 unlike git apply [11]: a mode that is not there is only warned of when a patch is taken back: to us half of it is missing
      2 unlike patch [11]: a mode that is not there is only warned of when a patch is taken back: to us half of it is missing
      6 unlike patch [12]: patch begins to search where the hunk before went, without context anywhere, and minds a newline at the end: git apply's tree is ours
      6 unlike patch [13]: patch overwrites what stands where a file is renamed or copied to: we and git refuse
      7 unlike patch [14]: patch puts a change in twice where it fits once more, or goes on without a word: we say what is there
      1 unlike patch [15]: patch finds the nothing that an emptied file leaves in any file: we and git look for an empty one
      1 unlike git am -3 [16]: all take a missing file for a deleted one: we ask for proof that it was there
      1 unlike git apply [16]: all take a missing file for a deleted one: we ask for proof that it was there
      1 unlike patch [16]: all take a missing file for a deleted one: we ask for proof that it was there
    ");
}

/// What differs between the kernels that `cargo xtask test` imports. KERNELS names
/// others that are in the tests' cache, such as "6.12 7.3".
#[test]
fn real_patches() {
    let named = std::env::var("KERNELS").unwrap_or_else(|_| "6.1 6.12 7.2".into());
    let kernels = real::Kernels::new(&named.split(' ').collect::<Vec<_>>());
    let mut tally = Tally::default();
    let mut unexpected = Vec::new();
    println!("verdicts without and with the version that the patch was made on:");
    for (number, case) in kernels.cases(30).iter().enumerate() {
        let number = number + 1;
        println!("{number:2} {}", case.name);
        for (kernel, version) in kernels.versions.iter().enumerate() {
            let target = kernels.target(case, kernel);
            let mut row = Vec::new();
            for known in [false, true] {
                let trial = Trial::new(&target, &case.mail, known);
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
