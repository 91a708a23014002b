//! The machines that guests run on: virtme-ng, QEMU and the accelerator.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use results::Purpose;
use results::machine::{Accel, Accelerator};
use results::plan::{PORT, Plan};
use vm::{Deadlines, Root, Session, Versions, Virtme, Want};

use crate::exit::{Classify, Kind, Result};
use crate::guest::Program;
use crate::host;
use crate::job::Job;
use crate::run::request::Guest;

/// Slow hosts boot a guest in seconds; this long only a broken one needs.
const BOOT: Duration = Duration::from_secs(90);
/// What a guest may be silent for beyond what it announced: its own watchdog
/// has reported by then.
const GRACE: Duration = Duration::from_secs(30);

/// Everything a boot needs but the kernel.
pub struct Machine {
    /// virtme-ng.
    pub virtme: Virtme,
    /// Its version, and QEMU's.
    pub versions: Versions,
    /// What runs the guests.
    pub accelerator: Accelerator,
    cpus: u32,
    memory_mib: u32,
}

impl Machine {
    /// Finds virtme-ng and proves the accelerator with this kernel, which may
    /// take `timeout_scale` times as long as usual.
    pub fn find(
        job: &Job,
        program: &Program,
        image: &Path,
        asked: Guest,
        timeout_scale: u32,
    ) -> Result<Self> {
        let virtme = Virtme::find(Some(&host::private_environment(&job.cache)))
            .kind(Kind::Infrastructure)?;
        let versions = virtme.versions(&job.cancel).kind(Kind::Infrastructure)?;
        let folder = job.temporary()?;
        let initrd = folder.path().join("initrd");
        program.initramfs(&hello(), &[], &[], &initrd)?;
        let probe = vm::Guest {
            image: image.to_owned(),
            root: Root::Initramfs(initrd),
            memory_mib: asked.memory_mib,
            cpus: asked.cpus,
            accel: Accel::Tcg,
            port: PORT.into(),
            kernel_args: Vec::new(),
            deadlines: deadlines(Duration::ZERO, timeout_scale),
        };
        let accelerator =
            vm::accelerator(&virtme, asked.accel, Some(&probe), &job.cache, &job.cancel)
                .kind(Kind::Infrastructure)?;
        job.alive()?;
        Ok(Self {
            virtme,
            versions,
            accelerator,
            cpus: asked.cpus,
            memory_mib: asked.memory_mib,
        })
    }

    /// How many guests the host's free memory holds at once, beside half a
    /// gibibyte for what runs them.
    pub fn room(&self) -> usize {
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let free = meminfo.lines().find_map(|line| {
            let kib = line.strip_prefix("MemAvailable:")?.trim();
            kib.strip_suffix(" kB")?.parse::<u64>().ok()
        });
        let free = free.unwrap_or(0) / 1024;
        usize::try_from(free.saturating_sub(512) / u64::from(self.memory_mib.max(1))).unwrap_or(1)
    }

    /// How many guests run side by side where none is timed: they wait most of the time,
    /// so two share CPUs even on a small host.
    pub fn side_by_side(&self) -> usize {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let guests = cpus / usize::try_from(self.cpus.max(1)).unwrap_or(1);
        guests.max(2).min(self.room().max(1))
    }

    /// A guest of this machine for somebody who works in it and takes all the time. Where
    /// a debugger may come, it need not come up soon.
    pub fn session(&self, image: PathBuf, session: Session, timeout_scale: u32) -> vm::Guest {
        let deadlines = Deadlines {
            boot: match session.gdb {
                Some(_) => YEAR,
                None => BOOT * timeout_scale,
            },
            grace: YEAR,
            total: YEAR,
        };
        vm::Guest {
            deadlines,
            ..self.guest(image, Root::Host(session), Duration::ZERO, timeout_scale)
        }
    }

    /// A guest of this machine that may run for `work` once it is up, and
    /// everything multiplied by `timeout_scale`.
    pub fn guest(
        &self,
        image: PathBuf,
        root: Root,
        work: Duration,
        timeout_scale: u32,
    ) -> vm::Guest {
        vm::Guest {
            image,
            root,
            memory_mib: self.memory_mib,
            cpus: self.cpus,
            accel: self.accelerator.kind,
            port: PORT.into(),
            kernel_args: Vec::new(),
            deadlines: deadlines(work, timeout_scale),
        }
    }
}

/// Longer than anybody works in a guest.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

fn deadlines(work: Duration, timeout_scale: u32) -> Deadlines {
    Deadlines {
        boot: BOOT * timeout_scale,
        // The guest announces its own deadlines with its scale in them.
        grace: GRACE * timeout_scale,
        total: (BOOT + work + GRACE) * timeout_scale,
    }
}

/// A plan without a scenario: the guest says that it is up, and that it ends.
fn hello() -> Plan {
    Plan {
        nonce: "hello".into(),
        ..Plan::new(Purpose::Unprobed)
    }
}

/// What is known of the accelerator without booting anything, in words.
pub fn remembered(job: &Job) -> impl fmt::Display + serde::Serialize + use<> {
    let known = Virtme::find(Some(&host::private_environment(&job.cache)))
        .and_then(|virtme| vm::accelerator(&virtme, Want::Auto, None, &job.cache, &job.cancel));
    match known {
        Ok(a) => format!("{}: {}", a.kind, a.why),
        Err(error) => format!("unknown: {error}"),
    }
}
