//! Releases as kernel.org publishes them: what they are called, and the list of
//! SHA-256 sums that lies beside their tarballs.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::source::error::SourceError;

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

impl FromStr for Asked {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let unknown = || SourceError::Release(text.to_owned());
        if let Some((release, candidate)) = text.split_once("-rc")
            && numbers(release).is_some()
            && number(candidate).is_some()
        {
            return Err(SourceError::Candidate(text.to_owned()));
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
            assert!(matches!(refused, Err(SourceError::Release(_))), "{bad:?}");
        }
        let candidate = "6.17-rc3".parse::<Asked>().unwrap_err();
        insta::assert_snapshot!(candidate, @"6.17-rc3 is a release candidate, and kernel.org publishes no checksums for those");
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
