//! The OOM scenarios. As the first process of a guest this program runs the
//! plan beside it and powers the guest off; on the host it lists what it can
//! do.

mod cgroup;
mod context;
mod core_reader;
mod disk;
mod failure;
mod fault;
mod foreign;
mod fuse;
mod guest;
mod health;
mod helper;
mod hugetlb;
mod kmsg;
mod kselftest;
mod mistakes;
mod mrelease;
mod needs;
mod oom;
mod procfs;
mod race;
mod runner;
mod scenario;
mod scenarios;
mod session;
mod smaps;
mod sys;
mod timeout_scale;
mod trace;
mod turns;
mod victim;
mod wait;
mod walk;
mod zram;

use std::path::Path;
use std::process::ExitCode;

use crate::failure::Failure;

fn main() -> ExitCode {
    if std::process::id() == 1 {
        let args: Vec<String> = std::env::args().collect();
        if let [program, word, terminal, init] = args.as_slice()
            && word == session::ARGUMENT
        {
            eprintln!("reaperlab: {}", session::begin(program, terminal, init));
            guest::power_off();
        }
        // Otherwise the arguments are those of a kernel command line, not ours.
        if let Err(failure) = run_guest() {
            eprintln!("reaperlab: {failure}");
        }
        guest::power_off();
    }
    let mut args = std::env::args().skip(1);
    let answer = match (args.next().as_deref(), args.next()) {
        (Some("list"), None) => list(),
        (Some(victim::ARGUMENT), Some(spec)) => victim::main(&spec).map_err(|failure| {
            // Where the runner waits for the victim's first line.
            println!("{failure}");
            failure.to_string()
        }),
        (Some(core_reader::ARGUMENT), None) => {
            core_reader::main().map_err(|failure| failure.to_string())
        }
        (Some(session::TERMINAL), Some(terminal)) => {
            session::watch(Path::new(&terminal)).map_err(|failure| failure.to_string())
        }
        (Some(kselftest::ARGUMENT), Some(program)) => Err(kselftest::exec(&program).to_string()),
        _ => Err("usage: kernel-tests list (or as the first process of a guest)".to_owned()),
    };
    match answer {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run_guest() -> Result<(), Failure> {
    guest::mount_all()?;
    guest::harden()?;
    let plan = guest::plan()?;
    timeout_scale::set(plan.timeout_scale);
    runner::run(&plan)
}

fn list() -> Result<(), String> {
    let json = serde_json::to_string_pretty(scenarios::ALL).map_err(|error| error.to_string())?;
    println!("{json}");
    Ok(())
}
