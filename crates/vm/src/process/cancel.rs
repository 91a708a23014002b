//! The token that Ctrl-C cancels.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Tells every program and guest started with it to end. Clones are the same
/// token. Cancelling is final.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<Token>);

#[derive(Debug)]
struct Token {
    cancelled: AtomicBool,
    /// Readable for ever once cancelled, so that any number of waits see it.
    event: EventFd,
}

impl Cancel {
    /// A token that nobody has cancelled yet.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub fn new() -> io::Result<Self> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Self(Arc::new(Token {
            cancelled: AtomicBool::new(false),
            event,
        })))
    }

    /// Wakes whoever waits for a program or guest and has them end it.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        // Fails only when the counter is full, and then it is readable.
        let _ = self.0.event.write(1);
    }

    pub fn cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Readable once it is cancelled.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}
