//! What holds of any diff: no path in it leaves the tree, and what is written
//! of it is read as the same.

use series::patch;

/// Reads it, writes it and reads it again.
pub fn check(input: &[u8]) {
    let files = match patch::parse(input) {
        Ok(files) => files,
        Err(error) => return drop(error.to_string()),
    };
    for path in files
        .iter()
        .flat_map(|file| [&file.old_path, &file.new_path])
        .flatten()
    {
        assert_eq!(patch::check_path(path), Ok(()), "{path:?}");
    }
    let text = patch::diff(&files);
    let shown = String::from_utf8_lossy(&text);
    assert_eq!(patch::parse(&text), Ok(files), "{shown}");
}
