//! What a kernel is made of, and so what it is found by.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::build::builder::Builder;
use crate::build::configure::Resolved;
use crate::build::copy::Listing;
use crate::build::error::Result;
use crate::build::make::ARGUMENTS;
use crate::build::target::Target;
use crate::cache::hash;

pub(super) struct Recipe<'a> {
    pub(super) target: &'a Target,
    /// See [`Toolchain::compiler`](crate::build::Toolchain::compiler).
    pub(super) compiler: &'a str,
    pub(super) resolved: &'a Resolved,
    pub(super) modules: Vec<ModuleSource<'a>>,
    /// A hash of all of it.
    pub(super) key: String,
}

impl<'a> Recipe<'a> {
    pub(super) fn new(
        builder: &Builder<'a>,
        target: &'a Target,
        compiler: &'a str,
        resolved: &'a Resolved,
    ) -> Result<Self> {
        let loadable = resolved.config.lines().any(|row| row == "CONFIG_MODULES=y");
        let modules = builder.modules.iter().filter(|_| loadable);
        let modules: Vec<_> = modules
            .map(|dir| ModuleSource::of(dir))
            .collect::<Result<_>>()?;
        let tree = target.tree.to_string();
        let parts = [tree.as_str(), &resolved.config, compiler].into_iter();
        let key = hash(
            parts
                .chain(ARGUMENTS)
                .chain(modules.iter().map(|module| module.id.as_str())),
        );
        Ok(Self {
            target,
            compiler,
            resolved,
            modules,
            key,
        })
    }

    /// What kernels agree in that can start from each other's objects.
    pub(super) fn family(&self, source: &Path) -> String {
        let parts = [source.as_os_str(), OsStr::new(self.compiler)].into_iter();
        hash(parts.chain(ARGUMENTS.map(OsStr::new)).map(OsStr::as_bytes))
    }
}

/// The source of a module that is no part of the tree.
pub(super) struct ModuleSource<'a> {
    pub(super) name: String,
    pub(super) dir: &'a Path,
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
        let parts = read()?;
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
