//! Every input that fuzzing kept, through what it was fuzzed with.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../fuzz/properties/corpus.rs"]
mod corpus;
#[path = "../../../fuzz/properties/ktap.rs"]
mod ktap;

#[test]
fn ktap_inputs() {
    corpus::each("ktap", ktap::check);
}
