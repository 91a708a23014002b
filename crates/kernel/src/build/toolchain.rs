//! The programs that build, and the environment that they run in.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::thread;

use crate::build::diagnose;
use crate::build::error::{BuildError, Result};
use crate::process::{Invocation, Runner, Stream};

/// What of the caller's environment reaches make: no CFLAGS, no MAKEFLAGS.
const INHERITED: [&str; 3] = ["HOME", "TMPDIR", "CCACHE_DIR"];

/// Where Debian, Arch and Fedora put ccache under the compilers' names.
const CCACHE: [&str; 3] = [
    "/usr/lib/ccache",
    "/usr/lib/ccache/bin",
    "/usr/lib64/ccache",
];

#[derive(Debug, Clone)]
pub struct Toolchain {
    /// Where they are looked up.
    pub path: OsString,
    /// How many run at once.
    pub jobs: usize,
}

impl Default for Toolchain {
    /// Those of the caller's `PATH`, as many as there are CPUs; compilers
    /// through ccache where that is installed.
    fn default() -> Self {
        let path = env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        Self {
            path: through_ccache(path, CCACHE.map(Path::new)),
            jobs: thread::available_parallelism().map_or(1, Into::into),
        }
    }
}

/// The search path with the folder in front in which distributions call ccache
/// by the compilers' names. So no command line of make differs with and without
/// it, and neither does what a kernel is found by.
fn through_ccache<'a>(path: OsString, places: impl IntoIterator<Item = &'a Path>) -> OsString {
    let mut places = places.into_iter();
    let Some(place) = places.find(|place| place.join("gcc").exists()) else {
        return path;
    };
    let all = std::iter::once(place.to_owned()).chain(env::split_paths(&path));
    env::join_paths(all).unwrap_or(path)
}

impl Toolchain {
    /// Runs a program in an environment of its own.
    pub(crate) fn run(
        &self,
        runner: &dyn Runner,
        args: Vec<OsString>,
        dir: &Path,
        on_line: &mut dyn FnMut(Stream, &str),
    ) -> Result<i32> {
        let set = |name: &str, value: &OsString| {
            let mut pair = OsString::from(name);
            pair.push("=");
            pair.push(value);
            pair
        };
        // Python would leave files in the source folder, and know them by the
        // date of what they were made of.
        let fixed = ["LC_ALL=C", "PYTHONDONTWRITEBYTECODE=1"].map(OsString::from);
        let mut all = vec!["-i".into(), set("PATH", &self.path)];
        all.extend(fixed);
        all.extend(
            INHERITED
                .iter()
                .filter_map(|name| Some(set(name, &env::var_os(name)?))),
        );
        all.extend(args);
        let invocation = Invocation {
            program: "env".into(),
            args: all,
            dir: dir.into(),
            env: Vec::new(),
        };
        runner
            .run(&invocation, on_line)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => BuildError::Tool {
                    tool: "env".into(),
                    package: Some("coreutils"),
                },
                _ => error.into(),
            })
    }

    /// What the compiler and the linker call themselves.
    pub(crate) fn compiler(&self, runner: &dyn Runner, dir: &Path) -> Result<String> {
        let mut names = Vec::new();
        for tool in ["gcc", "ld"] {
            let mut first = None;
            let args = vec![tool.into(), "--version".into()];
            let code = self.run(runner, args, dir, &mut |stream, row| {
                if stream == Stream::Out && first.is_none() {
                    first = Some(row.to_owned());
                }
            })?;
            let (0, Some(name)) = (code, first) else {
                let package = diagnose::package(tool);
                return Err(BuildError::Tool {
                    tool: tool.into(),
                    package,
                });
            };
            names.push(name);
        }
        Ok(names.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ccache_stands_before_the_compilers_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let [absent, there] = ["absent", "there"].map(|name| folder.path().join(name));
        let path = || OsString::from("/usr/bin:/bin");
        assert_eq!(through_ccache(path(), [absent.as_path()]), path());
        fs_err::create_dir(&there).unwrap();
        fs_err::write(there.join("gcc"), "").unwrap();
        let found = through_ccache(path(), [absent.as_path(), &there]);
        let expected = format!("{}:/usr/bin:/bin", there.display());
        assert_eq!(found, OsString::from(expected));
    }
}
