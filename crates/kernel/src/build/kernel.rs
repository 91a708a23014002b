//! Kernels: from the cache, or built.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::build::builder::{Builder, Event};
use crate::build::configure::Resolved;
use crate::build::diagnose::Diagnostic;
use crate::build::error::Result;
use crate::build::kept::Meta;
use crate::build::make::{ARGUMENTS, compiled};
use crate::build::objects::{self, Live, Start};
use crate::build::recipe::Recipe;
use crate::build::target::{Source, Target};
use crate::cache::{Cache, Lock, Mode};

/// Where kbuild leaves the image.
const IMAGE: &str = "arch/x86/boot/bzImage";

/// A kernel that is there. It can't be pruned while this value lives.
#[derive(Debug)]
pub struct Built {
    pub name: String,
    /// What it is found by.
    pub key: String,
    pub image: PathBuf,
    /// The resolved `.config`.
    pub config: PathBuf,
    /// The modules that were asked for, as far as this kernel has what they
    /// need.
    pub modules: Vec<PathBuf>,
    /// Whether it was there before.
    pub cached: bool,
    pub meta: Meta,
    _lock: Lock,
}

impl Built {
    /// The linked kernel with its symbols, as long as the objects that it was made of
    /// are kept.
    pub fn vmlinux(&self, cache: &Cache) -> Option<PathBuf> {
        objects::vmlinux(cache, &self.key)
    }
}

impl Builder<'_> {
    /// The kernel of each target, in order: from the cache, or built, each
    /// starting from the objects of whichever differs least.
    ///
    /// # Errors
    /// A configuration that the kernel does not grant, a failed build, a
    /// missing tool, a full disk, a cancelled run.
    pub fn ensure(
        &self,
        source: &mut dyn Source,
        targets: &[Target],
        on_event: &mut dyn FnMut(&Target, Event<'_>),
    ) -> Result<Vec<Built>> {
        let compiler = self.toolchain.compiler(self.runner, self.cache.root())?;
        let mut built = Vec::new();
        let mut earlier: Vec<Resolved> = Vec::new();
        for target in targets {
            let event = &mut |event: Event<'_>| on_event(target, event);
            let resolved = self.resolve(source, target, &compiler, &earlier, event)?;
            let recipe = Recipe::new(self, target, &compiler, &resolved)?;
            built.push(self.kernel(source, &recipe, event)?);
            earlier.push(resolved);
        }
        Ok(built)
    }

    /// One kernel, from the cache or built.
    fn kernel(
        &self,
        source: &mut dyn Source,
        recipe: &Recipe<'_>,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Built> {
        let folder = self.cache.kernel_dir(&recipe.key);
        let kept = || self.cache.kernel(&recipe.key, &recipe.resolved.config);
        let mut cached = true;
        loop {
            let lock = self.lock(&folder, Mode::Shared, on_event)?;
            if let Some(meta) = kept() {
                on_event(Event::Ready { cached });
                let modules = meta.modules.iter();
                return Ok(Built {
                    name: recipe.target.name.clone(),
                    key: recipe.key.clone(),
                    image: folder.join("bzImage"),
                    config: folder.join("config"),
                    modules: modules.map(|it| folder.join(&it.name)).collect(),
                    cached,
                    meta,
                    _lock: lock,
                });
            }
            drop(lock);
            let _lock = self.lock(&folder, Mode::Exclusive, on_event)?;
            // Somebody may have built it while this one waited.
            if kept().is_none() {
                self.compile(source, recipe, on_event)?;
                cached = false;
            }
        }
    }

    /// Builds and publishes. The caller holds the kernel's lock.
    fn compile(
        &self,
        source: &mut dyn Source,
        recipe: &Recipe<'_>,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<()> {
        let started = Instant::now();
        let _source = self.lock(source.dir(), Mode::Exclusive, on_event)?;
        let live = self.lay_out(source, recipe, on_event)?;
        let (objects, mut warnings) = self.make_image(recipe, source.dir(), &live, on_event)?;
        // Whatever becomes of the modules, the kernel's objects are whole.
        let modules = self.compile_modules(recipe, source.dir(), &live.dir);
        if modules.is_err() {
            self.keep(&live)?;
        }
        let (modules, more) = modules?;
        warnings.extend(more);

        let release = fs_err::read_to_string(live.dir.join("include/config/kernel.release"))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let meta = Meta {
            release: release.trim().into(),
            tree: recipe.target.tree.to_string(),
            compiler: recipe.compiler.into(),
            arguments: ARGUMENTS.map(Into::into).into(),
            built: now.map_or(0, |now| now.as_secs()),
            seconds: started.elapsed().as_secs_f64(),
            objects,
            complete: matches!(live.start, Start::Nothing),
            requests: self.requests_hash(),
            notes: recipe.resolved.notes.clone(),
            warnings,
            image_bytes: 0,
            image_sha1: String::new(),
            modules: Vec::new(),
        };
        let (image, config) = (live.dir.join(IMAGE), &recipe.resolved.config);
        self.cache
            .publish(&recipe.key, &image, &modules, config, meta)?;
        self.keep(&live)
    }

    /// Makes the kernel and what modules are compiled with, in one go. Returns
    /// how many files were compiled, and the warnings.
    fn make_image(
        &self,
        recipe: &Recipe<'_>,
        source: &Path,
        live: &Live,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<(u32, Vec<Diagnostic>)> {
        let total = self.expected(live, &recipe.resolved.config);
        on_event(Event::Started { total });
        let goals: &[&str] = match recipe.modules.as_slice() {
            [] => &["bzImage"],
            _ => &["modules_prepare", "bzImage"],
        };
        let goals: Vec<OsString> = goals.iter().map(Into::into).collect();
        let (out, log, name) = (&live.dir, self.log(&recipe.key), &recipe.target.name);
        let prefix = format!("{}/", out.display());
        let mut done = 0;
        let warnings = self.make(name, source, out, &goals, &log, &mut |row| {
            if let Some(name) = compiled(row) {
                done += 1;
                on_event(Event::Object {
                    done,
                    total: total.map(|total| total.max(done)),
                    name: name.strip_prefix(&prefix).unwrap_or(name),
                });
            }
        })?;
        Ok((done, warnings))
    }
}
