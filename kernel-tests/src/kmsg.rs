//! The kernel's log, read record by record.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use nix::libc;

use crate::failure::{Failure, ResultExt};
use crate::wait;

/// How long a record may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A place in the kernel's log. Reading goes on where it stopped.
#[derive(Debug)]
pub struct Log(File);

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it was written, in microseconds since the boot, roughly.
    pub at_us: u64,
    pub text: String,
}

impl Log {
    /// The oldest record that the kernel still has.
    pub fn oldest() -> Result<Self, Failure> {
        OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/kmsg")
            .map(Self)
            .while_doing(|| "opening /dev/kmsg".into())
    }

    /// Behind the newest record.
    pub fn end() -> Result<Self, Failure> {
        let mut log = Self::oldest()?;
        log.0
            .seek(SeekFrom::End(0))
            .while_doing(|| "seeking in /dev/kmsg".into())?;
        Ok(log)
    }

    /// All records up to the newest.
    pub fn lines(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut record = [0; 8192];
        loop {
            match self.0.read(&mut record) {
                Ok(0) => break,
                Ok(read) => {
                    let text = String::from_utf8_lossy(record.get(..read).unwrap_or_default());
                    lines.extend(parse(&text));
                }
                // The log went round: the next read goes on where it can.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        lines
    }

    /// Waits until a record is written that `is_wanted`: the kernel may write it behind
    /// what else is seen of it. Fails with what `otherwise` says.
    pub fn wait(
        &mut self,
        is_wanted: impl Fn(&str) -> bool,
        otherwise: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let written = || Ok(self.lines().iter().any(|line| is_wanted(&line.text)));
        wait::until(TIMEOUT, written, otherwise)
    }
}

/// Writes a line of our own, for debugging only: no console shows it.
pub fn write(text: &str) -> Result<(), Failure> {
    crate::procfs::write("/dev/kmsg", &format!("<7>{text}"))
}

/// `PRIORITY,SEQUENCE,MICROSECONDS,FLAGS[,…];TEXT`, then lines of properties.
fn parse(record: &str) -> Option<Line> {
    let (head, text) = record.split_once(';')?;
    Some(Line {
        at_us: head.split(',').nth(2)?.parse().ok()?,
        text: text.lines().next().unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let line = |at_us, text: &str| {
            Some(Line {
                at_us,
                text: text.into(),
            })
        };
        assert_eq!(
            parse("6,339,5140900,-;NET: a;b\n SUBSYSTEM=net\n"),
            line(5_140_900, "NET: a;b")
        );
        assert_eq!(parse("3,1,7,-,caller=T1;\n"), line(7, ""));
        assert_eq!(parse("6,339;x"), None);
        assert_eq!(parse("6,339,now,-;x"), None);
        assert_eq!(parse("no record"), None);
    }
}
