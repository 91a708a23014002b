//! Releases from a mirror on this machine: an HTTPS server with a certificate
//! of its own, good or not. Needs `curl`, `gpgv`, `openssl` and `python3`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

mod lab;

use std::cell::Cell;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;

use kernel::process::{Invocation, Runner, Stream};
use kernel::source::{Event, KernelOrg, SourceError, Sources};
use kernel::store::{Kernel, Store};
use lab::Dice;
use sha2::{Digest, Sha256};

/// A server, gone with this value.
struct Mirror {
    dir: tempfile::TempDir,
    port: u16,
    server: Child,
    stdin: Option<ChildStdin>,
}

impl Drop for Mirror {
    fn drop(&mut self) {
        drop(self.stdin.take());
        self.server.wait().unwrap();
    }
}

impl Mirror {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("files/v6.x")).unwrap();
        let args = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
                    -subj /CN=tests -addext subjectAltName=IP:127.0.0.1 \
                    -keyout key.pem -out ca.pem";
        let made = Command::new("openssl")
            .args(args.split(' ').filter(|arg| !arg.is_empty()))
            .current_dir(dir.path())
            .output()
            .unwrap_or_else(|error| panic!("this test needs openssl: {error}"));
        assert!(made.status.success(), "{made:?}");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mirror.py");
        let mut server = Command::new("python3")
            .arg(script)
            .args(["ca.pem", "key.pem", "files", "log"])
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("this test needs python3: {error}"));
        let mut port = String::new();
        let mut stdout = BufReader::new(server.stdout.take().unwrap());
        stdout.read_line(&mut port).unwrap();
        Self {
            port: port.trim().parse().unwrap(),
            stdin: server.stdin.take(),
            server,
            dir,
        }
    }

    /// Releases of these versions, and their list.
    fn with(versions: &[&str]) -> Self {
        let mirror = Self::new();
        let list: String = versions
            .iter()
            .map(|version| {
                let (name, bytes) = (format!("linux-{version}.tar.xz"), tarball(version));
                mirror.write(&name, &bytes);
                format!("{}  {name}\n", sum(&bytes))
            })
            .collect();
        mirror.write("sha256sums.asc", list.as_bytes());
        mirror
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.dir.path().join("files/v6.x").join(name), bytes).unwrap();
    }

    fn at(&self, how: &str) -> KernelOrg {
        KernelOrg::new(&format!("https://127.0.0.1:{}/{how}", self.port), None).unwrap()
    }

    /// What was asked of it since the last time.
    fn asked(&self) -> String {
        let log = self.dir.path().join("log");
        let text = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(log);
        text.replace("v6.x/", "")
    }
}

fn sum(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A kernel that is a Makefile and a file that is worth cutting.
fn tarball(version: &str) -> Vec<u8> {
    let mut numbers = version.split('.');
    let mut next = || numbers.next().unwrap_or("0");
    let makefile = format!(
        "VERSION = {}\nPATCHLEVEL = {}\nSUBLEVEL = {}\nEXTRAVERSION =\n",
        next(),
        next(),
        next()
    );
    let mut dice = Dice(6);
    let noise: Vec<u8> = (0..200_000).map(|_| dice.below(256) as u8).collect();
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in [("Makefile", makefile.as_bytes()), ("lib/noise", &noise)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let path = format!("linux-{version}/{path}");
        tar.append_data(&mut header, path, bytes).unwrap();
    }
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
    xz.write_all(&tar.into_inner().unwrap()).unwrap();
    xz.finish().unwrap()
}

/// A user with a cache of their own. apt answers with this code and no package.
struct User {
    dir: Arc<tempfile::TempDir>,
    ca: PathBuf,
    apt: i32,
    offline: bool,
    interrupted: Cell<bool>,
}

impl Runner for User {
    fn run(
        &self,
        invocation: &Invocation,
        on_line: &mut dyn FnMut(Stream, &str),
    ) -> io::Result<i32> {
        let name = invocation.program.to_string_lossy();
        if name.starts_with("apt-") {
            let asks = |word: &str| invocation.args.iter().any(|arg| arg == word);
            if asks("pkgnames") {
                on_line(Stream::Out, "linux-source-6.1");
            } else if asks("indextargets") {
                on_line(Stream::Out, "http://mirror.example/debian/");
            }
            on_line(Stream::Err, "E: says the test's apt");
            return Ok(self.apt);
        }
        assert!(!self.offline, "{invocation:?}");
        if self.interrupted.get() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let (mut reader, writer) = io::pipe()?;
        let mut child = Command::new(&invocation.program)
            .args(&invocation.args)
            .current_dir(&invocation.dir)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.dir.path())
            .env("CURL_CA_BUNDLE", &self.ca)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn()?;
        let mut said = String::new();
        reader.read_to_string(&mut said)?;
        for line in said.split(['\n', '\r']) {
            on_line(Stream::Err, line);
        }
        Ok(child.wait()?.code().unwrap_or(137))
    }

    fn cancelled(&self) -> bool {
        self.interrupted.get()
    }
}

impl User {
    /// Who trusts a mirror's certificate.
    fn of(mirror: &Mirror) -> Self {
        Self {
            dir: Arc::new(tempfile::tempdir().unwrap()),
            ca: mirror.dir.path().join("ca.pem"),
            apt: 0,
            offline: false,
            interrupted: Cell::new(false),
        }
    }

    fn store(&self) -> Store {
        Store::open(self.dir.path()).unwrap()
    }

    fn ensure(&self, kernel_org: &KernelOrg, name: &str) -> Result<Kernel, String> {
        self.watched(kernel_org, name, &mut |_| {})
    }

    fn watched(
        &self,
        kernel_org: &KernelOrg,
        name: &str,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Kernel, String> {
        let store = self.store();
        let sources = Sources {
            store: &store,
            cache: self.dir.path(),
            kernel_org,
            runner: self,
            offline: self.offline,
        };
        let told = |error: SourceError| format!("{error}; {}", error.hints().join("; "));
        let spec = name.parse().map_err(told)?;
        sources.ensure(&spec, on_event).map_err(told)
    }

    /// How much is left of tarballs.
    fn parts(&self) -> Vec<usize> {
        let files = fs::read_dir(self.dir.path().join("releases")).unwrap();
        files
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|it| it == "part"))
            .map(|path| fs::read(path).unwrap().len())
            .collect()
    }

    #[track_caller]
    fn refused(&self, kernel_org: &KernelOrg, name: &str, words: &[&str]) {
        let error = self.ensure(kernel_org, name).unwrap_err();
        for word in words {
            assert!(error.contains(word), "{error:?} does not say {word:?}");
        }
        assert_eq!(self.store().kernels().unwrap(), []);
    }
}

#[test]
fn a_release_is_fetched_once() {
    let mirror = Mirror::with(&["6.17", "6.17.9", "6.17.10", "6.18.1"]);
    let mut user = User::of(&mirror);
    let good = mirror.at("good");
    let mut events = Vec::new();
    let kernel = user
        .watched(&good, "release:6.17", &mut |event| match event {
            Event::Fetching { what, from, share } => {
                assert!(from.ends_with("/good/v6.x"), "{from}");
                events.push(format!("{what} {share:?}"));
            }
            Event::Importing(_) => events.push("importing".into()),
        })
        .unwrap();
    assert_eq!(kernel.id, "release/6.17.10");
    assert_eq!(kernel.origin, "release:6.17.10");
    assert_eq!(kernel.version, "6.17.10");
    events.dedup();
    for event in [
        "sha256sums.asc None",
        "linux-6.17.10.tar.xz None",
        "linux-6.17.10.tar.xz Some(1.0)",
        "importing",
    ] {
        assert!(events.iter().any(|it| it == event), "{event}: {events:?}");
    }
    assert_eq!(
        mirror.asked(),
        "good sha256sums.asc\ngood linux-6.17.10.tar.xz\n"
    );
    assert!(user.parts().is_empty());

    let first = user.ensure(&good, "release:6.17.0").unwrap();
    assert_eq!(
        (first.id.as_str(), first.version.as_str()),
        ("release/6.17.0", "6.17.0")
    );
    assert_eq!(
        mirror.asked(),
        "good sha256sums.asc\ngood linux-6.17.tar.xz\n"
    );

    for offline in [false, true] {
        user.offline = offline;
        for name in ["release:6.17", "release:6.17.10"] {
            assert_eq!(user.ensure(&good, name), Ok(kernel.clone()));
        }
    }
    let error = user.ensure(&good, "release:6.18").unwrap_err();
    assert!(error.contains("nothing may be fetched"), "{error}");
    // Without what it stood for, the newest one that is here.
    fs::remove_file(user.dir.path().join("names.json")).unwrap();
    assert_eq!(user.ensure(&good, "release:6.17"), Ok(kernel.clone()));
    assert_eq!(mirror.asked(), "");

    user.offline = false;
    let gone = KernelOrg::new("https://127.0.0.1:1", None).unwrap();
    assert_eq!(user.ensure(&gone, "release:6.17"), Ok(kernel));
}

#[test]
fn what_debian_does_not_package_is_a_release() {
    let mirror = Mirror::with(&["6.17.3"]);
    let mut user = User::of(&mirror);
    let good = mirror.at("good");
    for name in ["6.18", "6.17.4"] {
        let words = [
            "no kernel 6.1",
            "among Debian's packages",
            "sha256sums.asc has no linux-",
        ];
        user.refused(&good, name, &words);
    }
    user.refused(&good, "6.17.3-1", &["no kernel 6.17.3-1 among Debian's"]);
    let gone = KernelOrg::new("https://127.0.0.1:1", None).unwrap();
    user.apt = 100;
    user.refused(
        &gone,
        "6.17",
        &[
            "says the test's apt",
            "can't fetch https://127.0.0.1:1/v6.x",
        ],
    );
    mirror.asked();

    let kernel = user.ensure(&good, "6.17").unwrap();
    assert_eq!(kernel.origin, "release:6.17.3");
    mirror.asked();
    for offline in [false, true] {
        user.offline = offline;
        assert_eq!(user.ensure(&good, "6.17"), Ok(kernel.clone()));
    }
    fs::remove_file(user.dir.path().join("names.json")).unwrap();
    assert_eq!(user.ensure(&good, "6.17"), Ok(kernel));
    assert_eq!(mirror.asked(), "");
    let error = user.ensure(&good, "6.18").unwrap_err();
    assert!(
        error.contains("6.18 is not imported yet, and nothing may be fetched"),
        "{error}"
    );
}

#[test]
fn what_has_another_sum_is_deleted() {
    let mirror = Mirror::with(&["6.17.3"]);
    let user = User::of(&mirror);
    let (good, other) = (tarball("6.17.3"), tarball("6.17.4"));
    mirror.write("linux-6.17.3.tar.xz", &other);
    let (listed, found) = (sum(&good), sum(&other));
    for how in ["good", "moved", "cut"] {
        let words = [
            &format!("/{how}/v6.x/linux-6.17.3.tar.xz has the SHA-256 {found}"),
            &format!("says {listed}"),
            "it was deleted",
        ];
        user.refused(&mirror.at(how), "release:6.17.3", &words);
        assert!(user.parts().is_empty());
    }
    // What was begun wrongly does not spoil the right one.
    mirror.write("linux-6.17.3.tar.xz", &good);
    for begun in [&other[..100], &other, &[&good[..], b"more"].concat()] {
        let user = User::of(&mirror);
        let folder = user.dir.path().join("releases");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(format!("{listed}.part")), begun).unwrap();
        let kernel = user.ensure(&mirror.at("good"), "release:6.17.3");
        assert_eq!(kernel.unwrap().version, "6.17.3");
    }
}

#[test]
fn a_transfer_that_was_cut_goes_on() {
    let mirror = Mirror::with(&["6.17.3"]);
    let half = tarball("6.17.3").len() / 2;
    let user = User::of(&mirror);
    user.ensure(&mirror.at("cut"), "release:6.17.3").unwrap();
    let asked = format!(
        "cut sha256sums.asc\ncut linux-6.17.3.tar.xz\ncut linux-6.17.3.tar.xz bytes={half}-\n"
    );
    assert_eq!(mirror.asked(), asked);

    // A server that knows no ranges begins again.
    let user = User::of(&mirror);
    user.ensure(&mirror.at("cut-and-whole"), "release:6.17.3")
        .unwrap();
    assert_eq!(mirror.asked().lines().count(), 4);

    // One that gets no further is said, and another one goes on.
    let user = User::of(&mirror);
    let words = [
        "can't fetch https://127.0.0.1",
        "linux-6.17.3.tar.xz: curl: (",
        "the same command",
    ];
    user.refused(&mirror.at("dead"), "release:6.17.3", &words);
    assert_eq!(user.parts(), [half]);
    mirror.asked();
    user.interrupted.set(true);
    user.refused(&mirror.at("good"), "release:6.17.3", &["interrupted"]);
    user.interrupted.set(false);
    user.ensure(&mirror.at("good"), "release:6.17.3").unwrap();
    let asked = format!("good sha256sums.asc\ngood linux-6.17.3.tar.xz bytes={half}-\n");
    assert_eq!(mirror.asked(), asked);
}

#[test]
fn only_https_and_a_known_certificate_will_do() {
    let mirror = Mirror::with(&["6.17.3"]);
    let user = User::of(&mirror);
    let insecure = "insecure\nproto = \"=all\"\n";
    fs::write(user.dir.path().join(".curlrc"), insecure).unwrap();
    user.refused(
        &mirror.at("to-http"),
        "release:6.17.3",
        &["only HTTPS is allowed"],
    );
    user.ensure(&mirror.at("moved"), "release:6.17.3").unwrap();

    let other = Mirror::new();
    let stranger = User::of(&other);
    fs::write(stranger.dir.path().join(".curlrc"), insecure).unwrap();
    let words = ["curl: (60)", "CURL_CA_BUNDLE"];
    stranger.refused(&mirror.at("good"), "release:6.17.3", &words);

    mirror.asked();
    let user = User::of(&mirror);
    for (name, words) in [
        (
            "release:6.17.4",
            "has no linux-6.17.4.tar.xz (the newest is 6.17.3)",
        ),
        ("release:6.16", "has no linux-6.16.tar.xz;"),
        ("release:7.2", "The requested URL returned error: 404"),
        ("release:6.17-rc3", "git:PATH#v6.17-rc3"),
    ] {
        user.refused(&mirror.at("good"), name, &[words]);
    }
}

#[test]
fn a_list_without_end_is_refused() {
    let mirror = Mirror::with(&["6.17.3"]);
    let user = User::of(&mirror);
    for how in ["huge", "endless"] {
        let words = ["sha256sums.asc is larger than 16 MiB"];
        user.refused(&mirror.at(how), "release:6.17.3", &words);
        let left = fs::read_dir(user.dir.path().join("releases")).unwrap();
        let left: Vec<_> = left.map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left, ["lock"]);
    }
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    let list = format!("{a}  linux-6.17.3.tar.xz\n{b}  linux-6.17.3.tar.xz\n");
    mirror.write("sha256sums.asc", list.as_bytes());
    let words = ["two checksums for linux-6.17.3.tar.xz"];
    user.refused(&mirror.at("good"), "release:6.17.3", &words);
    mirror.write("sha256sums.asc", &[0xff; 1000]);
    user.refused(
        &mirror.at("good"),
        "release:6.17.3",
        &["has no linux-6.17.3"],
    );
}

/// `data/release` has a list that was signed once by a key made for it, and the
/// tarball it names.
#[test]
fn with_a_keyring_the_signature_counts() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/release");
    let mirror = Mirror::new();
    let tarball = "linux-6.17.3.tar.xz";
    mirror.write(tarball, &fs::read(data.join(tarball)).unwrap());
    let list = fs::read_to_string(data.join("sha256sums.asc")).unwrap();
    let user = User::of(&mirror);
    let base = format!("https://127.0.0.1:{}/good", mirror.port);
    let with = |keyring: &Path| KernelOrg::new(&base, Some(keyring.to_owned())).unwrap();
    let keyring = data.join("keyring.gpg");

    let line = list.lines().find(|line| line.ends_with(tarball)).unwrap();
    let unsigned = format!("{line}\n");
    let changed = list.replace(line, &line.replace("6.17.3", "6.17.4"));
    let none = user.dir.path().join("none.gpg");
    fs::write(&none, "").unwrap();
    for (list, keyring) in [(&unsigned, &keyring), (&changed, &keyring), (&list, &none)] {
        mirror.write("sha256sums.asc", list.as_bytes());
        let words = ["the signature of https://127.0.0.1", "nothing was imported"];
        user.refused(&with(keyring), "release:6.17", &words);
    }
    let absent = user.dir.path().join("absent.gpg");
    user.refused(
        &with(&absent),
        "release:6.17",
        &["REAPERLAB_KERNEL_ORG_KEYRING names"],
    );
    // What stands beside the signed part is nobody's word.
    let beside = format!("{}\n{list}", line.replace("6.17.3", "6.17.4"));
    mirror.write("sha256sums.asc", beside.as_bytes());
    let kernel = user.ensure(&with(&keyring), "release:6.17").unwrap();
    assert_eq!(kernel.version, "6.17.3");
}

#[test]
fn two_at_once_fetch_it_once() {
    let mirror = Mirror::with(&["6.17.3"]);
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let ensure = || {
        let user = User {
            dir: Arc::clone(&dir),
            ..User::of(&mirror)
        };
        user.ensure(&mirror.at("good"), "release:6.17").unwrap()
    };
    let kernels = std::thread::scope(|scope| {
        let both = [scope.spawn(ensure), scope.spawn(ensure)];
        both.map(|one| one.join().unwrap())
    });
    assert_eq!(kernels[0], kernels[1]);
    assert_eq!(mirror.asked().matches(".tar.xz").count(), 1);
}
