//! The inputs that fuzzing kept, as a test.

use std::fs;
use std::path::{Path, PathBuf};

/// Checks every input that is kept for a target.
pub fn each(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut inputs: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} has no input", folder.display());
    for input in inputs {
        // Shown where the check fails.
        eprintln!("{}", input.display());
        check(&fs::read(&input).unwrap());
    }
}
