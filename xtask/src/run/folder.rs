//! A run folder on disk: written as the rounds end, so that an interrupted run
//! keeps what it has, and read back by the commands that need no guest.

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

/// A folder for a run that begins now: `--out`, else `runs/TIME`.
pub fn create(out: Option<&Path>, started: &jiff::Timestamp) -> Result<PathBuf> {
    let folder = match out {
        Some(out) => out.to_owned(),
        None => {
            let Some(runs) = home::runs() else {
                return fail(Kind::Usage, "there is no place for runs: HOME is not set")
                    .hint("name a folder with --out");
            };
            fs_err::create_dir_all(&runs).kind(Kind::Infrastructure)?;
            let name = started.strftime("%Y%m%dT%H%M%SZ").to_string();
            // Two runs may start within a second.
            let fresh = (0..100)
                .map(|n| {
                    if n == 0 {
                        name.clone()
                    } else {
                        format!("{name}-{n}")
                    }
                })
                .map(|name| runs.join(name))
                .find(|folder| std::fs::create_dir(folder).is_ok());
            match fresh {
                Some(folder) => folder,
                None => {
                    return fail(
                        Kind::Infrastructure,
                        format!("can't make a folder in {}", runs.display()),
                    )
                    .hint("name one with --out");
                }
            }
        }
    };
    refuse_taken(&folder)?;
    fs_err::create_dir_all(&folder).kind(Kind::Infrastructure)?;
    Ok(folder)
}

/// Fails where a folder has a run in it.
pub fn refuse_taken(folder: &Path) -> Result {
    match has_run(folder) {
        false => Ok(()),
        true => fail(
            Kind::Usage,
            format!("{} already holds a run", folder.display()),
        )
        .hint("name another folder with --out"),
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
