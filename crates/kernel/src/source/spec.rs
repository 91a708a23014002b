//! What `--kernel` names.
//!
//! A new form is a variant of [`Spec`] with its text in `FromStr` and `Display`
//! here, an arm in `sources.rs`, its words in `SourceError::hints` (`error.rs`), in
//! `FORMS` of `xtask/src/commands/options.rs` and in the table of README.md; one that
//! is neither a folder, a tarball nor git, an `Input` in `store/import.rs`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::source::error::SourceError;
use crate::source::release::Asked;

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
        path: PathBuf,
        /// Anything git understands.
        rev: String,
    },
    /// A folder, as it is now.
    Folder(PathBuf),
    /// A tar archive, compressed or not, or a Debian package.
    Tarball(PathBuf),
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
pub(super) fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".+~-".contains(c))
}

pub(super) fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
