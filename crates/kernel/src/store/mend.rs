//! References that were cut, as a power cut leaves them: git renames each to its place,
//! and what is in it may come to the disk later.

use std::io;
use std::path::Path;

use fs_err::DirEntry;

/// Where ours are.
const FOLDERS: [&str; 2] = ["refs/kernels", "refs/arms"];

/// Removes those that name no object. What they named is found missing, and only that is
/// imported or made again.
pub(super) fn drop_cut(root: &Path) -> io::Result<()> {
    let mut folders: Vec<_> = FOLDERS.map(|folder| root.join(folder)).into();
    while let Some(folder) = folders.pop() {
        let entries = match fs_err::read_dir(&folder) {
            Ok(entries) => entries,
            // Nothing was named there yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if is_cut(&entry)? {
                fs_err::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

fn is_cut(entry: &DirEntry) -> io::Result<bool> {
    if entry.path().extension().is_some_and(|it| it == "lock") {
        // git's own, while it writes.
        return Ok(false);
    }
    let content = match fs_err::read(entry.path()) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let id = content.trim_ascii_end();
    Ok(id.len() != 40 || !id.iter().all(u8::is_ascii_hexdigit))
}
