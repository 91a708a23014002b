//! The streams between a session and its host, each a socket that QEMU holds the other
//! end of.

use std::io;
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;

use crate::process::number;

/// What a socket of a session carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Keys and screen.
    Terminal,
    /// A command's standard input.
    Input,
    /// Its standard output.
    Output,
    /// Its standard error.
    Errors,
    /// The number that it ends with, as text.
    Code,
}

/// The character devices of a terminal.
const TERMINAL: &[(&str, Stream)] = &[("terminal", Stream::Terminal)];

/// Those that virtme-ng gives a command, by its names. What the command writes to
/// `/dev/stdout` and `/dev/stderr` comes by ports of its own.
const COMMAND: &[(&str, Stream)] = &[
    ("stdin", Stream::Input),
    ("stdout", Stream::Output),
    ("dev_stdout", Stream::Output),
    ("stderr", Stream::Errors),
    ("dev_stderr", Stream::Errors),
    ("ret", Stream::Code),
];

/// QEMU's ends.
#[derive(Debug, Default)]
pub struct Plugs(Vec<(&'static str, UnixStream)>);

impl Plugs {
    /// QEMU's ends and ours for a terminal, or else for a command.
    ///
    /// # Errors
    /// When the process has no file descriptors left.
    pub fn new(terminal: bool) -> io::Result<(Self, Vec<(Stream, UnixStream)>)> {
        let devices = if terminal { TERMINAL } else { COMMAND };
        let (mut plugs, mut ours) = (Vec::new(), Vec::new());
        for (name, stream) in devices {
            let (here, there) = UnixStream::pair()?;
            ours.push((*stream, here));
            plugs.push((*name, there));
        }
        Ok((Self(plugs), ours))
    }

    /// The descriptors for QEMU to inherit.
    pub(crate) fn fds(&self) -> impl Iterator<Item = RawFd> {
        self.0.iter().map(|(_, end)| number(end))
    }

    /// The description of a character device, where it is one of these.
    pub(crate) fn device(&self, name: &str) -> Option<String> {
        let (_, end) = self.0.iter().find(|(known, _)| *known == name)?;
        Some(format!("socket,id={name},fd={}", number(end)))
    }
}
