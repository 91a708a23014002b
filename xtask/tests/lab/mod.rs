//! Where tests on real kernels work: in a cache of their own, never the user's.
#![allow(dead_code, reason = "each test uses a part")]

use std::path::{Path, PathBuf};
use std::process::Command;

use git2::Repository;
use kernel::store::Store;

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
    on_its_cache(Path::new(env!("CARGO_BIN_EXE_xtask")))
}

/// A program on that cache.
pub fn on_its_cache(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("REAPERLAB_CACHE", cache());
    command
}

/// The tree of 6.12's base arm, which is built if it is not.
pub fn base_tree() -> String {
    let built = xtask()
        .args(["build", "--arm", "base", "--kernel", "6.12", "--json"])
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    let built: serde_json::Value = serde_json::from_slice(&built.stdout).unwrap();
    built[0]["tree"].as_str().unwrap().to_owned()
}

/// A repository without a commit, which borrows its objects from the cache.
pub fn repository(place: &Path) -> Repository {
    let repository = Repository::init(place).unwrap();
    let store = Store::open(&cache()).unwrap();
    let alternates = repository.path().join("objects/info/alternates");
    std::fs::create_dir_all(alternates.parent().unwrap()).unwrap();
    let objects = store.path().join("objects");
    std::fs::write(alternates, format!("{}\n", objects.display())).unwrap();
    // What was opened before does not know of them.
    Repository::open(repository.path()).unwrap()
}
