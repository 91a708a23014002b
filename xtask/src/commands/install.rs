//! `install`: a program `reaperlab` that works in any folder.

use std::env;
use std::path::{Path, PathBuf};

use clap::Args;
use vm::process::Cancel;

use crate::exit::{Advise, Classify, Kind, Result, fail};
use crate::guest::Program;
use crate::home::{self, INSTALLED};
use crate::job::Job;
use crate::output::print;

/// `install`'s options.
#[derive(Debug, Args)]
pub struct Options {
    /// The folder to put the program into [default: ~/.local/bin or
    /// ~/.cargo/bin, whichever PATH has]
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// Fetch nothing: use only what is here already
    #[arg(long)]
    offline: bool,
}

/// What belongs to the program, in the checkout and beside the program. Of
/// `patches` each folder by itself: the user may have some there as well.
const FILES: [&str; 3] = [
    "kernel-tests/configs",
    "kernel-tests/module",
    "kernel-tests/suite.toml",
];

/// Puts the program and what belongs to it into the user's data folder, and a
/// link to it on the user's path.
pub fn run(args: &Options, checkout: &Path, cancel: &Cancel) -> Result {
    let job = Job::new(cancel, args.offline)?;
    let guest = Program::build(&job)?;
    let (Some(data), Some(bin)) = (home::data(), place(args.into.as_deref())) else {
        return fail(
            Kind::Usage,
            "there is no place to install to: HOME is not set",
        );
    };
    let link = bin.join(INSTALLED);
    if link.symlink_metadata().is_ok_and(|it| !it.is_symlink()) {
        return fail(
            Kind::Usage,
            format!(
                "{} exists and was not installed by this command",
                link.display()
            ),
        )
        .hint("name another folder with --into");
    }
    fs_err::create_dir_all(&data).kind(Kind::Infrastructure)?;
    fs_err::create_dir_all(&bin).kind(Kind::Infrastructure)?;
    for name in FILES {
        put(&checkout.join(name), &data.join(name))?;
    }
    for entry in fs_err::read_dir(checkout.join("patches")).kind(Kind::Infrastructure)? {
        let entry = entry.kind(Kind::Infrastructure)?;
        put(&entry.path(), &data.join("patches").join(entry.file_name()))?;
    }
    guest.install(&data)?;
    // The program comes last: it never meets files older than itself.
    let program = env::current_exe().kind(Kind::Infrastructure)?;
    put(&program, &data.join(INSTALLED))?;
    let fresh = bin.join(format!(".{INSTALLED}-{}", std::process::id()));
    fs_err::os::unix::fs::symlink(data.join(INSTALLED), &fresh).kind(Kind::Infrastructure)?;
    fs_err::rename(&fresh, &link).kind(Kind::Infrastructure)?;
    print(&format!(
        "{}\n  its files: {}\n",
        link.display(),
        data.display()
    ))?;
    if !on_path(&bin) {
        job.progress.note(&format!(
            "{} is not in PATH; add it, or name another folder with --into",
            bin.display()
        ));
    }
    Ok(())
}

/// Where the user's programs are.
fn place(into: Option<&Path>) -> Option<PathBuf> {
    if let Some(into) = into {
        return std::path::absolute(into).ok();
    }
    let home = PathBuf::from(env::var_os("HOME")?);
    let usual = [".local/bin", ".cargo/bin"].map(|folder| home.join(folder));
    let known = usual.iter().find(|folder| on_path(folder));
    known.or(usual.first()).cloned()
}

fn on_path(folder: &Path) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|it| it == folder)
}

/// Copies a file or a folder, so that it is there whole or as it was.
fn put(from: &Path, to: &Path) -> Result {
    let parent = to.parent().unwrap_or(Path::new("."));
    fs_err::create_dir_all(parent).kind(Kind::Infrastructure)?;
    let staged = tempfile::Builder::new()
        .prefix(".install-")
        .tempdir_in(parent)
        .kind(Kind::Infrastructure)?;
    let fresh = staged.path().join("fresh");
    copy(from, &fresh).kind(Kind::Infrastructure)?;
    if to.is_dir() {
        fs_err::rename(to, staged.path().join("old")).kind(Kind::Infrastructure)?;
    }
    fs_err::rename(&fresh, to).kind(Kind::Infrastructure)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if !from.is_dir() {
        return fs_err::copy(from, to).map(drop);
    }
    fs_err::create_dir(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
