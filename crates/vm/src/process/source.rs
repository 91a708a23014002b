//! What programs write, read as it comes.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::lines::Lines;

/// Waits until one of `fds` has something (or has ended), or until `until`;
/// says which have. Absent ones are never ready.
pub(crate) fn ready<const N: usize>(
    fds: [Option<BorrowedFd<'_>>; N],
    until: Option<Instant>,
) -> io::Result<[bool; N]> {
    let mut set: Vec<PollFd<'_>> = fds
        .iter()
        .flatten()
        .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
        .collect();
    let timeout = until.map_or(PollTimeout::NONE, |until| {
        let left = until.saturating_duration_since(Instant::now());
        // Rounded up, or the last fraction of a millisecond would be a busy loop.
        let ms = left.as_micros().div_ceil(1000);
        PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX)
    });
    match poll(&mut set, timeout) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut answers = set.iter().map(|fd| fd.any().unwrap_or(false));
    Ok(fds.map(|fd| fd.is_some() && answers.next().unwrap_or(false)))
}

/// The reading end of a pipe or socket, as lines.
pub(crate) struct Source {
    file: Option<File>,
    lines: Lines,
    buffer: Box<[u8]>,
}

impl Source {
    pub(crate) fn new(fd: Option<impl Into<OwnedFd>>, line_limit: usize) -> Self {
        Self {
            file: fd.map(|fd| File::from(fd.into())),
            lines: Lines::new(line_limit),
            buffer: vec![0; 64 << 10].into_boxed_slice(),
        }
    }

    /// Ends lines at carriage returns too.
    pub(crate) fn at_returns(self) -> Self {
        Self {
            lines: self.lines.at_returns(),
            ..self
        }
    }

    pub(crate) fn open(&self) -> bool {
        self.file.is_some()
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(AsFd::as_fd)
    }

    /// Reads once, which does not block after [`ready`], and returns the raw
    /// bytes after their lines were handed over.
    pub(crate) fn read(&mut self, each: &mut dyn FnMut(&str)) -> &[u8] {
        let count = match self.file.as_mut().map(|file| file.read(&mut self.buffer)) {
            Some(Ok(count)) => count,
            Some(Err(error)) if error.kind() == io::ErrorKind::Interrupted => return &[],
            Some(Err(_)) | None => 0,
        };
        if count == 0 {
            self.file = None;
        }
        let bytes = self.buffer.get(..count).unwrap_or_default();
        self.lines.feed(bytes, each);
        bytes
    }

    pub(crate) fn finish(&mut self, each: &mut dyn FnMut(&str)) {
        self.lines.finish(each);
    }
}
