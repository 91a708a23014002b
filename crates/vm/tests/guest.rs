//! Every way a guest can end, with a QEMU made of bash: `tests/fake` holds the
//! tools, and each test's kernel is a script that this QEMU runs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that fails"
)]
#![cfg(target_arch = "x86_64")]

mod alive;

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use alive::Alive;
use results::console::Kind;
use results::machine::Accel;
use tempfile::TempDir;
use vm::process::Cancel;
use vm::{Deadlines, End, Error, Guest, Link, Outcome, Progress, Root, Virtme, boot};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(120);
const SOON: Duration = Duration::from_millis(100);

struct Lab {
    dir: TempDir,
    guest: Guest,
}

impl Lab {
    fn new(kernel: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| -> PathBuf {
            let path = dir.path().join(name);
            fs_err::write(&path, text).unwrap();
            path
        };
        // A prefix that every path here has: shell quoting must survive.
        let image = file(
            "the kernel's image",
            &format!("here={:?}\n{kernel}", dir.path()),
        );
        let guest = Guest {
            image,
            root: Root::Initramfs(file("initrd", "")),
            memory_mib: 64,
            cpus: 1,
            accel: Accel::Tcg,
            port: "port".into(),
            kernel_args: Vec::new(),
            deadlines: Deadlines {
                boot: LONG,
                grace: LONG,
                total: LONG,
            },
        };
        Self { dir, guest }
    }

    fn boot(&self) -> (Outcome, String) {
        let mut console = Vec::new();
        let cancel = Cancel::new().unwrap();
        let outcome = boot(&tools(), &self.guest, &cancel, &mut console, &mut meaning).unwrap();
        (outcome, String::from_utf8_lossy(&console).into_owned())
    }

    /// Boots it for somebody who hears each line before its meaning counts.
    fn boot_heard(&self, cancel: &Cancel, mut hear: impl FnMut(&Link, &str)) -> Outcome {
        let mut on_line = |link: &Link, line: &str| {
            hear(link, line);
            meaning(link, line)
        };
        boot(&tools(), &self.guest, cancel, &mut io::sink(), &mut on_line).unwrap()
    }

    /// Whatever opens the file `alive` under `here`.
    fn alive(&self) -> Alive {
        Alive::new(&self.dir.path().join("alive"))
    }
}

fn tools() -> Virtme {
    let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake");
    Virtme::find_in(None, fake.as_os_str()).unwrap()
}

fn meaning(_: &Link, line: &str) -> Progress {
    match line {
        "up" => Progress::Up,
        "expect" => Progress::ExpectWithin(Duration::ZERO),
        "done" => Progress::Done,
        "kill me" => Progress::Kill,
        "stop me" => Progress::Stop,
        _ => Progress::Ignore,
    }
}

/// How a guest with this kernel ends, patient deadlines given.
fn end_of(kernel: &str) -> End {
    Lab::new(kernel).boot().0.end
}

#[test]
fn a_guest_that_is_done_has_completed() {
    let lab = Lab::new("echo hello; printf 'by\\xffte\\r\\n' >&$results; say up; say done");
    let (outcome, console) = lab.boot();
    assert_eq!(outcome.end, End::Completed);
    assert_eq!(outcome.lines, 3);
    assert_eq!(outcome.triage.verdict, Kind::Clean);
    assert!(outcome.up_after.unwrap() < outcome.took);
    assert_eq!(console, "hello\n");
}

#[test]
fn a_guest_that_was_stopped_is_not_late() {
    let mut lab = Lab::new(
        "trap 'on=1' CONT; say expect; say 'stop me'; \
         until [ $on ]; do read -rt 0.01 <&$results; done; say done",
    );
    lab.guest.deadlines.grace = SOON;
    let outcome = lab.boot().0;
    assert_eq!(outcome.end, End::Completed);
    assert!(
        outcome.stood_still >= Duration::from_secs(1),
        "{:?}",
        outcome.stood_still
    );
    assert_eq!(
        Lab::new("say up; say done").boot().0.stood_still,
        Duration::ZERO
    );
}

#[test]
fn a_guest_hears_what_it_is_told() {
    let lab = Lab::new("say up; read -r word <&$results; say \"heard $word\"; say done");
    let mut heard = Vec::new();
    let outcome = lab.boot_heard(&Cancel::new().unwrap(), |link, line| {
        heard.push(line.to_owned());
        if line == "up" {
            link.clone().say("go 24").unwrap();
        }
    });
    assert_eq!(outcome.end, End::Completed);
    assert_eq!(heard, ["up", "heard go 24", "done"]);
}

#[test]
fn a_guest_that_is_done_need_not_power_off() {
    assert_eq!(end_of("say up; say done; exec sleep 1000"), End::Completed);
}

#[test]
fn lines_before_the_end_arrive_however_it_ends() {
    let lab = Lab::new("say up; for i in {1..5000}; do say line $i; done; kill -9 $$");
    let mut lines = Vec::new();
    let outcome = lab.boot_heard(&Cancel::new().unwrap(), |_, line| {
        lines.push(line.to_owned());
    });
    assert_eq!(
        outcome.end,
        End::QemuDied {
            why: "was killed by SIGKILL".into()
        }
    );
    assert_eq!(lines.len(), 5001);
    assert_eq!(lines.last().unwrap(), "line 5000");
}

#[test]
fn a_panic_is_told_from_other_ends() {
    let panic = "echo 'Kernel panic - not syncing: boo'";
    let title = || End::Panic {
        title: "Kernel panic - not syncing: boo".into(),
    };
    assert_eq!(end_of(&format!("say up; {panic}")), title(), "it reboots");
    assert_eq!(
        end_of(&format!("say up; {panic}; exec sleep 1000")),
        title(),
        "it stays"
    );
    assert_eq!(end_of(panic), title(), "it never came up");
    assert_eq!(
        end_of(&format!("say up; say done; {panic}")),
        title(),
        "while powering off"
    );
}

#[test]
fn an_oops_names_the_crash_that_its_panic_only_follows() {
    let kernel = "say up
        echo '[ 1.0] BUG: kernel NULL pointer dereference, address: 0000000000000000'
        echo '[ 1.0] Oops: Oops: 0002 [#1] SMP'
        echo '[ 1.0] RIP: 0010:oom_reap_task_mm+0x12/0x340'
        echo '[ 1.0] Kernel panic - not syncing: Fatal exception'";
    let title = "NULL pointer dereference in oom_reap_task_mm".into();
    assert_eq!(end_of(kernel), End::Panic { title });
}

#[test]
fn silence_past_what_was_announced_is_a_hang() {
    for hung in ["exec sleep 1000", "while :; do :; done"] {
        let mut lab = Lab::new(&format!(
            "exec 9>\"$here/alive\"; say up; say expect; {hung}"
        ));
        let alive = lab.alive();
        lab.guest.deadlines.grace = SOON;
        let (outcome, _) = lab.boot();
        assert!(
            matches!(outcome.end, End::Hang { silent } if silent >= SOON),
            "{hung}"
        );
        assert_eq!(outcome.lines, 2);
        alive.wait_gone();
    }
}

#[test]
fn talking_past_everything_is_a_timeout() {
    let mut lab = Lab::new("say up; while :; do say tick; read -t 0.01 <> <(:); done");
    lab.guest.deadlines.total = Duration::from_secs(1);
    assert_eq!(lab.boot().0.end, End::Timeout);
}

#[test]
fn a_guest_that_never_comes_up_has_not_booted() {
    let mut lab = Lab::new("echo 'Linux version 6'; echo 'last words'; exec sleep 1000");
    lab.guest.deadlines.boot = Duration::from_secs(1);
    let (outcome, _) = lab.boot();
    assert_eq!(
        outcome.end,
        End::BootFailed {
            why: "not up after 1.0 s".into()
        }
    );
    assert_eq!(outcome.console_tail, ["Linux version 6", "last words"]);
    assert_eq!(outcome.triage.verdict, Kind::BootFailed);

    let why = |kernel| match end_of(kernel) {
        End::BootFailed { why } => why,
        other => panic!("{other}"),
    };
    assert_eq!(
        why("echo 'qemu: no kernel' >&2; exit 1"),
        "QEMU ended with code 1: qemu: no kernel"
    );
    assert_eq!(why("exit 0"), "QEMU ended: the machine reset or went off");
}

#[test]
fn a_dead_qemu_is_not_the_guests_fault() {
    let why = |kernel| match end_of(kernel) {
        End::QemuDied { why } => why,
        other => panic!("{other}"),
    };
    assert_eq!(why("say up; kill -9 $$"), "was killed by SIGKILL");
    assert_eq!(
        why("echo oh >&2; kill -ABRT $$"),
        "was killed by SIGABRT: oh"
    );
    assert_eq!(
        why("say up; echo 'no space' >&2; exit 3"),
        "ended with code 3: no space"
    );
}

#[test]
fn a_qemu_killed_on_demand_looks_like_any_that_was_killed() {
    let lab = Lab::new("exec 9>\"$here/alive\"; say up; say kill me; exec sleep 1000");
    let alive = lab.alive();
    let why = "was killed by SIGKILL".into();
    assert_eq!(lab.boot().0.end, End::QemuDied { why });
    alive.wait_gone();
}

#[test]
fn what_a_guest_says_moves_no_cursor() {
    let lab = Lab::new("say up; printf 'Kernel panic - not syncing: \\033[2Jboo\\a\\n'");
    let (outcome, _) = lab.boot();
    let title = "Kernel panic - not syncing: boo".into();
    assert_eq!(outcome.end, End::Panic { title });
    let tail = "Kernel panic - not syncing:  [2Jboo ";
    assert_eq!(outcome.console_tail, [tail]);
}

#[test]
fn powering_off_early_is_a_cut() {
    assert_eq!(end_of("say up; say line"), End::Cut);
}

#[test]
fn a_line_without_its_end_is_no_result() {
    assert_eq!(end_of("say up; printf done >&$results"), End::Cut);
}

#[test]
fn cancelling_ends_it_and_everything_it_started() {
    let lab = Lab::new("exec 9>\"$here/alive\"; sleep 1000 & say up; wait");
    let alive = lab.alive();
    let cancel = Cancel::new().unwrap();
    let outcome = lab.boot_heard(&cancel, |_, _| cancel.cancel());
    assert_eq!(outcome.end, End::Interrupted);
    assert_eq!(outcome.lines, 1);
    alive.wait_gone();

    let again = boot(&tools(), &lab.guest, &cancel, &mut io::sink(), &mut meaning).unwrap();
    assert_eq!((again.end, again.lines), (End::Interrupted, 0));
}

#[test]
fn what_qemu_leaves_behind_goes_with_it() {
    let lab = Lab::new("exec 9>\"$here/alive\"; sleep 1000 & say up; say done");
    let alive = lab.alive();
    assert_eq!(lab.boot().0.end, End::Completed);
    alive.wait_gone();
}

#[test]
fn a_console_that_can_not_be_written_ends_the_guest() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let lab = Lab::new("exec 9>\"$here/alive\"; echo hello; exec sleep 1000");
    let alive = lab.alive();
    let cancel = Cancel::new().unwrap();
    let error = boot(&tools(), &lab.guest, &cancel, &mut Full, &mut meaning).unwrap_err();
    assert!(matches!(error, Error::Console(_)), "{error}");
    alive.wait_gone();
}

#[test]
fn what_is_missing_is_named() {
    let mut lab = Lab::new("");
    lab.guest.root = Root::Initramfs(lab.dir.path().join("nowhere"));
    let cancel = Cancel::new().unwrap();
    let error = boot(&tools(), &lab.guest, &cancel, &mut io::sink(), &mut meaning).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");

    let error = Virtme::find_in(Some(lab.dir.path()), "/nonexistent".as_ref()).unwrap_err();
    assert!(matches!(error, Error::NoVirtme { .. }), "{error}");
}

/// Runs itself again as the command: the one with a kernel to boot is killed.
#[test]
fn no_qemu_outlives_a_command_that_is_killed() {
    let lab = Lab::new("exec 9>\"$here/alive\"; echo >&9; exec sleep 1000");
    if let Some(image) = std::env::var_os("VM_TEST_IMAGE") {
        let mut lab = lab;
        lab.guest.image = image.into();
        panic!("nobody killed this: {:?}", lab.boot());
    }
    let mut alive = lab.alive();
    let mut command = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "no_qemu_outlives_a_command_that_is_killed"])
        .env("VM_TEST_IMAGE", &lab.guest.image)
        // It has no chance to remove what it makes.
        .env("TMPDIR", lab.dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    alive.wait_for_a_byte();
    command.kill().unwrap();
    let signal = command.wait().unwrap().signal();
    assert_eq!(signal, Some(9), "it ended by itself");
    alive.wait_gone();
}

#[test]
fn results_do_not_wait_for_the_console() {
    // More than any pipe holds, on both, by turns.
    let lab = Lab::new(
        "say up; for i in {1..3000}; do say $i $i $i $i; echo $i $i $i $i; echo $i $i $i $i >&2; done; say done",
    );
    let (outcome, mut console) = lab.boot();
    assert_eq!((outcome.end, outcome.lines), (End::Completed, 3002));
    let mut tail = String::new();
    io::Cursor::new(console.split_off(console.len() - 20))
        .read_to_string(&mut tail)
        .unwrap();
    assert!(tail.ends_with("3000 3000 3000 3000\n"));
    assert_eq!(outcome.qemu_tail.last().unwrap(), "3000 3000 3000 3000");
}
