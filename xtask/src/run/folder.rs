//! A run folder on disk: written as the rounds end, so that an interrupted run
//! keeps what it has, and read back by the commands that need no guest.

use std::fs::{File, TryLockError};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use evidence::run::{Round, Run};
use evidence::stored;
use results::ktap;
use results::record::Record;
use series::patch::{Patch, format};

use super::request::Request;
use crate::exit::{Advise, Classify, Kind, Result, fail};
use crate::home;

/// What was asked for.
const REQUEST: &str = "request.json";
/// The series, where it was not committed.
const SERIES: &str = "series.mbox";

/// A folder that no other command writes to while this lives.
#[derive(Debug)]
pub struct Claim {
    folder: PathBuf,
    /// Whether it was made for this.
    made: bool,
    _lock: File,
}

impl Claim {
    /// A folder for a run that begins now: `--out`, else `runs/TIME`.
    pub fn fresh(out: Option<&Path>, started: &jiff::Timestamp) -> Result<Self> {
        let claim = match out {
            Some(out) => Self::of(out)?,
            None => of_time(started)?,
        };
        match has_run(&claim.folder) {
            false => Ok(claim),
            true => fail(
                Kind::Usage,
                format!("{} already holds a run", claim.folder.display()),
            )
            .hint("name another folder with --out"),
        }
    }

    /// A folder of this name, made where it is not there.
    pub fn of(folder: &Path) -> Result<Self> {
        let made = !folder.exists();
        fs_err::create_dir_all(folder).kind(Kind::Infrastructure)?;
        let lock = File::open(folder).kind(Kind::Infrastructure)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                folder: folder.to_owned(),
                made,
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => fail(
                Kind::Usage,
                format!("another command writes to {}", folder.display()),
            )
            .hint("wait for it, or name another folder with --out"),
            Err(TryLockError::Error(error)) => Err(error).kind(Kind::Infrastructure),
        }
    }

    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.made {
            // Where nothing was written nothing stays.
            let _ = std::fs::remove_dir(&self.folder);
        }
    }
}

fn of_time(started: &jiff::Timestamp) -> Result<Claim> {
    let Some(runs) = home::runs() else {
        return fail(Kind::Usage, "there is no place for runs: HOME is not set")
            .hint("name a folder with --out");
    };
    fs_err::create_dir_all(&runs).kind(Kind::Infrastructure)?;
    let name = started.strftime("%Y%m%dT%H%M%SZ").to_string();
    // Two runs may start within a second.
    let names = std::iter::once(name.clone()).chain((1..100).map(|n| format!("{name}-{n}")));
    let fresh = names
        .map(|name| runs.join(name))
        .find(|folder| std::fs::create_dir(folder).is_ok());
    match fresh {
        Some(folder) => {
            let mut claim = Claim::of(&folder)?;
            claim.made = true;
            Ok(claim)
        }
        None => fail(
            Kind::Infrastructure,
            format!("can't make a folder in {}", runs.display()),
        )
        .hint("name one with --out"),
    }
}

/// Whether a folder has a run in it.
pub fn has_run(folder: &Path) -> bool {
    folder.join("run.json").exists()
}

/// The command that goes on with what is in a folder, as advice.
pub fn resume_with(command: &str, folder: &Path) -> String {
    let folder = folder.display().to_string();
    let folder = shell_words::quote(&folder);
    let line = home::line(&format!("{command} --resume {folder}"));
    format!("resume with: {line}")
}

/// Points `runs/latest` at a run that lies beside it.
pub fn mark_latest(folder: &Path) {
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else {
        return;
    };
    if home::runs().is_none_or(|runs| parent != runs) {
        return;
    }
    let link = parent.join("latest");
    let fresh = parent.join(format!(".latest-{}", std::process::id()));
    // Only a convenience: a run is none the worse without it.
    if std::os::unix::fs::symlink(name, &fresh).is_ok() && std::fs::rename(&fresh, &link).is_err() {
        let _ = std::fs::remove_file(&fresh);
    }
}

/// Writes `run.json`.
pub fn save(folder: &Path, run: &Run) -> Result {
    let mut json = serde_json::to_vec_pretty(run).kind(Kind::Infrastructure)?;
    json.push(b'\n');
    write(&folder.join("run.json"), &json)
}

/// Writes down what was asked for, so that the run can be resumed.
pub fn save_request(folder: &Path, request: &Request) -> Result {
    let mut json = serde_json::to_vec_pretty(request).kind(Kind::Infrastructure)?;
    json.push(b'\n');
    write(&folder.join(REQUEST), &json)
}

/// Writes down the patches of a series that will be another one soon.
pub fn save_series(folder: &Path, patches: &[Patch]) -> Result {
    let mails: Vec<_> = patches.iter().map(format::patch).collect();
    write(&folder.join(SERIES), &mails.concat())
}

/// Where such a series is, as `--series` takes it.
pub fn kept_series(folder: &Path) -> Option<String> {
    let path = folder.join(SERIES);
    path.is_file().then(|| path.display().to_string())
}

/// What the run in a folder was asked to do; none of a folder of an earlier
/// version, which did not write it down.
pub fn load_request(folder: &Path) -> Result<Option<Request>> {
    let path = folder.join(REQUEST);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = fs_err::read(&path).kind(Kind::Usage)?;
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| anyhow::anyhow!("{} is damaged: {error}", path.display()))
        .kind(Kind::Usage)
}

/// Writes what a round's guest said. Its console is there already.
pub fn save_round(folder: &Path, round: &Round, ktap: &str) -> Result {
    let records = serde_json::to_vec(&round.records).kind(Kind::Infrastructure)?;
    write(&folder.join("ktap.log"), ktap.as_bytes())?;
    write(&folder.join("record.json"), &records)
}

/// A file that is whole or not there.
pub fn write(path: &Path, bytes: &[u8]) -> Result {
    let parent = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(parent)
        .kind(Kind::Infrastructure)?;
    file.write_all(bytes).kind(Kind::Infrastructure)?;
    file.persist(path).kind(Kind::Infrastructure)?;
    Ok(())
}

/// Reads a run back, its rounds' samples and results included.
pub fn load(folder: &Path) -> Result<Run> {
    let path = folder.join("run.json");
    if !path.exists() {
        return fail(Kind::Usage, format!("{} has no run", folder.display()))
            .hint("give the folder that patch-test named, or --out of it; a run that is not finished has no report yet");
    }
    let text = fs_err::read(&path).kind(Kind::Usage)?;
    let (mut run, schema) = match stored::read(&text) {
        Ok(read) => read,
        Err(error) => return fail(Kind::Usage, format!("{}: {error}", path.display())),
    };
    let kernel = run.kernel.name.clone();
    for round in &mut run.rounds {
        let place = folder.join(round.folder(&kernel));
        round.ktap = read_ktap(&place.join("ktap.log"))?;
        round.records = read_records(&place.join("record.json"))?;
        stored::complete(round, schema);
    }
    Ok(run)
}

fn read_ktap(path: &Path) -> Result<ktap::Report> {
    let file = fs_err::File::open(path).kind(Kind::Usage)?;
    ktap::read(BufReader::new(file)).kind(Kind::Usage)
}

fn read_records(path: &Path) -> Result<Vec<Record>> {
    let bytes = fs_err::read(path).kind(Kind::Usage)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| anyhow::anyhow!("{} is damaged: {error}", path.display()))
        .kind(Kind::Usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_commands() {
        let place = tempfile::tempdir().unwrap();
        let (folder, now) = (place.path().join("run"), jiff::Timestamp::now());
        let claim = Claim::fresh(Some(&folder), &now).unwrap();
        let other = Claim::fresh(Some(&folder), &now).unwrap_err();
        assert_eq!(other.kind, Kind::Usage);
        assert!(other.to_string().starts_with("another command writes to "));
        // Where nothing was written nothing stays.
        drop(claim);
        assert!(!folder.exists());
        let claim = Claim::of(&folder).unwrap();
        std::fs::write(folder.join("run.json"), "{}").unwrap();
        drop(claim);
        let taken = Claim::fresh(Some(&folder), &now).unwrap_err();
        assert!(taken.to_string().ends_with(" already holds a run"));
        assert!(Claim::of(&folder).is_ok() && folder.exists());
    }
}
