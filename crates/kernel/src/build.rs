//! Building kernels: every arm once, and of the second only what differs.
//!
//! # What keeps incremental builds right
//!
//! make compares time stamps, and kbuild compares the command lines it wrote
//! down. Hence:
//!
//! 1. Every arm is compiled from the same source folder and in the same object
//!    folder, `objects/FAMILY/live`: both paths are written into the objects'
//!    `.cmd` files, and one object built under another path (objtool's are) is
//!    enough to rebuild all that depend on it. A finished `live` is renamed to
//!    its key, and copied back, time stamps kept, to start the next arm. A
//!    family is what must agree for that: source folder, compiler, make
//!    arguments. The configuration need not: kbuild notes for each object the
//!    options that it depends on.
//! 2. While make runs, the source folder holds exactly the arm's tree. Its lock
//!    is held from the switch to the end.
//! 3. Before make runs, every file in which the arm's tree differs from the
//!    tree of the copied objects is newer than every one of these objects.
//!    Switching writes such files now, after the objects; [`freshen`] makes
//!    sure, whatever the clock did.
//! 4. An object folder is copied from only when its make ended well. One that
//!    was interrupted is only continued for the same key, and without what was
//!    written in its last minute, since a killed compiler leaves half a file
//!    with a new time stamp.
//!
//! Modules that are no part of the tree are compiled from nothing each time, in
//! a folder of their own within `live`: they are small, and what they depend on
//! is all of the kernel.

pub mod diagnose;
pub mod inspect;

use std::collections::BTreeSet;
use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::cache::{Cache, CacheError, Lock, Meta, Mode, children, failed, hash, read_json};
use crate::config::{ConfigError, Request, Unmet, overlay, unmet};
use crate::process::{Invocation, Runner, Stream};
use diagnose::{Cause, Scanner};

/// Where kbuild leaves the image.
const IMAGE: &str = "arch/x86/boot/bzImage";
/// What every make is told: nothing of the host, the user or the day may get
/// into a kernel.
const ARGUMENTS: [&str; 6] = [
    "ARCH=x86",
    "LOCALVERSION=",
    "KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER=reaperlab",
    "KBUILD_BUILD_HOST=reaperlab",
    "KBUILD_BUILD_VERSION=1",
];
/// What of the caller's environment reaches make: no CFLAGS, no MAKEFLAGS.
const INHERITED: [&str; 3] = ["HOME", "TMPDIR", "CCACHE_DIR"];
/// Where modules from outside the tree are compiled, in an object folder.
const MODULES: &str = "modules-from-outside";
/// Where Debian, Arch and Fedora put ccache under the compilers' names.
const CCACHE: [&str; 3] = [
    "/usr/lib/ccache",
    "/usr/lib/ccache/bin",
    "/usr/lib64/ccache",
];
/// How far an interrupted build is taken back.
const REWIND: Duration = Duration::from_secs(60);
/// Files compiled anew whenever a kernel is linked: its version and symbols.
const RELINKED: u32 = 9;
/// Files compiled for each option that is `y`, where nothing better is known.
const OBJECTS_PER_OPTION: u32 = 2;

type Result<T, E = BuildError> = std::result::Result<T, E>;

/// One tree to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    /// `base`, `patched`, or a commit's name.
    pub name: String,
    /// What [`Source::switch`] is given.
    pub commit: String,
    /// The id of the commit's tree.
    pub tree: String,
}

/// A source folder that holds one commit at a time.
pub trait Source {
    /// The folder: absolute, and the same one for as long as it exists.
    fn dir(&self) -> &Path;

    /// Makes the folder hold the arm's tree. Files that differ from what it
    /// holds are written with the present time, the others left alone.
    ///
    /// # Errors
    /// When it can't.
    fn switch(&mut self, arm: &Arm) -> Result<(), Box<dyn Error + Send + Sync>>;

    /// The paths in which two trees differ, relative to the folder.
    ///
    /// # Errors
    /// When one of the trees is gone.
    fn changed(
        &mut self,
        tree: &str,
        other: &str,
    ) -> Result<Vec<PathBuf>, Box<dyn Error + Send + Sync>>;
}

/// The programs that build.
#[derive(Debug, Clone)]
pub struct Toolchain {
    /// Where they are looked up.
    pub path: OsString,
    /// How many run at once.
    pub jobs: usize,
}

impl Default for Toolchain {
    /// Those of the caller's `PATH`, as many as there are CPUs; compilers
    /// through ccache where that is installed.
    fn default() -> Self {
        let path = env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        Self {
            path: through_ccache(path, CCACHE.map(Path::new)),
            jobs: thread::available_parallelism().map_or(1, Into::into),
        }
    }
}

/// The search path with the folder in front in which distributions call ccache
/// by the compilers' names. So no command line of make differs with and without
/// it, and neither does what a kernel is found by.
fn through_ccache<'a>(path: OsString, places: impl IntoIterator<Item = &'a Path>) -> OsString {
    let mut places = places.into_iter();
    let Some(place) = places.find(|place| place.join("gcc").exists()) else {
        return path;
    };
    let all = std::iter::once(place.to_owned()).chain(env::split_paths(&path));
    env::join_paths(all).unwrap_or(path)
}

impl Toolchain {
    /// Runs a program in an environment of its own.
    pub(crate) fn run(
        &self,
        runner: &dyn Runner,
        args: Vec<OsString>,
        dir: &Path,
        on_line: &mut dyn FnMut(Stream, &str),
    ) -> Result<i32> {
        let set = |name: &str, value: &OsString| {
            let mut pair = OsString::from(name);
            pair.push("=");
            pair.push(value);
            pair
        };
        let mut all = vec!["-i".into(), set("PATH", &self.path), "LC_ALL=C".into()];
        all.extend(
            INHERITED
                .iter()
                .filter_map(|name| Some(set(name, &env::var_os(name)?))),
        );
        all.extend(args);
        let invocation = Invocation {
            program: "env".into(),
            args: all,
            dir: dir.into(),
            env: Vec::new(),
        };
        runner
            .run(&invocation, on_line)
            .map_err(|error| match error.kind() {
                io::ErrorKind::Interrupted => BuildError::Cancelled,
                io::ErrorKind::NotFound => BuildError::Tool {
                    tool: "env".into(),
                    package: Some("coreutils"),
                },
                _ => failed("run make in", dir)(error).into(),
            })
    }

    /// What the compiler and the linker call themselves.
    pub(crate) fn compiler(&self, runner: &dyn Runner, dir: &Path) -> Result<String> {
        let mut names = Vec::new();
        for tool in ["gcc", "ld"] {
            let mut first = None;
            let args = vec![tool.into(), "--version".into()];
            let code = self.run(runner, args, dir, &mut |stream, row| {
                if stream == Stream::Out && first.is_none() {
                    first = Some(row.to_owned());
                }
            })?;
            let (0, Some(name)) = (code, first) else {
                let package = diagnose::package(tool);
                return Err(BuildError::Tool {
                    tool: tool.into(),
                    package,
                });
            };
            names.push(name);
        }
        Ok(names.join("; "))
    }
}

/// What builds kernels, or finds them built.
pub struct Builder<'a> {
    /// Where they are kept.
    pub cache: &'a Cache,
    /// Runs make.
    pub runner: &'a dyn Runner,
    /// Which make.
    pub toolchain: &'a Toolchain,
    /// The merged fragments.
    pub requests: &'a [Request],
    /// Source folders of modules to build with each kernel, with a `Kbuild`
    /// each. A kernel without `CONFIG_MODULES` is built without.
    pub modules: &'a [PathBuf],
    /// Keep each arm's objects to start others from (about 250 MB an arm).
    pub keep_objects: bool,
}

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

/// Progress on one arm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// Another command builds this kernel or uses this source: waiting for it.
    Waiting,
    /// The configuration is being resolved.
    Configuring,
    /// The source folder and the objects to start from are being laid out.
    Preparing,
    /// make starts.
    Started {
        /// How many files it will compile, as far as that is known.
        total: Option<u32>,
    },
    /// A file was compiled.
    Object {
        /// How many are.
        done: u32,
        /// As in [`Started`](Self::Started), never below `done`.
        total: Option<u32>,
        /// The object's path.
        name: &'a str,
    },
    /// The kernel is there.
    Ready {
        /// Whether it was there before.
        cached: bool,
    },
}

/// Why there is no kernel.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The configuration can't be had.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The cache can't do it.
    #[error(transparent)]
    Cache(CacheError),
    /// The source folder can't be made to hold the arm.
    #[error("can't lay out the source of {arm}: {source}")]
    Source {
        /// The arm's name.
        arm: String,
        /// The reason.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file doesn't compile, or the kernel or a module doesn't link.
    #[error("{arm} does not build: {cause}\nthe whole log: {log}", log = log.display())]
    Failed {
        /// The arm's name, behind the module's folder if it is one.
        arm: String,
        /// The first error.
        cause: Box<Cause>,
        /// All that make said.
        log: PathBuf,
    },
    /// A tool of the host is missing.
    #[error("building kernels needs `{tool}`, which is missing{}", advice(.package))]
    Tool {
        /// Its name.
        tool: String,
        /// The Debian package that has it, where known.
        package: Option<&'static str>,
    },
    /// The device is full.
    #[error("no space left for {path}: free some, or run `cargo xtask cache prune`")]
    NoSpace {
        /// What was to be written.
        path: PathBuf,
    },
    /// Stopped. The next build goes on where this one was.
    #[error("interrupted")]
    Cancelled,
}

fn advice(package: &Option<&str>) -> String {
    package.map_or(String::new(), |package| {
        format!("; install the package {package}")
    })
}

impl From<CacheError> for BuildError {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::NoSpace { path } => Self::NoSpace { path },
            CacheError::Cancelled => Self::Cancelled,
            error => Self::Cache(error),
        }
    }
}

/// A resolved configuration as the cache keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Resolved {
    config: String,
    notes: Vec<Unmet>,
}

/// What an object folder holds; beside it, as `NAME.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Objects {
    key: String,
    tree: String,
    /// Whether all of it was compiled from nothing.
    fresh: bool,
}

/// An object folder to start from.
struct Nearest {
    folder: PathBuf,
    /// The files in which its tree differs.
    changed: Vec<PathBuf>,
    /// Whether its configuration is another.
    configured: bool,
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

    /// The `.config` that the requests make of an arm's tree.
    fn resolve(
        &self,
        source: &mut dyn Source,
        arm: &Arm,
        compiler: &str,
        earlier: &[(&Arm, Resolved)],
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Resolved> {
        let id = hash(
            [arm.tree.as_str(), compiler, &self.requests_hash()]
                .iter()
                .chain(&ARGUMENTS),
        );
        let file = self
            .cache
            .root()
            .join("configs")
            .join(id)
            .with_extension("json");
        if let Some(resolved) = read_json(&file) {
            return Ok(resolved);
        }
        for (other, resolved) in earlier {
            let changed = source
                .changed(&other.tree, &arm.tree)
                .map_err(|e| unsourced(arm, e))?;
            if !changed.iter().any(|path| feeds_kconfig(path)) {
                self.cache.write_json(&file, resolved)?;
                return Ok(resolved.clone());
            }
        }
        let _lock = self.lock(source.dir(), Mode::Exclusive, on_event)?;
        on_event(Event::Preparing);
        self.switch(source, arm)?;
        on_event(Event::Configuring);
        let out = self.cache.scratch("config")?;
        let log = self.log(&format!("config-{}", hash([&arm.tree])));
        let dot_config = out.join(".config");
        let configure = |target| {
            let target = [OsString::from(target)];
            self.make(&arm.name, source.dir(), &out, &target, &log, &mut |_| {})
        };
        configure("tinyconfig")?;
        let tiny = fs_err::read_to_string(&dot_config).map_err(failed("read", &dot_config))?;
        fs_err::write(&dot_config, overlay(&tiny, self.requests))
            .map_err(failed("write", &dot_config))?;
        configure("olddefconfig")?;
        let config = fs_err::read_to_string(&dot_config).map_err(failed("read", &dot_config))?;
        self.cache.remove(&out)?;
        let (notes, lost) = unmet(&config, self.requests)
            .into_iter()
            .partition::<Vec<_>, _>(|unmet| unmet.request.optional);
        if !lost.is_empty() {
            return Err(ConfigError::Unmet(lost).into());
        }
        let resolved = Resolved { config, notes };
        self.cache.write_json(&file, &resolved)?;
        Ok(resolved)
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

    /// Keeps the objects of a finished build to start others from.
    fn keep(&self, family: &Path, key: &str, live: &Path, objects: &Objects) -> Result<()> {
        if self.keep_objects {
            let kept = family.join(key);
            self.cache.remove(&kept)?;
            fs_err::rename(live, &kept).map_err(failed("keep", &kept))?;
            self.cache
                .write_json(&kept.with_extension("json"), objects)?;
            self.cache.remove(&live.with_extension("json"))?;
        }
        Ok(())
    }

    /// The modules to build with a kernel of this configuration.
    fn modules_for(&self, resolved: &Resolved) -> Result<Vec<ModuleSource<'_>>> {
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
    fn compile_modules(
        &self,
        arm: &Arm,
        key: &str,
        source: &Path,
        live: &Path,
        modules: &[ModuleSource<'_>],
    ) -> Result<(Vec<PathBuf>, Vec<diagnose::Diagnostic>)> {
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

    /// Makes `live` and the source folder ready for make. Returns whether all
    /// of `live` stems from this tree, and what it starts with.
    fn lay_out(
        &self,
        source: &mut dyn Source,
        arm: &Arm,
        key: &str,
        config: &str,
        live: &Path,
    ) -> Result<(bool, Start)> {
        let state = live.with_extension("json");
        if let Some(objects) = read_json::<Objects>(&state)
            && objects.key == key
            && live.is_dir()
        {
            let left = rewind(live).map_err(failed("read", live))?;
            self.switch(source, arm)?;
            return Ok((objects.fresh, Start::Interrupted { objects: left }));
        }
        self.cache.remove(&state)?;
        self.cache.remove(live)?;
        let Some(from) = nearest(source, arm, config, live) else {
            fs_err::create_dir_all(live).map_err(failed("make", live))?;
            self.switch(source, arm)?;
            return Ok((true, Start::Nothing));
        };
        let newest =
            copy_tree(&from.folder, live, self.toolchain.jobs).map_err(failed("copy to", live))?;
        if self.runner.cancelled() {
            return Err(BuildError::Cancelled);
        }
        self.switch(source, arm)?;
        let dir = source.dir();
        freshen(dir, &from.changed, newest).map_err(failed("touch files in", dir))?;
        let affected = if from.configured {
            affected(live, dir, &from.changed)
        } else {
            None
        };
        Ok((false, Start::Copy { affected }))
    }

    fn switch(&self, source: &mut dyn Source, arm: &Arm) -> Result<()> {
        source.switch(arm).map_err(|error| {
            if self.runner.cancelled() {
                BuildError::Cancelled
            } else if out_of_space(error.as_ref()) {
                BuildError::NoSpace {
                    path: source.dir().into(),
                }
            } else {
                unsourced(arm, error)
            }
        })
    }

    /// Runs one make to its end; returns the warnings. `what` is what messages
    /// call the thing that is made.
    fn make(
        &self,
        what: &str,
        source: &Path,
        out: &Path,
        targets: &[OsString],
        log: &Path,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<Vec<diagnose::Diagnostic>> {
        let mut args = vec![OsString::from("make"), "--no-print-directory".into()];
        args.extend([
            format!("-j{}", self.toolchain.jobs).into(),
            "-Otarget".into(),
        ]);
        args.extend(["-C".into(), source.into()]);
        let mut output = OsString::from("O=");
        output.push(out);
        args.push(output);
        args.extend(ARGUMENTS.map(Into::into));
        args.extend_from_slice(targets);

        let mut scanner = Scanner::new(&source.to_string_lossy());
        let mut file = BufWriter::new(File::create(log).map_err(failed("write", log))?);
        let code = self.run(args, source, &mut |_, row| {
            // A disk too full for the log is too full for make, which tells.
            let _ = writeln!(file, "{row}");
            scanner.line(row);
            on_line(row);
        })?;
        let _ = file.flush();
        if code == 0 {
            return Ok(scanner.warnings().to_vec());
        }
        if self.runner.cancelled() {
            return Err(BuildError::Cancelled);
        }
        Err(match scanner.cause(code) {
            Cause::NoSpace => BuildError::NoSpace { path: out.into() },
            // Not every tool says why it could not write.
            Cause::Unknown(_) if full(out) => BuildError::NoSpace { path: out.into() },
            Cause::Tool { tool, package } => BuildError::Tool { tool, package },
            cause => BuildError::Failed {
                arm: what.into(),
                cause: cause.into(),
                log: log.into(),
            },
        })
    }

    fn run(
        &self,
        args: Vec<OsString>,
        dir: &Path,
        on_line: &mut dyn FnMut(Stream, &str),
    ) -> Result<i32> {
        self.toolchain.run(self.runner, args, dir, on_line)
    }
    fn lock(
        &self,
        path: &Path,
        mode: Mode,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Lock, CacheError> {
        let cancelled = || self.runner.cancelled();
        self.cache
            .lock(path, mode, &cancelled, &mut || on_event(Event::Waiting))
    }

    fn log(&self, name: &str) -> PathBuf {
        self.cache
            .root()
            .join("logs")
            .join(name)
            .with_extension("log")
    }

    fn requests_hash(&self) -> String {
        hash([overlay("", self.requests)])
    }
}

/// The source of a module that is no part of the tree.
struct ModuleSource<'a> {
    name: String,
    dir: &'a Path,
    /// A hash of all that it holds.
    id: String,
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

/// What a build starts with.
enum Start {
    Nothing,
    /// A copy of other objects, of which so many must be compiled again.
    Copy {
        affected: Option<u32>,
    },
    /// What an interrupted build of the same kernel left.
    Interrupted {
        objects: u32,
    },
}

fn unsourced(arm: &Arm, source: Box<dyn Error + Send + Sync>) -> BuildError {
    BuildError::Source {
        arm: arm.name.clone(),
        source,
    }
}

/// Whether a change of this file can change what Kconfig makes of the requests.
fn feeds_kconfig(path: &Path) -> bool {
    let code = path
        .extension()
        .is_some_and(|e| ["c", "h", "S", "rst", "txt"].iter().any(|c| e == *c));
    !code || path.starts_with("scripts")
}

/// The object folder beside `live` that costs least to start from.
fn nearest(source: &mut dyn Source, arm: &Arm, config: &str, live: &Path) -> Option<Nearest> {
    /// What a header costs, or an option: many objects depend on it.
    const MANY: usize = 1000;
    let mut best: Option<(usize, Nearest)> = None;
    for folder in live.parent().map(children).unwrap_or_default() {
        let Some(objects) = read_json::<Objects>(&folder.with_extension("json")) else {
            continue;
        };
        // A tree that the store no longer has can't be compared.
        let Ok(changed) = source.changed(&objects.tree, &arm.tree) else {
            continue;
        };
        let Ok(other) = fs_err::read_to_string(folder.join(".config")) else {
            continue;
        };
        let weight = |path: &PathBuf| match path.extension().and_then(|e| e.to_str()) {
            Some("c" | "S") => 1,
            Some("rst" | "txt") => 0,
            _ => MANY,
        };
        let options = options_that_differ(&other, config);
        let cost = changed.iter().map(weight).sum::<usize>() + options.saturating_mul(MANY);
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            let nearest = Nearest {
                folder,
                changed,
                configured: options == 0,
            };
            best = Some((cost, nearest));
        }
    }
    best.map(|(_, nearest)| nearest)
}

/// How many lines one configuration has that the other has not.
fn options_that_differ(one: &str, other: &str) -> usize {
    let [one, other] = [one, other].map(|config| config.lines().collect::<BTreeSet<_>>());
    one.symmetric_difference(&other).count()
}

/// Makes every changed file newer than `newest`.
fn freshen(source: &Path, changed: &[PathBuf], newest: SystemTime) -> io::Result<()> {
    for path in changed.iter().map(|path| source.join(path)) {
        match path.symlink_metadata() {
            Ok(meta) if meta.is_file() && meta.modified()? <= newest => {
                File::open(&path)?.set_modified(newest + Duration::from_millis(1))?;
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether an error goes back to a full disk.
fn out_of_space(error: &(dyn Error + 'static)) -> bool {
    let full = |kind| {
        matches!(
            kind,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    };
    let here = error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| full(error.kind()));
    here || error.source().is_some_and(out_of_space)
}

/// Whether a folder takes no more.
fn full(folder: &Path) -> bool {
    let probe = tempfile::tempfile_in(folder).and_then(|mut file| file.write_all(&[1; 1 << 20]));
    probe.is_err_and(|error| out_of_space(&error))
}

/// How many objects kbuild noted to depend on one of these files; none for
/// a change too large to be worth looking.
fn affected(objects: &Path, source: &Path, changed: &[PathBuf]) -> Option<u32> {
    if changed.len() > 32 {
        return None;
    }
    let changed: Vec<_> = changed
        .iter()
        .map(|path| source.join(path).to_string_lossy().into_owned())
        .collect();
    let listing = Listing::of(objects).ok()?;
    let depends = |file: &&Found| {
        file.path.to_string_lossy().ends_with(".o.cmd")
            && fs_err::read_to_string(objects.join(&file.path))
                .is_ok_and(|text| changed.iter().any(|path| text.contains(path.as_str())))
    };
    Some(RELINKED.saturating_add(count(listing.files.iter().filter(depends).count())))
}

/// Takes an interrupted build back by a minute: whatever a killed program left
/// half written is among the last files. Returns how many objects are left.
fn rewind(objects: &Path) -> io::Result<u32> {
    let listing = Listing::of(objects)?;
    let keep = listing.newest().checked_sub(REWIND).unwrap_or(UNIX_EPOCH);
    let mut left = 0;
    for file in listing.files {
        if file.modified > keep {
            fs_err::remove_file(objects.join(&file.path))?;
        } else if file.path.extension().is_some_and(|e| e == "o") {
            left += 1;
        }
    }
    Ok(left)
}

/// What a folder holds, by paths relative to it.
#[derive(Default)]
struct Listing {
    /// Each after the one it lies in.
    folders: Vec<PathBuf>,
    files: Vec<Found>,
}

/// A file or symbolic link.
struct Found {
    path: PathBuf,
    modified: SystemTime,
    link: bool,
}

impl Listing {
    fn of(root: &Path) -> io::Result<Self> {
        let mut listing = Self::default();
        listing.add(root, Path::new(""))?;
        Ok(listing)
    }

    fn add(&mut self, root: &Path, below: &Path) -> io::Result<()> {
        for entry in fs_err::read_dir(root.join(below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            let meta = entry.metadata()?;
            if meta.is_dir() {
                self.folders.push(path.clone());
                self.add(root, &path)?;
            } else {
                let (modified, link) = (meta.modified()?, meta.is_symlink());
                self.files.push(Found {
                    path,
                    modified,
                    link,
                });
            }
        }
        Ok(())
    }

    fn newest(&self) -> SystemTime {
        self.files
            .iter()
            .map(|file| file.modified)
            .max()
            .unwrap_or(UNIX_EPOCH)
    }
}

/// Copies a folder that does not change meanwhile, time stamps and modes kept,
/// sharing blocks where the file system can. Returns the newest time stamp.
fn copy_tree(from: &Path, to: &Path, threads: usize) -> io::Result<SystemTime> {
    let listing = Listing::of(from)?;
    fs_err::create_dir(to)?;
    // Empty ones as well: kbuild reaches its notes through paths such as
    // `arch/x86/entry/syscalls/../../../../arch/x86/include`.
    for folder in &listing.folders {
        fs_err::create_dir(to.join(folder))?;
    }
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(file) = listing.files.get(next.fetch_add(1, Ordering::Relaxed)) {
            copy_file(from, to, file)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (1..threads.clamp(1, 8))
            .map(|_| scope.spawn(work))
            .collect();
        let mine = work();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a thread died")))
            })
            .fold(mine, io::Result::and)
    })?;
    Ok(listing.newest())
}

fn copy_file(from: &Path, to: &Path, file: &Found) -> io::Result<()> {
    let (from, to) = (from.join(&file.path), to.join(&file.path));
    if file.link {
        return symlink(fs_err::read_link(from)?, to);
    }
    let mut source = File::open(from)?;
    let mode = source.metadata()?.permissions().mode();
    let mut copy = File::options()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(to)?;
    // Between files this is copy_file_range.
    io::copy(&mut source, &mut copy)?;
    copy.set_modified(file.modified)
}

/// The object in a line such as `  CC      mm/oom_kill.o`.
fn compiled(row: &str) -> Option<&str> {
    let mut words = row.strip_prefix("  ")?.split_whitespace();
    let tool = words.next()?;
    let name = words.next_back()?;
    (matches!(tool, "CC" | "AS" | "HOSTCC" | "HOSTCXX") && name.ends_with(".o")).then_some(name)
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    fn file(path: &Path, seconds: u64) {
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, path.to_string_lossy().as_bytes()).unwrap();
        File::open(path).unwrap().set_modified(at(seconds)).unwrap();
    }

    #[test]
    fn a_copy_keeps_times_modes_and_links() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        for n in 0..50 {
            file(&from.join(format!("d{}/e/f{n}.o", n % 7)), n);
        }
        let tool = from.join("scripts/tool");
        file(&tool, 7);
        fs_err::set_permissions(&tool, PermissionsExt::from_mode(0o755)).unwrap();
        symlink("/nowhere", from.join("source")).unwrap();
        fs_err::create_dir_all(from.join("empty/below")).unwrap();
        let newest = copy_tree(&from, &to, 4).unwrap();
        assert!(newest >= at(49));
        assert!(to.join("empty/below").is_dir());
        let mut old = Listing::of(&from).unwrap().files;
        let new = Listing::of(&to).unwrap().files;
        old.retain(|found| !found.link);
        let key = |found: &Found| (found.path.clone(), found.modified);
        for found in &old {
            assert!(
                new.iter().any(|copy| key(copy) == key(found)),
                "{}",
                found.path.display()
            );
            let read = |root: &Path| fs_err::read(root.join(&found.path)).unwrap();
            assert_eq!(read(&from), read(&to));
        }
        assert_eq!(new.len(), old.len() + 1);
        assert_eq!(
            fs_err::read_link(to.join("source")).unwrap(),
            Path::new("/nowhere")
        );
        let mode = to
            .join("scripts/tool")
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755);
    }

    #[test]
    fn changed_files_become_newer_than_any_object() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, seconds) in [("older", 1), ("same", 5), ("newer", 9), ("unchanged", 1)] {
            file(&path(name), seconds);
        }
        let changed = ["older", "same", "newer", "deleted"].map(PathBuf::from);
        freshen(folder.path(), &changed, at(5)).unwrap();
        let time = |name: &str| path(name).metadata().unwrap().modified().unwrap();
        assert!(time("older") > at(5) && time("same") > at(5));
        assert_eq!((time("newer"), time("unchanged")), (at(9), at(1)));
    }

    #[test]
    fn an_interrupted_build_loses_its_last_minute() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, seconds) in [
            ("mm/a.o", 0),
            ("mm/.a.o.cmd", 40),
            ("b.o", 41),
            ("c.o", 100),
        ] {
            file(&path(name), seconds);
        }
        assert_eq!(rewind(folder.path()).unwrap(), 1);
        let left = ["mm/a.o", "mm/.a.o.cmd", "b.o", "c.o"].map(|name| path(name).exists());
        assert_eq!(left, [true, true, false, false]);
    }

    #[test]
    fn counts_the_objects_that_depend_on_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let note = |name: &str, text: &str| {
            fs_err::create_dir_all(folder.path().join("mm")).unwrap();
            fs_err::write(folder.path().join("mm").join(name), text).unwrap();
        };
        note(
            ".oom_kill.o.cmd",
            "deps := /src/mm/oom_kill.c /src/include/linux/mm.h",
        );
        note(
            ".mmap.o.cmd",
            "deps := /src/mm/mmap.c /src/include/linux/mm.h",
        );
        note("oom_kill.c", "/src/mm/oom_kill.c");
        let objects = |paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(PathBuf::from).collect();
            affected(folder.path(), Path::new("/src"), &paths)
        };
        assert_eq!(objects(&["mm/oom_kill.c"]), Some(1 + RELINKED));
        assert_eq!(
            objects(&["include/linux/mm.h", "mm/mmap.c"]),
            Some(2 + RELINKED)
        );
        assert_eq!(objects(&["x"; 33]), None);
    }

    #[test]
    fn reads_progress() {
        assert_eq!(compiled("  CC      mm/oom_kill.o"), Some("mm/oom_kill.o"));
        assert_eq!(compiled("  CC [M]  fs/fuse/dev.o"), Some("fs/fuse/dev.o"));
        assert_eq!(
            compiled("  AS      .tmp_vmlinux1.kallsyms.o"),
            Some(".tmp_vmlinux1.kallsyms.o")
        );
        for other in [
            "  AR      mm/built-in.a",
            "  LD      vmlinux.o",
            "CC x.o",
            "  CC",
            "",
            "  CC  x.s",
        ] {
            assert_eq!(compiled(other), None, "{other}");
        }
    }

    #[test]
    fn ccache_stands_before_the_compilers_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let [absent, there] = ["absent", "there"].map(|name| folder.path().join(name));
        let path = || OsString::from("/usr/bin:/bin");
        assert_eq!(through_ccache(path(), [absent.as_path()]), path());
        file(&there.join("gcc"), 1);
        let found = through_ccache(path(), [absent.as_path(), &there]);
        let expected = format!("{}:/usr/bin:/bin", there.display());
        assert_eq!(found, OsString::from(expected));
    }

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
