//! The machine that is asked for, and how long it may take.

use std::path::PathBuf;
use std::time::Duration;

use results::machine::Accel;

/// A machine and what runs in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The kernel's bootable image.
    pub image: PathBuf,
    pub root: Root,
    /// Its memory, in MiB.
    pub memory_mib: u32,
    /// Its virtual CPUs, 1 or more.
    pub cpus: u32,
    pub accel: Accel,
    /// The name of the virtio-serial port for results. The guest finds the port
    /// with that name in `/sys/class/virtio-ports`. No commas.
    pub port: String,
    /// Kernel arguments beside those that every guest gets.
    pub kernel_args: Vec<String>,
    pub deadlines: Deadlines,
}

/// Where a guest has its user space from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// This initramfs, whose `/init` is all of it: the guest has nothing of the host's.
    Initramfs(PathBuf),
    /// The host's files, read-only.
    Host(Session),
}

impl Root {
    /// Whether somebody sits at a terminal of the guest's.
    pub fn has_terminal(&self) -> bool {
        matches!(self, Self::Host(session) if session.command.is_none())
    }
}

/// What somebody does in a guest with the host's files. virtme-ng's init makes a system
/// of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The program that the kernel starts. Its arguments are the word `session`, the
    /// device of the terminal and virtme-ng's init, which it becomes. No double quotes.
    pub first: PathBuf,
    /// What a shell in the guest runs; none for a shell at the terminal.
    pub command: Option<String>,
    /// Folders that the guest sees where the host has them, and may change where this
    /// says so.
    pub folders: Vec<(PathBuf, bool)>,
    pub gdb: Option<Gdb>,
}

/// Where QEMU listens for a debugger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gdb {
    /// A socket that nobody has made yet. No commas.
    pub socket: PathBuf,
    /// Whether the guest waits for the debugger before its first instruction.
    pub stopped: bool,
}

/// How long a guest may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// From the start to `Progress::Up`, and from there to the first
    /// `Progress::ExpectWithin`.
    pub boot: Duration,
    /// Silence that is still no hang, after the time the guest announced.
    pub grace: Duration,
    /// For everything.
    pub total: Duration,
}
