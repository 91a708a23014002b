//! A FUSE file system with one file, whose reads are answered on demand.
//!
//! Until then the reader waits in the kernel. Once the server has the request,
//! no signal ends that wait.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{S_IFDIR, S_IFREG};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::failure::{Failure, ResultExt};
use crate::timeout_scale::scaled;

/// Where requests are read and answers written.
pub const DEVICE: &str = "/dev/fuse";

/// The mount point.
const ROOT: &str = "/fuse";

/// The one file; any other name leads to it as well.
pub const FILE: &str = "/fuse/file";

/// How long a read may take to arrive, emulated.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The requests that are answered, or must not be.
mod opcode {
    pub const LOOKUP: u32 = 1;
    pub const FORGET: u32 = 2;
    pub const GETATTR: u32 = 3;
    pub const OPEN: u32 = 14;
    pub const READ: u32 = 15;
    pub const RELEASE: u32 = 18;
    pub const FLUSH: u32 = 25;
    pub const INIT: u32 = 26;
    pub const INTERRUPT: u32 = 36;
    pub const BATCH_FORGET: u32 = 42;
}

/// Lengths of a request's head and of the largest request that we ask for.
const HEAD: usize = 40;
const MAX_REQUEST: usize = 16 << 10;

/// The id of the root; the file has another.
const ROOT_ID: u64 = 1;
const FILE_ID: u64 = 2;

/// Seconds for which the kernel need not ask again.
const VALID: u64 = 3600;

/// Reads and writes of the file go to us, past the page cache.
const DIRECT_IO: u32 = 1;

/// The file system, mounted. Dropped, it is gone, and so is what waits for it.
#[derive(Debug)]
pub struct Server {
    device: File,
    reads: Receiver<u64>,
}

/// A read that waits for its answer.
#[derive(Debug)]
pub struct PendingRead(u64);

impl Server {
    pub fn mount() -> Result<Self, Failure> {
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .open(DEVICE)
            .while_doing(|| format!("opening {DEVICE}"))?;
        let theirs = device
            .try_clone()
            .while_doing(|| format!("sharing {DEVICE}"))?;
        fs::create_dir(ROOT).while_doing(|| format!("making {ROOT}"))?;
        let fd = device.as_raw_fd();
        let (sender, reads) = channel();
        let server = Self { device, reads };
        mount(
            Some("reaperlab"),
            ROOT,
            Some("fuse"),
            MsFlags::empty(),
            Some(format!("fd={fd},rootmode=40000,user_id=0,group_id=0").as_str()),
        )
        .while_doing(|| format!("mounting {ROOT}"))?;
        // It ends with the connection.
        thread::spawn(move || serve(theirs, &sender));
        Ok(server)
    }

    /// Waits for a read, which is held until it is answered.
    pub fn wait_for_read(&self) -> Result<PendingRead, Failure> {
        let arrived = self.reads.recv_timeout(scaled(TIMEOUT));
        arrived
            .map(PendingRead)
            .map_err(|_| Failure::unmet(format!("nobody reads {FILE}")))
    }

    /// Answers a read with the end of the file.
    pub fn answer(&self, read: PendingRead) -> Result<(), Failure> {
        (&self.device)
            .write_all(&reply(read.0, Ok(Vec::new())))
            .while_doing(|| format!("answering a read of {FILE}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // By force, which ends every request.
        let _ = umount2(ROOT, MntFlags::MNT_FORCE | MntFlags::MNT_DETACH);
        let _ = fs::remove_dir(ROOT);
    }
}

/// Answers requests until the connection ends, and tells of reads.
fn serve(mut device: File, reads: &Sender<u64>) {
    let mut request = vec![0; MAX_REQUEST];
    loop {
        let read = match device.read(&mut request) {
            Ok(read) => read,
            // A request that was taken back before we had it.
            Err(error) if error.raw_os_error() == Some(Errno::ENOENT as i32) => continue,
            Err(_) => return,
        };
        let Some(Request {
            opcode,
            unique,
            node,
        }) = Request::parse(request.get(..read).unwrap_or_default())
        else {
            return;
        };
        let answer = match opcode {
            opcode::READ => {
                let _ = reads.send(unique);
                continue;
            }
            opcode::FORGET | opcode::BATCH_FORGET | opcode::INTERRUPT => continue,
            opcode::INIT => Ok(init()),
            opcode::LOOKUP => Ok(entry(FILE_ID)),
            opcode::GETATTR => Ok(attributes(node)),
            opcode::OPEN => Ok(words(&[0, DIRECT_IO.into()])),
            opcode::RELEASE | opcode::FLUSH => Ok(Vec::new()),
            _ => Err(Errno::ENOSYS),
        };
        // Nobody waits for an answer that can't be given.
        let _ = device.write_all(&reply(unique, answer));
    }
}

/// What of a request's head says how to answer it.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    opcode: u32,
    unique: u64,
    node: u64,
}

impl Request {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..HEAD)?;
        let word = |at: usize| Some(u64::from_ne_bytes(head.get(at..at + 8)?.try_into().ok()?));
        Some(Self {
            opcode: u32::from_ne_bytes(head.get(4..8)?.try_into().ok()?),
            unique: word(8)?,
            node: word(16)?,
        })
    }
}

/// An answer: its length, the error, whose it is, and what was asked for.
fn reply(unique: u64, answer: Result<Vec<u8>, Errno>) -> Vec<u8> {
    let (error, body) = match answer {
        Ok(body) => (0, body),
        Err(errno) => (-(errno as i32), Vec::new()),
    };
    let length = 16 + body.len() as u32;
    let head = [length.to_ne_bytes(), error.to_ne_bytes()].concat();
    [head, unique.to_ne_bytes().to_vec(), body].concat()
}

/// What we speak: version 7.31 without any extra, writes of a page.
fn init() -> Vec<u8> {
    const PAGE: u32 = crate::sys::PAGE as u32;
    let halves = [7, 31, 0, 0, 0, PAGE, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    halves
        .iter()
        .flat_map(|half: &u32| half.to_ne_bytes())
        .collect()
}

/// Where a name leads to: the id, its generation, for how long, and what it is.
fn entry(node: u64) -> Vec<u8> {
    [words(&[node, 0, VALID, VALID, 0]), attribute(node)].concat()
}

fn attributes(node: u64) -> Vec<u8> {
    [words(&[VALID, 0]), attribute(node)].concat()
}

/// What a file is: number, size, blocks and times; parts of the times, mode,
/// links, owners, device, block size and flags.
fn attribute(node: u64) -> Vec<u8> {
    let mode = if node == ROOT_ID {
        S_IFDIR | 0o755
    } else {
        S_IFREG | 0o644
    };
    let halves = [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0];
    let mut bytes = words(&[node, 4096, 8, 0, 0, 0]);
    bytes.extend(halves.iter().flat_map(|half: &u32| half.to_ne_bytes()));
    bytes
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_lengths_of_the_protocol() {
        let lengths = [init(), entry(FILE_ID), attributes(ROOT_ID)].map(|body| body.len());
        assert_eq!(lengths, [64, 128, 104]);
        let refused = reply(7, Err(Errno::ENOSYS));
        assert_eq!(refused.len(), 16);
        assert_eq!(refused.get(4..8), Some(&(-38_i32).to_ne_bytes()[..]));
        assert_eq!(reply(7, Ok(words(&[1, 2]))).first(), Some(&32));
    }

    #[test]
    fn requests() {
        let mut bytes = vec![0; 48];
        bytes[4] = 15;
        bytes[8] = 9;
        bytes[16] = 2;
        let request = Request {
            opcode: opcode::READ,
            unique: 9,
            node: 2,
        };
        assert_eq!(Request::parse(&bytes), Some(request));
        assert_eq!(Request::parse(&bytes[..39]), None);
    }
}
