//! Which paths may be written below a tree.

/// The longest path, in bytes.
pub(super) const MAX_PATH: usize = 4095;

/// Whether a path may be written below a tree.
///
/// # Errors
/// What is wrong with it, as the end of a sentence that begins with the path.
pub fn check_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("is empty");
    }
    if path.len() > MAX_PATH {
        return Err("is longer than any file system allows");
    }
    if path.starts_with('/') {
        return Err("is absolute");
    }
    if path.contains('\\') {
        return Err("has a backslash, which some systems take for a separator");
    }
    if path.chars().any(is_unprintable) {
        return Err("has control or invisible characters");
    }
    for part in path.split('/') {
        match part {
            "" => return Err("has an empty component"),
            "." => return Err("has a component `.`"),
            ".." => return Err("leaves the tree by `..`"),
            _ if part.len() > 255 => return Err("has a component longer than 255 bytes"),
            _ => {}
        }
        // Case-insensitive file systems, and those that drop trailing dots and
        // spaces or know short names, would find the repository's own folder.
        let folded = part.trim_end_matches(['.', ' ']).to_ascii_lowercase();
        let folded = folded.split(':').next().unwrap_or_default();
        if folded == ".git" || folded == "git~1" {
            return Err("reaches into a repository's own `.git`");
        }
    }
    Ok(())
}

/// Controls, and what text renderers hide or use to reorder what is shown.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}
