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
use tempfile::TempDir;

use crate::clock::tsc_khz;
use crate::error::Error;
use crate::machine::{Guest, Root, Session};
use crate::plug::Plugs;
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
            let said = ask(program, vec!["--version".into()], Vec::new(), cancel)?;
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
        plugs: &Plugs,
        results: RawFd,
        cancel: &Cancel,
    ) -> Result<Vec<OsString>, Error> {
        // virtme-ng insists on a root to export. It lies where the initramfs does, and
        // goes with that.
        let empty = match &guest.root {
            Root::Initramfs(initrd) => {
                let beside = initrd.parent().unwrap_or(Path::new("/"));
                let made = tempfile::tempdir_in(beside);
                Some(made.map_err(Error::system("make a temporary folder"))?)
            }
            Root::Host(_) => None,
        };
        let guest = &timed(guest);
        let answer = ask(
            &self.run,
            virtme_arguments(guest, &self.qemu, empty.as_ref().map(TempDir::path)),
            vec![("TERM".into(), term(guest))],
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
        let machine = match &guest.root {
            _ if !boots_it => None,
            Root::Initramfs(initrd) => Some(alone(composed, initrd)),
            Root::Host(session) => with_host(composed, session, plugs),
        };
        let mut machine = machine.ok_or_else(|| Error::NotComposed {
            program: self.run.clone(),
            image: guest.image.clone(),
            answer: answer.chars().take(300).collect(),
        })?;
        machine.extend(every_guest(guest, results));
        Ok(machine)
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

/// The terminal that virtme-ng tells a guest about: the user's where that is the guest's
/// too, and otherwise none, so that the kernel's command line is the same everywhere.
fn term(guest: &Guest) -> OsString {
    let term = env::var_os("TERM").filter(|_| guest.root.has_terminal());
    term.unwrap_or_else(|| "dumb".into())
}

/// What virtme-ng is asked for: its machine for this kernel, not run but
/// printed. A guest that lives in its initramfs gets `empty`, and no other folder of
/// the host's.
fn virtme_arguments(guest: &Guest, qemu: &Path, empty: Option<&Path>) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["--kimg".into(), guest.image.clone().into()];
    args.extend(["--qemu-bin".into(), qemu.into()]);
    match &guest.root {
        Root::Initramfs(_) => {
            let root = empty.into_iter();
            args.extend(root.flat_map(|empty| ["--root".into(), empty.into()]));
        }
        Root::Host(session) => {
            for (folder, writable) in &session.folders {
                let flag = if *writable { "--rwdir" } else { "--rodir" };
                args.extend([flag.into(), folder.into()]);
            }
            args.extend(
                session
                    .command
                    .iter()
                    .flat_map(|command| ["--script-sh".into(), command.into()]),
            );
        }
    }
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
/// it gives the kernel, and with our initramfs.
fn alone(composed: Vec<OsString>, initrd: &Path) -> Vec<OsString> {
    let mut args = rewrite(composed, &mut |flag, value| match flag {
        "-append" => Some(value.replace(" console=hvc0 ", " ")),
        _ if unwanted(flag, value) => None,
        _ => Some(value.to_owned()),
    });
    args.extend(["-initrd".into(), initrd.into()]);
    args
}

/// A command with other values of the flags that we change; without those that have none
/// any more.
fn rewrite(
    composed: Vec<OsString>,
    value_of: &mut dyn FnMut(&str, &str) -> Option<String>,
) -> Vec<OsString> {
    const FLAGS: [&str; 4] = ["-append", "-chardev", "-device", "-fsdev"];
    let mut args = Vec::with_capacity(composed.len() + 16);
    let mut composed = composed.into_iter();
    while let Some(flag) = composed.next() {
        match flag.to_str().filter(|flag| FLAGS.contains(flag)) {
            Some(name) => {
                let value = composed.next().unwrap_or_default();
                if let Some(value) = value_of(name, &value.to_string_lossy()) {
                    args.extend([flag, value.into()]);
                }
            }
            None => args.push(flag),
        }
    }
    args
}

/// What virtme-ng composed, with our sockets for its streams and the first process of a
/// session. None where it is not composed as we know it.
///
/// The kernel writes to the serial port alone, which tells us how it ends. A shell is
/// at a console of its own.
fn with_host(composed: Vec<OsString>, session: &Session, plugs: &Plugs) -> Option<Vec<OsString>> {
    let mut fits = false;
    let mut args = rewrite(composed, &mut |flag, value| match (flag, id(value)) {
        ("-append", _) => {
            let line = first_process(value, session);
            fits = line.is_some();
            line
        }
        ("-chardev", "console") => Some("stdio,id=console,signal=off,mux=off".into()),
        ("-chardev", DMESG) => None,
        ("-chardev", id) => Some(plugs.device(id).unwrap_or_else(|| value.to_owned())),
        ("-device", _) if value == format!("virtconsole,chardev={DMESG}") => None,
        _ => Some(value.to_owned()),
    });
    if !fits {
        return None;
    }
    let terminal = plugs.device("terminal").into_iter().flat_map(|socket| {
        [
            "-device".into(),
            "virtio-serial-pci,id=terminals".into(),
            "-chardev".into(),
            socket.into(),
            "-device".into(),
            "virtconsole,bus=terminals.0,chardev=terminal".into(),
        ]
    });
    args.extend(terminal);
    if let Some(gdb) = &session.gdb {
        let socket = format!("unix:{},server=on,wait=off", gdb.socket.to_str()?);
        args.extend(["-gdb".into(), socket.into()]);
        args.extend(gdb.stopped.then(|| "-S".into()));
    }
    Some(args)
}

/// virtme-ng's name for the second console.
const DMESG: &str = "dmesg";

/// The identifier in a device's description.
fn id(device: &str) -> &str {
    let mut fields = device.split(',');
    fields
        .find_map(|field| field.strip_prefix("id="))
        .unwrap_or_default()
}

/// The kernel's command line, where its init is the last word, with the session's first
/// process in that one's place.
fn first_process(line: &str, session: &Session) -> Option<String> {
    const TERMINAL: &str = "hvc0";
    let (before, init) = line.rsplit_once(" init=")?;
    let first = session.first.to_str()?;
    if [first, init].iter().any(|path| path.contains('"')) || init.contains(" -- ") {
        return None;
    }
    let words = before.split(' ').filter(|word| *word != "console=hvc0");
    let words = words.map(|word| match word.starts_with("virtme_console=") {
        true if session.command.is_none() => format!("virtme_console={TERMINAL}"),
        _ => word.to_owned(),
    });
    let words: Vec<String> = words.collect();
    Some(format!(
        r#"{} init="{first}" -- session /dev/{TERMINAL} "{init}""#,
        words.join(" ")
    ))
}

/// What every guest gets beside.
fn every_guest(guest: &Guest, results: RawFd) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["-no-reboot".into()];
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

fn unwanted(flag: &str, value: &str) -> bool {
    match flag {
        "-fsdev" => true,
        "-chardev" => value.starts_with("file,path=/proc/self/fd/"),
        "-device" => {
            value.starts_with("virtio-9p")
                || value.starts_with("virtconsole")
                || value == "virtio-serial-pci"
        }
        _ => false,
    }
}

/// A tool's standard output, when it succeeds.
fn ask(
    program: &Path,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    cancel: &Cancel,
) -> Result<String, Error> {
    let failed = |why: String| Error::Tool {
        program: program.to_owned(),
        why,
    };
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
    use crate::machine::{Deadlines, Gdb};

    fn guest(accel: Accel) -> Guest {
        Guest {
            image: "/k/bz Image".into(),
            root: Root::Initramfs("/k/i,1.cpio".into()),
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

    /// The whole command for a guest in its initramfs.
    fn machine(composed: Vec<OsString>) -> Vec<OsString> {
        let mut args = alone(composed, Path::new("/k/i,1.cpio"));
        args.extend(every_guest(&guest(Accel::Kvm), 7));
        args
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
            Some(Path::new("/root")),
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
            Some(Path::new("/root")),
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
        insta::assert_snapshot!(shown(&machine(composed)), @r#"
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

    fn session(command: Option<&str>) -> Session {
        Session {
            first: "/the tool/guest".into(),
            command: command.map(Into::into),
            folders: vec![("/a".into(), false), ("/b".into(), true)],
            gdb: command.is_none().then(|| Gdb {
                socket: "/s/gdb".into(),
                stopped: true,
            }),
        }
    }

    /// How virtme-ng's answer to a session differs from what becomes of it: words that
    /// are gone, and words that have come.
    #[allow(clippy::unwrap_used, reason = "a test that fails")]
    fn change(answer: &str, session: &Session) -> String {
        let (plugs, _ours) = Plugs::new(session.command.is_none()).unwrap();
        let composed: Vec<OsString> = shell_words::split(answer)
            .unwrap()
            .into_iter()
            .map(OsString::from)
            .collect();
        let words = |args: &[OsString]| -> Vec<String> {
            let words = args.iter().flat_map(|arg| arg.to_str().unwrap().split(' '));
            let without_number = |word: &str| match word.split_once(",fd=") {
                Some((device, _)) => format!("{device},fd=N"),
                None => word.to_owned(),
            };
            words.map(without_number).collect()
        };
        let before = words(&composed);
        let after = words(&with_host(composed, session, &plugs).unwrap());
        let gone = before.iter().filter(|word| !after.contains(word));
        let come = after.iter().filter(|word| !before.contains(word));
        let gone = gone.map(|word| format!("- {word}"));
        let lines = gone.chain(come.map(|word| format!("+ {word}")));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_terminal_is_the_guests_second_console() {
        let answer = include_str!("../tests/data/virtme-1.42-terminal.txt");
        insta::assert_snapshot!(change(answer, &session(None)), @r#"
        - file,path=/proc/self/fd/2,id=dmesg
        - virtconsole,chardev=dmesg
        - virtme_console=ttyS0
        - console=hvc0
        - init=/opt/venv/lib/python3.11/site-packages/virtme/guest/bin/virtme-ng-init
        + virtme_console=hvc0
        + init="/the
        + tool/guest"
        + --
        + session
        + /dev/hvc0
        + "/opt/venv/lib/python3.11/site-packages/virtme/guest/bin/virtme-ng-init"
        + virtio-serial-pci,id=terminals
        + socket,id=terminal,fd=N
        + virtconsole,bus=terminals.0,chardev=terminal
        + -gdb
        + unix:/s/gdb,server=on,wait=off
        + -S
        "#);
    }

    #[test]
    fn a_commands_streams_are_sockets() {
        let answer = include_str!("../tests/data/virtme-1.42-command.txt");
        insta::assert_snapshot!(change(answer, &session(Some("uname -r"))), @r#"
        - file,id=console,path=/dev/null
        - stdio,id=stdin,signal=on,mux=off
        - file,id=stdout,path=/proc/self/fd/1
        - file,id=stderr,path=/proc/self/fd/2
        - file,id=dev_stdout,path=/proc/self/fd/1
        - file,id=dev_stderr,path=/proc/self/fd/2
        - file,id=ret,path=/tmp/virtme_ret
        - init=/opt/venv/lib/python3.11/site-packages/virtme/guest/bin/virtme-ng-init
        + stdio,id=console,signal=off,mux=off
        + socket,id=stdin,fd=N
        + socket,id=stdout,fd=N
        + socket,id=stderr,fd=N
        + socket,id=dev_stdout,fd=N
        + socket,id=dev_stderr,fd=N
        + socket,id=ret,fd=N
        + init="/the
        + tool/guest"
        + --
        + session
        + /dev/hvc0
        + "/opt/venv/lib/python3.11/site-packages/virtme/guest/bin/virtme-ng-init"
        "#);
    }

    #[test]
    fn a_session_is_asked_for_with_its_folders() {
        let guest = Guest {
            root: Root::Host(session(Some("uname -r"))),
            ..guest(Accel::Tcg)
        };
        let args = virtme_arguments(&guest, Path::new("/bin/qemu"), None);
        let args: Vec<_> = args.into_iter().skip(4).take(6).collect();
        insta::assert_snapshot!(shown(&args), @r"
        --rodir
        /a
        --rwdir
        /b
        --script-sh
        uname -r
        ");
    }

    #[test]
    fn a_command_line_of_another_form_is_not_guessed_at() {
        let change = |line: &str| first_process(line, &session(None));
        assert_eq!(change("quiet ro"), None, "no init");
        assert_eq!(change(r#"ro init=/bin/sh -- -c "exec init""#), None);
        assert_eq!(change(r#"ro init=/a"b"#), None);
        let quoted = Session {
            first: r#"/a"b"#.into(),
            ..session(None)
        };
        assert_eq!(first_process("ro init=/init", &quoted), None);
    }

    #[test]
    fn an_answer_cut_anywhere_is_no_trouble() {
        let composed = shell_words::split(include_str!("../tests/data/virtme-1.42.txt")).unwrap();
        for length in 0..composed.len() {
            let cut = composed.iter().take(length).map(OsString::from).collect();
            assert!(machine(cut).len() > 8);
        }
    }
}
