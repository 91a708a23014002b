//! What earlier runs have found of mistakes in the same kernel. What a compiler makes of
//! one does not change, and to find out takes a build.

use std::collections::BTreeSet;
use std::path::PathBuf;

use kernel::build::Built;
use mutate::Mistake;
use serde::{Deserialize, Serialize};

use crate::exit::Result;
use crate::run::folder;

/// It lies beside the image of the right kernel, and goes with it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Known {
    #[serde(skip)]
    place: PathBuf,
    refused: BTreeSet<String>,
    same_code: BTreeSet<String>,
}

impl Known {
    /// What is known of this kernel's. A file that can't be read is as good as none.
    pub fn of(right: &Built) -> Self {
        let place = right.image.with_file_name("mistakes.json");
        let text = fs_err::read(&place).unwrap_or_default();
        Self {
            place,
            ..serde_json::from_slice(&text).unwrap_or_default()
        }
    }

    /// Whether the compiler refuses it.
    pub fn refuses(&self, path: &str, mistake: &Mistake) -> bool {
        self.refused.contains(&key(path, mistake))
    }

    /// Whether the compiler makes the same code of it.
    pub fn is_same_code(&self, path: &str, mistake: &Mistake) -> bool {
        self.same_code.contains(&key(path, mistake))
    }

    pub fn add_refused(&mut self, path: &str, mistake: &Mistake) {
        self.refused.insert(key(path, mistake));
    }

    pub fn add_same_code(&mut self, path: &str, mistake: &Mistake) {
        self.same_code.insert(key(path, mistake));
    }

    pub fn save(&self) -> Result {
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        folder::write(&self.place, &json)
    }
}

fn key(path: &str, mistake: &Mistake) -> String {
    format!("{path} {} {}", mistake.name(), mistake.with)
}
