//! Where tests on real kernels work: in a cache of their own, never the user's.
#![allow(dead_code, reason = "each test uses a part")]

use std::path::PathBuf;
use std::process::Command;

/// The tests' cache, which `cargo xtask test` names.
pub fn cache() -> PathBuf {
    let named = std::env::var_os("REAPERLAB_TEST_CACHE");
    named.map_or_else(
        || panic!("this test needs a cache of its own: run it by `cargo xtask test NAME`"),
        PathBuf::from,
    )
}

/// The program under test, on that cache.
pub fn xtask() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.env("REAPERLAB_CACHE", cache());
    command
}
