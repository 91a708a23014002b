//! `boot`: one built kernel with a shell, or with a command.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use clap::{Args, ValueEnum};
use results::Arm;
use vm::process::Cancel;
use vm::{End, Gdb, Plugs, Progress, Session};

use super::options::{self, Guest, Setup};
use crate::exit::{Classify, Kind, Result, fail};
use crate::flavour::Flavour;
use crate::guest::Program;
use crate::job::Job;
use crate::machine::Machine;
use crate::terminal::{self, Sizes};
use crate::{host, kernels};

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
    /// An argument for the kernel (repeatable)
    #[arg(long, value_name = "ARGUMENT")]
    append: Vec<String>,
    /// A folder of the host that the guest sees, under the same path, where it would
    /// not otherwise: below /tmp, /run or another mount (repeatable)
    #[arg(long, value_name = "FOLDER")]
    rodir: Vec<PathBuf>,
    /// The same, and the guest may change what is in it (repeatable)
    #[arg(long, value_name = "FOLDER")]
    rwdir: Vec<PathBuf>,
    /// Let gdb attach, and say how. The guest runs, or stops before its first
    /// instruction
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true,
          default_missing_value = "run")]
    gdb: Option<Debugged>,
    #[command(flatten)]
    setup: Setup,
    /// A command to run in the guest instead of a shell
    #[arg(last = true)]
    command: Vec<String>,
}

/// What a guest does until gdb has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Debugged {
    Run,
    Stop,
}

/// Boots through virtme-ng's machine and init, with this host's files as the guest's
/// root, read-only: the way a developer looks around in a kernel.
pub fn run(args: &Options, cancel: &Cancel) -> Result {
    let job = Job::new(cancel, args.setup.offline)?;
    host::ensure(&job, host::Use::Work, args.setup.install())?;
    let folders = folders(args)?;
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
    let scratch = job.temporary()?;
    let tests = own_tests(&job, &kernel, args.arm, &program, scratch.path())?;
    let session = Session {
        first: program.path.clone(),
        command: (!args.command.is_empty()).then(|| shell_words::join(&args.command)),
        folders: folders
            .into_iter()
            .chain([(tests.clone(), false)])
            .collect(),
        gdb: args.gdb.map(|how| Gdb {
            socket: scratch.path().join("gdb"),
            stopped: how == Debugged::Stop,
        }),
    };
    if session.command.is_none() {
        let tests = tests.display();
        job.progress
            .note(&format!("the kernel's own tests are in {tests}"));
        job.progress.note("Ctrl-A X ends the guest");
    }
    if let Some(gdb) = &session.gdb {
        let vmlinux = built.vmlinux(job.opened()?);
        job.progress.note(&attach(vmlinux.as_deref(), gdb));
    }
    let mut guest = machine.session(built.image.clone(), session, args.flavour.timeout_scale());
    guest.kernel_args.clone_from(&args.append);
    work(&job, &machine, &guest)
}

/// The folders that the guest is to see, each with whether it may change them.
fn folders(args: &Options) -> Result<Vec<(PathBuf, bool)>> {
    let named = |folders: &[PathBuf], writable| -> Vec<_> {
        let each = folders.iter().cloned();
        each.map(|folder| (folder, writable)).collect()
    };
    let all = [named(&args.rodir, false), named(&args.rwdir, true)].concat();
    let absolute = all.into_iter().map(|(folder, writable)| {
        let found = folder.canonicalize().ok().filter(|path| path.is_dir());
        // virtme-ng puts it on the kernel's command line.
        let fits = |path: &PathBuf| {
            let text = path.to_str();
            text.is_some_and(|text| !text.contains([' ', ',', '=', '"']))
        };
        match found {
            Some(path) if fits(&path) => Ok((path, writable)),
            Some(path) => fail(
                Kind::Usage,
                format!(
                    "{path:?} can't be shown to a guest: a space, comma, = or \" is in its name"
                ),
            ),
            None => fail(Kind::Usage, format!("{folder:?} is no folder")),
        }
    });
    absolute.collect()
}

/// The tests of the kernel's own that scenarios run, as programs in a folder.
fn own_tests(
    job: &Job,
    kernel: &kernels::Kernel,
    arm: Arm,
    program: &Program,
    folder: &Path,
) -> Result<PathBuf> {
    let folder = folder.join("kselftest");
    let scenarios = program.catalogue.select(&[])?;
    let names = program.catalogue.selftests(&scenarios);
    for test in kernels::selftests(job, kernel, arm, &names)? {
        let Ok(bytes) = &test.program else { continue };
        let path = folder.join(&test.name);
        fs_err::create_dir_all(path.parent().unwrap_or(&folder)).kind(Kind::Infrastructure)?;
        fs_err::write(&path, bytes).kind(Kind::Infrastructure)?;
        fs_err::set_permissions(&path, Permissions::from_mode(0o755)).kind(Kind::Infrastructure)?;
    }
    Ok(folder)
}

/// How gdb gets to the guest.
fn attach(vmlinux: Option<&Path>, gdb: &Gdb) -> String {
    let mut words = vec!["gdb".to_owned()];
    let mut and = "";
    match vmlinux {
        Some(vmlinux) => {
            words.push(vmlinux.display().to_string());
            let scripts = vmlinux.with_file_name("vmlinux-gdb.py");
            if scripts.exists() {
                words.extend(["-ex".into(), format!("source {}", scripts.display())]);
            }
        }
        None => and = "\nwithout symbols: the objects of this kernel are not kept any more",
    }
    let target = format!("target remote {}", gdb.socket.display());
    words.extend(["-ex".into(), target]);
    format!("{}{and}", shell_words::join(words))
}

/// Hands the terminal to the guest, or the command's streams, until its end.
fn work(job: &Job, machine: &Machine, guest: &vm::Guest) -> Result {
    let terminal = guest.root.has_terminal();
    let (plugs, streams) = Plugs::new(terminal).kind(Kind::Infrastructure)?;
    let (sizes, ended) = (Sizes::default(), Cancel::new().kind(Kind::Infrastructure)?);
    job.progress.clear();
    let (outcome, carried) = thread::scope(|scope| {
        let carrier = scope.spawn(|| terminal::carry(streams, &sizes, &job.cancel, &ended));
        let outcome = vm::boot_session(
            &machine.virtme,
            guest,
            plugs,
            &ended,
            &mut io::sink(),
            &mut |link, _| {
                if terminal {
                    sizes.to(link);
                }
                Progress::Up
            },
        );
        (outcome, carrier.join())
    });
    job.alive()?;
    let outcome = outcome.kind(Kind::Infrastructure)?;
    let carried = carried.unwrap_or_else(|_| Err(io::Error::other("the thread has died")));
    let code = match carried {
        Ok(code) => code,
        Err(error) => {
            return fail(
                Kind::Infrastructure,
                format!("can't pass on what the guest says: {error}"),
            );
        }
    };
    let ended = match (&outcome.end, code.trim().parse::<i32>()) {
        // The user wanted it.
        (End::Interrupted, _) => return Ok(()),
        (End::Completed | End::Cut, Ok(0)) => return Ok(()),
        (End::Completed | End::Cut, Ok(code)) => {
            return fail(
                Kind::Judgement,
                format!("the guest's command ended with {code}"),
            );
        }
        (End::Completed | End::Cut, Err(_)) if terminal => return Ok(()),
        (End::Completed | End::Cut, Err(_)) => "the guest ended before its command".to_owned(),
        (end, _) => end.to_string(),
    };
    let kind = match outcome.end {
        End::Panic { .. } => Kind::Judgement,
        _ => Kind::Infrastructure,
    };
    let console = outcome.console_lines(usize::MAX);
    fail(kind, format!("{ended}{console}"))
}
