//! Kernels: from the cache, or built.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::build::builder::{Builder, Event};
use crate::build::configure::Resolved;
use crate::build::error::Result;
use crate::build::kept::Meta;
use crate::build::make::{ARGUMENTS, compiled};
use crate::build::modules::ModuleSource;
use crate::build::objects::{Objects, Start, count};
use crate::build::target::{Arm, Source};
use crate::cache::{Lock, Mode, failed, hash};

/// Where kbuild leaves the image.
const IMAGE: &str = "arch/x86/boot/bzImage";

/// Files compiled for each option that is `y`, where nothing better is known.
const OBJECTS_PER_OPTION: u32 = 2;

/// A kernel that is there. It can't be pruned while this value lives.
#[derive(Debug)]
pub struct Built {
    /// The arm's name.
    pub arm: String,
    /// What it is found by.
    pub key: String,
    /// The bzImage.
    pub image: PathBuf,
    /// The resolved `.config`.
    pub config: PathBuf,
    /// The modules that were asked for, as far as this kernel has what they
    /// need.
    pub modules: Vec<PathBuf>,
    /// Whether it was there before.
    pub cached: bool,
    /// How it was built.
    pub meta: Meta,
    _lock: Lock,
}

impl Builder<'_> {
    /// Every arm's kernel, in order: from the cache, or built, each starting
    /// from the objects of whichever arm differs least.
    ///
    /// # Errors
    /// A configuration that the kernel does not grant, a failed build, a
    /// missing tool, a full disk, a cancelled run.
    pub fn ensure(
        &self,
        source: &mut dyn Source,
        arms: &[Arm],
        on_event: &mut dyn FnMut(&Arm, Event<'_>),
    ) -> Result<Vec<Built>> {
        let compiler = self.toolchain.compiler(self.runner, self.cache.root())?;
        let mut built = Vec::new();
        let mut resolved: Vec<(&Arm, Resolved)> = Vec::new();
        for arm in arms {
            let event = &mut |event: Event<'_>| on_event(arm, event);
            let config = self.resolve(source, arm, &compiler, &resolved, event)?;
            built.push(self.kernel(source, arm, &compiler, &config, event)?);
            resolved.push((arm, config));
        }
        Ok(built)
    }

    /// One kernel, from the cache or built.
    fn kernel(
        &self,
        source: &mut dyn Source,
        arm: &Arm,
        compiler: &str,
        resolved: &Resolved,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Built> {
        let modules = self.modules_for(resolved)?;
        let parts = [arm.tree.as_str(), &resolved.config, compiler];
        let key = hash(
            parts
                .into_iter()
                .chain(ARGUMENTS)
                .chain(modules.iter().map(|module| module.id.as_str())),
        );
        let folder = self.cache.kernel_dir(&key);
        let mut cached = true;
        loop {
            let lock = self.lock(&folder, Mode::Shared, on_event)?;
            if let Some(meta) = self.cache.kernel(&key, &resolved.config) {
                on_event(Event::Ready { cached });
                let (image, config) = (folder.join("bzImage"), folder.join("config"));
                let modules = meta.modules.iter();
                let modules = modules.map(|it| folder.join(&it.name)).collect();
                let arm = arm.name.clone();
                return Ok(Built {
                    arm,
                    key,
                    image,
                    config,
                    modules,
                    cached,
                    meta,
                    _lock: lock,
                });
            }
            drop(lock);
            let _lock = self.lock(&folder, Mode::Exclusive, on_event)?;
            // Somebody may have built it while this one waited.
            if self.cache.kernel(&key, &resolved.config).is_none() {
                self.compile(source, arm, &key, compiler, resolved, &modules, on_event)?;
                cached = false;
            }
        }
    }

    /// Builds and publishes. The caller holds the kernel's lock.
    #[expect(clippy::too_many_arguments, reason = "all that a kernel is made of")]
    fn compile(
        &self,
        source: &mut dyn Source,
        arm: &Arm,
        key: &str,
        compiler: &str,
        resolved: &Resolved,
        modules: &[ModuleSource<'_>],
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<()> {
        let started = Instant::now();
        let _source = self.lock(source.dir(), Mode::Exclusive, on_event)?;
        let dir = source.dir().to_string_lossy().into_owned();
        let family = hash([dir.as_str(), compiler].iter().chain(&ARGUMENTS));
        let family = self.cache.root().join("objects").join(family);
        fs_err::create_dir_all(&family).map_err(failed("make", &family))?;
        let _objects = self.lock(&family, Mode::Exclusive, on_event)?;

        on_event(Event::Preparing);
        let live = family.join("live");
        let (fresh, start) = self.lay_out(source, arm, key, &resolved.config, &live)?;
        let dot_config = live.join(".config");
        if fs_err::read(&dot_config).ok().as_deref() != Some(resolved.config.as_bytes()) {
            fs_err::write(&dot_config, &resolved.config).map_err(failed("write", &dot_config))?;
        }
        let objects = Objects {
            key: key.into(),
            tree: arm.tree.clone(),
            fresh,
        };
        self.cache
            .write_json(&live.with_extension("json"), &objects)?;

        let whole = || {
            self.cache
                .remembered(&self.requests_hash())
                .unwrap_or_else(|| {
                    let options = resolved
                        .config
                        .lines()
                        .filter(|row| row.ends_with("=y"))
                        .count();
                    OBJECTS_PER_OPTION.saturating_mul(count(options))
                })
        };
        let total = match &start {
            Start::Nothing => Some(whole()),
            Start::Interrupted { objects } if fresh => Some(whole().saturating_sub(*objects)),
            Start::Interrupted { .. } => None,
            Start::Copy { affected } => *affected,
        };
        on_event(Event::Started { total });
        let mut done = 0;
        let prefix = format!("{}/", live.display());
        let log = self.log(key);
        // What modules are compiled with is made beside the kernel, in one go.
        let targets: &[&str] = if modules.is_empty() {
            &["bzImage"]
        } else {
            &["modules_prepare", "bzImage"]
        };
        let targets: Vec<OsString> = targets.iter().map(Into::into).collect();
        let dir = source.dir();
        let mut warnings = self.make(&arm.name, dir, &live, &targets, &log, &mut |row| {
            if let Some(name) = compiled(row) {
                done += 1;
                let name = name.strip_prefix(&prefix).unwrap_or(name);
                on_event(Event::Object {
                    done,
                    total: total.map(|total| total.max(done)),
                    name,
                });
            }
        })?;

        // Whatever becomes of the modules, the kernel's objects are whole.
        let modules = self.compile_modules(arm, key, dir, &live, modules);
        if modules.is_err() {
            self.keep(&family, key, &live, &objects)?;
        }
        let (modules, more) = modules?;
        warnings.extend(more);

        let release = live.join("include/config/kernel.release");
        let release = fs_err::read_to_string(&release).map_err(failed("read", &release))?;
        let meta = Meta {
            release: release.trim().into(),
            tree: arm.tree.clone(),
            compiler: compiler.into(),
            arguments: ARGUMENTS.map(Into::into).into(),
            built: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |d| d.as_secs()),
            seconds: started.elapsed().as_secs_f64(),
            objects: done,
            complete: matches!(start, Start::Nothing),
            requests: self.requests_hash(),
            notes: resolved.notes.clone(),
            warnings,
            image_bytes: 0,
            image_sha1: String::new(),
            modules: Vec::new(),
        };
        let image = live.join(IMAGE);
        self.cache
            .publish(key, &image, &modules, &resolved.config, meta)?;
        self.keep(&family, key, &live, &objects)
    }
}
