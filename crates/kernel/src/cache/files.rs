//! Files and folders as the cache reads them, and what names its entries.

use std::path::{Path, PathBuf};

use results::text::hex;
use serde::de::DeserializeOwned;
use sha1::{Digest, Sha1};

/// The folders in a folder, by name; none where there is no such folder.
pub(crate) fn children(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs_err::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.symlink_metadata().is_ok_and(|meta| meta.is_dir()));
    paths.sort();
    paths
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// A JSON file; none where it is missing or damaged.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs_err::read(path).ok()?).ok()
}

/// SHA-1 over parts, each with its length, so that no two lists collide.
pub(crate) fn hash<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> String {
    let mut sha = Sha1::new();
    for part in parts {
        let part = part.as_ref();
        sha.update((part.len() as u64).to_le_bytes());
        sha.update(part);
    }
    hex(&sha.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(hash(["ab", "c"]), hash(["a", "bc"]));
        assert_eq!(
            hash([] as [&str; 0]),
            "da39a3ee5e6b4b0d3255bfef95601890afd80709"
        );
    }
}
