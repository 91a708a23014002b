//! `boot`: one built kernel with a shell, or with a command.

use std::process::Command;

use clap::Args;
use results::Arm;
use results::machine::Accel;
use vm::process::Cancel;

use super::options::{self, Guest, Setup};
use crate::exit::{Advise, Classify, Kind, Result, fail};
use crate::flavour::Flavour;
use crate::guest::Program;
use crate::job::Job;
use crate::machine::Machine;
use crate::{home, host, kernels};

/// `boot`'s options.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    series: options::Series,
    #[command(flatten)]
    kernel: options::Kernel,
    /// How the kernel is configured
    #[arg(long, value_enum, default_value_t = Flavour::Lean)]
    flavour: Flavour,
    /// The arm to boot
    #[arg(long, value_parser = options::arm(), default_value = "patched")]
    arm: Arm,
    #[command(flatten)]
    guest: Guest,
    #[command(flatten)]
    setup: Setup,
    /// A command to run in the guest instead of a shell
    #[arg(last = true)]
    command: Vec<String>,
}

/// Boots through virtme-ng itself, with this host's files as the guest's root,
/// read-only: the way a developer looks around in a kernel.
pub fn run(args: &Options, cancel: &Cancel) -> Result {
    let job = Job::new(cancel, args.setup.offline)?;
    host::ensure(&job, host::Use::Work, args.setup.install())?;
    let origin = args.series.origin()?;
    let name = origin.kernel(args.kernel.name.as_ref())?;
    let series = origin.load()?;
    let kernel = kernels::build(&job, &series, &name, args.flavour, &[args.arm])?;
    let Some((_, built)) = kernel.built.first() else {
        return fail(Kind::Build, "nothing was built");
    };
    let program = Program::build(&job)?;
    let machine = Machine::find(
        &job,
        &program,
        &built.image,
        (&args.guest).into(),
        args.flavour.timeout_scale(),
    )?;
    let Some(runner) = host::virtme_run(&job.cache) else {
        return fail(Kind::Infrastructure, "virtme-ng is missing").hint(format!(
            "install it with `{}`",
            home::line("doctor --setup")
        ));
    };
    let mut vm = Command::new(runner);
    vm.arg("--kimg")
        .arg(&built.image)
        .args([
            "--mods",
            "none",
            "--force-9p",
            "--memory",
            &format!("{}M", args.guest.memory),
        ])
        .args(["--cpus", &args.guest.cpus.to_string()]);
    if machine.accelerator.kind == Accel::Tcg {
        vm.arg("--disable-kvm");
    }
    if !args.command.is_empty() {
        vm.arg("--script-sh").arg(shell_words::join(&args.command));
    }
    // The terminal is the guest's: virtme-ng stays in its foreground group.
    let status = vm.status().kind(Kind::Infrastructure)?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => fail(
            Kind::Judgement,
            format!("the guest's command ended with {code}"),
        ),
        None => fail(
            Kind::Infrastructure,
            format!("virtme-ng was killed: {status}"),
        ),
    }
}
