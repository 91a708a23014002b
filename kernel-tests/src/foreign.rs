//! The memory of another process, through `/proc/PID/mem`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

use nix::libc;
use nix::unistd::Pid;

use crate::failure::{Failure, ResultExt};

/// The memory of a process.
#[derive(Debug)]
pub struct Foreign(File);

impl Foreign {
    pub fn of(pid: Pid) -> Result<Self, Failure> {
        let path = format!("/proc/{pid}/mem");
        let file = OpenOptions::new().read(true).write(true).open(&path);
        Ok(Self(file.while_doing(|| format!("opening {path}"))?))
    }

    /// The byte at an address.
    pub fn read(&self, at: u64) -> io::Result<u8> {
        let mut byte = [0];
        self.0.read_exact_at(&mut byte, at)?;
        Ok(byte[0])
    }

    pub fn write(&self, at: u64, byte: u8) -> io::Result<()> {
        self.0.write_all_at(&[byte], at)
    }
}

/// Whether an access has failed as it must where the memory is lost.
pub fn is_lost<T>(answer: &io::Result<T>) -> bool {
    matches!(answer, Err(error) if error.raw_os_error() == Some(libc::EIO))
}
