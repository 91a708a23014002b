//! Which kernel a short name stood for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// How long `6.12` stands for the same package or release without asking again.
const FRESH: Duration = Duration::from_secs(7 * 24 * 3600);

/// Which kernel a short name stood for, so that the next run need not ask apt
/// or kernel.org.
pub(super) struct Memory(PathBuf);

#[derive(Default, Serialize, Deserialize)]
struct Names(BTreeMap<String, Name>);

#[derive(Serialize, Deserialize)]
struct Name {
    id: String,
    since: SystemTime,
}

impl Memory {
    pub(super) fn open(cache: &Path) -> Self {
        Self(cache.join("names.json"))
    }

    fn read(&self) -> Names {
        let text = fs_err::read(&self.0).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub(super) fn recall(&self, asked: &str, however_old: bool) -> Option<String> {
        let name = self.read().0.remove(asked)?;
        let fresh = name.since.elapsed().is_ok_and(|age| age < FRESH);
        (fresh || however_old).then_some(name.id)
    }

    /// Forgetting costs a question, so failing to write is no error.
    pub(super) fn keep(&self, asked: &str, id: &str) {
        let mut names = self.read();
        let name = Name {
            id: id.to_owned(),
            since: SystemTime::now(),
        };
        names.0.insert(asked.to_owned(), name);
        let folder = self.0.parent().unwrap_or(Path::new("."));
        let Ok(file) = tempfile::NamedTempFile::new_in(folder) else {
            return;
        };
        if serde_json::to_writer(&file, &names).is_ok() {
            let _ = file.persist(&self.0);
        }
    }
}
