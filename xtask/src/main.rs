//! `cargo xtask`: every command of the project.

mod advice;
mod catalogue;
mod changed;
mod commands;
mod exit;
mod flavour;
mod guest;
mod home;
mod host;
mod input;
mod job;
mod kernels;
mod machine;
mod output;
mod own_tree;
mod progress;
mod run;
mod slurm;
mod terminal;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use vm::process::Cancel;

use crate::exit::Kind;

/// How long a cancelled command may take to end by itself.
const PATIENCE: Duration = Duration::from_millis(2500);

fn main() -> ExitCode {
    let cli = commands::parse();
    let cancel = match Cancel::new().and_then(|cancel| {
        watch_signals(&cancel)?;
        Ok(cancel)
    }) {
        Ok(cancel) => cancel,
        Err(error) => {
            say(&format!("error: can't watch for signals: {error}"));
            return ExitCode::from(Kind::Infrastructure.code());
        }
    };
    let result = commands::run(cli.command, &cancel);
    if cancel.cancelled() {
        say("interrupted; what was finished is kept");
        for hint in result.err().iter().flat_map(|failure| &failure.hints) {
            say(hint);
        }
        return ExitCode::from(Kind::Interrupted.code());
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&format!("error: {failure}"));
            for hint in &failure.hints {
                say(&format!("hint: {hint}"));
            }
            failure.into()
        }
    }
}

/// The first signal cancels. A second one, or a command that does not come to
/// an end, ends the process: its guests and programs die with it, the kernel
/// takes back its locks, and what was half written was never in its place.
fn watch_signals(cancel: &Cancel) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let cancel = cancel.clone();
    std::thread::spawn(move || {
        let mut pending = signals.forever();
        pending.next();
        cancel.cancel();
        std::thread::spawn(|| {
            std::thread::sleep(PATIENCE);
            leave();
        });
        pending.next();
        leave();
    });
    Ok(())
}

fn leave() -> ! {
    terminal::give_back();
    std::process::exit(i32::from(Kind::Interrupted.code()))
}

/// Standard error may be closed; that is no reason to panic.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
