//! What a commit brings that its parent does not have: warnings of the compiler
//! at `W=1`, and of sparse.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::build::builder::{Builder, Event};
use crate::build::diagnose::Diagnostic;
use crate::build::error::Result;
use crate::build::target::{Source, Target};
use crate::cache::Mode;

/// Who looks at the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checker {
    /// The compiler, with the warnings that the kernel leaves off.
    Compiler,
    /// The semantic parser `sparse`, which must be installed.
    Sparse,
}

impl Checker {
    /// What make is told.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Compiler => &["W=1"],
            // 2: check a file whether or not it is compiled anew.
            Self::Sparse => &["C=2", "CHECK=sparse"],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Compiler => "w1",
            Self::Sparse => "sparse",
        }
    }
}

impl Builder<'_> {
    /// The warnings of `after` that `before` does not have, in the C files in
    /// which they differ. A warning that only moved is not new.
    ///
    /// # Errors
    /// As [`Builder::ensure`].
    pub fn new_warnings(
        &self,
        source: &mut dyn Source,
        [before, after]: [&Target; 2],
        checker: Checker,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Vec<Diagnostic>> {
        let compiler = self.toolchain.compiler(self.runner, self.cache.root())?;
        let resolved = self.resolve(source, after, &compiler, &[], on_event)?;
        let _source = self.lock(source.dir(), Mode::Exclusive, on_event)?;
        let files = source.changed(before.tree, after.tree)?;
        let mut seen = Vec::new();
        for target in [before, after] {
            on_event(Event::Preparing);
            source.switch(target)?;
            let here = files
                .iter()
                .filter(|file| source.dir().join(file).is_file());
            let mut goals: Vec<OsString> = here.filter_map(|file| object(file)).collect();
            if goals.is_empty() {
                seen.push(Vec::new());
                continue;
            }
            goals.extend(checker.arguments().iter().map(OsString::from));
            // Not where the other was compiled: make would compile nothing.
            let out = self.cache.scratch("inspect")?;
            let config = out.join(".config");
            fs_err::write(&config, &resolved.config)?;
            on_event(Event::Started { total: None });
            let log = self.log(&format!("{}-{}", checker.name(), target.tree));
            let found = self.make(&target.name, source.dir(), &out, &goals, &log, &mut |_| {});
            self.cache.remove(&out)?;
            seen.push(found?);
        }
        let after = seen.pop().unwrap_or_default();
        let before = seen.pop().unwrap_or_default();
        Ok(new(&before, after, &files))
    }

    /// Which of these targets, but for the first, compile a C file to what the first one
    /// compiles it to.
    ///
    /// # Errors
    /// As [`Builder::ensure`].
    pub fn same_objects(
        &self,
        source: &mut dyn Source,
        targets: &[Target],
        file: &str,
        on_event: &mut dyn FnMut(&Target, Event<'_>),
    ) -> Result<Vec<bool>> {
        let Some(first) = targets.first() else {
            return Ok(Vec::new());
        };
        let event = &mut |event: Event<'_>| on_event(first, event);
        let compiler = self.toolchain.compiler(self.runner, self.cache.root())?;
        let resolved = self.resolve(source, first, &compiler, &[], event)?;
        let _source = self.lock(source.dir(), Mode::Exclusive, event)?;
        let out = self.cache.scratch("same")?;
        fs_err::write(out.join(".config"), &resolved.config)?;
        let goals: Vec<OsString> = object(Path::new(file)).into_iter().collect();
        let object = |target: &Target| -> Result<Vec<Vec<u8>>> {
            on_event(target, Event::Preparing);
            source.switch(target)?;
            on_event(target, Event::Started { total: None });
            let log = self.log(&format!("same-{}", target.tree));
            self.make(&target.name, source.dir(), &out, &goals, &log, &mut |_| {})?;
            let objects = goals.iter().map(|goal| fs_err::read(out.join(goal)));
            Ok(objects.collect::<std::io::Result<_>>()?)
        };
        let objects: Result<Vec<_>> = targets.iter().map(object).collect();
        self.cache.remove(&out)?;
        let mut objects = objects?.into_iter();
        let right = objects.next();
        Ok(objects.map(|object| Some(object) == right).collect())
    }
}

/// The object of a C file.
fn object(path: &Path) -> Option<OsString> {
    let is_c = path.extension().is_some_and(|extension| extension == "c");
    is_c.then(|| path.with_extension("o").into())
}

/// Those of `after` that are in `before` less often: by file and message, since
/// lines move.
fn new(before: &[Diagnostic], after: Vec<Diagnostic>, files: &[PathBuf]) -> Vec<Diagnostic> {
    let mut known: BTreeMap<(String, String), usize> = BTreeMap::new();
    let key = |one: &Diagnostic| (one.file.clone(), one.message.clone());
    for one in before {
        *known.entry(key(one)).or_default() += 1;
    }
    let is_new = |one: &Diagnostic| match known.get_mut(&key(one)) {
        Some(left) if *left > 0 => {
            *left -= 1;
            false
        }
        _ => files.iter().any(|file| file == Path::new(&one.file)),
    };
    after.into_iter().filter(is_new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(file: &str, line: u32, message: &str) -> Diagnostic {
        Diagnostic {
            file: file.into(),
            line,
            column: None,
            message: message.into(),
            context: Vec::new(),
        }
    }

    #[test]
    fn what_moved_is_not_new() {
        let before = [
            warning("mm/a.c", 10, "unused variable 'x'"),
            warning("mm/b.c", 1, "no previous prototype"),
        ];
        let after = vec![
            warning("mm/a.c", 17, "unused variable 'x'"),
            warning("mm/a.c", 30, "unused variable 'x'"),
            warning("mm/a.c", 40, "set but not used"),
            warning("include/other.h", 5, "not of this commit"),
        ];
        let found = new(&before, after, &["mm/a.c".into()]);
        let lines: Vec<u32> = found.iter().map(|one| one.line).collect();
        assert_eq!(lines, [30, 40]);
    }

    #[test]
    fn only_c_files_have_objects() {
        let object = |file| object(Path::new(file));
        assert_eq!(object("mm/oom_kill.c"), Some("mm/oom_kill.o".into()));
        assert_eq!(object("include/linux/mm.h"), None);
        assert_eq!(object("mm/Makefile"), None);
    }
}
