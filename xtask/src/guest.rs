//! The guest's side of a boot: its program, built statically, and its plan,
//! packed into an initramfs.

use std::path::{Path, PathBuf};

use kernel::build::selftests::Selftest;
use results::plan::{self, Plan};
use vm::initramfs::{self, File};

use crate::catalogue::Catalogue;
use crate::exit::{Classify, Kind, Result, fail};
use crate::home::{self, workspace};
use crate::job::Job;

/// The only target whose guests are supported so far.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Where `install` puts the guest's program.
const INSTALLED: &str = "kernel-tests/guest";

/// The guest's program, built and read.
pub struct Program {
    bytes: Vec<u8>,
    /// Where it lies.
    pub path: PathBuf,
    /// What it can run.
    pub catalogue: Catalogue,
}

impl Program {
    /// Builds the program where it is not built yet, and asks it what it can
    /// do. What is installed has it already.
    pub fn build(job: &Job) -> Result<Self> {
        match home::checkout() {
            Some(checkout) => Self::compile(job, checkout),
            None => Self::read(job, &workspace().join(INSTALLED)),
        }
    }

    /// Puts the program where [`build`](Self::build) finds it once it is
    /// installed.
    pub fn install(&self, data: &Path) -> Result {
        let path = data.join(INSTALLED);
        fs_err::create_dir_all(path.parent().unwrap_or(data)).kind(Kind::Infrastructure)?;
        let fresh = path.with_extension(std::process::id().to_string());
        fs_err::write(&fresh, &self.bytes).kind(Kind::Infrastructure)?;
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs_err::set_permissions(&fresh, executable).kind(Kind::Infrastructure)?;
        fs_err::rename(&fresh, &path).kind(Kind::Infrastructure)
    }

    fn read(job: &Job, path: &Path) -> Result<Self> {
        Ok(Self {
            bytes: fs_err::read(path).kind(Kind::Infrastructure)?,
            path: path.to_owned(),
            catalogue: list(job, path)?,
        })
    }

    fn compile(job: &Job, checkout: &Path) -> Result<Self> {
        let target = checkout.join("target/guest");
        let mut args: Vec<String> = [
            "build",
            "--locked",
            "--package=kernel-tests",
            "--profile=guest",
            "--target",
            TARGET,
            "--target-dir",
        ]
        .map(String::from)
        .into();
        args.push(target.display().to_string());
        if job.offline {
            args.push("--offline".into());
        }
        let mut said = Vec::new();
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let env = [
            // A caller's flags would be the guest's too; these alone make the
            // program run without a library.
            ("RUSTFLAGS".into(), "-C target-feature=+crt-static".into()),
            (
                "CARGO_ENCODED_RUSTFLAGS".into(),
                "-Ctarget-feature=+crt-static".into(),
            ),
        ];
        let code = job.run_program_in(checkout, &cargo, &args, &env, &mut |line| {
            if said.is_empty() && line.contains("Compiling") {
                job.progress.stage("Compiling the guest's program");
            }
            said.push(line.to_owned());
            job.progress.step(said.len() as u64, None, line.trim());
        })?;
        job.progress.finish("");
        if code != 0 {
            return fail(
                Kind::Infrastructure,
                format!("the guest's program does not build:\n{}", said.join("\n")),
            );
        }
        Self::read(job, &target.join(TARGET).join("guest/kernel-tests"))
    }

    /// An initramfs with this program as PID 1, this plan, and the modules and
    /// tests of the kernel that it is for.
    pub fn initramfs(
        &self,
        plan: &Plan,
        modules: &[PathBuf],
        selftests: &[Selftest],
        path: &Path,
    ) -> Result {
        let plan_json = serde_json::to_vec_pretty(plan).kind(Kind::Infrastructure)?;
        let modules = modules
            .iter()
            .map(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                Ok((format!("modules/{name}"), fs_err::read(path)?))
            })
            .collect::<std::io::Result<Vec<_>>>()
            .kind(Kind::Infrastructure)?;
        let selftests: Vec<_> = selftests
            .iter()
            .filter_map(|test| {
                let bytes = test.program.as_ref().ok()?;
                Some((format!("selftests/{}", test.name), bytes))
            })
            .collect();
        let mut files = vec![
            File {
                path: "init",
                mode: 0o755,
                bytes: &self.bytes,
            },
            File {
                path: plan::PATH.trim_start_matches('/'),
                mode: 0o644,
                bytes: &plan_json,
            },
        ];
        files.extend(modules.iter().map(|(path, bytes)| File {
            path,
            mode: 0o644,
            bytes,
        }));
        files.extend(selftests.iter().map(|(path, bytes)| File {
            path,
            mode: 0o755,
            bytes,
        }));
        let out = fs_err::File::create(path).kind(Kind::Infrastructure)?;
        initramfs::write(std::io::BufWriter::new(out), &files).kind(Kind::Infrastructure)
    }
}

fn list(job: &Job, path: &Path) -> Result<Catalogue> {
    let mut text = String::new();
    let code = job.run_program(&path.display().to_string(), &["list".into()], &mut |line| {
        text.push_str(line);
        text.push('\n');
    })?;
    if code != 0 {
        return fail(
            Kind::Infrastructure,
            format!("{} list ended with {code}", path.display()),
        );
    }
    serde_json::from_str(&text).kind(Kind::Infrastructure)
}
