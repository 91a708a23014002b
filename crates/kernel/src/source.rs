//! Where a kernel's source comes from: a Debian package, a release of
//! kernel.org's, a git revision, a folder or a tarball, imported into the store
//! once.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use git2::Repository;
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use crate::archive;
use crate::import::{self, ImportError, Input, Progress};
use crate::process::{Invocation, Runner};
use crate::release::fetch::Desk;
use crate::release::{Asked, KernelOrg, Release, ReleaseError};
use crate::store::{self, Kernel, Origin, Store, StoreError};

/// Where Debian keeps the keys that its archive is signed with.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Looked through, in this order, where the host's own suites lack a version.
const SUITES: [&str; 4] = ["stable-backports", "testing", "sid", "experimental"];
/// How long `6.12` stands for the same package or release without asking again.
const FRESH: Duration = Duration::from_secs(7 * 24 * 3600);

/// What `--kernel` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// The nearest packaged or released version, such as `6.12` or `6.12.117`.
    Nearest(String),
    /// A release of kernel.org's.
    Release(Asked),
    /// A version of Debian's package in a suite.
    Debian {
        /// For example `sid`.
        suite: String,
        /// For example `7.2` or `7.2.13-1`.
        version: String,
    },
    /// A revision of a git repository.
    Git {
        /// The repository.
        path: PathBuf,
        /// Anything git understands.
        rev: String,
    },
    /// A folder, as it is now.
    Folder(PathBuf),
    /// A tar archive, compressed or not, or a Debian package.
    Tarball(PathBuf),
}

/// Why there is no source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Not a form of `--kernel`.
    #[error(
        "{0:?} names no kernel: write a version (6.12), debian:SUITE/VERSION, release:VERSION, git:PATH#REV, a folder or a tarball"
    )]
    Spec(String),
    /// No package of that version.
    #[error("no kernel {version} among Debian's packages{found}; {advice}")]
    Unknown {
        /// What was asked for.
        version: String,
        /// What there is instead.
        found: String,
        /// What to do.
        advice: &'static str,
    },
    /// No such release, or none that can be relied on.
    #[error(transparent)]
    Release(ReleaseError),
    /// Neither Debian nor kernel.org has it.
    #[error("{debian}\nFrom kernel.org: {release}")]
    Nowhere {
        /// Why there is no package.
        debian: Box<SourceError>,
        /// Why there is no release.
        release: Box<SourceError>,
    },
    /// It would have to be fetched.
    #[error("kernel {0} is not imported yet and --offline forbids fetching it")]
    Offline(String),
    /// apt refused.
    #[error("{command} ended with {code}:\n{tail}")]
    Apt {
        /// The command.
        command: String,
        /// Its exit code.
        code: i32,
        /// Its last lines.
        tail: String,
    },
    /// A program could not be run.
    #[error("can't run {program}: {source}")]
    Run {
        /// The program.
        program: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A git repository or revision that can't be read.
    #[error("{path}#{rev}: {source}")]
    Git {
        /// The repository.
        path: PathBuf,
        /// The revision.
        rev: String,
        /// What libgit2 said.
        source: git2::Error,
    },
    /// A file or folder that can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not a kernel.
    #[error("{0} is no kernel source: it has no Makefile that names a version")]
    NoKernel(String),
    /// Importing failed.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Stopped on request.
    #[error("interrupted")]
    Cancelled,
}

impl From<ReleaseError> for SourceError {
    fn from(error: ReleaseError) -> Self {
        match error {
            ReleaseError::Cancelled => Self::Cancelled,
            error => Self::Release(error),
        }
    }
}

/// What the work is at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event<'a> {
    /// A file is being looked for or fetched.
    Fetching {
        /// Its name.
        what: &'a str,
        /// Where it is fetched from.
        from: &'a str,
        /// The part that has come, from 0 to 1, where that is known.
        share: Option<f64>,
    },
    /// Its files are being imported.
    Importing(Progress),
}

impl FromStr for Spec {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let unknown = || SourceError::Spec(text.to_owned());
        if let Some(rest) = text.strip_prefix("debian:") {
            let (suite, version) = rest.split_once('/').ok_or_else(unknown)?;
            if !is_word(suite) || !is_version(version) {
                return Err(unknown());
            }
            return Ok(Self::Debian {
                suite: suite.into(),
                version: version.into(),
            });
        }
        if let Some(release) = text.strip_prefix("release:") {
            return Ok(Self::Release(release.parse()?));
        }
        if let Some(rest) = text.strip_prefix("git:") {
            let (path, rev) = rest.rsplit_once('#').unwrap_or((rest, "HEAD"));
            if path.is_empty() || rev.is_empty() || rev.starts_with('-') {
                return Err(unknown());
            }
            return Ok(Self::Git {
                path: path.into(),
                rev: rev.into(),
            });
        }
        let path = Path::new(text);
        if path.is_dir() {
            return Ok(Self::Folder(path.into()));
        }
        if path.is_file() {
            return Ok(Self::Tarball(path.into()));
        }
        if is_version(text) && text.contains('.') {
            return Ok(Self::Nearest(text.into()));
        }
        Err(unknown())
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nearest(version) => f.write_str(version),
            Self::Debian { suite, version } => write!(f, "debian:{suite}/{version}"),
            Self::Release(asked) => write!(f, "release:{asked}"),
            Self::Git { path, rev } => write!(f, "git:{}#{rev}", path.display()),
            Self::Folder(path) | Self::Tarball(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A Debian version or the beginning of one; safe in a file's name and as an
/// argument.
fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".+~-".contains(c))
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// The package that has a version: `6.12.117` is in `linux-source-6.12`.
fn package(version: &str) -> String {
    let mut parts = version.split(['.', '-', '+', '~']);
    let (major, minor) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    format!("linux-source-{major}.{minor}")
}

/// Whether a package's version is the one asked for, or one of its updates.
fn fits(asked: &str, version: &str) -> bool {
    version == asked
        || version
            .strip_prefix(asked)
            .is_some_and(|rest| rest.starts_with(['.', '-', '+', '~']))
}

/// Fetches and imports kernels.
pub struct Sources<'a> {
    /// Where they go.
    pub store: &'a Store,
    /// The cache folder.
    pub cache: &'a Path,
    /// Where releases are fetched from.
    pub kernel_org: &'a KernelOrg,
    /// Runs apt and curl.
    pub runner: &'a dyn Runner,
    /// Whether nothing may be fetched.
    pub offline: bool,
}

impl Sources<'_> {
    /// The kernel of a spec, imported if it is not yet.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub fn ensure(
        &self,
        spec: &Spec,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Kernel, SourceError> {
        match spec {
            Spec::Nearest(version) => self.nearest(version, on_event),
            Spec::Debian { suite, version } => self.debian(Some(suite), version, on_event),
            Spec::Release(asked) => self.release(*asked, &format!("release/{asked}"), on_event),
            Spec::Git { path, rev } => self.git(path, rev, on_event),
            Spec::Folder(path) => {
                let real = real(path)?;
                let name = short(real.as_os_str().as_encoded_bytes());
                let origin = Origin {
                    id: format!("folder/{name}"),
                    text: real.display().to_string(),
                    immutable: false,
                };
                self.import(Input::Folder(&real), &origin, on_event)
            }
            Spec::Tarball(path) => {
                let real = real(path)?;
                let io = |source| SourceError::Io {
                    path: real.clone(),
                    source,
                };
                let meta = real.metadata().map_err(io)?;
                let stamp = format!(
                    "{} {} {:?}",
                    real.display(),
                    meta.len(),
                    meta.modified().ok()
                );
                let origin = Origin {
                    id: format!("tarball/{}", short(stamp.as_bytes())),
                    text: real.display().to_string(),
                    immutable: true,
                };
                self.tarball(&real, &origin, on_event)
            }
        }
    }

    fn git(
        &self,
        path: &Path,
        rev: &str,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Kernel, SourceError> {
        let failed = |source| SourceError::Git {
            path: path.to_owned(),
            rev: rev.to_owned(),
            source,
        };
        let repo = Repository::open(path).map_err(failed)?;
        let commit = repo
            .revparse_single(rev)
            .and_then(|object| object.peel_to_commit())
            .map_err(failed)?
            .id();
        let origin = Origin {
            id: format!("git/{commit}"),
            text: format!("git:{}#{commit}", path.display()),
            immutable: true,
        };
        let kernel = self.import(Input::Git(&repo, commit), &origin, on_event)?;
        // Its history may hold what a patch was made on.
        self.store.borrow_objects(repo);
        Ok(kernel)
    }

    fn tarball(
        &self,
        path: &Path,
        origin: &Origin,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Kernel, SourceError> {
        archive::with_tar(path, |reader, share| {
            self.import(Input::Tar { reader, share }, origin, on_event)
        })
        .map_err(|source| SourceError::Io {
            path: path.to_owned(),
            source,
        })?
    }

    fn import(
        &self,
        input: Input<'_>,
        origin: &Origin,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Kernel, SourceError> {
        let mut watch = |progress| {
            on_event(Event::Importing(progress));
            if self.runner.cancelled() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let kernel = match import::import(self.store, input, origin, &mut watch) {
            Err(_) if self.runner.cancelled() => return Err(SourceError::Cancelled),
            other => other?,
        };
        if kernel.version == "unknown" {
            return Err(SourceError::NoKernel(origin.text.clone()));
        }
        Ok(kernel)
    }

    /// Debian's package, else kernel.org's release.
    fn nearest(
        &self,
        version: &str,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Kernel, SourceError> {
        let debian = match self.debian(None, version, on_event) {
            Err(
                error @ (SourceError::Unknown { .. }
                | SourceError::Apt { .. }
                | SourceError::Run { .. }
                | SourceError::Offline(_)),
            ) => error,
            other => return other,
        };
        let Ok(asked) = version.parse() else {
            return Err(debian);
        };
        match self.release(asked, &package_name(None, version), on_event) {
            Err(SourceError::Offline(_)) => Err(debian),
            Err(error @ SourceError::Release(_)) => Err(SourceError::Nowhere {
                debian: debian.into(),
                release: error.into(),
            }),
            other => other,
        }
    }

    /// A release, remembered as what `name` stands for.
    fn release(
        &self,
        asked: Asked,
        name: &str,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Kernel, SourceError> {
        // Its sum is published once and for all.
        if let Some(release) = asked.exactly()
            && let Some(kernel) = self.store.kernel(&release_id(release))?
        {
            return Ok(kernel);
        }
        let memory = Memory::open(self.cache);
        if let Some(id) = memory.recall(name, self.offline)
            && let Some(kernel) = self.store.kernel(&id)?
        {
            return Ok(kernel);
        }
        let imported = || {
            self.best(|kernel| {
                let its: Asked = kernel.origin.strip_prefix("release:")?.parse().ok()?;
                its.exactly().filter(|release| asked.takes(*release))
            })
        };
        if self.offline {
            return imported()?.ok_or_else(|| SourceError::Offline(asked.to_string()));
        }
        let folder = self.cache.join("releases");
        let io = |source| SourceError::Io {
            path: folder.clone(),
            source,
        };
        fs_err::create_dir_all(&folder).map_err(io)?;
        let _lock = store::hold(&folder.join("lock"), || self.runner.cancelled())
            .map_err(io)?
            .ok_or(SourceError::Cancelled)?;
        let desk = Desk {
            kernel_org: self.kernel_org,
            runner: self.runner,
            folder: &folder,
        };
        let mut watch = |what: &str, from: &str, share| {
            on_event(Event::Fetching { what, from, share });
        };
        let listed = match desk.find(asked, &mut watch) {
            // An older one is better than none when nobody answers.
            Err(error @ ReleaseError::Fetch { .. }) => {
                return imported()?.ok_or(error.into());
            }
            other => other?,
        };
        let id = release_id(listed.release);
        let kernel = match self.store.kernel(&id)? {
            Some(kernel) => kernel,
            None => {
                let origin = Origin {
                    text: format!("release:{}", listed.release),
                    id,
                    immutable: true,
                };
                let tarball = desk.tarball(&listed, &mut watch)?;
                let kernel = self.tarball(&tarball, &origin, on_event)?;
                fs_err::remove_file(&tarball).map_err(io)?;
                kernel
            }
        };
        memory.keep(name, &kernel.id);
        Ok(kernel)
    }

    fn debian(
        &self,
        suite: Option<&str>,
        version: &str,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Kernel, SourceError> {
        // A package's full version means one content for ever.
        if let Some(kernel) = self.store.kernel(&debian_id(version))? {
            return Ok(kernel);
        }
        let memory = Memory::open(self.cache);
        let asked = package_name(suite, version);
        if let Some(id) = memory.recall(&asked, self.offline)
            && let Some(kernel) = self.store.kernel(&id)?
        {
            return Ok(kernel);
        }
        if self.offline {
            let imported = self.newest(suite, version)?;
            return imported.ok_or_else(|| SourceError::Offline(version.to_owned()));
        }
        let (apt, found) = match self.locate(suite, version, on_event) {
            Ok(located) => located,
            // An older one is better than none when apt can't say.
            Err(error @ (SourceError::Apt { .. } | SourceError::Run { .. })) => {
                return self.newest(suite, version)?.ok_or(error);
            }
            Err(error) => return Err(error),
        };
        let id = debian_id(&found);
        let kernel = match self.store.kernel(&id)? {
            Some(kernel) => kernel,
            None => {
                let origin = Origin {
                    text: format!("debian:{}/{found}", apt.suite.as_deref().unwrap_or("host")),
                    id,
                    immutable: true,
                };
                let folder =
                    tempfile::tempdir_in(self.cache).map_err(|source| SourceError::Io {
                        path: self.cache.to_owned(),
                        source,
                    })?;
                let name = format!("{}={found}", package(version));
                self.apt(&apt, "apt-get", &["download", &name], folder.path())?;
                let deb = the_package(folder.path())?;
                self.tarball(&deb, &origin, on_event)?
            }
        };
        memory.keep(&asked, &kernel.id);
        Ok(kernel)
    }

    /// The newest imported package of a version.
    fn newest(&self, suite: Option<&str>, version: &str) -> Result<Option<Kernel>, StoreError> {
        let numbers = |text: &str| -> Vec<u64> {
            text.split(|c: char| !c.is_ascii_digit())
                .filter_map(|n| n.parse().ok())
                .collect()
        };
        self.best(|kernel| {
            let (from, its) = kernel.origin.strip_prefix("debian:")?.split_once('/')?;
            let wanted = suite.is_none_or(|suite| suite == from) && fits(version, its);
            wanted.then(|| numbers(its))
        })
    }

    /// The imported kernel that ranks highest.
    fn best<K: Ord>(
        &self,
        rank: impl Fn(&Kernel) -> Option<K>,
    ) -> Result<Option<Kernel>, StoreError> {
        let ranked = self.store.kernels()?.into_iter();
        let ranked = ranked.filter_map(|kernel| Some((rank(&kernel)?, kernel)));
        Ok(ranked
            .max_by(|a, b| a.0.cmp(&b.0))
            .map(|(_, kernel)| kernel))
    }

    /// The package version to take, and the apt that has it.
    fn locate(
        &self,
        suite: Option<&str>,
        version: &str,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<(Apt, String), SourceError> {
        on_event(Event::Fetching {
            what: &package(version),
            from: "Debian",
            share: None,
        });
        let mut seen = Vec::new();
        let named = suite.is_some();
        let mut suites: VecDeque<Option<String>> = match suite {
            Some(suite) => [Some(suite.to_owned())].into(),
            None => std::iter::once(None)
                .chain(SUITES.map(|suite| Some(suite.to_owned())))
                .collect(),
        };
        while let Some(suite) = suites.pop_front() {
            let apt = match &suite {
                None => Apt {
                    suite: None,
                    options: Vec::new(),
                },
                Some(suite) => match self.private(suite) {
                    Ok(apt) => apt,
                    Err(error @ SourceError::Apt { .. }) if named => return Err(error),
                    Err(SourceError::Apt { .. }) => continue,
                    Err(error) => return Err(error),
                },
            };
            let there = self.apt(
                &apt,
                "apt-cache",
                &["madison", &package(version)],
                self.cache,
            )?;
            // Newest first, as apt sorts them.
            for (found, from) in there.iter().filter_map(|line| madison(line)) {
                if fits(version, &found) {
                    let suite = apt.suite.clone().unwrap_or(from);
                    return Ok((
                        Apt {
                            suite: Some(suite),
                            ..apt
                        },
                        found,
                    ));
                }
                seen.push(found);
            }
            // A host that never fetched its lists has a release all the same.
            if suite.is_none()
                && self
                    .apt(
                        &apt,
                        "apt-cache",
                        &["pkgnames", "linux-source-"],
                        self.cache,
                    )?
                    .is_empty()
                && let Some(own) = codename()
            {
                suites.push_front(Some(own.clone()));
                suites.push_front(Some(format!("{own}-security")));
            }
        }
        let found = match seen.as_slice() {
            [] => String::new(),
            seen => format!(" (there are: {})", seen.join(", ")),
        };
        Err(SourceError::Unknown {
            version: version.to_owned(),
            found,
            advice: "run `apt-get update`, or name release:VERSION, git:PATH#REV, a folder or a tarball",
        })
    }

    /// An apt that knows one suite and nothing of the system's.
    fn private(&self, suite: &str) -> Result<Apt, SourceError> {
        let root = self.cache.join("apt").join(suite);
        let io = |source| SourceError::Io {
            path: root.clone(),
            source,
        };
        for folder in ["lists/partial", "cache/archives/partial"] {
            fs_err::create_dir_all(root.join(folder)).map_err(io)?;
        }
        // apt takes relative paths for its own folders'.
        let root = real(&root)?;
        let host = Apt {
            suite: None,
            options: Vec::new(),
        };
        let targets = [
            "indextargets",
            "--format",
            "$(SITE)",
            "Created-By: Packages",
        ];
        let sites = self.apt(&host, "apt-get", &targets, self.cache)?;
        let site = sites
            .iter()
            .map(|site| site.trim_end_matches('/'))
            .find(|site| {
                site.starts_with("http") && site.ends_with("/debian") && !site.contains(' ')
            });
        let Some(site) = site else {
            return Err(SourceError::Unknown {
                version: format!("of suite {suite}"),
                found: String::new(),
                advice: "this host's apt names no mirror of Debian: add one to its sources",
            });
        };
        let mut site = site.to_owned();
        if suite.ends_with("-security") {
            site.push_str("-security");
        }
        let sources = root.join("sources.list");
        fs_err::write(
            &sources,
            format!("deb [signed-by={KEYRING}] {site} {suite} main\n"),
        )
        .map_err(io)?;
        let option = |name: &str, value: &Path| {
            let mut option = OsString::from(format!("-o{name}="));
            option.push(value);
            option
        };
        let apt = Apt {
            suite: Some(suite.to_owned()),
            options: vec![
                option("Dir::Etc::sourcelist", &sources),
                "-oDir::Etc::sourceparts=-".into(),
                option("Dir::State::Lists", &root.join("lists")),
                option("Dir::Cache", &root.join("cache")),
                "-oAcquire::Languages=none".into(),
            ],
        };
        self.apt(&apt, "apt-get", &["update", "--quiet"], self.cache)?;
        Ok(apt)
    }

    fn apt(
        &self,
        apt: &Apt,
        program: &'static str,
        args: &[&str],
        dir: &Path,
    ) -> Result<Vec<String>, SourceError> {
        let invocation = Invocation {
            program: program.into(),
            args: apt
                .options
                .iter()
                .cloned()
                .chain(args.iter().map(OsString::from))
                .collect(),
            dir: dir.into(),
            env: vec![("LC_ALL".into(), "C".into())],
        };
        let (mut out, mut all) = (Vec::new(), Vec::new());
        let code = self
            .runner
            .run(&invocation, &mut |stream, line| {
                if stream == crate::process::Stream::Out {
                    out.push(line.to_owned());
                }
                all.push(line.to_owned());
            })
            .map_err(|source| match source.kind() {
                io::ErrorKind::Interrupted => SourceError::Cancelled,
                _ => SourceError::Run { program, source },
            })?;
        if code == 0 {
            return Ok(out);
        }
        let tail = all
            .iter()
            .rev()
            .take(10)
            .rev()
            .cloned()
            .collect::<Vec<_>>()
            .join("\n");
        Err(SourceError::Apt {
            command: format!("{program} {}", args.join(" ")),
            code,
            tail,
        })
    }
}

/// The system's apt, or one with a suite of its own.
struct Apt {
    suite: Option<String>,
    options: Vec<OsString>,
}

/// Version and suite of a line of `apt-cache madison`.
fn madison(line: &str) -> Option<(String, String)> {
    let mut fields = line.split('|').map(str::trim).skip(1);
    let (version, place) = (fields.next()?, fields.next()?);
    let suite = place.split(' ').nth(1)?.split('/').next()?;
    (is_version(version) && is_word(suite)).then(|| (version.to_owned(), suite.to_owned()))
}

/// The release of this host, if it is Debian.
fn codename() -> Option<String> {
    let text = fs_err::read_to_string("/etc/os-release").ok()?;
    let field = |key: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    let own = field("VERSION_CODENAME").filter(|own| is_word(own));
    own.filter(|_| field("ID").as_deref() == Some("debian"))
}

fn debian_id(version: &str) -> String {
    format!("debian/{version}")
}

fn release_id(release: Release) -> String {
    format!("release/{release}")
}

/// What a package's name is remembered by.
fn package_name(suite: Option<&str>, version: &str) -> String {
    format!("{}/{version}", suite.unwrap_or_default())
}

fn real(path: &Path) -> Result<PathBuf, SourceError> {
    path.canonicalize().map_err(|source| SourceError::Io {
        path: path.to_owned(),
        source,
    })
}

fn short(bytes: &[u8]) -> String {
    Sha1::digest(bytes)
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The one package in a folder.
fn the_package(folder: &Path) -> Result<PathBuf, SourceError> {
    let io = |source| SourceError::Io {
        path: folder.to_owned(),
        source,
    };
    for entry in fs_err::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|e| e == "deb") {
            return Ok(path);
        }
    }
    Err(io(io::Error::new(
        io::ErrorKind::NotFound,
        "apt-get left no package here",
    )))
}

/// Which kernel a short name stood for, so that the next run need not ask apt
/// or kernel.org.
struct Memory(PathBuf);

#[derive(Default, Serialize, Deserialize)]
struct Names(std::collections::BTreeMap<String, Name>);

#[derive(Serialize, Deserialize)]
struct Name {
    id: String,
    since: SystemTime,
}

impl Memory {
    fn open(cache: &Path) -> Self {
        Self(cache.join("names.json"))
    }

    fn read(&self) -> Names {
        let text = fs_err::read(&self.0).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn recall(&self, asked: &str, however_old: bool) -> Option<String> {
        let name = self.read().0.remove(asked)?;
        let fresh = name.since.elapsed().is_ok_and(|age| age < FRESH);
        (fresh || however_old).then_some(name.id)
    }

    /// Forgetting costs a question, so failing to write is no error.
    fn keep(&self, asked: &str, id: &str) {
        let mut names = self.read();
        let name = Name {
            id: id.to_owned(),
            since: SystemTime::now(),
        };
        names.0.insert(asked.to_owned(), name);
        let folder = self.0.parent().unwrap_or(Path::new("."));
        let Ok(file) = tempfile::NamedTempFile::new_in(folder) else {
            return;
        };
        if serde_json::to_writer(&file, &names).is_ok() {
            let _ = file.persist(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::process::Stream;

    #[test]
    fn specs() {
        let parse = |text: &str| text.parse::<Spec>().ok();
        assert_eq!(parse("6.12"), Some(Spec::Nearest("6.12".into())));
        assert_eq!(
            parse("debian:sid/7.2.13-1"),
            Some(Spec::Debian {
                suite: "sid".into(),
                version: "7.2.13-1".into()
            })
        );
        assert_eq!(
            parse("git:/src/linux#v6.12"),
            Some(Spec::Git {
                path: "/src/linux".into(),
                rev: "v6.12".into()
            })
        );
        for release in ["release:6.17", "release:6.17.3"] {
            let spec = parse(release).unwrap();
            assert!(matches!(spec, Spec::Release(_)), "{spec:?}");
            assert_eq!(spec.to_string(), release);
        }
        for bad in [
            "",
            "6",
            "linux",
            "debian:sid",
            "debian:-o/6.12",
            "debian:sid/$(x)",
            "git:#x",
            "git:a#-x",
            "release:",
            "release:6.17-rc3",
            "release:../6.17",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn versions_fit_by_whole_parts() {
        assert!(fits("6.12", "6.12.117-1~deb12u1"));
        assert!(fits("6.12.117", "6.12.117-1~deb12u1"));
        assert!(fits("7.3~rc1", "7.3~rc1-1"));
        assert!(!fits("6.1", "6.12.117-1"));
        assert!(!fits("6.12.11", "6.12.117-1"));
        assert_eq!(package("6.12.117-1~deb12u1"), "linux-source-6.12");
        assert_eq!(package("7.2"), "linux-source-7.2");
    }

    /// An apt that has these versions in its host's suites, or in one suite.
    #[derive(Default)]
    struct FakeApt {
        versions: &'static [&'static str],
        suite: Option<&'static str>,
        package: Option<Vec<u8>>,
        asked: RefCell<Vec<String>>,
    }

    impl Runner for FakeApt {
        fn run(
            &self,
            invocation: &Invocation,
            on_line: &mut dyn FnMut(Stream, &str),
        ) -> io::Result<i32> {
            if invocation.program == "prlimit" {
                return Err(io::ErrorKind::NotFound.into());
            }
            let args: Vec<_> = invocation
                .args
                .iter()
                .map(|a| a.to_string_lossy().into_owned())
                .collect();
            let lists = args
                .iter()
                .find_map(|a| a.strip_prefix("-oDir::Etc::sourcelist="));
            let lists = lists.map(|path| std::fs::read_to_string(path).unwrap());
            let place = lists.as_deref().and_then(|text| text.split(' ').nth(3));
            let plain: Vec<_> = args
                .iter()
                .filter(|a| !a.starts_with("-o"))
                .map(String::as_str)
                .collect();
            let at = place.map_or(String::new(), |suite| format!("{suite}: "));
            self.asked
                .borrow_mut()
                .push(format!("{at}{}", plain.join(" ")));
            match plain.first().copied() {
                Some("madison") if place == self.suite => {
                    let suite = place.unwrap_or("bookworm");
                    for version in self.versions {
                        let line =
                            format!("linux-source | {version} | http://m/debian {suite}/main all");
                        on_line(Stream::Out, &line);
                    }
                }
                Some("pkgnames") => on_line(Stream::Out, "linux-source-6.1"),
                Some("indextargets") => on_line(Stream::Out, "http://mirror.example/debian/"),
                Some("download") => match &self.package {
                    Some(package) => {
                        std::fs::write(invocation.dir.join("linux-source.deb"), package)?;
                    }
                    None => {
                        on_line(Stream::Err, "E: no network here");
                        return Ok(100);
                    }
                },
                _ => {}
            }
            Ok(0)
        }

        fn cancelled(&self) -> bool {
            false
        }
    }

    fn package_of(version: &str) -> Vec<u8> {
        let mut numbers = version.split(['.', '-']);
        let mut number = || numbers.next().unwrap();
        let makefile = format!(
            "VERSION = {}\nPATCHLEVEL = {}\nSUBLEVEL = {}\nEXTRAVERSION =\n",
            number(),
            number(),
            number()
        );
        archive::tests::package(&makefile)
    }

    fn ensure(cache: &Path, apt: &FakeApt, offline: bool, spec: &str) -> Result<String, String> {
        let store = Store::open(cache).unwrap();
        let sources = Sources {
            store: &store,
            cache,
            kernel_org: &KernelOrg::new("https://localhost", None).unwrap(),
            runner: apt,
            offline,
        };
        let kernel = sources.ensure(&spec.parse().unwrap(), &mut |_| {});
        kernel
            .map(|kernel| kernel.origin)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_version_is_asked_for_once() {
        let cache = tempfile::tempdir().unwrap();
        let mut apt = FakeApt {
            versions: &["6.12.117-1~deb12u1", "6.12.100-1"],
            ..FakeApt::default()
        };
        let error = ensure(cache.path(), &apt, false, "6.12").unwrap_err();
        assert!(error.contains("no network here"), "{error}");

        apt.package = Some(package_of("6.12.117"));
        apt.asked.borrow_mut().clear();
        let origin = ensure(cache.path(), &apt, false, "6.12");
        assert_eq!(origin.as_deref(), Ok("debian:bookworm/6.12.117-1~deb12u1"));
        let asked = [
            "madison linux-source-6.12",
            "download linux-source-6.12=6.12.117-1~deb12u1",
        ];
        assert_eq!(apt.asked.borrow().as_slice(), asked);

        apt.asked.borrow_mut().clear();
        for (spec, offline) in [
            ("6.12", false),
            ("6.12", true),
            ("6.12.117", true),
            ("debian:bookworm/6.12", true),
            ("debian:bookworm/6.12.117-1~deb12u1", false),
        ] {
            assert_eq!(ensure(cache.path(), &apt, offline, spec), origin, "{spec}");
        }
        let error = ensure(cache.path(), &apt, true, "6.1").unwrap_err();
        assert!(error.contains("--offline"), "{error}");
        assert!(apt.asked.borrow().is_empty(), "{:?}", apt.asked);
    }

    #[test]
    fn other_suites_have_an_apt_of_their_own() {
        let cache = tempfile::tempdir().unwrap();
        let apt = FakeApt {
            versions: &["7.2.13-1"],
            suite: Some("sid"),
            package: Some(package_of("7.2.13")),
            ..FakeApt::default()
        };
        let origin = ensure(cache.path(), &apt, false, "7.2");
        assert_eq!(origin.as_deref(), Ok("debian:sid/7.2.13-1"));
        insta::assert_snapshot!(apt.asked.borrow().join("\n"), @"
        madison linux-source-7.2
        pkgnames linux-source-
        indextargets --format $(SITE) Created-By: Packages
        stable-backports: update --quiet
        stable-backports: madison linux-source-7.2
        indextargets --format $(SITE) Created-By: Packages
        testing: update --quiet
        testing: madison linux-source-7.2
        indextargets --format $(SITE) Created-By: Packages
        sid: update --quiet
        sid: madison linux-source-7.2
        sid: download linux-source-7.2=7.2.13-1
        ");
        let sources = std::fs::read_to_string(cache.path().join("apt/sid/sources.list")).unwrap();
        assert_eq!(
            sources,
            format!("deb [signed-by={KEYRING}] http://mirror.example/debian sid main\n")
        );
    }

    #[test]
    fn the_newest_is_told_by_its_numbers() {
        let cache = tempfile::tempdir().unwrap();
        for version in ["6.12.9-1", "6.12.117-1", "6.12.20-1"] {
            let apt = FakeApt {
                versions: Box::leak(Box::new([version])),
                package: Some(package_of(version)),
                ..FakeApt::default()
            };
            ensure(
                cache.path(),
                &apt,
                false,
                &format!("debian:bookworm/{version}"),
            )
            .unwrap_err();
            ensure(cache.path(), &apt, false, version).unwrap();
        }
        let apt = FakeApt::default();
        assert_eq!(
            ensure(cache.path(), &apt, true, "6.12").unwrap(),
            "debian:bookworm/6.12.117-1"
        );
    }

    #[test]
    fn a_version_that_nobody_has_names_what_there_is() {
        let cache = tempfile::tempdir().unwrap();
        let apt = FakeApt {
            versions: &["6.12.117-1"],
            ..FakeApt::default()
        };
        let error = ensure(cache.path(), &apt, false, "6.12.5").unwrap_err();
        assert!(error.contains("there are: 6.12.117-1"), "{error}");
        assert!(error.contains("From kernel.org: can't run"), "{error}");
    }

    #[test]
    fn a_folder_without_a_kernel_is_refused() {
        let cache = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("README"), "nothing").unwrap();
        let spec = folder.path().display().to_string();
        let error = ensure(cache.path(), &FakeApt::default(), true, &spec).unwrap_err();
        assert!(error.contains("is no kernel source"), "{error}");
    }
}
