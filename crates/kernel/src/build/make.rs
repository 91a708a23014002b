//! Runs make.

use std::ffi::OsString;
use std::io::{BufWriter, Write};
use std::path::Path;

use fs_err::File;

use crate::build::builder::Builder;
use crate::build::diagnose::{Cause, Diagnostic, Scanner};
use crate::build::error::{BuildError, Result, full};

/// What every make is told: nothing of the host, the user or the day may get
/// into a kernel.
pub(super) const ARGUMENTS: [&str; 6] = [
    "ARCH=x86",
    "LOCALVERSION=",
    "KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970",
    "KBUILD_BUILD_USER=reaperlab",
    "KBUILD_BUILD_HOST=reaperlab",
    "KBUILD_BUILD_VERSION=1",
];

impl Builder<'_> {
    /// Runs one make to its end; returns the warnings. `what` is what messages
    /// call the thing that is made.
    pub(super) fn make(
        &self,
        what: &str,
        source: &Path,
        out: &Path,
        goals: &[OsString],
        log: &Path,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<Vec<Diagnostic>> {
        let mut args = vec![OsString::from("make"), "--no-print-directory".into()];
        args.extend([
            format!("-j{}", self.toolchain.jobs).into(),
            "-Otarget".into(),
        ]);
        args.extend(["-C".into(), source.into()]);
        let mut output = OsString::from("O=");
        output.push(out);
        args.push(output);
        args.extend(ARGUMENTS.map(Into::into));
        args.extend_from_slice(goals);

        let mut scanner = Scanner::new(&source.to_string_lossy());
        let mut file = BufWriter::new(File::create(log)?);
        let code = self
            .toolchain
            .run(self.runner, args, source, &mut |_, row| {
                // A disk too full for the log is too full for make, which tells.
                let _ = writeln!(file, "{row}");
                scanner.line(row);
                on_line(row);
            })?;
        let _ = file.flush();
        if code == 0 {
            return Ok(scanner.warnings().to_vec());
        }
        if self.runner.cancelled() {
            return Err(BuildError::cancelled());
        }
        Err(match scanner.cause(code) {
            Cause::NoSpace => BuildError::no_space(out),
            // Not every tool says why it could not write.
            Cause::Unknown(_) if full(out) => BuildError::no_space(out),
            Cause::Tool { tool, package } => BuildError::Tool { tool, package },
            cause => BuildError::Failed {
                what: what.into(),
                cause: cause.into(),
                log: log.into(),
            },
        })
    }
}

/// The object in a line such as `  CC      mm/oom_kill.o`.
pub(super) fn compiled(row: &str) -> Option<&str> {
    let mut words = row.strip_prefix("  ")?.split_whitespace();
    let tool = words.next()?;
    let name = words.next_back()?;
    (matches!(tool, "CC" | "AS" | "HOSTCC" | "HOSTCXX") && name.ends_with(".o")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_progress() {
        assert_eq!(compiled("  CC      mm/oom_kill.o"), Some("mm/oom_kill.o"));
        assert_eq!(compiled("  CC [M]  fs/fuse/dev.o"), Some("fs/fuse/dev.o"));
        assert_eq!(
            compiled("  AS      .tmp_vmlinux1.kallsyms.o"),
            Some(".tmp_vmlinux1.kallsyms.o")
        );
        for other in [
            "  AR      mm/built-in.a",
            "  LD      vmlinux.o",
            "CC x.o",
            "  CC",
            "",
            "  CC  x.s",
        ] {
            assert_eq!(compiled(other), None, "{other}");
        }
    }
}
