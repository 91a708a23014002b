//! The configuration of a tree, resolved by its own Kconfig.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use git2::Oid;
use serde::{Deserialize, Serialize};

use crate::build::builder::{Builder, Event};
use crate::build::error::Result;
use crate::build::kconfig::{ConfigError, Unmet, overlay, unmet};
use crate::build::make::ARGUMENTS;
use crate::build::target::{Source, Target};
use crate::cache::{Mode, hash, read_json};

/// A resolved configuration as the cache keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Resolved {
    pub(super) config: String,
    pub(super) notes: Vec<Unmet>,
    /// The tree whose Kconfig it is.
    #[serde(default)]
    tree: String,
    /// A hash of what else went into it.
    #[serde(default)]
    inputs: String,
}

/// How many configurations are looked at for one that serves.
const LOOKED_AT: usize = 32;

impl Builder<'_> {
    /// The `.config` that the requests make of a target's tree.
    pub(super) fn resolve(
        &self,
        source: &mut dyn Source,
        target: &Target,
        compiler: &str,
        earlier: &[Resolved],
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Resolved> {
        let tree = target.tree.to_string();
        let requests = self.requests_hash();
        let id = hash(
            [tree.as_str(), compiler, &requests]
                .iter()
                .chain(&ARGUMENTS),
        );
        let inputs = hash([compiler, &requests].iter().chain(&ARGUMENTS));
        let folder = self.cache.root().join("configs");
        let file = folder.join(id).with_extension("json");
        if let Some(resolved) = read_json::<Resolved>(&file) {
            return Ok(Resolved {
                tree,
                inputs,
                ..resolved
            });
        }
        let kept = || {
            let kept = newest(&folder).into_iter().take(LOOKED_AT);
            let kept = kept.filter_map(|file| read_json::<Resolved>(&file));
            kept.filter(|kept| kept.inputs == inputs)
        };
        for resolved in earlier.iter().cloned().chain(kept()) {
            // A tree may have been pruned meanwhile.
            let changed = Oid::from_str(&resolved.tree)
                .ok()
                .and_then(|other| source.changed(other, target.tree).ok());
            if changed.is_some_and(|paths| !paths.iter().any(|path| feeds_kconfig(path))) {
                let resolved = Resolved { tree, ..resolved };
                self.cache.write_json(&file, &resolved)?;
                return Ok(resolved);
            }
        }
        let _lock = self.lock(source.dir(), Mode::Exclusive, on_event)?;
        on_event(Event::Preparing);
        source.switch(target)?;
        on_event(Event::Configuring);
        let out = self.cache.scratch("config")?;
        let log = self.log(&format!("config-{}", hash([target.tree.to_string()])));
        let dot_config = out.join(".config");
        let configure = |goal| {
            let goals = [OsString::from(goal)];
            self.make(&target.name, source.dir(), &out, &goals, &log, &mut |_| {})
        };
        configure("tinyconfig")?;
        let tiny = fs_err::read_to_string(&dot_config)?;
        fs_err::write(&dot_config, overlay(&tiny, self.requests))?;
        configure("olddefconfig")?;
        let config = fs_err::read_to_string(&dot_config)?;
        self.cache.remove(&out)?;
        let (notes, lost) = unmet(&config, self.requests)
            .into_iter()
            .partition::<Vec<_>, _>(|unmet| unmet.request.optional);
        if !lost.is_empty() {
            return Err(ConfigError::Unmet(lost).into());
        }
        let resolved = Resolved {
            config,
            notes,
            tree,
            inputs,
        };
        self.cache.write_json(&file, &resolved)?;
        Ok(resolved)
    }
}

/// The files of a folder, the newest first.
fn newest(folder: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort_by(|one, other| other.cmp(one));
    files.into_iter().map(|(_, file)| file).collect()
}

/// Whether a change of this file can change what Kconfig makes of the requests.
fn feeds_kconfig(path: &Path) -> bool {
    let code = path
        .extension()
        .is_some_and(|e| ["c", "h", "S", "rst", "txt"].iter().any(|c| e == *c));
    !code || path.starts_with("scripts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_leaves_the_configuration_alone() {
        for (path, feeds) in [
            ("mm/oom_kill.c", false),
            ("include/linux/maple_tree.h", false),
            ("mm/Kconfig", true),
            ("init/Kconfig.suffix", true),
            ("Makefile", true),
            ("scripts/cc-version.sh", true),
            ("scripts/kconfig/conf.c", true),
        ] {
            assert_eq!(feeds_kconfig(Path::new(path)), feeds, "{path}");
        }
    }
}
