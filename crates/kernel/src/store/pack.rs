//! Writing objects into one pack file with its index (versions 2, no deltas).
//!
//! libgit2 can only write loose objects one by one or deltify whole packs on
//! one thread; a kernel tree has ninety thousand files.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::{Compress, Compression, FlushCompress, Status};
use results::text::hex;
use sha1::{Digest, Sha1};
use tempfile::NamedTempFile;

pub(crate) type Id = [u8; 20];

/// What an object is, by its code in a pack.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Tree = 2,
    Blob = 3,
}

/// The name git gives to this content.
pub(crate) fn id(kind: Kind, data: &[u8]) -> Id {
    let name = match kind {
        Kind::Tree => "tree",
        Kind::Blob => "blob",
    };
    let head = format!("{name} {}\0", data.len());
    Sha1::new()
        .chain_update(head)
        .chain_update(data)
        .finalize()
        .into()
}

/// An object ready to be appended.
pub(crate) struct Packed {
    id: Id,
    crc: u32,
    bytes: Vec<u8>,
}

/// Compresses objects, one after the other.
pub(crate) struct Packer {
    zlib: Compress,
}

impl Packer {
    /// At zlib's fastest level: the store is a cache, and time is what it is
    /// there to save.
    pub(crate) fn new() -> Self {
        Self {
            zlib: Compress::new(Compression::fast(), true),
        }
    }

    pub(crate) fn pack(&mut self, kind: Kind, id: Id, data: &[u8]) -> io::Result<Packed> {
        let mut bytes = Vec::with_capacity(data.len() / 3 + 64);
        let mut rest = data.len() as u64;
        let mut byte = (kind as u8) << 4 | (rest & 15) as u8;
        rest >>= 4;
        while rest > 0 {
            bytes.push(byte | 0x80);
            byte = (rest & 0x7f) as u8;
            rest >>= 7;
        }
        bytes.push(byte);
        self.zlib.reset();
        loop {
            let done = usize::try_from(self.zlib.total_in()).map_err(io::Error::other)?;
            let input = data.get(done..).unwrap_or_default();
            match self
                .zlib
                .compress_vec(input, &mut bytes, FlushCompress::Finish)?
            {
                Status::StreamEnd => break,
                Status::Ok | Status::BufError => bytes.reserve(bytes.len().max(64)),
            }
        }
        Ok(Packed {
            id,
            crc: crc32fast::hash(&bytes),
            bytes,
        })
    }
}

struct Entry {
    id: Id,
    crc: u32,
    offset: u64,
}

/// A pack that grows; a dropped one leaves nothing behind.
pub(crate) struct PackFile {
    file: BufWriter<NamedTempFile>,
    offset: u64,
    entries: Vec<Entry>,
}

impl PackFile {
    /// Begins one in the folder it will stay in.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        let temporary = tempfile::Builder::new()
            .prefix("tmp_pack_")
            .tempfile_in(folder)?;
        let mut file = BufWriter::with_capacity(1 << 20, temporary);
        // The count is filled in at the end.
        file.write_all(b"PACK\0\0\0\x02\0\0\0\0")?;
        Ok(Self {
            file,
            offset: 12,
            entries: Vec::new(),
        })
    }

    /// Appends an object, which must not be in the pack yet.
    pub(crate) fn add(&mut self, packed: &Packed) -> io::Result<()> {
        self.file.write_all(&packed.bytes)?;
        self.entries.push(Entry {
            id: packed.id,
            crc: packed.crc,
            offset: self.offset,
        });
        self.offset += packed.bytes.len() as u64;
        Ok(())
    }

    /// Closes the pack, writes its index and gives both their names. An empty
    /// one vanishes.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let count = u32::try_from(self.entries.len()).map_err(io::Error::other)?;
        let mut pack = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        pack.seek(SeekFrom::Start(8))?;
        pack.write_all(&count.to_be_bytes())?;
        pack.rewind()?;
        let sum = checksum(pack.as_file_mut())?;
        // Not synced to disk: that can take longer than anybody waits for an
        // interrupt, and what a power cut spoils in a cache can be made again.
        pack.write_all(&sum)?;

        self.entries.sort_unstable_by_key(|entry| entry.id);
        let index = index(&self.entries, &sum)?;
        let folder = pack.path().parent().unwrap_or(Path::new(".")).to_owned();
        let mut file = tempfile::Builder::new()
            .prefix("tmp_idx_")
            .tempfile_in(&folder)?;
        file.write_all(&index)?;
        let name = hex(&sum);
        // The index comes last: readers look for it, and must then find the pack.
        pack.persist(folder.join(format!("pack-{name}.pack")))
            .map_err(|e| e.error)?;
        file.persist(folder.join(format!("pack-{name}.idx")))
            .map_err(|e| e.error)?;
        Ok(())
    }
}

fn checksum(file: &mut impl Read) -> io::Result<Id> {
    let mut sha = Sha1::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(sha.finalize().into()),
            n => sha.update(buffer.get(..n).unwrap_or_default()),
        }
    }
}

/// The index, version 2, of entries sorted by id.
fn index(entries: &[Entry], pack: &Id) -> io::Result<Vec<u8>> {
    let mut out = b"\xfftOc\0\0\0\x02".to_vec();
    let mut seen = 0_usize;
    for first in 0..=255_u8 {
        while entries.get(seen).is_some_and(|entry| entry.id[0] <= first) {
            seen += 1;
        }
        out.extend(u32::try_from(seen).map_err(io::Error::other)?.to_be_bytes());
    }
    out.extend(entries.iter().flat_map(|entry| entry.id));
    out.extend(entries.iter().flat_map(|entry| entry.crc.to_be_bytes()));
    let mut large = Vec::new();
    for entry in entries {
        let word = match u32::try_from(entry.offset) {
            Ok(offset) if offset < 1 << 31 => offset,
            _ => {
                large.extend(entry.offset.to_be_bytes());
                1 << 31 | u32::try_from(large.len() / 8 - 1).map_err(io::Error::other)?
            }
        };
        out.extend(word.to_be_bytes());
    }
    out.extend(large);
    out.extend(pack);
    let sum: Id = Sha1::digest(&out).into();
    out.extend(sum);
    Ok(out)
}
