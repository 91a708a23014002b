//! Every input that fuzzing kept, through what it was fuzzed with.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../fuzz/properties/console.rs"]
mod console;
#[path = "../../../fuzz/properties/corpus.rs"]
mod corpus;

#[test]
fn console_inputs() {
    corpus::each("console", console::check);
}
