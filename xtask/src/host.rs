//! What this host has, what it lacks, and how to get it.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use xshell::{Shell, cmd};

use crate::exit::{Advise, Classify, Kind, Result, fail};
use crate::home;
use crate::job::Job;

/// The virtme-ng that `--setup` installs where the distribution has none.
pub const VIRTME_NG: &str = "1.42";

/// How one sees that something is there.
enum Probe {
    /// A program in `PATH`.
    Program(&'static str),
    /// One of these files.
    File(&'static [&'static str]),
    /// virtme-ng, in `PATH` or in the private environment.
    Virtme,
}

/// Something the work needs.
struct Requirement {
    name: &'static str,
    probe: Probe,
    package: &'static str,
    why: &'static str,
}

const fn program(name: &'static str, package: &'static str, why: &'static str) -> Requirement {
    Requirement {
        name,
        probe: Probe::Program(name),
        package,
        why,
    }
}

const REQUIREMENTS: &[Requirement] = &[
    program("cc", "gcc", "compiles the kernel"),
    program("make", "make", "builds the kernel"),
    program("flex", "flex", "Kconfig's scanner"),
    program("bison", "bison", "Kconfig's parser"),
    program("bc", "bc", "the kernel's time constants"),
    program("perl", "perl", "the kernel's build scripts"),
    program("pkg-config", "pkg-config", "finds libelf for objtool"),
    Requirement {
        name: "libelf",
        probe: Probe::File(&["/usr/include/libelf.h"]),
        package: "libelf-dev",
        why: "objtool reads objects with it",
    },
    Requirement {
        name: "libc.a",
        probe: Probe::File(&[
            "/usr/lib/x86_64-linux-gnu/libc.a",
            "/usr/lib64/libc.a",
            "/usr/lib/libc.a",
        ]),
        package: "libc6-dev",
        why: "links the guest's runner statically",
    },
    program("curl", "curl", "fetches releases from kernel.org"),
    program("prlimit", "util-linux", "bounds what curl writes"),
    Requirement {
        name: "certificates",
        probe: Probe::File(&[
            "/etc/ssl/certs/ca-certificates.crt",
            "/etc/pki/tls/certs/ca-bundle.crt",
            "/etc/ssl/ca-bundle.pem",
        ]),
        package: "ca-certificates",
        why: "tell curl which servers to trust",
    },
    program("python3", "python3", "runs virtme-ng"),
    program("qemu-system-x86_64", "qemu-system-x86", "runs the guests"),
    Requirement {
        name: "virtme-ng",
        probe: Probe::Virtme,
        package: "virtme-ng",
        why: "composes the guests' machines",
    },
];

/// What the project's own checks and tests need that boot nothing.
const FOR_CHECKS: &[Requirement] = &[
    program("make", "make", "builds what tests take for a kernel"),
    program("perl", "perl", "the kernel's own scripts"),
    program("git", "git", "what patches that apply are held to"),
    program("patch", "patch", "what patches that apply are held to"),
    program("cpio", "cpio", "reads an initramfs that was written"),
    program("python3", "python3", "serves releases to a test"),
    program("curl", "curl", "fetches them"),
    program("prlimit", "util-linux", "bounds what curl writes"),
    program(
        "openssl",
        "openssl",
        "makes the certificate of an HTTPS server",
    ),
    program(
        "gpgv",
        "gpgv",
        "checks the signature of a list of checksums",
    ),
];

/// What a Slurm of one node needs.
const FOR_SLURM: &[Requirement] = &[
    program("sbatch", "slurm-client", "takes a matrix as an array job"),
    Requirement {
        name: "slurmctld",
        probe: Probe::File(&["/usr/sbin/slurmctld"]),
        package: "slurmctld",
        why: "Slurm's controller",
    },
    Requirement {
        name: "slurmd",
        probe: Probe::File(&["/usr/sbin/slurmd"]),
        package: "slurmd",
        why: "Slurm's node",
    },
    Requirement {
        name: "munged",
        probe: Probe::File(&["/usr/sbin/munged"]),
        package: "munge",
        why: "how Slurm's parts know each other",
    },
];

/// What is to be done with this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Putting series to the test.
    Work,
    /// Checking the project itself, without a kernel.
    Checks,
    /// Testing it with a Slurm.
    Slurm,
}

/// Whether what is missing may be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Install {
    Never,
    /// Once the user has said yes.
    Ask,
    Unasked,
}

/// What `doctor` says of one requirement.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// What it is.
    pub name: &'static str,
    /// Where it was found; none where it is missing.
    pub found: Option<PathBuf>,
    /// Debian's package for it.
    pub package: &'static str,
    /// What needs it.
    pub why: &'static str,
    /// Whether it is virtme-ng, which can be had without a package too.
    #[serde(skip)]
    is_virtme: bool,
}

/// Looks for everything.
pub fn inspect(cache: &Path, of: Use) -> Vec<Finding> {
    let requirements = match of {
        Use::Work => REQUIREMENTS,
        Use::Checks => FOR_CHECKS,
        Use::Slurm => FOR_SLURM,
    };
    requirements
        .iter()
        .map(|r| Finding {
            name: r.name,
            found: match r.probe {
                Probe::Program(name) => which(name),
                Probe::File(paths) => paths.iter().map(PathBuf::from).find(|p| p.exists()),
                Probe::Virtme => virtme_run(cache),
            },
            package: r.package,
            why: r.why,
            is_virtme: matches!(r.probe, Probe::Virtme),
        })
        .collect()
}

/// virtme-ng's runner: in `PATH`, else in the private environment.
pub fn virtme_run(cache: &Path) -> Option<PathBuf> {
    which("virtme-run").or_else(|| {
        let private = private_environment(cache).join("bin/virtme-run");
        private.exists().then_some(private)
    })
}

/// Where `--setup` puts virtme-ng where the distribution has none.
pub fn private_environment(cache: &Path) -> PathBuf {
    cache.join(format!("virtme-ng-{VIRTME_NG}"))
}

/// The first executable of this name in `PATH`.
pub fn which(name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| {
            file.metadata()
                .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        })
}

/// Everything needed is here, or is installed now if that was asked for.
pub fn ensure(job: &Job, of: Use, install: Install) -> Result {
    let missing: Vec<_> = inspect(&job.cache, of)
        .into_iter()
        .filter(|f| f.found.is_none())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing
        .iter()
        .map(|f| format!("  {:<20} {} (package {})", f.name, f.why, f.package))
        .collect::<Vec<_>>()
        .join("\n");
    if install == Install::Never {
        return fail(Kind::Infrastructure, format!("this host lacks:\n{list}"))
            .hint("install the packages, or run the command again with --setup");
    }
    if job.offline {
        return fail(Kind::Infrastructure, format!("this host lacks:\n{list}"))
            .hint("run the command again without --offline, which forbids fetching it");
    }
    if install == Install::Ask {
        confirm(&format!("--setup installs:\n{list}"))?;
    }
    let (virtme, others): (Vec<_>, Vec<_>) = missing.iter().partition(|f| f.is_virtme);
    let mut packages: Vec<&str> = others.iter().map(|f| f.package).collect();

    if !nix::unistd::Uid::effective().is_root() {
        // What runs under a deadline is in no terminal's foreground and can't
        // ask for a password: sudo asks here and remembers.
        let sh = Shell::new().kind(Kind::Infrastructure)?;
        cmd!(sh, "sudo --validate")
            .quiet()
            .run()
            .kind(Kind::Infrastructure)?;
    }
    job.progress.stage("Installing what is missing");
    let mut update = apt(&["update", "--quiet"]);
    run(job, &mut update)?;
    let mut private = false;
    if !virtme.is_empty() {
        if has_candidate("virtme-ng") {
            packages.push("virtme-ng");
        } else {
            private = true;
            if !can_make_environments() {
                packages.push("python3-venv");
            }
        }
    }
    if !packages.is_empty() {
        let mut args = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
        args.extend(packages.iter().copied());
        run(job, &mut apt(&args))?;
    }
    if private {
        install_virtme(job)?;
    }
    job.progress.finish("");
    let still: Vec<_> = inspect(&job.cache, of)
        .into_iter()
        .filter(|f| f.found.is_none())
        .map(|f| f.name)
        .collect();
    if still.is_empty() {
        return Ok(());
    }
    fail(
        Kind::Infrastructure,
        format!(
            "installed {}, but {} still can't be found",
            packages.join(" "),
            still.join(", ")
        ),
    )
    .hint(format!(
        "install it by hand, then check with `{}`",
        home::line("doctor")
    ))
}

/// virtme-ng in a virtual environment of its own, complete or not at all.
fn install_virtme(job: &Job) -> Result {
    let target = private_environment(&job.cache);
    // Scripts in an environment name its path, so it can't be built elsewhere
    // and moved: a half-made one is removed first.
    if target.exists() {
        fs_err::remove_dir_all(&target).kind(Kind::Infrastructure)?;
    }
    let python = target.join("bin/python3");
    run(
        job,
        &mut vec![
            "python3".into(),
            "-m".into(),
            "venv".into(),
            target.display().to_string(),
        ],
    )?;
    let done = run(
        job,
        &mut vec![
            python.display().to_string(),
            "-m".into(),
            "pip".into(),
            "install".into(),
            "--quiet".into(),
            "--disable-pip-version-check".into(),
            format!("virtme-ng=={VIRTME_NG}"),
        ],
    );
    if done.is_err() {
        let _ = fs_err::remove_dir_all(&target);
    }
    done
}

/// `apt-get`, as root or through sudo.
fn apt(args: &[&str]) -> Vec<String> {
    let mut command = Vec::new();
    if !nix::unistd::Uid::effective().is_root() {
        command.extend(["sudo", "--non-interactive", "--"].map(String::from));
    }
    command.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"].map(String::from));
    command.extend(args.iter().map(|a| (*a).to_owned()));
    command
}

fn has_candidate(package: &str) -> bool {
    Shell::new()
        .and_then(|sh| {
            cmd!(sh, "apt-cache policy {package}")
                .env("LC_ALL", "C")
                .quiet()
                .read()
        })
        .is_ok_and(|text| {
            text.lines().any(|l| {
                l.trim()
                    .strip_prefix("Candidate:")
                    .is_some_and(|c| c.trim() != "(none)")
            })
        })
}

fn can_make_environments() -> bool {
    Shell::new().is_ok_and(|sh| {
        cmd!(sh, "python3 -c 'import venv, ensurepip'")
            .quiet()
            .ignore_stderr()
            .run()
            .is_ok()
    })
}

fn run(job: &Job, command: &mut Vec<String>) -> Result {
    let mut tail = Vec::new();
    let program = command.remove(0);
    let code = job.run_program(&program, command, &mut |line| {
        tail.push(line.to_owned());
        if tail.len() > 20 {
            tail.remove(0);
        }
    })?;
    if code == 0 {
        return Ok(());
    }
    fail(
        Kind::Infrastructure,
        format!(
            "{program} {} ended with {code}:\n{}",
            command.join(" "),
            tail.join("\n")
        ),
    )
}

fn confirm(what: &str) -> Result {
    if !std::io::stdin().is_terminal() {
        return fail(
            Kind::Usage,
            format!("{what}\nand there is no terminal to ask whether it may"),
        )
        .hint("run the command again with --yes");
    }
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{what}\nGo on? [y/N] ");
    let _ = err.flush();
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .kind(Kind::Usage)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    fail(Kind::Usage, "nothing was installed")
}
