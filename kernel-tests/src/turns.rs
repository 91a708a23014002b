//! This guest's side of the turns that two guests take ([`results::turn`]).

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use results::turn::Word;

use crate::failure::{Failure, ResultExt};

/// Where the host's words come from, and how long was waited for them.
#[derive(Debug)]
pub struct Turns {
    port: Mutex<BufReader<File>>,
    waits: Mutex<Waits>,
}

#[derive(Debug, Default)]
struct Waits {
    done: Duration,
    since: Option<Instant>,
}

impl Turns {
    pub fn new(port: File) -> Self {
        Self {
            port: Mutex::new(BufReader::new(port)),
            waits: Mutex::default(),
        }
    }

    /// Blocks until the host says something.
    pub fn wait(&self) -> Result<Word, Failure> {
        self.waits().since = Some(Instant::now());
        let mut line = String::new();
        let mut port = self.port.lock().unwrap_or_else(PoisonError::into_inner);
        let read = port.read_line(&mut line);
        let mut waits = self.waits();
        let waited = waits.since.take().map(|since| since.elapsed());
        waits.done += waited.unwrap_or_default();
        read.while_doing(|| "waiting for the host's word".into())?;
        Word::from_line(&line)
            .ok_or_else(|| Failure::unmet(format!("the host said {line:?} instead of a word")))
    }

    /// How long was waited for the host so far: no scenario's own time.
    pub fn waited(&self) -> Duration {
        let waits = self.waits();
        waits.done + waits.since.map(|since| since.elapsed()).unwrap_or_default()
    }

    fn waits(&self) -> std::sync::MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
