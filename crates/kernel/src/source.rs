//! Where a kernel's source comes from: a Debian package, a git revision, a
//! folder or a tarball, imported into the store once.

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
use crate::store::{Kernel, Origin, Store, StoreError};

/// Where Debian keeps the keys that its archive is signed with.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Looked through, in this order, where the host's own suites lack a version.
const SUITES: [&str; 4] = ["stable-backports", "testing", "sid", "experimental"];
/// How long `6.12` stands for the same package version without asking apt.
const FRESH: Duration = Duration::from_secs(7 * 24 * 3600);

/// What `--kernel` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// The nearest packaged version, such as `6.12` or `6.12.117`.
    Nearest(String),
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
        "{0:?} names no kernel: write a version (6.12), debian:SUITE/VERSION, git:PATH#REV, a folder or a tarball"
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

/// What the work is at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event<'a> {
    /// A package is being looked for or fetched.
    Fetching(&'a str),
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
            return Ok(Self::Debian { suite: suite.into(), version: version.into() });
        }
        if let Some(rest) = text.strip_prefix("git:") {
            let (path, rev) = rest.rsplit_once('#').unwrap_or((rest, "HEAD"));
            if path.is_empty() || rev.is_empty() || rev.starts_with('-') {
                return Err(unknown());
            }
            return Ok(Self::Git { path: path.into(), rev: rev.into() });
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
            Self::Git { path, rev } => write!(f, "git:{}#{rev}", path.display()),
            Self::Folder(path) | Self::Tarball(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A Debian version or the beginning of one; safe in a file's name and as an
/// argument.
fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ".+~-".contains(c))
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// The package that has a version: `6.12.117` is in `linux-source-6.12`.
fn package(version: &str) -> String {
    let mut parts = version.split(['.', '-', '+', '~']);
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    format!("linux-source-{major}.{minor}")
}

/// Whether a package's version is the one asked for, or one of its updates.
fn fits(asked: &str, version: &str) -> bool {
    version == asked
        || version.strip_prefix(asked).is_some_and(|rest| rest.starts_with(['.', '-', '+', '~']))
}

/// Fetches and imports kernels.
pub struct Sources<'a> {
    /// Where they go.
    pub store: &'a Store,
    /// The cache folder.
    pub cache: &'a Path,
    /// Runs apt.
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
            Spec::Nearest(version) => self.debian(None, version, on_event),
            Spec::Debian { suite, version } => self.debian(Some(suite), version, on_event),
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
                let io = |source| SourceError::Io { path: real.clone(), source };
                let meta = real.metadata().map_err(io)?;
                let stamp = format!("{} {} {:?}", real.display(), meta.len(), meta.modified().ok());
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
        let failed =
            |source| SourceError::Git { path: path.to_owned(), rev: rev.to_owned(), source };
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
        self.import(Input::Git(&repo, commit), &origin, on_event)
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
        .map_err(|source| SourceError::Io { path: path.to_owned(), source })?
    }

    fn import(
        &self,
        input: Input<'_>,
        origin: &Origin,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Kernel, SourceError> {
        let mut watch = |progress| {
            on_event(Event::Importing(progress));
            if self.runner.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
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

    fn debian(
        &self,
        suite: Option<&str>,
        version: &str,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Kernel, SourceError> {
        let memory = Memory::open(self.cache);
        let asked = format!("{}/{version}", suite.unwrap_or_default());
        if let Some(found) = memory.recall(&asked, self.offline)
            && let Some(kernel) = self.store.kernel(&debian_id(&found))?
        {
            return Ok(kernel);
        }
        if self.offline {
            let mut imported = self.store.kernels()?;
            imported.retain(|kernel| {
                kernel.id.starts_with("debian/") && fits(version, &kernel.version)
            });
            return imported.pop().ok_or_else(|| SourceError::Offline(version.to_owned()));
        }
        let (apt, found) = self.locate(suite, version, on_event)?;
        let id = debian_id(&found);
        let kernel = match self.store.kernel(&id)? {
            Some(kernel) => kernel,
            None => {
                let origin = Origin {
                    text: format!("debian:{}/{found}", apt.suite.as_deref().unwrap_or("host")),
                    id,
                    immutable: true,
                };
                on_event(Event::Fetching(&found));
                let folder = tempfile::tempdir_in(self.cache)
                    .map_err(|source| SourceError::Io { path: self.cache.to_owned(), source })?;
                let name = format!("{}={found}", package(version));
                self.apt(&apt, "apt-get", &["download", &name], folder.path())?;
                let deb = the_package(folder.path())?;
                self.tarball(&deb, &origin, on_event)?
            }
        };
        memory.keep(&asked, &found);
        Ok(kernel)
    }

    /// The package version to take, and the apt that has it.
    fn locate(
        &self,
        suite: Option<&str>,
        version: &str,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<(Apt, String), SourceError> {
        on_event(Event::Fetching(version));
        let mut seen = Vec::new();
        let suites: Vec<Option<&str>> = match suite {
            Some(suite) => vec![Some(suite)],
            None => std::iter::once(None).chain(SUITES.map(Some)).collect(),
        };
        let named = suite.is_some();
        for suite in suites {
            let apt = match suite {
                None => Apt { suite: None, options: Vec::new() },
                Some(suite) => match self.private(suite) {
                    Ok(apt) => apt,
                    Err(error @ SourceError::Apt { .. }) if named => return Err(error),
                    Err(SourceError::Apt { .. }) => continue,
                    Err(error) => return Err(error),
                },
            };
            let there = self.apt(&apt, "apt-cache", &["madison", &package(version)], self.cache)?;
            // Newest first, as apt sorts them.
            let versions: Vec<String> = there
                .iter()
                .filter_map(|line| line.split('|').nth(1))
                .map(|version| version.trim().to_owned())
                .filter(|version| is_version(version))
                .collect();
            if let Some(found) = versions.iter().find(|found| fits(version, found)) {
                return Ok((apt, found.clone()));
            }
            seen.extend(versions);
        }
        let found = match seen.as_slice() {
            [] => String::new(),
            seen => format!(" (there are: {})", seen.join(", ")),
        };
        Err(SourceError::Unknown {
            version: version.to_owned(),
            found,
            advice: "run `apt-get update`, or name a folder, a tarball or git:PATH#REV",
        })
    }

    /// An apt that knows one suite and nothing of the system's.
    fn private(&self, suite: &str) -> Result<Apt, SourceError> {
        let root = self.cache.join("apt").join(suite);
        let io = |source| SourceError::Io { path: root.clone(), source };
        for folder in ["lists/partial", "cache/archives/partial"] {
            fs_err::create_dir_all(root.join(folder)).map_err(io)?;
        }
        let host = Apt { suite: None, options: Vec::new() };
        let targets = ["indextargets", "--format", "$(SITE)", "Created-By: Packages"];
        let sites = self.apt(&host, "apt-get", &targets, self.cache)?;
        let site = sites.iter().find(|site| site.trim_end_matches('/').ends_with("/debian"));
        let Some(site) = site else {
            return Err(SourceError::Unknown {
                version: suite.to_owned(),
                found: String::new(),
                advice: "this host's apt names no Debian mirror: add one to its sources",
            });
        };
        let sources = root.join("sources.list");
        fs_err::write(&sources, format!("deb [signed-by={KEYRING}] {site} {suite} main\n"))
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
            args: apt.options.iter().cloned().chain(args.iter().map(OsString::from)).collect(),
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
        let tail = all.iter().rev().take(10).rev().cloned().collect::<Vec<_>>().join("\n");
        Err(SourceError::Apt { command: format!("{program} {}", args.join(" ")), code, tail })
    }
}

/// The system's apt, or one with a suite of its own.
struct Apt {
    suite: Option<String>,
    options: Vec<OsString>,
}

fn debian_id(version: &str) -> String {
    format!("debian/{version}")
}

fn real(path: &Path) -> Result<PathBuf, SourceError> {
    path.canonicalize().map_err(|source| SourceError::Io { path: path.to_owned(), source })
}

fn short(bytes: &[u8]) -> String {
    Sha1::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The one package in a folder.
fn the_package(folder: &Path) -> Result<PathBuf, SourceError> {
    let io = |source| SourceError::Io { path: folder.to_owned(), source };
    for entry in fs_err::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|e| e == "deb") {
            return Ok(path);
        }
    }
    Err(io(io::Error::new(io::ErrorKind::NotFound, "apt-get left no package here")))
}

/// Which package version a short name stood for, so that the next run need not
/// ask apt.
struct Memory(PathBuf);

#[derive(Default, Serialize, Deserialize)]
struct Names(std::collections::BTreeMap<String, Name>);

#[derive(Serialize, Deserialize)]
struct Name {
    version: String,
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
        (fresh || however_old).then_some(name.version)
    }

    /// Forgetting costs a question to apt, so failing to write is no error.
    fn keep(&self, asked: &str, version: &str) {
        let mut names = self.read();
        let name = Name { version: version.to_owned(), since: SystemTime::now() };
        names.0.insert(asked.to_owned(), name);
        let folder = self.0.parent().unwrap_or(Path::new("."));
        let Ok(file) = tempfile::NamedTempFile::new_in(folder) else { return };
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
            Some(Spec::Debian { suite: "sid".into(), version: "7.2.13-1".into() })
        );
        assert_eq!(
            parse("git:/src/linux#v6.12"),
            Some(Spec::Git { path: "/src/linux".into(), rev: "v6.12".into() })
        );
        for bad in
            ["", "6", "linux", "debian:sid", "debian:-o/6.12", "debian:sid/$(x)", "git:#x", "git:a#-x"]
        {
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

    /// An apt that knows these versions and never has anything to download.
    struct FakeApt {
        versions: &'static [&'static str],
        asked: RefCell<Vec<String>>,
    }

    impl Runner for FakeApt {
        fn run(
            &self,
            invocation: &Invocation,
            on_line: &mut dyn FnMut(Stream, &str),
        ) -> io::Result<i32> {
            let args: Vec<_> =
                invocation.args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
            self.asked.borrow_mut().push(args.join(" "));
            if args.iter().any(|a| a == "madison") {
                for version in self.versions {
                    on_line(Stream::Out, &format!("linux-source-6.12 | {version} | somewhere"));
                }
                return Ok(0);
            }
            if args.iter().any(|a| a == "indextargets") {
                return Ok(0);
            }
            on_line(Stream::Err, "E: no network here");
            Ok(100)
        }

        fn cancelled(&self) -> bool {
            false
        }
    }

    #[test]
    fn a_version_is_asked_for_once_and_fetched_by_its_full_name() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::open(cache.path()).unwrap();
        let apt = FakeApt {
            versions: &["6.12.117-1~deb12u1", "6.12.100-1"],
            asked: RefCell::default(),
        };
        let sources =
            Sources { store: &store, cache: cache.path(), runner: &apt, offline: false };
        let error =
            sources.ensure(&Spec::Nearest("6.12".into()), &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("no network here"), "{error}");
        assert_eq!(
            apt.asked.borrow().as_slice(),
            ["madison linux-source-6.12", "download linux-source-6.12=6.12.117-1~deb12u1"]
        );
    }

    #[test]
    fn an_unknown_version_names_what_there_is() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::open(cache.path()).unwrap();
        let apt = FakeApt { versions: &["6.12.117-1"], asked: RefCell::default() };
        let sources =
            Sources { store: &store, cache: cache.path(), runner: &apt, offline: true };
        let spec = Spec::Nearest("6.12.5".into());
        let error = sources.ensure(&spec, &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("--offline"), "{error}");
        assert!(apt.asked.borrow().is_empty());
    }

    #[test]
    fn a_folder_without_a_kernel_is_refused() {
        let cache = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("README"), "nothing").unwrap();
        let store = Store::open(cache.path()).unwrap();
        let apt = FakeApt { versions: &[], asked: RefCell::default() };
        let sources =
            Sources { store: &store, cache: cache.path(), runner: &apt, offline: true };
        let spec = Spec::Folder(folder.path().into());
        let error = sources.ensure(&spec, &mut |_| {}).unwrap_err();
        assert!(matches!(error, SourceError::NoKernel(_)), "{error}");
    }
}
