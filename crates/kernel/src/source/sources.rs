//! Fetches and imports kernels.

use std::path::Path;

use git2::Repository;
use results::text::hex;
use sha1::{Digest, Sha1};

use crate::cache::{Mode, hold};
use crate::process::Runner;
use crate::source::archive;
use crate::source::debian::{Debian, fits, package, the_package};
use crate::source::error::SourceError;
use crate::source::event::Event;
use crate::source::kernel_org::{Fetcher, KernelOrg};
use crate::source::names::Memory;
use crate::source::release::{Asked, Release};
use crate::source::spec::Spec;
use crate::store::{Input, Kernel, Origin, Store, StoreError, import};

pub struct Sources<'a> {
    pub store: &'a Store,
    /// The cache folder.
    pub cache: &'a Path,
    pub kernel_org: &'a KernelOrg,
    /// Runs apt and curl.
    pub runner: &'a dyn Runner,
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
                let real = fs_err::canonicalize(path)?;
                let name = short(real.as_os_str().as_encoded_bytes());
                let origin = Origin {
                    id: format!("folder/{name}"),
                    text: real.display().to_string(),
                    immutable: false,
                };
                self.import(Input::Folder(&real), &origin, on_event)
            }
            Spec::Tarball(path) => {
                let real = fs_err::canonicalize(path)?;
                let meta = fs_err::metadata(&real)?;
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
        self.store.lend_history(kernel.commit, repo, commit);
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
        .map_err(|source| SourceError::Archive {
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
            self.runner.go_on()
        };
        let kernel = import(self.store, input, origin, &mut watch)?;
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
            // It has it, and it can't be imported.
            Err(
                error @ (SourceError::Archive { .. }
                | SourceError::NoKernel(_)
                | SourceError::Store(_)
                | SourceError::Io(_)),
            ) => Err(error),
            Err(error) => Err(SourceError::Nowhere {
                debian: debian.into(),
                release: error.into(),
            }),
            kernel => kernel,
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
        fs_err::create_dir_all(&folder)?;
        let mut cancelled = || self.runner.cancelled();
        let lock = folder.join("lock");
        let _lock = hold(&lock, Mode::Exclusive, &mut cancelled, &mut || {})?;
        let fetcher = Fetcher {
            kernel_org: self.kernel_org,
            runner: self.runner,
            folder: &folder,
        };
        let mut watch = |what: &str, from: &str, share| {
            on_event(Event::Fetching { what, from, share });
        };
        let listed = match fetcher.find(asked, &mut watch) {
            // An older one is better than none when nobody answers.
            Err(error @ SourceError::Fetch { .. }) => {
                return imported()?.ok_or(error);
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
                let tarball = fetcher.tarball(&listed, &mut watch)?;
                let kernel = self.tarball(&tarball, &origin, on_event)?;
                fs_err::remove_file(&tarball)?;
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
        let debian = Debian {
            cache: self.cache,
            runner: self.runner,
        };
        let (apt, found) = match debian.locate(suite, version, on_event) {
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
                let folder = tempfile::tempdir_in(self.cache)?;
                let name = format!("{}={found}", package(version));
                debian.apt(&apt, "apt-get", &["download", &name], folder.path())?;
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

fn short(bytes: &[u8]) -> String {
    hex(&Sha1::digest(bytes)[..8])
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io;

    use super::*;
    use crate::process::{Invocation, Stream};
    use crate::source::debian::KEYRING;

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
        assert!(error.contains("nothing may be fetched"), "{error}");
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
        assert!(error.contains("is not a kernel's source"), "{error}");
    }
}
