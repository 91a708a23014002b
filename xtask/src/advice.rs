//! What the user can do about errors of the library crates, which know neither
//! commands nor options.

use std::error::Error;
use std::path::Path;

use git2::ErrorClass;
use kernel::IoError;
use kernel::build::BuildError;
use kernel::build::diagnose::Cause;
use kernel::cache::CacheError;
use kernel::source::SourceError;
use kernel::store::StoreError;

use crate::home;

/// The advice for an error and what caused it.
pub fn on(error: &anyhow::Error) -> Vec<String> {
    let mut hints: Vec<String> = error.chain().flat_map(hints).collect();
    hints.dedup();
    hints
}

fn hints(cause: &(dyn Error + 'static)) -> Vec<String> {
    let one = cause
        .downcast_ref()
        .and_then(on_guest)
        .or_else(|| cause.downcast_ref().and_then(on_io))
        .or_else(|| cause.downcast_ref().and_then(on_cache))
        .or_else(|| cause.downcast_ref().and_then(on_store))
        .or_else(|| cause.downcast_ref().and_then(on_build))
        .or_else(|| cause.downcast_ref().and_then(on_series));
    match cause.downcast_ref() {
        Some(error) => on_source(error),
        None => one.into_iter().collect(),
    }
}

fn on_guest(error: &vm::Error) -> Option<String> {
    use vm::Error;
    Some(match error {
        Error::NoVirtme { .. } => {
            let setup = home::line("doctor --setup");
            format!("install it with `{setup}`, or Debian's package virtme-ng")
        }
        Error::NoQemu { package, .. } => install(package),
        Error::NotComposed { .. } => {
            let setup = home::line("doctor --setup");
            format!("use the version of virtme-ng that `{setup}` installs")
        }
        Error::KvmUnusable { .. } => "use --accel auto or --accel tcg".into(),
        _ => return None,
    })
}

fn on_io(error: &IoError) -> Option<String> {
    let full = matches!(error, IoError::NoSpace(_));
    full.then(|| format!("free some space, or run `{}`", home::line("cache prune")))
}

fn on_cache(error: &CacheError) -> Option<String> {
    match error {
        CacheError::NoPlace => Some("set HOME, XDG_CACHE_HOME or REAPERLAB_CACHE".into()),
        CacheError::Unfit(_) => Some("set REAPERLAB_CACHE to another folder".into()),
        CacheError::Io(error) => on_io(error),
    }
}

fn on_store(error: &StoreError) -> Option<String> {
    match error {
        StoreError::Git { path, source } => on_git(path, source.class()),
        StoreError::Foreign { .. } => Some("give a kernel's git repository".into()),
        StoreError::Occupied(_) => Some("move it away, or give another folder".into()),
        StoreError::Archive(_) | StoreError::Empty | StoreError::Refused { .. } => None,
        StoreError::Io(error) => on_io(error),
    }
}

/// Nobody deletes a gigabyte for a typo in `~/.gitconfig`.
fn on_git(path: &Path, class: ErrorClass) -> Option<String> {
    match class {
        ErrorClass::Config => Some("mend git's configuration; the kernels are not at fault".into()),
        ErrorClass::NoMemory | ErrorClass::Os | ErrorClass::Thread => {
            Some("check the host: memory, open files (ulimit -n), disk".into())
        }
        _ => Some(format!(
            "if it is damaged, delete {}, and kernels are imported again",
            path.display()
        )),
    }
}

fn on_build(error: &BuildError) -> Option<String> {
    match error {
        BuildError::Tool {
            package: Some(package),
            ..
        } => Some(install(package)),
        BuildError::Tool { tool, .. } => Some(format!("install {tool}")),
        BuildError::Failed { cause, .. } => match **cause {
            Cause::Killed(_) | Cause::Host(_) => {
                Some("check the host: memory, open files (ulimit -n), disk".into())
            }
            _ => None,
        },
        BuildError::Source(error) => on_store(error),
        BuildError::Io(error) => on_io(error),
        BuildError::Config(_) => None,
    }
}

fn on_source(error: &SourceError) -> Vec<String> {
    let of_command = match error {
        SourceError::Offline(_) => Some("run the command again without --offline".into()),
        SourceError::Run { .. } => {
            Some(format!("see `{}` for how to get it", home::line("doctor")))
        }
        SourceError::Store(error) => on_store(error),
        SourceError::Io(error) => on_io(error),
        _ => None,
    };
    of_command.into_iter().chain(error.hints()).collect()
}

fn on_series(error: &series::Error) -> Option<String> {
    error.hint().map(str::to_owned)
}

fn install(package: &str) -> String {
    format!("install Debian's package {package}, or run the command again with --setup")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_found_however_deep_its_error_lies() {
        let full = || IoError::NoSpace("x".into());
        let space = ["free some space, or run `cargo xtask cache prune`"];
        for error in [
            anyhow::Error::new(full()),
            anyhow::Error::new(full()).context("writing"),
            anyhow::Error::new(BuildError::Io(full())),
            anyhow::Error::new(SourceError::from(StoreError::Io(full()))),
        ] {
            assert_eq!(on(&error), space, "{error:?}");
        }
        let source = anyhow::Error::new(SourceError::Candidate("6.17-rc3".into()));
        assert_eq!(
            on(&source),
            ["give a git repository that has it: git:PATH#v6.17-rc3"]
        );
        assert!(on(&anyhow::anyhow!("x")).is_empty());
    }
}
