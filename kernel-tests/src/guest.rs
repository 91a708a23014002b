//! What the first process sets up: mounts, the plan, the port for results.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::reboot::{RebootMode, reboot};
use nix::unistd::{Pid, getpid};
use results::plan::{PATH, PORT, Plan};

use crate::failure::{Failure, ResultExt, ensure};
use crate::procfs;
use crate::timeout_scale::scaled;

/// Mounts what scenarios look into. Only the first two must succeed: whatever
/// else is missing is found by the scenarios that need it.
pub fn mount_all() -> Result<(), Failure> {
    const REQUIRED: [(&str, &str); 2] = [("devtmpfs", "/dev"), ("proc", "/proc")];
    const OPTIONAL: [(&str, &str); 4] = [
        ("sysfs", "/sys"),
        ("tracefs", crate::trace::ROOT),
        ("cgroup2", crate::cgroup::ROOT),
        ("tmpfs", "/tmp"),
    ];
    let mount_one = |(kind, at): (&str, &str)| {
        // Fails on sysfs's own folders, which are there.
        let _ = fs::create_dir_all(at);
        mount(Some(kind), at, Some(kind), MsFlags::empty(), None::<&str>)
            .while_doing(|| format!("mounting {kind} on {at}"))
    };
    for pair in REQUIRED {
        mount_one(pair)?;
    }
    for pair in OPTIONAL {
        if let Err(failure) = mount_one(pair) {
            eprintln!("reaperlab: {failure}");
        }
    }
    Ok(())
}

/// The plan that the host packed beside this program.
pub fn plan() -> Result<Plan, Failure> {
    let text = procfs::read(PATH)?;
    serde_json::from_str(&text).while_doing(|| format!("reading {PATH}"))
}

/// Opens the port that carries the results and the host's words, as soon as its
/// driver has it, which may take so long.
pub fn port(within: Duration) -> Result<File, Failure> {
    let deadline = Instant::now() + scaled(within);
    loop {
        if let Some(device) = find_port() {
            return OpenOptions::new()
                .read(true)
                .write(true)
                .open(&device)
                .while_doing(|| format!("opening {}", device.display()));
        }
        if Instant::now() >= deadline {
            return Err(Failure::unmet(format!(
                "no virtio-serial port is named {PORT}"
            )));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn find_port() -> Option<std::path::PathBuf> {
    fs::read_dir("/sys/class/virtio-ports")
        .ok()?
        .flatten()
        .find_map(|entry| {
            let name = fs::read_to_string(entry.path().join("name")).ok()?;
            let device = Path::new("/dev").join(entry.file_name());
            (name.trim_end() == PORT && device.exists()).then_some(device)
        })
}

/// Protects this process from the shortage of memory that it will cause.
pub fn harden() -> Result<(), Failure> {
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)
        .while_doing(|| "locking the runner's memory".into())?;
    procfs::write("/proc/self/oom_score_adj", "-1000")?;
    // A list of all tasks in each OOM report only fills the log, and a probe
    // that is optimised later patches text in the middle of a measurement.
    for (file, value) in [
        ("/proc/sys/vm/oom_dump_tasks", "0"),
        ("/proc/sys/debug/kprobes-optimization", "0"),
    ] {
        let _ = procfs::write(file, value);
    }
    Ok(())
}

/// Fails unless this is the first process, which the kernel spares.
pub fn ensure_first_process() -> Result<(), Failure> {
    ensure(getpid() == Pid::from_raw(1), || {
        "the scenario does not run in the first process".into()
    })
}

pub fn power_off() -> ! {
    let _ = reboot(RebootMode::RB_POWER_OFF);
    loop {
        std::thread::park();
    }
}
