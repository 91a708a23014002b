//! virtme-ng: where it is, what it composes, and what we change about it.
//!
//! virtme-ng decides what machine a kernel gets; we start that machine
//! ourselves. Its own runner would stand between us and QEMU's exit status,
//! and would leave QEMU behind when we are killed.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::fd::RawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use results::machine::Accel;

use crate::clock::tsc_khz;
use crate::error::Error;
use crate::machine::Guest;
use crate::process::{self, Cancel, Exit, Invocation, Stream};

/// How long the tools may take to answer; they need a fifth of a second.
const ANSWER: Duration = Duration::from_secs(20);

const ARM: bool = cfg!(target_arch = "aarch64");

/// The emulator of this host's own architecture, and Debian's package of it.
const QEMU: (&str, &str) = if ARM {
    ("qemu-system-aarch64", "qemu-system-arm")
} else {
    ("qemu-system-x86_64", "qemu-system-x86")
};

/// What every guest's kernel is told.
///
/// - The serial port carries the console from the first message on. The level
///   comes first: virtme-ng's own would hold until it is read.
/// - A panic ends the guest: it reboots at once, and QEMU has `-no-reboot`.
/// - An oops panics: a kernel that has oopsed proves nothing any more, and
///   limps on with locks held until some deadline. The oops stays in the log.
/// - A soft lockup does not: a starved host looks like one to the guest. A real
///   one runs into the deadline, and the console names it.
/// - The rest saves boot time and keeps the emulated clock from being doubted.
const KERNEL_ARGS: &[&str] = if ARM {
    &[
        "loglevel=7",
        "earlycon=pl011,0x9000000",
        "console=ttyAMA0",
        "panic=-1",
        "oops=panic",
    ]
} else {
    &[
        "loglevel=7",
        "earlycon=uart8250,io,0x3f8",
        "console=ttyS0",
        "panic=-1",
        "oops=panic",
        "tsc=reliable",
        "no_timer_check",
        "random.trust_cpu=on",
        "nokaslr",
    ]
};

/// virtme-ng and the QEMU it drives, as found on this host.
#[derive(Debug, Clone)]
pub struct Virtme {
    vng: PathBuf,
    run: PathBuf,
    qemu: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    /// For example `virtme-ng 1.42`.
    pub virtme: String,
    /// For example `QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)`.
    pub qemu: String,
}

impl Virtme {
    /// Looks for virtme-ng in `private`, a virtual environment that need not
    /// exist, then in `PATH`; for QEMU in `PATH`. The private one comes first:
    /// somebody made it because the other would not do.
    ///
    /// # Errors
    /// Says what is missing and how to get it.
    pub fn find(private: Option<&Path>) -> Result<Self, Error> {
        Self::find_in(private, &env::var_os("PATH").unwrap_or_default())
    }

    /// As [`Virtme::find`], with another `PATH`.
    ///
    /// # Errors
    /// As there.
    pub fn find_in(private: Option<&Path>, path: &OsStr) -> Result<Self, Error> {
        let (vng, run) = private
            .map(|dir| dir.join("bin"))
            .into_iter()
            .chain(env::split_paths(path))
            .map(|dir| (dir.join("vng"), dir.join("virtme-run")))
            .find(|(vng, run)| executable(vng) && executable(run))
            .ok_or_else(|| Error::NoVirtme {
                private: private.map(Path::to_owned),
            })?;
        let qemu = env::split_paths(path)
            .map(|dir| dir.join(QEMU.0))
            .find(|qemu| executable(qemu))
            .ok_or(Error::NoQemu {
                program: QEMU.0,
                package: QEMU.1,
            })?;
        Ok(Self { vng, run, qemu })
    }

    /// Asks both for their versions, which takes a quarter of a second.
    ///
    /// # Errors
    /// When one doesn't answer, or the token was cancelled.
    pub fn versions(&self, cancel: &Cancel) -> Result<Versions, Error> {
        let version = |program: &Path| {
            let said = ask(program, vec!["--version".into()], cancel)?;
            Ok(said.lines().next().unwrap_or_default().trim().to_owned())
        };
        Ok(Versions {
            virtme: version(&self.vng)?,
            qemu: version(&self.qemu)?,
        })
    }

    /// The QEMU command for a guest, program first; `results` is the number of
    /// the descriptor QEMU inherits for the results.
    pub(crate) fn compose(
        &self,
        guest: &Guest,
        results: RawFd,
        cancel: &Cancel,
    ) -> Result<Vec<OsString>, Error> {
        // virtme-ng insists on a root to export. The guest lives in its
        // initramfs: it gets neither this nor any other folder of the host.
        let root = tempfile::tempdir().map_err(Error::system("make a temporary folder"))?;
        let guest = &timed(guest);
        let answer = ask(
            &self.run,
            virtme_arguments(guest, &self.qemu, root.path()),
            cancel,
        )?;
        let composed: Vec<OsString> = shell_words::split(&answer)
            .unwrap_or_default()
            .into_iter()
            .map(OsString::from)
            .collect();
        let boots_it = composed
            .windows(2)
            .any(|pair| matches!(pair, [flag, image] if flag == "-kernel" && image == guest.image.as_os_str()));
        if !boots_it {
            return Err(Error::NotComposed {
                program: self.run.clone(),
                image: guest.image.clone(),
                answer: answer.chars().take(300).collect(),
            });
        }
        Ok(machine(composed, guest, results))
    }
}

/// The same guest, told how fast its clock is where we know better than it can.
fn timed(guest: &Guest) -> Guest {
    let mut guest = guest.clone();
    if guest.accel == Accel::Tcg
        && let Some(khz) = tsc_khz()
    {
        guest.kernel_args.insert(0, format!("tsc_early_khz={khz}"));
    }
    guest
}

/// What virtme-ng is asked for: its machine for this kernel, not run but
/// printed.
fn virtme_arguments(guest: &Guest, qemu: &Path, root: &Path) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["--kimg".into(), guest.image.clone().into()];
    args.extend([
        "--qemu-bin".into(),
        qemu.into(),
        "--root".into(),
        root.into(),
    ]);
    args.extend(["--mods", "none", "--force-9p", "--disable-microvm"].map(Into::into));
    args.push("--disable-monitor".into());
    if guest.accel == Accel::Tcg {
        args.push("--disable-kvm".into());
    }
    args.extend(["--memory".into(), format!("{}M", guest.memory_mib).into()]);
    args.extend(["--cpus".into(), guest.cpus.to_string().into()]);
    for arg in KERNEL_ARGS
        .iter()
        .copied()
        .chain(guest.kernel_args.iter().map(String::as_str))
    {
        args.extend(["-a".into(), arg.into()]);
    }
    args.extend(["--show-command", "--dry-run"].map(Into::into));
    args
}

/// What virtme-ng composed, without the host's folders and the second console
/// it gives the kernel, and with our initramfs and channel.
fn machine(composed: Vec<OsString>, guest: &Guest, results: RawFd) -> Vec<OsString> {
    let mut args = Vec::with_capacity(composed.len() + 16);
    let mut composed = composed.into_iter().peekable();
    while let Some(flag) = composed.next() {
        let unwanted = composed.peek().is_some_and(|value| unwanted(&flag, value));
        if unwanted {
            composed.next();
        } else if flag == "-append" {
            let line = composed.next().unwrap_or_default();
            let line = line.to_string_lossy().replace(" console=hvc0 ", " ");
            args.extend([flag, line.into()]);
        } else {
            args.push(flag);
        }
    }
    args.extend([
        "-initrd".into(),
        guest.initrd.clone().into(),
        "-no-reboot".into(),
    ]);
    // The same machine whichever the accelerator, and never the other one when
    // this one fails: virtme-ng's own is "kvm:tcg".
    let machine = if ARM { "" } else { "q35," };
    args.extend([
        "-machine".into(),
        format!("{machine}accel={}", guest.accel).into(),
    ]);
    // Threads that run virtual CPUs are told by their names (boot/link.rs).
    args.extend(["-name".into(), "reaperlab,debug-threads=on".into()]);
    args.extend(["-device".into(), "virtio-serial-pci,id=reaperlab".into()]);
    args.extend([
        "-chardev".into(),
        format!("socket,id=results,fd={results}").into(),
    ]);
    let port = format!(
        "virtserialport,bus=reaperlab.0,chardev=results,name={}",
        guest.port
    );
    args.extend(["-device".into(), port.into()]);
    args
}

fn unwanted(flag: &OsStr, value: &OsStr) -> bool {
    let value = value.to_string_lossy();
    match flag.to_str() {
        Some("-fsdev") => true,
        Some("-chardev") => value.starts_with("file,path=/proc/self/fd/"),
        Some("-device") => {
            value.starts_with("virtio-9p")
                || value.starts_with("virtconsole")
                || value == "virtio-serial-pci"
        }
        _ => false,
    }
}

/// A tool's standard output, when it succeeds.
fn ask(program: &Path, args: Vec<OsString>, cancel: &Cancel) -> Result<String, Error> {
    let failed = |why: String| Error::Tool {
        program: program.to_owned(),
        why,
    };
    // Otherwise virtme-ng puts the caller's terminal on the kernel command line.
    let env = vec![("TERM".into(), "dumb".into())];
    let call = Invocation {
        program: program.into(),
        args,
        dir: None,
        env,
    };
    let (mut out, mut err) = (String::new(), String::new());
    let exit = process::run(&call, Some(ANSWER), cancel, &mut |stream, line| {
        let kept = if stream == Stream::Out {
            &mut out
        } else {
            &mut err
        };
        if kept.len() < 1 << 20 {
            kept.push_str(line);
            kept.push('\n');
        }
    });
    let last_words = |text: &str| {
        let words = text.lines().rev().find(|line| !line.trim().is_empty());
        words.map_or_else(String::new, |line| format!(": {line}"))
    };
    match exit {
        Ok(Exit::Code(0)) => Ok(out),
        Ok(Exit::Code(code)) => Err(failed(format!(
            "failed with code {code}{}",
            last_words(&err)
        ))),
        Ok(Exit::Signal(signal)) => Err(failed(format!(
            "was killed by signal {signal}{}",
            last_words(&err)
        ))),
        Ok(Exit::Deadline) => Err(failed(format!(
            "did not answer within {} s",
            ANSWER.as_secs()
        ))),
        Ok(Exit::Cancelled) => Err(Error::Interrupted),
        Err(error) => Err(failed(format!("can't be run: {error}"))),
    }
}

fn executable(path: &Path) -> bool {
    let runs = |meta: std::fs::Metadata| meta.is_file() && meta.permissions().mode() & 0o111 != 0;
    fs_err::metadata(path).is_ok_and(runs)
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::machine::Deadlines;

    fn guest(accel: Accel) -> Guest {
        Guest {
            image: "/k/bz Image".into(),
            initrd: "/k/i,1.cpio".into(),
            memory_mib: 1024,
            cpus: 2,
            accel,
            port: "results.port".into(),
            kernel_args: vec!["quiet".into()],
            deadlines: Deadlines {
                boot: Duration::from_secs(60),
                grace: Duration::from_secs(5),
                total: Duration::from_secs(600),
            },
        }
    }

    fn shown(args: &[OsString]) -> String {
        let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
        args.join("\n")
    }

    #[test]
    fn what_virtme_is_asked_for() {
        let args = virtme_arguments(
            &guest(Accel::Tcg),
            Path::new("/bin/qemu"),
            Path::new("/root"),
        );
        insta::assert_snapshot!(shown(&args), @r#"
        --kimg
        /k/bz Image
        --qemu-bin
        /bin/qemu
        --root
        /root
        --mods
        none
        --force-9p
        --disable-microvm
        --disable-monitor
        --disable-kvm
        --memory
        1024M
        --cpus
        2
        -a
        loglevel=7
        -a
        earlycon=uart8250,io,0x3f8
        -a
        console=ttyS0
        -a
        panic=-1
        -a
        oops=panic
        -a
        tsc=reliable
        -a
        no_timer_check
        -a
        random.trust_cpu=on
        -a
        nokaslr
        -a
        quiet
        --show-command
        --dry-run
        "#);
        let kvm = virtme_arguments(
            &guest(Accel::Kvm),
            Path::new("/bin/qemu"),
            Path::new("/root"),
        );
        let without: Vec<_> = args
            .into_iter()
            .filter(|arg| arg != "--disable-kvm")
            .collect();
        assert_eq!(kvm, without);
    }

    /// What virtme-ng 1.42 prints, with the paths changed.
    #[test]
    fn what_becomes_of_its_answer() {
        let composed = shell_words::split(include_str!("../tests/data/virtme-1.42.txt")).unwrap();
        let composed = composed.into_iter().map(OsString::from).collect();
        insta::assert_snapshot!(shown(&machine(composed, &guest(Accel::Kvm), 7)), @r#"
        /usr/bin/qemu-system-x86_64
        -m
        1024M
        -machine
        accel=kvm:tcg
        -device
        i6300esb,id=watchdog0
        -cpu
        host,topoext=on
        -parallel
        none
        -net
        none
        -echr
        1
        -chardev
        stdio,id=console,signal=off,mux=off
        -serial
        chardev:console
        -vga
        none
        -display
        none
        -smp
        2
        -kernel
        /k/bz Image
        -append
        nr_open=1048576 virtme_console=ttyS0 psmouse.proto=exps TERM=dumb virtme_root_user=1 rootfstype=9p rootflags=version=9p2000.L,trans=virtio,access=any,msize=524288 raid=noautodetect ro quiet loglevel=1 console=ttyS0 init=/bin/sh -- -c "mount -t tmpfs run /run; exec /run/virtme/guesttools/bin/virtme-ng-init"
        -initrd
        /k/i,1.cpio
        -no-reboot
        -machine
        q35,accel=kvm
        -name
        reaperlab,debug-threads=on
        -device
        virtio-serial-pci,id=reaperlab
        -chardev
        socket,id=results,fd=7
        -device
        virtserialport,bus=reaperlab.0,chardev=results,name=results.port
        "#);
    }

    #[test]
    fn an_answer_cut_anywhere_is_no_trouble() {
        let composed = shell_words::split(include_str!("../tests/data/virtme-1.42.txt")).unwrap();
        for length in 0..composed.len() {
            let cut = composed.iter().take(length).map(OsString::from).collect();
            assert!(machine(cut, &guest(Accel::Tcg), 7).len() > 8);
        }
    }
}
