//! Our verdicts and trees held against those of `git am -3`, `git apply` and
//! GNU `patch` for the same mails, here made-up ones; `packaged.rs` does it with
//! real ones.
//!
//! Where we and a program both apply, the trees are the same to the last byte
//! and mode. Every kind of difference stands in `differences.rs` with its reason.
#![allow(clippy::unwrap_used, clippy::panic)]

mod differences;
mod generated;
#[path = "../lab/mod.rs"]
mod lab;
mod mail;
mod tools;

use std::sync::Mutex;

use differences::Tally;
use tools::Trial;

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
