//! Modules that are no part of the tree.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::build::builder::Builder;
use crate::build::configure::Resolved;
use crate::build::copy::{Listing, copy_tree};
use crate::build::diagnose::Diagnostic;
use crate::build::error::Result;
use crate::build::target::Arm;
use crate::cache::{failed, hash};

/// Where modules from outside the tree are compiled, in an object folder.
const MODULES: &str = "modules-from-outside";

/// The source of a module that is no part of the tree.
pub(super) struct ModuleSource<'a> {
    name: String,
    dir: &'a Path,
    /// A hash of all that it holds.
    pub(super) id: String,
}

impl<'a> ModuleSource<'a> {
    fn of(dir: &'a Path) -> Result<Self> {
        let read = || -> io::Result<Vec<Vec<u8>>> {
            let mut files = Listing::of(dir)?.files;
            files.sort_by(|a, b| a.path.cmp(&b.path));
            let mut parts = Vec::new();
            for file in files {
                parts.push(file.path.as_os_str().as_bytes().to_vec());
                parts.push(fs_err::read(dir.join(&file.path))?);
            }
            Ok(parts)
        };
        let parts = read().map_err(failed("read", dir))?;
        Ok(Self {
            name: dir
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            dir,
            id: hash(parts),
        })
    }
}

impl Builder<'_> {
    /// The modules to build with a kernel of this configuration.
    pub(super) fn modules_for(&self, resolved: &Resolved) -> Result<Vec<ModuleSource<'_>>> {
        let loadable = |row: &str| row == "CONFIG_MODULES=y";
        if !resolved.config.lines().any(loadable) {
            return Ok(Vec::new());
        }
        self.modules
            .iter()
            .map(|dir| ModuleSource::of(dir))
            .collect()
    }

    /// Compiles the modules against the kernel that lies in `live`. Returns
    /// where they are, and the warnings.
    pub(super) fn compile_modules(
        &self,
        arm: &Arm,
        key: &str,
        source: &Path,
        live: &Path,
        modules: &[ModuleSource<'_>],
    ) -> Result<(Vec<PathBuf>, Vec<Diagnostic>)> {
        let place = live.join(MODULES);
        self.cache.remove(&place)?;
        let (mut built, mut warnings) = (Vec::new(), Vec::new());
        if modules.is_empty() {
            return Ok((built, warnings));
        }
        fs_err::create_dir(&place).map_err(failed("make", &place))?;
        // `make modules` would write it, and compile the tree's own modules.
        let symbols = live.join("Module.symvers");
        fs_err::copy(live.join("vmlinux.symvers"), &symbols).map_err(failed("write", &symbols))?;
        for module in modules {
            let folder = place.join(&module.name);
            copy_tree(module.dir, &folder, 1).map_err(failed("copy to", &folder))?;
            let mut outside = OsString::from("M=");
            outside.push(&folder);
            let what = format!("{} for {}", module.dir.display(), arm.name);
            let log = self.log(&format!("{key}-{}", module.name));
            let targets = [outside, "modules".into()];
            warnings.extend(self.make(&what, source, live, &targets, &log, &mut |_| {})?);
            let listing = Listing::of(&folder).map_err(failed("read", &folder))?;
            let paths = listing.files.iter().map(|file| folder.join(&file.path));
            built.extend(paths.filter(|path| path.extension().is_some_and(|e| e == "ko")));
        }
        built.sort();
        Ok((built, warnings))
    }
}
