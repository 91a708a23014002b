//! Every input that fuzzing kept, through what it was fuzzed with.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../fuzz/properties/corpus.rs"]
mod corpus;
#[path = "../../../fuzz/properties/mail.rs"]
mod mail;
#[path = "../../../fuzz/properties/manifest.rs"]
mod manifest;
#[path = "../../../fuzz/properties/patch.rs"]
mod patch;

#[test]
fn mail_inputs() {
    corpus::each("mail", mail::check);
}

#[test]
fn patch_inputs() {
    corpus::each("patch", patch::check);
}

#[test]
fn manifest_inputs() {
    corpus::each("manifest", manifest::check);
}
