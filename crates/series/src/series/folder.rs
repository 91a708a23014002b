//! The folder that `patches/` keeps of a series.

use super::manifest::{self, Manifest};
use super::model::Series;
use crate::patch::format::{file_name, patch};

/// The files of a series' folder, by name: its patches, and a manifest to
/// start from.
///
/// # Errors
/// Where the series has a value that no manifest can hold.
pub fn pack(series: &Series) -> Result<Vec<(String, Vec<u8>)>, manifest::Error> {
    let mut files: Vec<_> = series
        .patches
        .iter()
        .map(|one| (file_name(one), patch(one)))
        .collect();
    let manifest = manifest(series)?;
    files.push((manifest::FILE.to_owned(), manifest.to_toml()?.into_bytes()));
    Ok(files)
}

/// The manifest of a series of which nothing is known but itself.
///
/// # Errors
/// Where the series has a value that no manifest can hold.
pub fn manifest(series: &Series) -> Result<Manifest, manifest::Error> {
    let manifest = Manifest {
        name: series.name.clone(),
        title: series.title.clone(),
        version: series.version,
        patches: series.patches.iter().map(file_name).collect(),
        kernels: Vec::new(),
        missing: series.missing.clone(),
        missing_note: None,
        source: None,
        change_id: series.identity.change_ids().next().map(str::to_owned),
        message_ids: Vec::new(),
        titles: Vec::new(),
        expect: manifest::Expect::default(),
        measure: None,
        prerequisites: Vec::new(),
        inverses: Vec::new(),
        variants: Vec::new(),
        probes: Vec::new(),
    };
    manifest.check()?;
    Ok(manifest)
}
