//! Modules that are no part of the tree.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::build::builder::Builder;
use crate::build::copy::{Listing, copy_tree, holds_all_of};
use crate::build::diagnose::Diagnostic;
use crate::build::error::Result;
use crate::build::recipe::Recipe;

/// Where they are compiled, in an object folder.
const MODULES: &str = "modules-from-outside";

impl Builder<'_> {
    /// Compiles the modules against the kernel that lies in `live`. Returns
    /// where they are, and the warnings.
    pub(super) fn compile_modules(
        &self,
        recipe: &Recipe<'_>,
        source: &Path,
        live: &Path,
    ) -> Result<(Vec<PathBuf>, Vec<Diagnostic>)> {
        let place = live.join(MODULES);
        let (mut built, mut warnings) = (Vec::new(), Vec::new());
        if recipe.modules.is_empty() {
            return Ok((built, warnings));
        }
        fs_err::create_dir_all(&place)?;
        // `make modules` would write it, and compile the tree's own modules.
        let symbols = live.join("Module.symvers");
        fs_err::copy(live.join("vmlinux.symvers"), &symbols)?;
        for module in &recipe.modules {
            let folder = place.join(&module.name);
            // What the last kernel left there is make's to look through.
            if !holds_all_of(&folder, module.dir)? {
                self.cache.remove(&folder)?;
                copy_tree(module.dir, &folder, 1)?;
            }
            let mut outside = OsString::from("M=");
            outside.push(&folder);
            let what = format!("{} for {}", module.dir.display(), recipe.target.name);
            let log = self.log(&format!("{}-{}", recipe.key, module.name));
            let goals = [outside, "modules".into()];
            warnings.extend(self.make(&what, source, live, &goals, &log, &mut |_| {})?);
            let listing = Listing::of(&folder)?;
            let paths = listing.files.iter().map(|file| folder.join(&file.path));
            built.extend(paths.filter(|path| path.extension().is_some_and(|e| e == "ko")));
        }
        built.sort();
        Ok((built, warnings))
    }
}
