//! Releases as kernel.org publishes them: what they are called, and the list of
//! SHA-256 sums that lies beside their tarballs.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

/// Where kernel.org serves its releases.
pub(super) const BASE: &str = "https://cdn.kernel.org/pub/linux/kernel";
/// Names another folder that is laid out like [`BASE`].
pub(super) const BASE_VARIABLE: &str = "REAPERLAB_KERNEL_ORG";
/// Names a keyring for the lists' signatures.
pub(super) const KEYRING_VARIABLE: &str = "REAPERLAB_KERNEL_ORG_KEYRING";

/// A release, or the newest one of its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub(super) version: u16,
    pub(super) patchlevel: u16,
    pub(super) sublevel: Option<u16>,
}

/// One release. The first of a line has the sublevel 0, which its file's name
/// leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release {
    version: u16,
    patchlevel: u16,
    sublevel: u16,
}

/// Why there is no release.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// Not a release's name.
    #[error(
        "{0:?} names no release of Linux 3.0 or later: write release:6.17.3, release:6.17 for the newest of its line, or release:6.17.0 for the first"
    )]
    Name(String),
    /// kernel.org publishes no sums for those.
    #[error(
        "{0} is a release candidate, and kernel.org publishes no checksums for those: name a git tree that has it, git:PATH#v{0}"
    )]
    Candidate(String),
    /// Not an address to fetch from.
    #[error(
        "{BASE_VARIABLE} is {0:?}: write the https:// address of the folder that has v6.x, such as {BASE}"
    )]
    Mirror(String),
    /// Not a keyring to check signatures with.
    #[error("{KEYRING_VARIABLE} names {path}: {source}; name a keyring that gpgv reads")]
    Keyring {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The list does not have it.
    #[error("{list} names no linux-{asked}.tar.xz{newest}; name another release")]
    Unlisted {
        /// What was asked for.
        asked: Asked,
        /// The list's address.
        list: String,
        /// What there is instead.
        newest: String,
    },
    /// A list that can't be relied on.
    #[error("{list} has two checksums for {file}: name another mirror in {BASE_VARIABLE}")]
    Ambiguous {
        /// The list's address.
        list: String,
        /// The file.
        file: String,
    },
    /// The list's signature is bad, absent or by somebody else.
    #[error(
        "the signature of {list} is not one by {keyring}: {said}; nothing was imported. Is it the keyring of kernel.org's checksum signer?"
    )]
    Signature {
        /// The list's address.
        list: String,
        /// The keyring.
        keyring: PathBuf,
        /// What gpgv said.
        said: String,
    },
    /// It could not be fetched.
    #[error("can't fetch {url}: {said}; {}", advice(*code))]
    Fetch {
        /// Its address.
        url: String,
        /// curl's exit code.
        code: i32,
        /// What curl said.
        said: String,
    },
    /// Larger than any honest one.
    #[error(
        "{url} is larger than {} MiB, the most that is taken: name another mirror in {BASE_VARIABLE}", limit >> 20
    )]
    TooLarge {
        /// Its address.
        url: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// Not what the list says.
    #[error(
        "{url} has the SHA-256 {found}, but the list beside it says {listed}: the file was deleted and nothing of it imported. Try once more; if it stays so, name another mirror in {BASE_VARIABLE}"
    )]
    Mismatch {
        /// Its address.
        url: String,
        /// What the list says.
        listed: String,
        /// What it is.
        found: String,
    },
    /// A program could not be run.
    #[error("can't run {program}: {source}; `cargo xtask doctor` says how to get it")]
    Run {
        /// The program.
        program: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A file that can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Stopped on request. What a tarball has so far is kept.
    #[error("interrupted")]
    Cancelled,
}

/// What to do after an exit code of curl's.
fn advice(code: i32) -> String {
    match code {
        1 => format!("only HTTPS is taken: name another mirror in {BASE_VARIABLE}"),
        22 => format!("{BASE_VARIABLE} names another mirror"),
        23 => "is there space in the cache folder?".into(),
        35 | 60 | 77 => {
            "if it is a mirror of your own, name its CA's file in CURL_CA_BUNDLE".into()
        }
        _ => format!(
            "see to the network or the proxy (https_proxy), or name another mirror in {BASE_VARIABLE}, and run it again: it goes on where it stopped"
        ),
    }
}

impl FromStr for Asked {
    type Err = ReleaseError;

    fn from_str(text: &str) -> Result<Self, ReleaseError> {
        let unknown = || ReleaseError::Name(text.to_owned());
        if let Some((release, candidate)) = text.split_once("-rc")
            && numbers(release).is_some()
            && number(candidate).is_some()
        {
            return Err(ReleaseError::Candidate(text.to_owned()));
        }
        let (version, patchlevel, sublevel) = numbers(text).ok_or_else(unknown)?;
        // Before that they are laid out otherwise.
        if version < 3 {
            return Err(unknown());
        }
        Ok(Self {
            version,
            patchlevel,
            sublevel,
        })
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.version, self.patchlevel)?;
        match self.sublevel {
            Some(sublevel) => write!(f, ".{sublevel}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.version, self.patchlevel, self.sublevel)
    }
}

/// `6.17` or `6.17.3`.
fn numbers(text: &str) -> Option<(u16, u16, Option<u16>)> {
    let parts: Vec<u16> = text.split('.').map(number).collect::<Option<_>>()?;
    match *parts.as_slice() {
        [version, patchlevel] => Some((version, patchlevel, None)),
        [version, patchlevel, sublevel] => Some((version, patchlevel, Some(sublevel))),
        _ => None,
    }
}

/// A number as it is written by whoever wants to be understood.
fn number(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

impl Asked {
    /// The release, where one is named.
    pub(crate) fn exactly(self) -> Option<Release> {
        Some(Release {
            version: self.version,
            patchlevel: self.patchlevel,
            sublevel: self.sublevel?,
        })
    }

    /// Whether it is the release asked for, or one of its line.
    pub(crate) fn takes(self, release: Release) -> bool {
        (self.version, self.patchlevel) == (release.version, release.patchlevel)
            && self.sublevel.is_none_or(|it| it == release.sublevel)
    }
}

impl Release {
    /// Its tarball.
    pub(crate) fn file(self) -> String {
        match self {
            Self {
                version,
                patchlevel,
                sublevel: 0,
            } => format!("linux-{version}.{patchlevel}.tar.xz"),
            release => format!("linux-{release}.tar.xz"),
        }
    }

    fn of_file(name: &str) -> Option<Self> {
        let text = name.strip_prefix("linux-")?.strip_suffix(".tar.xz")?;
        let asked: Asked = text.parse().ok()?;
        let release = Self {
            version: asked.version,
            patchlevel: asked.patchlevel,
            sublevel: asked.sublevel.unwrap_or(0),
        };
        (release.file() == name).then_some(release)
    }
}

/// What a list says of releases' tarballs.
pub(crate) type Sums = BTreeMap<Release, String>;

/// Reads a list, in which anything may stand; the name of a file with two sums
/// where there is one.
pub(crate) fn read_list(text: &str) -> Result<Sums, String> {
    let mut sums = Sums::new();
    for line in text.lines() {
        // As sha256sum writes it: the sum, a space, one for the mode, the name.
        let Some((sum, rest)) = line.split_at_checked(64) else {
            continue;
        };
        let name = rest.strip_prefix("  ").or_else(|| rest.strip_prefix(" *"));
        let release = name.and_then(Release::of_file);
        let Some(release) = release.filter(|_| sum.bytes().all(|b| b.is_ascii_hexdigit())) else {
            continue;
        };
        let sum = sum.to_ascii_lowercase();
        match sums.insert(release, sum.clone()) {
            Some(other) if other != sum => return Err(release.file()),
            _ => {}
        }
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, file) in [
            ("6.17.3", Some("linux-6.17.3.tar.xz")),
            ("6.17.0", Some("linux-6.17.tar.xz")),
            ("3.0.101", Some("linux-3.0.101.tar.xz")),
            ("6.17", None),
        ] {
            let asked: Asked = text.parse().unwrap();
            assert_eq!(asked.to_string(), text);
            assert_eq!(asked.exactly().map(Release::file).as_deref(), file);
            if let Some(release) = asked.exactly() {
                assert_eq!(Release::of_file(&release.file()), Some(release));
            }
        }
        for bad in [
            "",
            "6",
            "6.",
            "6.17.3.1",
            "6.017",
            "+6.17",
            "6.17 ",
            "6.17-1",
            "2.6.39",
            "6.99999",
            "6.17-rc",
            "6.17/..",
            "v6.17",
            "6.17.3-rc1x",
        ] {
            let refused = bad.parse::<Asked>();
            assert!(matches!(refused, Err(ReleaseError::Name(_))), "{bad:?}");
        }
        let candidate = "6.17-rc3".parse::<Asked>().unwrap_err();
        insta::assert_snapshot!(candidate, @"6.17-rc3 is a release candidate, and kernel.org publishes no checksums for those: name a git tree that has it, git:PATH#v6.17-rc3");
    }

    #[test]
    fn lists() {
        let (a, b) = ("a".repeat(64), "B".repeat(64));
        let text = format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n\
             {a}  ChangeLog-6.17.3\n\
             {a}  linux-6.17.3.tar.gz\n\
             {b}  linux-6.17.3.tar.xz\r\n\
             {a} *linux-6.17.tar.xz\n\
             {a}  linux-6.17.tar.xz\n\
             {a}  linux-6.17.0.tar.xz\n\
             {a}  linux-6.17.4.tar.xz.part\n\
             {a}  ../linux-6.17.5.tar.xz\n\
             {a}   linux-6.17.6.tar.xz\n\
             {a}0  linux-6.17.7.tar.xz\n\
             {}g  linux-6.17.8.tar.xz\n\
             {}ä  linux-6.17.9.tar.xz\n\
             -----BEGIN PGP SIGNATURE-----\n\n=ab12\n",
            &a[1..],
            &a[1..],
        );
        let found: Vec<_> = read_list(&text)
            .unwrap()
            .into_iter()
            .map(|(release, sum)| (release.to_string(), sum))
            .collect();
        let wanted = [("6.17.0", a.clone()), ("6.17.3", b.to_lowercase())];
        assert_eq!(
            found,
            wanted.map(|(release, sum)| (release.to_owned(), sum))
        );

        let twice = format!("{a}  linux-6.17.tar.xz\n{b}  linux-6.17.tar.xz\n");
        assert_eq!(read_list(&twice), Err("linux-6.17.tar.xz".to_owned()));
    }
}
