//! `boot`: one built kernel with a shell, or with a command.

use std::process::Command;

use results::machine::Accel;

use crate::cli::Arm;
use crate::exit::{Classify, Kind, Result, fail};
use crate::guest::Program;
use crate::job::Job;
use crate::machine::Machine;
use crate::{host, input, kernels};

/// Boots through virtme-ng itself, with this host's files as the guest's root,
/// read-only: the way a developer looks around in a kernel.
pub fn run(job: Job, arm: Arm, command: &[String]) -> Result {
    host::ensure(&job, host::Use::Work)?;
    let work = input::load(&job.options.series)?;
    let [name] = job.options.kernels.as_slice() else {
        return fail(Kind::Usage, "boot takes one --kernel");
    };
    let kernel = kernels::build(&job, &work, name, &[arm])?;
    let Some(built) = kernel.built.first() else {
        return fail(Kind::Build, "nothing was built");
    };
    let program = Program::build(&job)?;
    let machine = Machine::find(&job, &program, &built.image)?;
    let Some(runner) = host::virtme_run(&job.cache) else {
        return fail(
            Kind::Infrastructure,
            "virtme-ng is missing: run `cargo xtask doctor --setup`",
        );
    };
    let mut vm = Command::new(runner);
    vm.arg("--kimg")
        .arg(&built.image)
        .args([
            "--mods",
            "none",
            "--force-9p",
            "--memory",
            &format!("{}M", job.options.memory),
        ])
        .args(["--cpus", &job.options.cpus.to_string()]);
    if machine.accelerator.kind == Accel::Tcg {
        vm.arg("--disable-kvm");
    }
    if !command.is_empty() {
        vm.arg("--script-sh").arg(shell_words::join(command));
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
