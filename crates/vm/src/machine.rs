//! The machine that is asked for, and how long it may take.

use std::path::PathBuf;
use std::time::Duration;

use results::machine::Accel;

/// A machine and what runs in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The kernel's bootable image.
    pub image: PathBuf,
    /// The initramfs, whose `/init` is all of user space.
    pub initrd: PathBuf,
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
