//! The kernel's own tests (`tools/testing/selftests`), compiled from the tree
//! under test by the tree's own makefiles, for guests that have no libraries.
//!
//! A set of programs is found again by the parts of the tree that went into it
//! and the compiler, so that arms which differ elsewhere share one. Only a set
//! that compiled whole is kept: what a host lacks may be there the next time.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use git2::Oid;
use serde::{Deserialize, Serialize};

use crate::build::diagnose::{Cause, Scanner};
use crate::build::error::BuildError;
use crate::build::toolchain::Toolchain;
use crate::cache::{Cache, Mode, hash, read_json};
use crate::process::Runner;
use crate::store::{Store, extract};

/// Where a tree has its tests.
const ROOT: &str = "tools/testing/selftests";

/// What the makefiles and sources of tests reach for.
const PARTS: [&str; 4] = [ROOT, "tools/include", "tools/arch/x86", "mm/gup_test.h"];

/// Linked into each program. Some of the kernel's tests write results, then
/// fork a child that ends by `exit`: into a pipe, each child would say again
/// all that is still in the buffer.
const BUFFERING: &str = "#include <stdio.h>
static void __attribute__((constructor)) buffer_lines(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
}
";

/// One of the kernel's own tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selftest {
    /// Its source's path below `tools/testing/selftests`, without `.c`.
    pub name: String,
    pub program: Result<Vec<u8>, Missing>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The tree has no such test.
    #[error("the tree has none")]
    Absent,
    #[error("it does not compile: {0}")]
    Broken(Box<Cause>),
}

/// What compiles tests, or finds them compiled.
pub struct Selftests<'a> {
    pub store: &'a Store,
    pub cache: &'a Cache,
    pub runner: &'a dyn Runner,
    pub toolchain: &'a Toolchain,
}

/// What a kept set holds; beside the programs.
#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    /// Name and SHA-1 of each.
    programs: Vec<(String, String)>,
}

impl Selftests<'_> {
    /// The tests of these names of a commit's tree, in this order. `begin` is
    /// called where they have to be compiled.
    ///
    /// # Errors
    /// A missing tool, a full disk, a tree that can't be read, a cancelled run;
    /// not a test that does not compile.
    pub fn ensure(
        &self,
        commit: Oid,
        names: &[&str],
        begin: &mut dyn FnMut(),
    ) -> Result<Vec<Selftest>, BuildError> {
        let tree = self
            .store
            .repo()
            .find_commit(commit)
            .and_then(|commit| commit.tree())
            .map_err(|e| self.store.failed(e))?;
        let id = |path: &str| {
            tree.get_path(Path::new(path))
                .map_or_else(|_| String::new(), |entry| entry.id().to_string())
        };
        let present: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| !id(&format!("{ROOT}/{name}.c")).is_empty())
            .collect();
        let made = if present.is_empty() {
            Vec::new()
        } else {
            let compiler = self.toolchain.compiler(self.runner, self.cache.root())?;
            let mut parts: Vec<String> = PARTS.map(id).into();
            parts.extend([compiler, BUFFERING.into()]);
            parts.extend(present.iter().map(|&name| name.to_owned()));
            let folder = self.cache.root().join("selftests").join(hash(parts));
            self.find_or_make(commit, &folder, &present, begin)?
        };
        let absent = |name: &str| Selftest {
            name: name.into(),
            program: Err(Missing::Absent),
        };
        Ok(names
            .iter()
            .map(|name| {
                let made = made.iter().find(|test| test.name == *name);
                made.cloned().unwrap_or_else(|| absent(name))
            })
            .collect())
    }

    fn find_or_make(
        &self,
        commit: Oid,
        folder: &Path,
        names: &[&str],
        begin: &mut dyn FnMut(),
    ) -> Result<Vec<Selftest>, BuildError> {
        let lock = |mode| {
            let cancelled = || self.runner.cancelled();
            self.cache.lock(folder, mode, &cancelled, &mut || {})
        };
        let shared = lock(Mode::Shared)?;
        if let Some(kept) = kept(folder, names) {
            return Ok(kept);
        }
        drop(shared);
        let _exclusive = lock(Mode::Exclusive)?;
        // Somebody may have made them while this one waited.
        if let Some(kept) = kept(folder, names) {
            return Ok(kept);
        }
        begin();
        let work = self.cache.scratch("selftests")?;
        let made = self.compile(commit, &work, names);
        self.cache.remove(&work)?;
        let made = made?;
        self.keep(folder, &made)?;
        Ok(made)
    }

    /// Compiles in a folder of its own.
    fn compile(
        &self,
        commit: Oid,
        work: &Path,
        names: &[&str],
    ) -> Result<Vec<Selftest>, BuildError> {
        let source = work.join("source");
        let mut watch = |_| self.runner.go_on();
        extract(self.store, commit, &PARTS, &source, &mut watch)?;
        let buffering = work.join("buffering.c");
        fs_err::write(&buffering, BUFFERING)?;
        let make = |name: &&str| {
            Ok(Selftest {
                name: (*name).into(),
                program: self.make(work, &source, &buffering, name)?,
            })
        };
        names.iter().map(make).collect()
    }

    /// Has the tree's makefile make one program.
    fn make(
        &self,
        work: &Path,
        source: &Path,
        buffering: &Path,
        name: &str,
    ) -> Result<Result<Vec<u8>, Missing>, BuildError> {
        let program = work.join("out").join(name);
        let (Some(out), Some(below)) = (program.parent(), Path::new(name).parent()) else {
            return Ok(Err(Missing::Absent));
        };
        fs_err::create_dir_all(out)?;
        let setting = |name: &str, parts: &[&Path]| {
            let mut setting = OsString::from(name);
            parts.iter().for_each(|part| setting.push(part));
            setting
        };
        let args = vec![
            "make".into(),
            "--no-print-directory".into(),
            "-C".into(),
            source.join(ROOT).join(below).into(),
            setting("OUTPUT=", &[out]),
            setting("LDFLAGS=-static -s ", &[buffering]),
            program.clone().into(),
        ];
        let mut scanner = Scanner::new(&source.join(ROOT).join(below).to_string_lossy());
        let code = self
            .toolchain
            .run(self.runner, args, work, &mut |_, row| scanner.line(row))?;
        if self.runner.cancelled() {
            return Err(BuildError::cancelled());
        }
        if code == 0
            && let Ok(bytes) = fs_err::read(&program)
        {
            return Ok(Ok(bytes));
        }
        match scanner.cause(code) {
            Cause::NoSpace => Err(BuildError::no_space(out)),
            cause => Ok(Err(Missing::Broken(cause.into()))),
        }
    }

    /// Keeps a set that compiled whole. The caller holds its lock.
    fn keep(&self, folder: &Path, made: &[Selftest]) -> Result<(), BuildError> {
        let staged = self.cache.scratch("selftests")?;
        let mut programs = Vec::new();
        for test in made {
            let Ok(bytes) = &test.program else {
                return Ok(());
            };
            let path = place(&staged, &test.name);
            fs_err::write(&path, bytes)?;
            programs.push((test.name.clone(), hash([bytes])));
        }
        self.cache
            .write_json(&staged.join("meta.json"), &Meta { programs })?;
        Ok(self.cache.put(&staged, folder)?)
    }
}

/// Where a set has a program.
fn place(folder: &Path, name: &str) -> PathBuf {
    folder.join(name.replace('/', "-"))
}

/// A set that is there, if it is still what was made.
fn kept(folder: &Path, names: &[&str]) -> Option<Vec<Selftest>> {
    let meta: Meta = read_json(&folder.join("meta.json"))?;
    let read = |name: &&str| {
        let (_, sha1) = meta.programs.iter().find(|(kept, _)| kept == name)?;
        let bytes = fs_err::read(place(folder, name)).ok()?;
        (hash([&bytes]) == *sha1).then(|| Selftest {
            name: (*name).into(),
            program: Ok(bytes),
        })
    };
    names.iter().map(read).collect()
}
