//! A file system on a disk in memory, for what tmpfs does not do: page cache
//! that is clean and can be dropped.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount, umount};

use crate::failure::{Failure, ResultExt};

pub const DEVICE: &str = "/dev/ram0";

/// The size of a block in bytes.
const BLOCK: usize = 1024;
/// Blocks in all. Few will do: files with holes fill the page cache as well.
const BLOCKS: u32 = 64;
/// Inodes in all, a bit and 128 bytes each.
const INODES: u32 = 32;
const INODE: usize = 128;

// What lies in which block, behind the boot block.
const SUPERBLOCK: usize = 1;
const GROUP: usize = 2;
const BLOCK_BITMAP: usize = 3;
const INODE_BITMAP: usize = 4;
const INODE_TABLE: usize = 5;
const ROOT_FOLDER: usize = 9;
const LOST_FOUND: usize = 10;

/// Blocks up to the last one in use, but for the boot block, which is not
/// counted.
const USED_BLOCKS: u32 = LOST_FOUND as u32;
/// The reserved inodes, and that of `lost+found`.
const USED_INODES: u32 = 11;
const ROOT_INODE: u32 = 2;

/// A mounted file system, empty at first, gone when dropped.
#[derive(Debug)]
pub struct Disk {
    at: PathBuf,
}

impl Disk {
    /// Makes one and mounts it on a new folder.
    pub fn mount(at: &Path) -> Result<Self, Failure> {
        fs::write(DEVICE, ext2()).while_doing(|| format!("writing a file system to {DEVICE}"))?;
        fs::create_dir(at).while_doing(|| format!("making {}", at.display()))?;
        // From here on there is something to undo.
        let disk = Self { at: at.to_owned() };
        mount(
            Some(DEVICE),
            at,
            Some("ext2"),
            MsFlags::empty(),
            None::<&str>,
        )
        .while_doing(|| format!("mounting {DEVICE} on {}", at.display()))?;
        Ok(disk)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A mount that stays is found after the scenario.
        let _ = umount(&self.at);
        let _ = fs::remove_dir(&self.at);
    }
}

/// An empty ext2 file system of one block group.
fn ext2() -> Vec<u8> {
    let mut image = Image(vec![0; BLOCKS as usize * BLOCK]);
    let free_blocks = BLOCKS - 1 - USED_BLOCKS;
    let free_inodes = INODES - USED_INODES;
    let per_group = 8 * BLOCK as u32;

    let superblock = SUPERBLOCK * BLOCK;
    for (offset, value) in [
        (0, INODES),
        (4, BLOCKS),
        (12, free_blocks),
        (16, free_inodes),
        (20, SUPERBLOCK as u32), // the first block that counts
        (32, per_group),         // blocks
        (36, per_group),         // fragments
        (40, INODES),            // inodes in a group
        (76, 1),                 // the revision that has the next two
        (84, USED_INODES),       // the first inode that is not reserved
        (88, INODE as u32),
    ] {
        image.u32(superblock + offset, value);
    }
    for (offset, value) in [
        (54, u16::MAX), // mounts before a check is due: never
        (56, 0xef53),   // the magic
        (58, 1),        // unmounted cleanly
        (60, 1),        // go on after errors
    ] {
        image.u16(superblock + offset, value);
    }
    image.bytes(superblock + 104, b"reaperlab's disk"); // the UUID

    let group = GROUP * BLOCK;
    image.u32(group, BLOCK_BITMAP as u32);
    image.u32(group + 4, INODE_BITMAP as u32);
    image.u32(group + 8, INODE_TABLE as u32);
    image.u16(group + 12, free_blocks as u16);
    image.u16(group + 14, free_inodes as u16);
    image.u16(group + 16, 2); // folders

    // What is in use, and what there is not.
    image.bitmap(BLOCK_BITMAP, USED_BLOCKS, BLOCKS - 1);
    image.bitmap(INODE_BITMAP, USED_INODES, INODES);

    image.folder(ROOT_INODE, 0o755, 3, ROOT_FOLDER);
    image.folder(USED_INODES, 0o700, 2, LOST_FOUND);
    let (root, lost) = (ROOT_FOLDER * BLOCK, LOST_FOUND * BLOCK);
    image.entry(root, ROOT_INODE, 12, b".");
    image.entry(root + 12, ROOT_INODE, 12, b"..");
    image.entry(root + 24, USED_INODES, BLOCK - 24, b"lost+found");
    image.entry(lost, USED_INODES, 12, b".");
    image.entry(lost + 12, ROOT_INODE, BLOCK - 12, b"..");
    image.0
}

/// A disk's content. What would lie beyond its end is left out.
struct Image(Vec<u8>);

impl Image {
    fn bytes(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.0.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    fn u16(&mut self, at: usize, value: u16) {
        self.bytes(at, &value.to_le_bytes());
    }

    fn u32(&mut self, at: usize, value: u32) {
        self.bytes(at, &value.to_le_bytes());
    }

    /// Marks the first `used` of `count` bits, and all that follow.
    fn bitmap(&mut self, block: usize, used: u32, count: u32) {
        let taken = |bit: usize| bit < used as usize || bit >= count as usize;
        let bytes: Vec<u8> = (0..BLOCK)
            .map(|byte| (0..8).fold(0, |bits, bit| bits | u8::from(taken(byte * 8 + bit)) << bit))
            .collect();
        self.bytes(block * BLOCK, &bytes);
    }

    /// The inode of a folder of one block.
    fn folder(&mut self, inode: u32, mode: u16, links: u16, block: usize) {
        const S_IFDIR: u16 = 0o040_000;
        let at = INODE_TABLE * BLOCK + (inode as usize - 1) * INODE;
        self.u16(at, S_IFDIR | mode);
        self.u32(at + 4, BLOCK as u32);
        self.u16(at + 26, links);
        self.u32(at + 28, (BLOCK / 512) as u32);
        self.u32(at + 40, block as u32);
    }

    fn entry(&mut self, at: usize, inode: u32, length: usize, name: &[u8]) {
        self.u32(at, inode);
        self.u16(at + 4, length as u16);
        self.u16(at + 6, name.len() as u16);
        self.bytes(at + 8, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(image: &[u8], at: usize, width: usize) -> usize {
        let bytes = image[at..at + width].iter().rev();
        bytes.fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    #[test]
    fn counts_agree_with_bitmaps() {
        let image = ext2();
        assert_eq!(image.len(), BLOCKS as usize * BLOCK);
        assert_eq!(number(&image, BLOCK + 56, 2), 0xef53);
        for (block, in_superblock, in_group) in [(BLOCK_BITMAP, 12, 12), (INODE_BITMAP, 16, 14)] {
            let bitmap = &image[block * BLOCK..][..BLOCK];
            let free = bitmap
                .iter()
                .map(|byte| byte.count_zeros() as usize)
                .sum::<usize>();
            assert_eq!(number(&image, BLOCK + in_superblock, 4), free);
            assert_eq!(number(&image, GROUP * BLOCK + in_group, 2), free);
        }
    }

    #[test]
    fn folders_lead_to_each_other() {
        let image = ext2();
        let names = |inode: usize| {
            let table = number(&image, GROUP * BLOCK + 8, 4) * BLOCK;
            let at = table + (inode - 1) * INODE;
            assert_eq!(number(&image, at, 2) >> 12, 4, "inode {inode} is no folder");
            let start = number(&image, at + 40, 4) * BLOCK;
            let (mut at, mut names) = (start, Vec::new());
            while at < start + BLOCK {
                let name = &image[at + 8..][..number(&image, at + 6, 2)];
                names.push((
                    String::from_utf8_lossy(name).into_owned(),
                    number(&image, at, 4),
                ));
                at += number(&image, at + 4, 2);
            }
            assert_eq!(at, start + BLOCK);
            names
        };
        let entry = |name: &str, inode| (name.to_owned(), inode);
        assert_eq!(
            names(2),
            [entry(".", 2), entry("..", 2), entry("lost+found", 11)]
        );
        assert_eq!(names(11), [entry(".", 11), entry("..", 2)]);
    }
}
