//! Whether KVM can really run a guest here.
//!
//! Its device, permission to open it and a virtual machine made with it prove
//! nothing: only a guest that boots does. One is booted once, and the answer is
//! remembered for this host, kernel, CPU, QEMU and virtme-ng.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use results::machine::{Accel, Accelerator};
use serde::{Deserialize, Serialize};

use crate::boot::{End, Outcome, Progress, boot};
use crate::error::Error;
use crate::machine::{Deadlines, Guest};
use crate::process::Cancel;
use crate::virtme::Virtme;

/// How long a guest may take to say something; with KVM it needs one second.
const PROOF: Duration = Duration::from_secs(8);

const KVM: &str = "/dev/kvm";

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Want {
    /// KVM where it is proved to work, else TCG.
    Auto,
    /// KVM or nothing.
    Kvm,
    Tcg,
}

impl Want {
    pub const ALL: [Self; 3] = [Self::Auto, Self::Kvm, Self::Tcg];

    /// The word on a command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Kvm => Accel::Kvm.as_str(),
            Self::Tcg => Accel::Tcg.as_str(),
        }
    }
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Want {
    type Err = &'static str;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|want| want.as_str() == word)
            .ok_or("not one of auto, kvm and tcg")
    }
}

/// Chooses an accelerator. `probe` is a guest that writes at least one line of
/// results soon after its kernel is up; its accelerator and deadlines are
/// ignored. Without one, only what is remembered in the folder `state` counts,
/// and KVM is not chosen on trust.
///
/// A wrong or outdated answer goes away with the file that [`Accelerator::why`]
/// names.
///
/// # Errors
/// When KVM was asked for and is not proved to work; when the proof could not
/// be attempted, written down or was interrupted.
pub fn accelerator(
    virtme: &Virtme,
    want: Want,
    probe: Option<&Guest>,
    state: &Path,
    cancel: &Cancel,
) -> Result<Accelerator, Error> {
    if want == Want::Tcg {
        return Ok(tcg("asked for"));
    }
    let chosen = match openable(Path::new(KVM)) {
        Err(why) => tcg(why),
        Ok(()) => prove(virtme, probe, &Known::new(state, virtme, cancel)?, cancel)?,
    };
    if want == Want::Kvm && chosen.kind != Accel::Kvm {
        return Err(Error::KvmUnusable { why: chosen.why });
    }
    Ok(chosen)
}

fn tcg(why: impl Into<String>) -> Accelerator {
    Accelerator {
        kind: Accel::Tcg,
        why: why.into(),
    }
}

fn prove(
    virtme: &Virtme,
    probe: Option<&Guest>,
    known: &Known,
    cancel: &Cancel,
) -> Result<Accelerator, Error> {
    if let Some(Accelerator { kind, why }) = known.recall() {
        let why = format!("{why} (remembered in {})", known.file.display());
        return Ok(Accelerator { kind, why });
    }
    let Some(probe) = probe else {
        return Ok(tcg("KVM is not proved yet: no guest to boot"));
    };
    let guest = Guest {
        accel: Accel::Kvm,
        deadlines: Deadlines {
            boot: PROOF,
            grace: PROOF,
            total: PROOF,
        },
        ..probe.clone()
    };
    let outcome = boot(virtme, &guest, cancel, &mut io::sink(), &mut |_, _| {
        Progress::Done
    })?;
    if outcome.end == End::Interrupted {
        return Err(Error::Interrupted);
    }
    let (proof, certain) = judge(&outcome);
    if certain {
        known.keep(&proof)?;
    }
    Ok(proof)
}

/// What a guest under KVM proves, and whether it proves it for the next run
/// too: a kernel that starts and then fails may fail for reasons of its own.
fn judge(outcome: &Outcome) -> (Accelerator, bool) {
    if outcome.lines > 0 {
        let after = outcome.up_after.unwrap_or_default().as_secs_f64();
        let kind = Accel::Kvm;
        let why = format!("a guest under KVM was up after {after:.1} s");
        return (Accelerator { kind, why }, true);
    }
    let silent = outcome.console_tail.is_empty();
    let certain = silent || matches!(outcome.end, End::QemuDied { .. });
    let silent = if silent {
        ", not a byte on its console"
    } else {
        ""
    };
    let why = format!("a guest under KVM failed: {}{silent}", outcome.end);
    (tcg(why), certain)
}

/// Why the device can't be opened.
fn openable(device: &Path) -> Result<(), String> {
    match OpenOptions::new().read(true).write(true).open(device) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("this host has no {}", device.display()))
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(format!(
            "no permission to open {}: join its group, usually kvm",
            device.display()
        )),
        Err(error) => Err(format!("can't open {}: {error}", device.display())),
    }
}

/// What earlier runs found out, by host and tools: a home folder may be shared
/// by several hosts.
struct Known {
    file: PathBuf,
    key: String,
}

impl Known {
    fn new(state: &Path, virtme: &Virtme, cancel: &Cancel) -> Result<Self, Error> {
        let versions = virtme.versions(cancel)?;
        let read = |path: &str| fs_err::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let cpu = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map_or("", |(_, model)| model);
        let parts = [
            &read("/etc/machine-id"),
            &read("/proc/sys/kernel/osrelease"),
            cpu,
            &versions.qemu,
            &versions.virtme,
        ];
        let key = parts.map(str::trim).join(" | ");
        Ok(Self {
            file: state.join("accelerator.json"),
            key,
        })
    }

    /// A file that can't be read or understood says nothing.
    fn all(&self) -> BTreeMap<String, Accelerator> {
        let text = fs_err::read_to_string(&self.file).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn recall(&self) -> Option<Accelerator> {
        self.all().remove(&self.key)
    }

    fn keep(&self, proof: &Accelerator) -> Result<(), Error> {
        let mut all = self.all();
        all.insert(self.key.clone(), proof.clone());
        let write = || -> io::Result<()> {
            let dir = self.file.parent().unwrap_or(Path::new("."));
            fs_err::create_dir_all(dir)?;
            let mut file = tempfile::NamedTempFile::new_in(dir)?;
            file.write_all(&serde_json::to_vec_pretty(&all)?)?;
            file.persist(&self.file)?;
            Ok(())
        };
        write().map_err(|source| Error::State {
            path: self.file.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "x86_64")]
    use crate::machine::Root;

    #[test]
    fn a_device_that_is_not_there_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let why = openable(&dir.path().join("kvm")).unwrap_err();
        assert!(why.starts_with("this host has no "), "{why}");
        assert_eq!(openable(Path::new("/dev/null")), Ok(()));
    }

    #[test]
    fn memory_survives_and_rubbish_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("made/on/demand");
        let known = |key: &str| Known {
            file: state.join("accelerator.json"),
            key: key.into(),
        };
        let proof = |kind, why: &str| Accelerator {
            kind,
            why: why.into(),
        };
        assert_eq!(known("a").recall(), None);
        known("a").keep(&proof(Accel::Kvm, "up")).unwrap();
        known("b").keep(&proof(Accel::Tcg, "died")).unwrap();
        assert_eq!(known("a").recall(), Some(proof(Accel::Kvm, "up")));
        assert_eq!(known("b").recall(), Some(proof(Accel::Tcg, "died")));
        assert_eq!(known("c").recall(), None);
        fs_err::write(&known("a").file, b"\xff{").unwrap();
        assert_eq!(known("a").recall(), None);
        known("a").keep(&proof(Accel::Kvm, "again")).unwrap();
        assert_eq!(known("a").recall(), Some(proof(Accel::Kvm, "again")));
    }

    /// The tools of `tests/fake` and a kernel that is this script.
    #[cfg(target_arch = "x86_64")]
    fn proof(kernel: &str, state: &Path) -> Accelerator {
        let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake");
        let virtme = Virtme::find_in(None, fake.as_os_str()).unwrap();
        let image = state.join("image");
        fs_err::write(&image, kernel).unwrap();
        let second = Duration::from_secs(1);
        let probe = Guest {
            root: Root::Initramfs(image.clone()),
            image,
            memory_mib: 64,
            cpus: 1,
            accel: Accel::Tcg,
            port: "port".into(),
            kernel_args: Vec::new(),
            deadlines: Deadlines {
                boot: second,
                grace: second,
                total: second,
            },
        };
        let cancel = Cancel::new().unwrap();
        let known = Known::new(state, &virtme, &cancel).unwrap();
        assert!(
            known
                .key
                .ends_with(" | QEMU emulator version 0.fake | virtme-ng 0.fake")
        );
        prove(&virtme, Some(&probe), &known, &cancel).unwrap()
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_guest_that_speaks_is_the_proof() {
        let dir = tempfile::tempdir().unwrap();
        let first = proof("say anything; exec sleep 1000", dir.path());
        assert_eq!(first.kind, Accel::Kvm);
        let again = proof("exit 1", dir.path());
        assert_eq!(again.kind, Accel::Kvm, "remembered");
        assert!(again.why.contains("accelerator.json"), "{}", again.why);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_qemu_that_dies_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let first = proof(
            "echo 'error: failed to set MSR' >&2; kill -ABRT $$",
            dir.path(),
        );
        assert_eq!(first.kind, Accel::Tcg);
        assert_eq!(
            first.why,
            "a guest under KVM failed: QEMU was killed by SIGABRT: error: failed to set MSR, \
             not a byte on its console"
        );
        let again = proof("say anything", dir.path());
        assert_eq!(again.kind, Accel::Tcg, "remembered");
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_kernel_that_fails_by_itself_proves_nothing_for_later() {
        let dir = tempfile::tempdir().unwrap();
        let first = proof("echo 'Kernel panic - not syncing: no init'", dir.path());
        assert_eq!(first.kind, Accel::Tcg);
        assert_eq!(proof("say anything", dir.path()).kind, Accel::Kvm);
    }
}
