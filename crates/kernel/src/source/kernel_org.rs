//! Fetches releases over HTTPS, each held to the sum that the list gives it.
//!
//! That proves that a tarball is what the mirror published, whole and unchanged
//! on the way. That the mirror has it from kernel.org is proved only where a
//! keyring is at hand: then the list's PGP signature is checked too.
//!
//! `curl` fetches: it brings proxies, the host's certificates and HTTP/2.
//! `prlimit` bounds what it writes, since curl's own limit does nothing before
//! its version 8.4 where the server tells no length.

use std::env;
use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fs_err::File;
use results::text::{hex, printable};
use sha2::{Digest, Sha256};

use crate::cache::children;
use crate::error::IoError;
use crate::process::{Invocation, Runner};
use crate::source::error::SourceError;
use crate::source::release::{Asked, Release, read_list};
use crate::source::settings::{BASE, BASE_VARIABLE, KEYRING_VARIABLE};

/// What a list of sums is called.
const LIST: &str = "sha256sums.asc";
/// How often a tarball goes on within one command.
const TRIES: usize = 10;

/// What one file may take.
struct Bounds {
    bytes: u64,
    seconds: u32,
}

/// Well above the longest list and the largest tarball there are.
const FOR_LIST: Bounds = Bounds {
    bytes: 16 << 20,
    seconds: 300,
};
const FOR_TARBALL: Bounds = Bounds {
    bytes: 1 << 30,
    seconds: 3600,
};

/// kernel.org, or a mirror of it.
#[derive(Debug, Clone)]
pub struct KernelOrg {
    base: String,
    keyring: Option<PathBuf>,
}

impl KernelOrg {
    /// A folder that is laid out like kernel.org's `pub/linux/kernel`. With a
    /// keyring, as gpgv reads it, the lists' signatures are checked.
    ///
    /// # Errors
    /// [`SourceError::Mirror`] for an address that is not HTTPS or has more
    /// than host, port and path.
    pub fn new(base: &str, keyring: Option<PathBuf>) -> Result<Self, SourceError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/%[]".contains(c);
        match base.strip_prefix("https://") {
            Some(rest) if !rest.is_empty() && rest.chars().all(plain) => Ok(Self {
                base: base.trim_end_matches('/').to_owned(),
                keyring,
            }),
            _ => Err(SourceError::Mirror(base.to_owned())),
        }
    }

    /// By the environment: `REAPERLAB_KERNEL_ORG`, else kernel.org itself, and
    /// `REAPERLAB_KERNEL_ORG_KEYRING`.
    ///
    /// # Errors
    /// See [`KernelOrg::new`].
    pub fn from_environment() -> Result<Self, SourceError> {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        let base = set(BASE_VARIABLE).unwrap_or_else(|| BASE.into());
        let keyring = set(KEYRING_VARIABLE).map(PathBuf::from);
        Self::new(&base.to_string_lossy(), keyring)
    }
}

/// Told what is being fetched, from where, and what part has come.
pub(crate) type Watch<'a> = dyn FnMut(&str, &str, Option<f64>) + 'a;

/// Fetches into one folder, which is the caller's alone.
pub(crate) struct Fetcher<'a> {
    pub kernel_org: &'a KernelOrg,
    pub runner: &'a dyn Runner,
    pub folder: &'a Path,
}

/// A release as a list has it.
pub(crate) struct Listed {
    pub release: Release,
    sum: String,
    from: String,
}

impl Fetcher<'_> {
    /// What the list has of a name.
    pub(crate) fn find(&self, asked: Asked, watch: &mut Watch<'_>) -> Result<Listed, SourceError> {
        let from = format!("{}/v{}.x", self.kernel_org.base, asked.version);
        let list = format!("{from}/{LIST}");
        let path = self.folder.join(LIST);
        remove(&path)?;
        self.curl(&list, LIST, FOR_LIST, &mut |share| {
            watch(LIST, &from, share)
        })?;
        let text = match &self.kernel_org.keyring {
            None => read(&path)?,
            Some(keyring) => self.signed(keyring, &list)?,
        };
        let mut sums = read_list(&text).map_err(|file| SourceError::Ambiguous {
            list: list.clone(),
            file,
        })?;
        let line = Asked {
            sublevel: None,
            ..asked
        };
        sums.retain(|release, _| line.takes(*release));
        let newest = sums.keys().next_back().copied();
        match asked
            .exactly()
            .or(newest)
            .and_then(|it| sums.remove_entry(&it))
        {
            Some((release, sum)) => Ok(Listed { release, sum, from }),
            None => Err(SourceError::Unlisted {
                asked: asked.to_string(),
                list,
                newest: newest.map_or(String::new(), |it| format!(" (the newest is {it})")),
            }),
        }
    }

    /// What was signed of the list, by somebody in the keyring.
    fn signed(&self, keyring: &Path, list: &str) -> Result<String, SourceError> {
        // gpgv looks for a name without a slash in a folder of its own.
        let keyring = keyring
            .canonicalize()
            .map_err(|source| SourceError::Keyring {
                path: keyring.to_owned(),
                source,
            })?;
        let signed = self.folder.join("signed");
        remove(&signed)?;
        let mut args: Vec<OsString> = vec!["--keyring".into(), keyring.clone().into()];
        args.extend(["--output", "signed", LIST].map(OsString::from));
        let mut said = Vec::new();
        let code = self.run("gpgv", args, &mut |line| {
            said.push(
                line.strip_prefix("gpgv: ")
                    .unwrap_or(line)
                    .trim()
                    .to_owned(),
            );
        })?;
        if code != 0 {
            return Err(SourceError::Signature {
                list: list.to_owned(),
                keyring,
                said: self::said(&said.join("; ")),
            });
        }
        read(&signed)
    }

    /// The tarball, verified, and begun where an earlier attempt stopped.
    pub(crate) fn tarball(
        &self,
        listed: &Listed,
        watch: &mut Watch<'_>,
    ) -> Result<PathBuf, SourceError> {
        let (file, from) = (listed.release.file(), &listed.from);
        let url = format!("{from}/{file}");
        // Named by what it shall be, so that it goes on with nothing else.
        let name = format!("{}.part", listed.sum);
        let path = self.folder.join(&name);
        // Of what was given up, no more than one is left lying about.
        for other in children(self.folder) {
            if other != path && other.extension().is_some_and(|it| it == "part") {
                remove(&other)?;
            }
        }
        if length(&path) > 0 && self.digest(&path)? == listed.sum {
            return Ok(path);
        }
        let (mut tries, mut afresh) = (0, false);
        loop {
            tries += 1;
            let before = length(&path);
            let doubted = before > 0 && !afresh;
            let mut on_share = |share| watch(&file, from, share);
            match self.curl(&url, &name, FOR_TARBALL, &mut on_share) {
                Ok(()) => {
                    let found = self.digest(&path)?;
                    if found == listed.sum {
                        return Ok(path);
                    }
                    remove(&path)?;
                    if !doubted {
                        return Err(SourceError::Mismatch {
                            url,
                            listed: listed.sum.clone(),
                            found,
                        });
                    }
                    // What it was begun with may be what is wrong.
                    afresh = true;
                }
                // A server that can't go on, or has nothing behind what is here.
                Err(SourceError::Fetch { code, said, .. })
                    if doubted && (code == 33 || said.ends_with("416")) =>
                {
                    remove(&path)?;
                    afresh = true;
                }
                Err(SourceError::Fetch { .. }) if length(&path) > before && tries < TRIES => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Fetches a file, or what of it is not here yet.
    fn curl(
        &self,
        url: &str,
        name: &str,
        bounds: Bounds,
        on_share: &mut dyn FnMut(Option<f64>),
    ) -> Result<(), SourceError> {
        on_share(None);
        let Bounds { bytes, seconds } = bounds;
        let (fsize, bytes_text) = (format!("--fsize={bytes}"), bytes.to_string());
        let seconds = seconds.to_string();
        let args = [
            fsize.as_str(),
            "--core=0",
            "curl",
            // First of all: nothing from ~/.curlrc, which may say --insecure.
            "--disable",
            "--fail",
            "--globoff",
            "--location",
            "--max-redirs",
            "5",
            "--proto",
            "=https",
            "--proto-redir",
            "=https",
            "--tlsv1.2",
            "--connect-timeout",
            "30",
            "--speed-limit",
            "1000",
            "--speed-time",
            "60",
            "--max-time",
            &seconds,
            "--max-filesize",
            &bytes_text,
            "--continue-at",
            "-",
            "--output",
            name,
            url,
        ];
        let mut said = None;
        let args = args.iter().map(OsString::from).collect();
        let code = self.run("prlimit", args, &mut |line| {
            if line.starts_with("curl: ") {
                said.get_or_insert_with(|| self::said(line));
            } else if let Some(share) = share(line) {
                on_share(Some(share));
            }
        })?;
        let path = self.folder.join(name);
        match code {
            0 => Ok(()),
            // prlimit's own.
            127 => Err(SourceError::Run {
                program: "curl",
                source: io::ErrorKind::NotFound.into(),
            }),
            code if code == 63 || length(&path) >= bytes => {
                remove(&path)?;
                Err(SourceError::TooLarge {
                    url: url.to_owned(),
                    limit: bytes,
                })
            }
            code => Err(SourceError::Fetch {
                url: url.to_owned(),
                code,
                said: said.unwrap_or_else(|| format!("curl ended with {code}")),
            }),
        }
    }

    fn run(
        &self,
        program: &'static str,
        args: Vec<OsString>,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<i32, SourceError> {
        let invocation = Invocation {
            program: program.into(),
            args,
            dir: self.folder.into(),
            env: vec![("LC_ALL".into(), "C".into())],
        };
        self.runner
            .run(&invocation, &mut |_, line| on_line(line))
            .map_err(|source| match source.kind() {
                io::ErrorKind::Interrupted => source.into(),
                _ => SourceError::Run { program, source },
            })
    }

    fn digest(&self, path: &Path) -> Result<String, SourceError> {
        let mut file = File::open(path)?;
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            hash.update(buffer.get(..count).unwrap_or_default());
            if self.runner.cancelled() {
                return Err(IoError::Cancelled.into());
            }
        }
        Ok(hex(&hash.finalize()))
    }
}

/// The part that has come, from a line of curl's meter: its first column is a
/// percentage.
fn share(line: &str) -> Option<f64> {
    let mut columns = line.split_whitespace();
    let percent: u8 = columns.next()?.parse().ok()?;
    (percent <= 100 && columns.count() == 11).then(|| f64::from(percent) / 100.0)
}

/// What a server or a program said, fit for a terminal.
fn said(text: &str) -> String {
    printable(text).chars().take(300).collect()
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |meta| meta.len())
}

/// Lists are ASCII; whatever else is in one is no line of it.
fn read(path: &Path) -> Result<String, SourceError> {
    let bytes = fs_err::read(path)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn remove(path: &Path) -> Result<(), SourceError> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_is_an_address() {
        for good in [
            "https://a.example.org",
            "https://[::1]:8443/pub/linux/kernel/",
        ] {
            assert!(KernelOrg::new(good, None).is_ok(), "{good:?}");
        }
        for bad in [
            "",
            "https://",
            "http://a.example.org",
            "a.example.org",
            "file:///etc",
            "https://user:word@a.example.org",
            "https://a.example.org/?x",
            "https://a.example.org/{a,b}",
            "https://a.example.org/ -k",
            "https://a.example.org/\u{1b}[2J",
        ] {
            let refused = KernelOrg::new(bad, None);
            assert!(matches!(refused, Err(SourceError::Mirror(_))), "{bad:?}");
        }
    }

    #[test]
    fn the_meter_is_read() {
        let line = " 42  143M   42 60.5M    0     0  28.6M      0  0:00:05  0:00:02  0:00:03 28.6M";
        assert_eq!(share(line), Some(0.42));
        for other in [
            "",
            "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current",
            "** Resuming transfer from byte position 100",
            "curl: (60) SSL certificate problem",
            "142 143M 42 60.5M 0 0 28.6M 0 0:00:05 0:00:02 0:00:03 28.6M",
            "42",
        ] {
            assert_eq!(share(other), None, "{other:?}");
        }
    }
}
