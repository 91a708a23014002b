#![no_main]

#[path = "../properties/ktap.rs"]
mod ktap;

libfuzzer_sys::fuzz_target!(|input: &[u8]| ktap::check(input));
