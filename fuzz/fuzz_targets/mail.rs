#![no_main]

#[path = "../properties/mail.rs"]
mod mail;

libfuzzer_sys::fuzz_target!(|input: &[u8]| mail::check(input));
