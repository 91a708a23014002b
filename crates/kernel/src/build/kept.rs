//! Built kernels as the cache keeps them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::build::diagnose::Diagnostic;
use crate::build::kconfig::Unmet;
use crate::cache::{Cache, children, file_name, hash, read_json};
use crate::error::IoError;

/// What is known of a built kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// What `uname -r` will say.
    pub release: String,
    pub tree: String,
    /// First lines of the compiler's and the linker's `--version`.
    pub compiler: String,
    /// What make was told.
    pub arguments: Vec<String>,
    /// When it was built, in seconds since 1970.
    pub built: u64,
    /// How long that took, in seconds.
    pub seconds: f64,
    /// Files compiled.
    pub objects: u32,
    /// Whether they were all of the kernel's.
    pub complete: bool,
    /// A hash of the configuration asked for.
    pub requests: String,
    /// Options it does not grant that may be missing.
    pub notes: Vec<Unmet>,
    /// What the compiler warned of, in the files compiled.
    pub warnings: Vec<Diagnostic>,
    /// The image's length in bytes.
    pub image_bytes: u64,
    pub image_sha1: String,
    #[serde(default)]
    pub modules: Vec<Module>,
}

/// A module that lies beside its kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// The file's name, with `.ko`.
    pub name: String,
    pub sha1: String,
}

impl Cache {
    /// The folder of a built kernel.
    pub(super) fn kernel_dir(&self, key: &str) -> PathBuf {
        self.root().join("kernels").join(key)
    }

    /// A built kernel, if its image and modules are still what was built and
    /// its configuration is this one.
    pub(super) fn kernel(&self, key: &str, config: &str) -> Option<Meta> {
        let folder = self.kernel_dir(key);
        let meta: Meta = read_json(&folder.join("meta.json"))?;
        let image = fs_err::read(folder.join("bzImage")).ok()?;
        let stored = fs_err::read(folder.join("config")).ok()?;
        let module = |module: &Module| {
            fs_err::read(folder.join(&module.name)).is_ok_and(|it| hash([&it]) == module.sha1)
        };
        let whole = image.len() as u64 == meta.image_bytes
            && hash([&image]) == meta.image_sha1
            && stored == config.as_bytes()
            && meta.modules.iter().all(module);
        whole.then_some(meta)
    }

    /// Puts a built kernel and its modules in their place. The caller holds its
    /// lock.
    pub(super) fn publish(
        &self,
        key: &str,
        image: &Path,
        modules: &[PathBuf],
        config: &str,
        mut meta: Meta,
    ) -> Result<Meta, IoError> {
        let staged = self.scratch("kernel")?;
        let bytes = fs_err::read(image)?;
        meta.image_bytes = bytes.len() as u64;
        meta.image_sha1 = hash([&bytes]);
        fs_err::write(staged.join("bzImage"), &bytes)?;
        fs_err::write(staged.join("config"), config)?;
        for module in modules {
            let bytes = fs_err::read(module)?;
            let (name, sha1) = (file_name(module), hash([&bytes]));
            fs_err::write(staged.join(&name), &bytes)?;
            meta.modules.push(Module { name, sha1 });
        }
        self.write_json(&staged.join("meta.json"), &meta)?;
        self.put(&staged, &self.kernel_dir(key))?;
        Ok(meta)
    }

    /// Files compiled when all of a kernel with these requests was last built.
    pub(super) fn remembered(&self, requests: &str) -> Option<u32> {
        children(&self.root().join("kernels"))
            .iter()
            .filter_map(|folder| read_json::<Meta>(&folder.join("meta.json")))
            .filter(|meta| meta.complete && meta.requests == requests)
            .max_by_key(|meta| meta.built)
            .map(|meta| meta.objects)
    }
}
