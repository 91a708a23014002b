//! `boot`, as somebody at a terminal sees it: `cargo xtask test --tier guests`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod lab;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::libc;
use nix::pty::{Winsize, openpty};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::setsid;

/// Longer than a guest takes on a slow host.
const PATIENCE: Duration = Duration::from_secs(240);

nix::ioctl_write_ptr_bad!(set_size, libc::TIOCSWINSZ, Winsize);
nix::ioctl_none_bad!(take_terminal, libc::TIOCSCTTY);

/// `boot` at a terminal of 24 lines.
struct Terminal {
    keys: File,
    shown: Receiver<Vec<u8>>,
    all: String,
    before: Termios,
    child: Child,
}

impl Terminal {
    fn new(args: &[&str]) -> Self {
        let pty = openpty(&size(24, 80), None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let stdio = || Stdio::from(pty.slave.try_clone().unwrap());
        let mut command = boot(args);
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        // SAFETY: between fork and exec this makes two system calls.
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                take_terminal(0)?;
                Ok(())
            });
        }
        let child = command.spawn().unwrap();
        drop(command);
        let keys = File::from(pty.master);
        let mut screen = keys.try_clone().unwrap();
        let (send, shown) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Reading fails once the last one has closed the other side.
            while let Ok(count) = screen.read(&mut buffer) {
                if count == 0 || send.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            keys,
            shown,
            all: String::new(),
            before,
            child,
        }
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this was shown, after all that was waited for before.
    fn shows(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.all.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.shown.recv_timeout(left) {
                Ok(bytes) => self.all.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => {
                    let _ = self.child.kill();
                    panic!("no {text:?} ({error}) in:\n{}", self.all);
                }
            }
        }
        let (_, rest) = self.all.split_once(text).unwrap();
        self.all = rest.to_owned();
    }

    /// Waits for the end of all that is shown: how `boot` ended, and what was shown last.
    fn ends(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        // Nobody else has the terminal open: a guest that lived on would.
        while let Ok(bytes) = self.shown.recv_timeout(PATIENCE) {
            self.all.push_str(&String::from_utf8_lossy(&bytes));
        }
        let after = tcgetattr(&self.keys).unwrap();
        assert_eq!(after, self.before, "the terminal is not as it was");
        (status.code(), self.all)
    }
}

fn size(ws_row: u16, ws_col: u16) -> Winsize {
    Winsize {
        ws_row,
        ws_col,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

fn boot(args: &[&str]) -> Command {
    let mut command = lab::xtask();
    command.env("TERM", "xterm");
    command.args(["boot", "--kernel", "6.12"]).args(args);
    command
}

/// What virtme-ng's init says last before its shell.
const WELCOME: &str = "to exit)";

#[test]
fn a_shell_has_the_terminal_until_the_kernel_crashes() {
    let mut terminal = Terminal::new(&["--append", "reaperlab.test=1"]);
    terminal.shows(WELCOME);
    terminal.types("stty size; cat /proc/cmdline; touch /tmp/x; ls /tmp; echo one=$((6*7))\r");
    terminal.shows("24 80");
    terminal.shows(" reaperlab.test=1 ");
    terminal.shows("one=42");
    let larger = size(33, 101);
    // SAFETY: the request reads a `Winsize`, which outlives the call.
    unsafe { set_size(terminal.keys.as_raw_fd(), &raw const larger) }.unwrap();
    terminal.types("until [ \"$(stty size)\" = '33 101' ]; do :; done; echo two=$((6*8))\r");
    terminal.shows("two=48");
    // Ctrl-C is the guest's.
    terminal.types("sleep 1000 || echo three=$((6*9))\r");
    terminal.types("\x03");
    terminal.types("echo four=$((7*9))\r");
    terminal.shows("four=63");
    // What the kernel said is told once the terminal is back.
    terminal.types("echo c > /proc/sysrq-trigger\r");
    let (code, last) = terminal.ends();
    assert_eq!(code, Some(1), "{last}");
    let told = "error: the kernel crashed: Kernel panic - not syncing: sysrq";
    assert!(last.contains(told), "{last}");
}

#[test]
fn a_guest_is_left_from_within_anything() {
    let mut terminal = Terminal::new(&[]);
    terminal.shows(WELCOME);
    // As an editor does: another screen, no cursor.
    terminal.types("printf '\\033[?1049h\\033[?25l'; echo in=$((6*7)); sleep 1000\r");
    terminal.shows("in=42\r\n");
    terminal.types("\x01h");
    terminal.shows("Ctrl-A X ends the guest");
    terminal.types("\x01x");
    let (code, last) = terminal.ends();
    assert_eq!(code, Some(0));
    assert!(last.ends_with("\x1b[?25h\x1b[?1049l"), "{last:?}");
}

#[test]
fn a_commands_streams_and_code_are_its_own() {
    let script = "cat; echo failed >&2; exit 3";
    let mut child = boot(&["--", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"from the host\n")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "from the host\n",
        "{errors}"
    );
    assert!(errors.contains("\nfailed\n"), "{errors}");
    assert!(
        errors.ends_with("error: the guest's command ended with 3\n"),
        "{errors}"
    );
    assert_eq!(output.status.code(), Some(1));
}
