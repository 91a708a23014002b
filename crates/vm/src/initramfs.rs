//! An initramfs: a cpio archive in the kernel's `newc` format, with the
//! folders and devices that a PID 1 needs before it has mounted anything.

use std::collections::BTreeSet;
use std::io::{self, Write};

/// The mount points a PID 1 wants, and their modes.
const FOLDERS: [(&str, u32); 6] = [
    ("dev", 0o755),
    ("proc", 0o755),
    ("root", 0o700),
    ("run", 0o755),
    ("sys", 0o755),
    ("tmp", 0o1777),
];

/// What the kernel opens as PID 1's standard streams, and what programs expect:
/// path, mode, major, minor.
const DEVICES: [(&str, u32, u32, u32); 3] = [
    ("dev/console", 0o600, 5, 1),
    ("dev/kmsg", 0o644, 1, 11),
    ("dev/null", 0o666, 1, 3),
];

const S_IFDIR: u32 = 0o040_000;
const S_IFCHR: u32 = 0o020_000;
const S_IFREG: u32 = 0o100_000;

/// One regular file of the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File<'a> {
    /// Where it lies, without a leading slash; `init` is what the kernel starts.
    pub path: &'a str,
    pub mode: u32,
    /// Its content, below 4 GiB.
    pub bytes: &'a [u8],
}

/// Writes the archive: the folders, the devices, then `files` in their order,
/// each after the folders it needs. The same input gives the same bytes.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for a path that is absolute, not normalised
/// or there twice, or a file that is too large; else what `out` answers.
pub fn write(out: impl Write, files: &[File<'_>]) -> io::Result<()> {
    let mut archive = Archive {
        out,
        inode: 0,
        seen: BTreeSet::new(),
    };
    for (path, mode) in FOLDERS {
        archive.entry(path, S_IFDIR | mode, (0, 0), &[])?;
    }
    for (path, mode, major, minor) in DEVICES {
        archive.entry(path, S_IFCHR | mode, (major, minor), &[])?;
    }
    for file in files {
        archive.file(file)?;
    }
    archive.record("TRAILER!!!", 0, (0, 0), &[])?;
    archive.out.flush()
}

struct Archive<W> {
    out: W,
    inode: u32,
    seen: BTreeSet<String>,
}

impl<W: Write> Archive<W> {
    fn file(&mut self, file: &File<'_>) -> io::Result<()> {
        let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
        if !file.path.split('/').all(plain) {
            return Err(refused(file.path, "is not a plain relative path"));
        }
        for (at, _) in file.path.match_indices('/') {
            let folder = file.path.get(..at).unwrap_or_default();
            if !self.seen.contains(folder) {
                self.entry(folder, S_IFDIR | 0o755, (0, 0), &[])?;
            }
        }
        self.entry(
            file.path,
            S_IFREG | (file.mode & 0o7777),
            (0, 0),
            file.bytes,
        )
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), bytes: &[u8]) -> io::Result<()> {
        if !self.seen.insert(path.to_owned()) {
            return Err(refused(path, "is there twice"));
        }
        self.inode += 1;
        self.record(path, mode, device, bytes)
    }

    /// One record: a header of hexadecimal fields, the name and the content,
    /// each padded to four bytes. Owner, time and the archive's own device are
    /// zero.
    fn record(
        &mut self,
        path: &str,
        mode: u32,
        (major, minor): (u32, u32),
        bytes: &[u8],
    ) -> io::Result<()> {
        let size = u32::try_from(bytes.len()).map_err(|_| refused(path, "is 4 GiB or more"))?;
        let name = path.len() + 1;
        write!(
            self.out,
            "070701{:08X}{mode:08X}{:08X}{:08X}{:08X}{:08X}{size:08X}{:08X}{:08X}{major:08X}{minor:08X}{name:08X}{:08X}{path}\0",
            self.inode, 0, 0, 1, 0, 0, 0, 0,
        )?;
        self.pad(110 + name)?;
        self.out.write_all(bytes)?;
        self.pad(bytes.len())
    }

    fn pad(&mut self, length: usize) -> io::Result<()> {
        let zeros = [0; 3];
        self.out
            .write_all(zeros.get(..length.wrapping_neg() % 4).unwrap_or_default())
    }
}

fn refused(path: &str, why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("initramfs: {path:?} {why}"),
    )
}

#[cfg(test)]
mod tests {
    use super::{File, write};

    fn archive(files: &[File<'_>]) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        write(&mut bytes, files)?;
        Ok(bytes)
    }

    #[test]
    fn records_are_aligned_and_complete() {
        let bytes = archive(&[File {
            path: "init",
            mode: 0o755,
            bytes: b"12345",
        }])
        .unwrap();
        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8_lossy(&bytes);
        let at = text.find("init\0").unwrap();
        insta::assert_snapshot!(&text[at - 110..at], @"0707010000000A000081ED0000000000000000000000010000000000000005000000000000000000000000000000000000000500000000");
        assert!(text.contains("TRAILER!!!"));
    }

    #[test]
    fn hostile_paths_are_refused() {
        for path in ["", "/init", "../x", "a/../b", "a//b", "./a", "a\0b", "a/"] {
            let error = archive(&[File {
                path,
                mode: 0o644,
                bytes: b"",
            }])
            .unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{path:?}");
        }
        let twice = File {
            path: "lib/x",
            mode: 0o644,
            bytes: b"",
        };
        assert!(
            archive(&[twice, twice])
                .unwrap_err()
                .to_string()
                .contains("twice")
        );
        let over_a_folder = File {
            path: "dev",
            mode: 0o644,
            bytes: b"",
        };
        assert!(archive(&[over_a_folder]).is_err());
    }
}
