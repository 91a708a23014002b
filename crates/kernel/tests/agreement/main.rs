//! Our verdicts and trees held against those of `git am -3`, `git apply` and
//! GNU `patch` for the same mails, here some made-up ones; `all.rs` does it with
//! more of them, and with real ones.
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

/// One in three of all.
#[test]
fn generated_cases() {
    let tally = generated::tally((0..370).step_by(3));
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    insta::assert_snapshot!(tally, @r"
     9 already-applied
    38 clean
    49 conflict
    12 fuzz
     5 offset
    11 three-way
    12 unlike git am -3 [1]: git takes no fuzz: we do as patch does, and the verdict says fuzz
    12 unlike git apply [1]: git takes no fuzz: we do as patch does, and the verdict says fuzz
    11 unlike git apply [4]: only git am -3 merges: we do as it does, and the verdict says three-way
     3 unlike patch [4]: only git am -3 merges: we do as it does, and the verdict says three-way
     2 unlike patch [6]: patch guesses where the version that it was made on decides: git am -3's tree is ours
     2 unlike git am -3 [7]: no program knows a change that was merged in other words: we know its code
     2 unlike git apply [7]: no program knows a change that was merged in other words: we know its code
     1 unlike patch [7]: no program knows a change that was merged in other words: we know its code
     5 unlike git am -3 [8]: git applies binary changes: we test text, and say that they are not supported
     5 unlike git apply [8]: git applies binary changes: we test text, and say that they are not supported
     4 unlike git am -3 [9]: git am -3 follows a file that the tree has renamed: we say that it is missing
     1 unlike patch [12]: patch begins to search where the hunk before went, without context anywhere, and minds a newline at the end: git apply's tree is ours
     1 unlike patch [13]: patch overwrites what stands where a file is renamed or copied to: we and git refuse
     2 unlike patch [14]: patch puts a change in twice where it fits once more, or goes on without a word: we say what is there
    ");
}
