//! Where tests on real kernels work: in a cache of their own, never the user's.
#![allow(dead_code, reason = "each test uses a part")]

use std::path::{Path, PathBuf};
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
    on_its_cache(Path::new(env!("CARGO_BIN_EXE_xtask")))
}

/// A program on that cache.
pub fn on_its_cache(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("REAPERLAB_CACHE", cache());
    command
}

/// A repository with one commit, which has the tree of the base arm, and its files.
/// It borrows its objects from the cache.
pub fn linux(place: &Path) -> PathBuf {
    let built = xtask()
        .args(["build", "--arm", "base", "--kernel", "6.12", "--json"])
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    let built: serde_json::Value = serde_json::from_slice(&built.stdout).unwrap();
    let tree = built[0]["tree"].as_str().unwrap();
    std::fs::create_dir_all(place).unwrap();
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .current_dir(place)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .args(["-c", "user.name=A U Thor", "-c", "user.email=a@example.org"])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "git {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    let store = kernel::store::Store::open(&cache()).unwrap();
    let objects = store.path().join("objects");
    let alternates = place.join(".git/objects/info/alternates");
    std::fs::write(alternates, format!("{}\n", objects.display())).unwrap();
    let commit = git(&["commit-tree", tree, "-m", "Linux"]);
    git(&["reset", "--quiet", "--hard", &commit]);
    place.to_owned()
}
