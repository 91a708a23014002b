#![no_main]

#[path = "../properties/console.rs"]
mod console;

libfuzzer_sys::fuzz_target!(|input: &[u8]| console::check(input));
