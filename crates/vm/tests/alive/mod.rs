//! Whether processes live, without their ids: they hold a pipe open.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;

/// The reading end of a named pipe.
pub struct Alive(File);

impl Alive {
    pub fn new(path: &Path) -> Self {
        nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap();
        let mut options = File::options();
        options.read(true).custom_flags(nix::libc::O_NONBLOCK);
        Self(options.open(path).unwrap())
    }

    /// Waits until somebody has written to it.
    #[allow(
        dead_code,
        reason = "not every test that uses this module has a writer"
    )]
    pub fn wait_for_a_byte(&mut self) {
        self.wait(PollFlags::POLLIN);
        self.0.read_exact(&mut [0]).unwrap();
    }

    /// Waits until everybody who opened it for writing is gone.
    pub fn wait_gone(&self) {
        self.wait(PollFlags::POLLHUP);
    }

    /// Whether everybody who opened it for writing is gone by now.
    #[allow(dead_code, reason = "not every test that uses this module asks")]
    pub fn is_gone(&self) -> bool {
        self.look(PollFlags::POLLHUP, 0)
    }

    fn wait(&self, what: PollFlags) {
        assert!(self.look(what, 60_000), "not within a minute");
    }

    fn look(&self, what: PollFlags, ms: u16) -> bool {
        let mut set = [PollFd::new(self.0.as_fd(), what)];
        poll(&mut set, PollTimeout::from(ms)).unwrap();
        set[0].revents().unwrap().contains(what)
    }
}
