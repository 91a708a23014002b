//! Debian's packages of kernel sources, by apt.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::process::{Invocation, Runner, Stream};
use crate::source::error::SourceError;
use crate::source::event::Event;
use crate::source::spec::{is_version, is_word};

/// Where Debian keeps the keys that its archive is signed with.
pub(super) const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Looked through, in this order, where the host's own suites lack a version.
const SUITES: [&str; 4] = ["stable-backports", "testing", "sid", "experimental"];

pub(super) struct Debian<'a> {
    pub(super) cache: &'a Path,
    pub(super) runner: &'a dyn Runner,
}

impl Debian<'_> {
    /// The package version to take, and the apt that has it.
    pub(super) fn locate(
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
            advice: "run `apt-get update`, or give release:VERSION, git:PATH#REV, a folder or a tarball",
        })
    }

    /// An apt that knows one suite and nothing of the system's.
    fn private(&self, suite: &str) -> Result<Apt, SourceError> {
        let root = self.cache.join("apt").join(suite);
        for folder in ["lists/partial", "cache/archives/partial"] {
            fs_err::create_dir_all(root.join(folder))?;
        }
        // apt takes relative paths for its own folders'.
        let root = fs_err::canonicalize(root)?;
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
                advice: "add a mirror of Debian to the sources of this host's apt, which has none",
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
        )?;
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

    pub(super) fn apt(
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
                if stream == Stream::Out {
                    out.push(line.to_owned());
                }
                all.push(line.to_owned());
            })
            .map_err(|source| match source.kind() {
                io::ErrorKind::Interrupted => source.into(),
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
pub(super) struct Apt {
    pub(super) suite: Option<String>,
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

/// The package that has a version: `6.12.117` is in `linux-source-6.12`.
pub(super) fn package(version: &str) -> String {
    let mut parts = version.split(['.', '-', '+', '~']);
    let (major, minor) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    format!("linux-source-{major}.{minor}")
}

/// Whether a package's version is the one asked for, or one of its updates.
pub(super) fn fits(asked: &str, version: &str) -> bool {
    version == asked
        || version
            .strip_prefix(asked)
            .is_some_and(|rest| rest.starts_with(['.', '-', '+', '~']))
}

/// The one package in a folder.
pub(super) fn the_package(folder: &Path) -> Result<PathBuf, SourceError> {
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "deb") {
            return Ok(path);
        }
    }
    let nothing = format!("apt-get left no package in {}", folder.display());
    Err(io::Error::new(io::ErrorKind::NotFound, nothing).into())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
