//! What holds of any manifest: what is written of it is read as the same.

use series::manifest;

/// Reads it, writes it and reads it again.
pub fn check(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let manifest = match manifest::parse(text) {
        Ok(manifest) => manifest,
        Err(error) => return drop(error.to_string()),
    };
    for kernel in ["6.1", "6.12.117-1", text] {
        manifest.patches_for(kernel);
    }
    let written = manifest.to_toml().expect("values that were read");
    assert_eq!(manifest::parse(&written), Ok(manifest), "{written}");
}
